// SPDX-License-Identifier: Apache-2.0

package door

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// planted makes every step run a function of these declarations, plant.
func planted(declarations string) []edit {
	return []edit{
		{"core/step.go", "func (s *Step) begin() {\n", "func (s *Step) begin() {\n\tplant(s)\n"},
		{"core/planted.go", "", "package core\n\n" + declarations},
	}
}

// A fault is what a well-meant change could do, and what the guard must say.
type fault struct {
	name  string
	only  string // the architecture it is one on
	edits []edit
	flags []string
	says  string

	refused bool // by the linker already, whose own rule it breaks
}

var faults = []fault{
	{name: "indexes a slice", says: "calls runtime.panic", edits: planted(`
var weights []uint32

//go:nosplit
func plant(s *Step) { s.Flags += weights[s.Owner] }`)},

	{name: "allocates", says: "calls runtime.newobject", edits: planted(`
var kept *uint64

//go:nosplit
func plant(s *Step) { kept = new(uint64) }`)},

	{name: "stores a pointer", says: "calls runtime.gcWriteBarrier", edits: planted(`
var last *Step

//go:nosplit
func plant(s *Step) { last = s }`)},

	{name: "looks in a map", says: "calls runtime.mapaccess", edits: planted(`
var seen map[uint32]uint32

//go:nosplit
func plant(s *Step) { s.Flags |= seen[s.Owner] }`)},

	{name: "calls through an interface", says: "indirect call", edits: planted(`
var hook interface{ call() }

//go:nosplit
func plant(*Step) { hook.call() }`)},

	{name: "defers", says: "calls runtime.", edits: planted(`
func undo() {}

//go:nosplit
func plant(s *Step) {
	for range s.Max {
		defer undo()
	}
}`)},

	{name: "panics", says: "calls runtime.gopanic", edits: planted(`
//go:nosplit
func plant(s *Step) {
	if s.Owner == 0 {
		panic("no owner")
	}
}`)},

	{name: "divides by a variable", says: "calls runtime.panicdivide", edits: planted(`
//go:nosplit
func plant(s *Step) { s.Index = s.Size / s.Max }`)},

	{name: "divides by a variable that is not 0", only: "amd64", says: "divides", edits: planted(`
//go:nosplit
func plant(s *Step) { s.Index = s.Size / (s.Max | 1) }`)},

	{name: "copies a slice", says: "calls runtime.panic", edits: planted(`
var name [8]byte

//go:nosplit
func plant(s *Step) { copy(name[s.Index:], "step") }`)},

	{name: "calls a function with a stack check", says: "calls runtime.morestack", edits: planted(`
//go:noinline
func deep(s *Step) uint64 {
	var room [64]uint64
	for i := range room {
		room[i] = s.Index
	}
	return room[s.Max&63]
}

//go:nosplit
func plant(s *Step) { s.Index = deep(s) }`)},

	{name: "asks for the time", says: "calls time.", edits: planted(`
import "time"

//go:nosplit
func plant(s *Step) { s.Elapsed = uint64(time.Now().UnixNano()) }`)},

	{name: "locks a mutex", says: "calls internal/sync.", edits: planted(`
import "sync"

var mu sync.Mutex

//go:nosplit
func plant(*Step) { mu.Lock() }`)},

	{name: "recurses", refused: true, says: "infinite cycle", edits: planted(`
//go:nosplit
//go:noinline
func depth(n uint64) uint64 {
	if n == 0 {
		return 0
	}
	return 1 + depth(n-1)
}

//go:nosplit
func plant(s *Step) { s.Index = depth(s.Index & 3) }`)},

	{name: "takes much stack", refused: true, says: "nosplit stack over", edits: planted(`
//go:nosplit
//go:noinline
func plant(s *Step) {
	var room [96]uint64
	p := &room
	for i := range p {
		p[i] = s.Index
	}
	s.Index = p[s.Max&63]
}`)},

	{name: "has a frame over 240 bytes", only: "arm64", says: "the frame exceeds 240 bytes", edits: planted(`
//go:nosplit
//go:noinline
func plant(s *Step) {
	var room [32]uint64
	p := &room
	for i := range p {
		p[i] = s.Index
	}
	s.Index = p[s.Max&31]
}`)},

	{name: "a stub forgets a register", only: "amd64", says: "R13 is not given back", edits: []edit{
		{"core/door/direct_amd64.s", "\tMOVQ\t24(SP), R13; \\\n", ""}}},
	{name: "a stub mixes up two registers", only: "amd64", says: "RBX is not given back", edits: []edit{
		{"core/door/direct_amd64.s", "\tMOVQ\t8(SP), BX; \\\n", "\tMOVQ\t16(SP), BX; \\\n"}}},
	{name: "a stub forgets a register", only: "arm64", says: "R23 is not given back", edits: []edit{
		{"core/door/direct_arm64.s", "\tLDP\t56(RSP), (R23, R24); \\\n", ""}}},
	{name: "a stub forgets a float", only: "arm64", says: "F10 is not given back", edits: []edit{
		{"core/door/direct_arm64.s", "\tFSTPD\t(F10, F11), 120(RSP); \\\n", ""}}},
	{name: "a stub leaves C's register to g", only: "arm64", says: "g is not 0", edits: []edit{
		{"core/door/direct_arm64.s", "\tMOVD\tZR, g; \\\n", ""}}},
	{name: "a stub stores below the stack pointer", only: "arm64", says: "stores outside of its frame", edits: []edit{
		{"core/door/direct_arm64.s", "\tSTP\t(R19, R20), 24(RSP); \\\n", "\tSTP\t(R19, R20), -16(RSP); \\\n"}}},

	{name: "tail is stored before the copy", says: "tail is stored, and the value was not copied", flags: []string{"-tags", "fault_nofence"}},
	{name: "tail is stored twice", says: "tail is stored, and the value was not copied just before", edits: []edit{
		{"core/buffers/buffer.go", "\tb.bytes += size\n", "\tpublish64(&b.tail, b.tail+1)\n\tb.bytes += size\n"}}},
	{name: "tail is not stored", says: "tail not stored before the lock is released", edits: []edit{
		{"core/buffers/buffer.go", "\tif !faultNoFence {\n", "\tif b.kind != Latest {\n"}}},
	{name: "tail is stored by the way", says: "a control word is stored from elsewhere", edits: []edit{
		{"core/buffers/ring.go", "\tslot := b.slot\n\tb.slot++\n", "\tslot := b.slot\n\tb.slot++\n\tb.tail++\n"}}},
	{name: "tail is stored after the lock is free", says: "tail not stored before the lock is released", edits: []edit{
		{"core/buffers/buffer.go", "\tif !faultNoFence {\n\t\tpublish64(&b.tail, b.tail+1)\n\t}\n", ""},
		{"core/buffers/buffer.go", "// claim is the slot of",
			"//go:nosplit\nfunc (b *Buffer) Late() { publish64(&b.tail, b.tail+1) }\n\n// claim is the slot of"},
		{"core/step_produce.go", "\ts.unlock(&r.buffer.Lock)\n\tif r.watched() {\n",
			"\ts.unlock(&r.buffer.Lock)\n\tr.buffer.Late()\n\tif r.watched() {\n"},
	}},
	{name: "tail is stored plainly", only: "arm64", says: "does not release", edits: []edit{
		{"core/buffers/order.go", "atomic.StoreUint64(word, value)", "*word = value"}}},
	{name: "full is stored first", says: "full is stored before tail", edits: []edit{
		{"core/buffers/buffer.go", "\tif b.kind == Mailbox {\n\t\tb.fill()\n\t}\n", ""},
		{"core/buffers/buffer.go", "\tat := b.at(b.claim())\n",
			"\tat := b.at(b.claim())\n\tif b.kind == Mailbox {\n\t\tb.fill()\n\t}\n"}}},

	{name: "a ring's reader looks only once", says: "tail not looked at afterwards", edits: []edit{
		{"core/buffers/ring.go", "if atomic.LoadUint64(&b.tail)-c.position >= b.slots {", "if behind >= b.slots {"}}},
	{name: "a latest's reader looks only once", says: "tail not looked at afterwards", edits: []edit{
		{"core/buffers/latest.go", "if atomic.LoadUint64(&b.tail)-newest >= latestSlots && !locked {",
			"if tail-newest >= latestSlots && !locked {"}}},
	{name: "a ring's reader does not order its loads", only: "arm64", says: "the loads of the copy are not ordered", edits: []edit{
		{"core/buffers/ring.go", "\tloadsBeforeLoads(&c.fence)\n", ""}}},
	{name: "a latest's reader does not order its loads", only: "arm64", says: "the loads of the copy are not ordered", edits: []edit{
		{"core/buffers/latest.go", "\t\tloadsBeforeLoads(&c.fence)\n", ""}}},
	{name: "the fence is a plain store", only: "arm64", says: "the loads of the copy are not ordered", edits: []edit{
		{"core/buffers/order.go", "func loadsBeforeLoads(own *uint32) { atomic.StoreUint32(own, 0) }",
			"func loadsBeforeLoads(own *uint32) { *own = 0 }"}}},
}

