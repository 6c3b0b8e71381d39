// SPDX-License-Identifier: Apache-2.0

package door

import (
	"debug/elf"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/aimdb-dev/aimdb-go/core/buffers"
)

// The accesses to control words whose place decides, found by where they are
// in the source: the bodies of the functions of core/buffers/order*.go, and the
// loads of tail.
type source struct {
	publish64, publish32, fence map[string]bool // lines, as file:line
	tailLoads                   map[string]bool
}

// tail and full are offsets in a Buffer.
var tail, full = offset("tail"), offset("full")

func offset(field string) int64 {
	f, ok := reflect.TypeFor[buffers.Buffer]().FieldByName(field)
	if !ok {
		panic("buffers.Buffer has no field " + field)
	}
	return int64(f.Offset)
}

func readSource(top, goarch string) (*source, error) {
	context := build.Default
	context.GOARCH, context.CgoEnabled = goarch, false
	dir := filepath.Join(top, "core", "buffers")
	p, err := context.ImportDir(dir, 0)
	if err != nil {
		return nil, err
	}
	s := &source{map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}}
	bodies := map[string]map[string]bool{
		"publish64": s.publish64, "publish32": s.publish32, "loadsBeforeLoads": s.fence,
	}
	for _, name := range p.GoFiles {
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, filepath.Join(dir, name), nil, 0)
		if err != nil {
			return nil, err
		}
		at := func(p token.Pos) string { return fmt.Sprintf("buffers/%s:%d", name, files.Position(p).Line) }
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if lines := bodies[n.Name.Name]; lines != nil {
					for line := n.Pos(); line <= n.End(); line++ {
						lines[at(line)] = true
					}
				}
			case *ast.CallExpr:
				if isTailLoad(n) {
					s.tailLoads[at(n.Pos())] = true
				}
			}
			return true
		})
	}
	return s, nil
}

// isTailLoad: atomic.LoadUint64(&b.tail).
func isTailLoad(call *ast.CallExpr) bool {
	f, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || f.Sel.Name != "LoadUint64" || len(call.Args) != 1 {
		return false
	}
	address, ok := call.Args[0].(*ast.UnaryExpr)
	if !ok {
		return false
	}
	field, ok := address.X.(*ast.SelectorExpr)
	return ok && field.Sel.Name == "tail"
}

func (i *instruction) place() string {
	parts := strings.Split(i.file, "/")
	if len(parts) < 2 {
		return ""
	}
	return fmt.Sprintf("%s/%s:%d", parts[len(parts)-2], parts[len(parts)-1], i.line)
}

// An event is what an instruction is to the orderings.
type event int

const (
	nothing    event = iota
	copies           // a call of memmove
	storesTail       // publish64
	storesFull       // publish32
	misplaced        // a store of tail from elsewhere, or one that does not release
	fences           // loadsBeforeLoads
	loadsTail
	locks // a locked instruction
	ends
)

func (c *closure) event(s *source, i *instruction) event {
	arm, place := c.image.arch == elf.EM_AARCH64, i.place()
	stores := i.store != nil && i.store.base != c.image.stack()
	switch {
	case i.flow == calls:
		if to := c.image.at(i.target); to != nil && to.name == memmove {
			return copies
		}
	case i.exclusive: // LDAXR too: a compare-and-swap that fails stores nothing
		return locks
	case i.flow == returns:
		return ends
	case stores && (s.publish64[place] || s.publish32[place]):
		if arm && !i.release || !arm && !i.store.is(tail, x86Stack) && !i.store.is(full, x86Stack) {
			return misplaced
		}
		if s.publish64[place] {
			return storesTail
		}
		return storesFull
	case stores && s.fence[place]:
		if i.release {
			return fences
		}
	case stores && i.store.offset == tail && strings.HasPrefix(place, "buffers/") &&
		!strings.HasPrefix(place, "buffers/cursor.go"):
		return misplaced
	case i.load != nil && s.tailLoads[place]:
		if arm && i.acquire || !arm && i.load.is(tail, x86Stack) {
			return loadsTail
		}
	}
	return nothing
}

// An order is an automaton over events: what comes next, and what is wrong.
type order func(state string, e event) (next, wrong string)

// pushed: copy, then tail, then (mailbox) full, then a locked instruction; tail
// once.
func pushed(state string, e event) (string, string) {
	switch {
	case e == misplaced:
		return state, "a control word is stored from elsewhere, or does not release"
	case e == copies && state != "":
		return "copied", "copies again before the lock is released"
	case e == copies:
		return "copied", ""
	case e == storesTail && state != "copied":
		return "published", "tail is stored, and the value was not copied just before"
	case e == storesTail:
		return "published", ""
	case e == storesFull && state != "published":
		return state, "full is stored before tail"
	case e == locks && state == "copied", e == ends && state == "copied":
		return "", "the value is copied, and tail not stored before the lock is released"
	case e == locks:
		return "", ""
	case e == ends && state != "":
		return "", "returns with the lock held"
	}
	return state, ""
}

