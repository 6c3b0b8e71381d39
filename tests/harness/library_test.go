// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"fmt"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/ebitengine/purego"
)

// symbols are the addresses of the header's functions.
var symbols = make(map[string]uintptr)

func libraryPath() string {
	if path := os.Getenv("AIMDB_LIBRARY"); path != "" {
		return path
	}
	return "../../build/libaimdb.so.0"
}

func load(path string) error {
	library, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return err
	}
	for _, f := range api.functions {
		if symbols[f.name], err = purego.Dlsym(library, f.name); err != nil {
			return err
		}
	}
	return nil
}

// call calls a function of the library and notes its status. Arguments are
// handles, numbers, strings, byte slices, pointers, or nil for NULL.
func call(t testing.TB, name string, args ...any) Status {
	t.Helper()
	s, _ := callText(t, name, args...)
	return s
}

// callText also gives the text of a refusal, which must name an argument,
// whatever was tested.
func callText(t testing.TB, name string, args ...any) (Status, string) {
	t.Helper()
	f := api.byName[name]
	if f == nil || len(f.params) != len(args) {
		panic("the header has no such function: " + name)
	}
	runtime.LockOSThread() // the text is the thread's
	defer runtime.UnlockOSThread()
	s := Status(int32(invoke(name, args...)))
	reached.note(name, s)
	text := ""
	if s < 0 {
		text = lastError()
		if !namesOne(f, text) {
			t.Errorf("%s: %v: the text %q names no argument", name, s, text)
		}
	}
	return s, text
}

// lastError is the calling thread's.
func lastError() string {
	reached.note("aimdb_last_error", OK)
	return goString(invoke("aimdb_last_error"))
}

func namesOne(f *function, text string) bool {
	return slices.ContainsFunc(f.params, func(p param) bool { return names(text, p.name) })
}

// names: the text begins with the argument's name, or that of its field.
func names(text, argument string) bool {
	rest, ok := strings.CutPrefix(text, argument)
	return ok && rest != "" && strings.ContainsRune(":.[", rune(rest[0]))
}

// refused makes a bad call: the status, and the text that names the argument.
func refused(t testing.TB, want Status, argument, name string, args ...any) {
	t.Helper()
	got, text := callText(t, name, args...)
	if got != want || !names(text, argument) {
		t.Errorf("%s: %v %q, want %v and a text on %s", name, got, text, want, argument)
	}
}

// ok makes a good call.
func ok(t testing.TB, name string, args ...any) { t.Helper(); gives(t, OK, name, args...) }

// gives makes a call with any outcome.
func gives(t testing.TB, want Status, name string, args ...any) {
	t.Helper()
	if got, text := callText(t, name, args...); got != want {
		t.Errorf("%s: %v %q, want %v", name, got, text, want)
	}
}

func invoke(name string, args ...any) uintptr {
	words := make([]uintptr, len(args))
	for i, a := range args {
		if s, ok := a.(string); ok {
			a = append([]byte(s), 0)
			args[i] = a
		}
		words[i] = wordOf(a)
	}
	result, _, _ := purego.SyscallN(symbols[name], words...)
	runtime.KeepAlive(args)
	return result
}

func wordOf(a any) uintptr {
	switch v := reflect.ValueOf(a); v.Kind() {
	case reflect.Invalid:
		return 0
	case reflect.Pointer, reflect.Slice:
		return v.Pointer()
	case reflect.Int, reflect.Int32, reflect.Int64:
		return uintptr(v.Int())
	default:
		return uintptr(v.Uint())
	}
}

func goString(address uintptr) string {
	if address == 0 {
		return ""
	}
	first := (*byte)(at(address))
	n := 0
	for *(*byte)(unsafe.Add(unsafe.Pointer(first), n)) != 0 {
		n++
	}
	return string(unsafe.Slice(first, n))
}

// at is memory of the library's.
func at(address uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&address)) }

// A record of which statuses each function has answered.
type notes struct {
	mu   sync.Mutex
	seen map[string]map[Status]bool
}

var reached = notes{seen: make(map[string]map[Status]bool)}

func (n *notes) note(function string, s Status) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.seen[function] == nil {
		n.seen[function] = make(map[Status]bool)
	}
	n.seen[function][s] = true
}

// unreachable are documented answers that no program can get.
var unreachable = map[string]Status{
	"aimdb_emit": ErrState, // an emitter is of a started database, and so must the record be
}

// missing lists what the header says and no test got.
func (n *notes) missing() []string {
	var list []string
	every := make(map[Status]bool)
	for _, f := range api.functions {
		seen := n.seen[f.name]
		if seen == nil {
			list = append(list, f.name+" was not called")
		}
		if !f.answers {
			continue
		}
		for _, wanted := range []map[Status]bool{f.documented, f.refusals()} {
			for s := range wanted {
				if not, ok := unreachable[f.name]; !seen[s] && !(ok && s == not) {
					list = append(list, fmt.Sprintf("%s never answered %v", f.name, s))
				}
			}
		}
		for s := range seen {
			every[s] = true
			if !f.documented[s] && !f.refusals()[s] && s != ErrInternal && s != ErrHandle {
				list = append(list, fmt.Sprintf("%s answered %v, which its text does not list", f.name, s))
			}
		}
	}
	for name, s := range statuses {
		if !every[s] {
			list = append(list, "no function answered "+name)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}