func TestGuard_FindsPlantedFaults(t *testing.T) {
	for _, f := range faults {
		for _, goarch := range architectures {
			if f.only != "" && f.only != goarch {
				continue
			}
			t.Run(f.name+"/"+goarch, func(t *testing.T) {
				out := t.TempDir()
				err := buildProbe(absolute(t), out, goarch, f.edits, f.flags...)
				if f.refused {
					require.ErrorContains(t, err, f.says)
					return
				}
				require.NoError(t, err)
				_, found := guard(t, filepath.Join(out, "probe"), goarch)
				require.True(t, slices.ContainsFunc(found, func(x finding) bool {
					return strings.Contains(x.what, f.says)
				}), "the guard says %v, not: %s", found, f.says)
			})
		}
	}
}

// The runtime can't be edited in a moment, so this looks at a made-up memmove.
func TestGuard_FindsAnUnfencedNonTemporalStore(t *testing.T) {
	stream := instruction{pc: 1, text: "VMOVNTDQ Y0, 0(DI)", store: &memory{base: "RDI"}}
	fence := instruction{pc: 3, text: "SFENCE"}
	loop := instruction{pc: 2, text: "JA", flow: branches, target: 1}
	around := instruction{pc: 2, text: "JA", flow: branches, target: 4}
	end := instruction{pc: 4, text: "RET", flow: returns}
	require.Nil(t, (&function{body: []instruction{stream, loop, fence, end}}).unfenced())
	require.NotNil(t, (&function{body: []instruction{stream, loop, end}}).unfenced())
	require.NotNil(t, (&function{body: []instruction{stream, around, fence, end}}).unfenced())
}