// fetched: copies, then (where loads must be ordered) the fence, then tail is
// loaded again.
func fetched(fence bool) order {
	return func(state string, e event) (string, string) {
		switch {
		case e == misplaced || e == storesTail || e == storesFull:
			return state, "a control word is stored"
		case e == copies:
			return "copied", ""
		case e == fences && state == "copied":
			return "fenced", ""
		case e == loadsTail && fence && state == "copied":
			return "", "tail is loaded again, and the loads of the copy are not ordered before"
		case e == loadsTail:
			return "", ""
		case (e == locks || e == ends) && state != "":
			return "", "a value was copied, and tail not looked at afterwards"
		}
		return state, ""
	}
}

// taken: a mailbox is read under the lock, and full is cleared after the copy.
func taken(state string, e event) (string, string) {
	switch {
	case e == misplaced || e == storesTail:
		return state, "a control word is stored"
	case e == storesFull:
		return "cleared", ""
	case e == copies && state == "cleared":
		return state, "the value is copied after full is cleared"
	}
	return state, ""
}

// peeked: all under the lock.
func peeked(state string, e event) (string, string) {
	if e == misplaced || e == storesTail || e == storesFull {
		return state, "a control word is stored"
	}
	return state, ""
}

// stamps follows every path from a stub, through its calls, and counts how many
// copies it saw.
func (m *image) stamps(stub *function, s *source) (copied int, found []finding) {
	o := order(pushed)
	switch {
	case strings.HasSuffix(stub.name, ".peekStub"), strings.HasSuffix(stub.name, "ccountStub"):
		o = peeked
	case strings.HasSuffix(stub.name, ".nextStub"), strings.HasSuffix(stub.name, ".receiveStub"):
		o = fetched(m.arch == elf.EM_AARCH64)
	}
	p := &passage{closure: &closure{image: m}, source: s, order: o,
		outcomes: map[entry]map[string]bool{}, reported: map[string]bool{}}
	for state := range p.through(stub, "") {
		if _, wrong := o(state, ends); wrong != "" {
			p.report(stub, &stub.body[len(stub.body)-1], "%s", wrong)
		}
	}
	return p.copied, p.found
}

type entry struct {
	f     *function
	state string
}

type passage struct {
	*closure
	source   *source
	order    order
	outcomes map[entry]map[string]bool
	reported map[string]bool
	copied   int
}

// handedOut: what was found whole is copied on, and no control word stored.
func handedOut(state string, e event) (string, string) { return peeked(state, e) }

// call passes a called function; the ones that read a mailbox, and that copy what
// is whole, have their own order.
func (p *passage) call(f *function, state string) map[string]bool {
	own := order(nil)
	switch {
	case strings.HasSuffix(f.name, ".(*Buffer).fetchMailbox"):
		own = taken
	case strings.HasSuffix(f.name, ".(*Step).handOut") && state == "":
		own = handedOut
	default:
		return p.through(f, state)
	}
	within := &passage{p.closure, p.source, own, map[entry]map[string]bool{}, p.reported, 0}
	within.through(f, "")
	p.copied += within.copied
	return map[string]bool{state: true}
}

// through gives the states in which a function can return when entered in one.
func (p *passage) through(f *function, state string) map[string]bool {
	if known, ok := p.outcomes[entry{f, state}]; ok {
		return known
	}
	out := map[string]bool{}
	p.outcomes[entry{f, state}] = out
	index := map[uint64]int{}
	for n := range f.body {
		index[f.body[n].pc] = n
	}
	type at struct {
		n     int
		state string
	}
	seen := map[at]bool{}
	var walk func(at)
	walk = func(here at) {
		for !seen[here] && here.n < len(f.body) {
			seen[here] = true
			i := &f.body[here.n]
			e := p.event(p.source, i)
			if e == copies {
				p.copied++
			}
			if i.flow == returns {
				out[here.state] = true
				return
			}
			next, wrong := p.order(here.state, e)
			if key := i.place() + wrong; wrong != "" && !p.reported[key] {
				p.reported[key] = true
				p.report(f, i, "%s", wrong)
			}
			if to := p.image.at(i.target); e != copies && to != nil && to != f && to.pc == i.target && isHot(to.name) {
				for s := range p.call(to, next) {
					if i.flow == jumps {
						out[s] = true
					} else {
						walk(at{here.n + 1, s})
					}
				}
				return
			}
			if to, within := index[i.target]; within && (i.flow == jumps || i.flow == branches) {
				walk(at{to, next})
			}
			if i.flow == jumps || i.flow == unknown {
				return
			}
			here = at{here.n + 1, next}
		}
	}
	walk(at{0, state})
	return out
}
