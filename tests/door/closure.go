// SPDX-License-Identifier: Apache-2.0

package door

import (
	"debug/elf"
	"fmt"
	"strings"
)

const module = "github.com/aimdb-dev/aimdb-go/"

// Packages whose functions may be part of the hot path, and the one function of
// the runtime that may: it needs no g, no stack, and calls nothing.
var hot = []string{module + "core.", module + "core/buffers.", module + "core/park.",
	module + "core/memory.", module + "core/door."}

const memmove = "runtime.memmove"

// A finding is what is wrong at one place.
type finding struct {
	function string
	where    string
	what     string
}

func (f finding) String() string {
	return fmt.Sprintf("%s (%s): %s", strings.TrimPrefix(f.function, module), f.where, f.what)
}

// A closure is a stub and everything it can reach.
type closure struct {
	image    *image
	found    []finding
	depth    map[*function]int64 // bytes of stack, with all it calls
	entering map[*function]bool
	wrapper  string // the function that may load g: the stub's callee
}

func (m *image) stack() string {
	if m.arch == elf.EM_AARCH64 {
		return armStack
	}
	return x86Stack
}

// check walks from a stub and gives the depth of the stack in bytes.
func (m *image) check(stub *function) (depth int64, found []finding) {
	c := &closure{image: m, depth: map[*function]int64{}, entering: map[*function]bool{}}
	c.wrapper = strings.TrimSuffix(stub.name, "Stub") + ".abi0"
	c.frame(stub)
	depth = c.walk(stub)
	return depth, c.found
}

func (c *closure) report(f *function, i *instruction, format string, arguments ...any) {
	file := i.file[strings.LastIndex(i.file, "/")+1:]
	c.found = append(c.found, finding{f.name, fmt.Sprintf("%s:%d %s", file, i.line, i.text),
		fmt.Sprintf(format, arguments...)})
}

// walk checks what a function can execute, and follows its calls.
func (c *closure) walk(f *function) (deepest int64) {
	if known, ok := c.depth[f]; ok {
		return known
	}
	if c.entering[f] {
		c.report(f, &f.body[0], "recursion: the stack has no bound")
		return 0
	}
	c.entering[f] = true
	defer delete(c.entering, f)
	f.paths(func(i *instruction, down int64) {
		c.inspect(f, i)
		deepest = max(deepest, down+i.before)
		for _, at := range []*memory{i.load, i.store} {
			if at != nil && at.base == c.image.stack() {
				deepest = max(deepest, down+i.before-at.offset)
			}
		}
		if callee := c.callee(f, i); callee != nil {
			pushed := int64(0)
			if i.flow == calls && c.image.arch == elf.EM_X86_64 {
				pushed = 8
			}
			deepest = max(deepest, down+pushed+c.walk(callee))
		}
	}, func(i *instruction, what string) { c.report(f, i, "%s", what) })
	c.depth[f] = deepest
	return deepest
}

// inspect applies the rules that look at one instruction.
func (c *closure) inspect(f *function, i *instruction) {
	stub := strings.HasSuffix(f.name, "Stub")
	if i.fault != "" {
		c.report(f, i, "%s", i.fault)
	}
	if i.usesG && !stub || i.loadsG && !stub && f.name != c.wrapper {
		c.report(f, i, "uses g or thread-local storage")
	}
}

// callee is the function that is called or jumped to, if it may be and is to be
// followed.
func (c *closure) callee(f *function, i *instruction) *function {
	if i.target == 0 {
		return nil
	}
	within := i.target >= f.pc && i.target < f.pc+f.size
	if i.flow != calls && (i.flow != jumps && i.flow != branches || within) {
		return nil
	}
	to := c.image.at(i.target)
	switch {
	case to == nil:
		c.report(f, i, "calls what is no function")
	case to.pc != i.target:
		c.report(f, i, "calls into the middle of %s", to.name)
	case to.name == memmove:
		c.leaf(to)
	case !isHot(to.name):
		c.report(f, i, "calls %s", to.name)
	default:
		return to
	}
	return nil
}

// leaf: memmove calls nothing and has no frame.
func (c *closure) leaf(f *function) {
	if _, known := c.depth[f]; known {
		return
	}
	c.depth[f] = 0
	f.paths(func(i *instruction, down int64) {
		c.inspect(f, i)
		if i.flow == calls || down != 0 {
			c.report(f, i, "%s is no leaf", f.name)
		}
	}, func(i *instruction, what string) { c.report(f, i, "%s", what) })
	if i := f.unfenced(); i != nil {
		c.report(f, i, "returns after a non-temporal store without SFENCE: tail would overtake it")
	}
}

// unfenced is a return that a non-temporal store reaches without a fence, or nil.
// Such stores are not ordered before the plain store that publishes them.
func (f *function) unfenced() (found *instruction) {
	type at struct {
		n       int
		pending bool
	}
	index := map[uint64]int{}
	for n := range f.body {
		index[f.body[n].pc] = n
	}
	seen := map[at]bool{}
	var walk func(at)
	walk = func(here at) {
		for here.n < len(f.body) && !seen[here] {
			seen[here] = true
			i := &f.body[here.n]
			switch {
			case i.store != nil && strings.Contains(i.text, "MOVNT"):
				here.pending = true
			case strings.HasPrefix(i.text, "SFENCE"), strings.HasPrefix(i.text, "MFENCE"):
				here.pending = false
			case i.flow == returns && here.pending:
				found = i
			}
			if to, within := index[i.target]; within && (i.flow == jumps || i.flow == branches) {
				walk(at{to, here.pending})
			}
			if i.flow == jumps || i.flow == returns || i.flow == unknown {
				return
			}
			here.n++
		}
	}
	walk(at{})
	return found
}

func isHot(name string) bool {
	for _, p := range hot {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// paths visits every instruction that can be executed, with how far the stack
// pointer is below where it was at entry.
func (f *function) paths(visit func(i *instruction, down int64), complain func(*instruction, string)) {
	index := map[uint64]int{}
	for n := range f.body {
		index[f.body[n].pc] = n
	}
	down := map[int]int64{}
	var walk func(n int, depth int64)
	walk = func(n int, depth int64) {
		for n < len(f.body) {
			if before, seen := down[n]; seen {
				if before != depth {
					complain(&f.body[n], "is reached with the stack pointer at two places")
				}
				return
			}
			down[n] = depth
			i := &f.body[n]
			visit(i, depth)
			depth += i.before - i.after
			if to, within := index[i.target]; within && (i.flow == jumps || i.flow == branches) {
				walk(to, depth)
			}
			switch i.flow {
			case returns:
				if depth != 0 {
					complain(i, "returns with the stack pointer moved")
				}
				return
			case jumps, unknown:
				return
			}
			n++
		}
		complain(&f.body[len(f.body)-1], "runs past its end")
	}
	walk(0, 0)
}
