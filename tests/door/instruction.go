// SPDX-License-Identifier: Apache-2.0

package door

// An instruction, as far as the rules ask.
type instruction struct {
	pc   uint64
	size int
	text string
	file string // where it comes from, also if inlined
	line int

	flow   flow
	target uint64 // of a jump, branch or call; 0: not known

	load, store *memory // what it reads and writes
	acquire     bool    // the load is acquiring
	release     bool    // the store is releasing
	exclusive   bool    // a read-modify-write that is atomic, or half of one
	loadsG      bool    // sets the register of g, as an ABI wrapper does
	usesG       bool
	fault       string // what makes it unfit for the hot path anywhere

	// The stack pointer goes down by before, the access is made, and it goes up
	// by after.
	before, after int64

	// What the walk through a stub follows. An instruction that it does not know
	// whole is no move.
	move  bool
	from  []string // registers stored, or the one copied
	to    []string // registers loaded, or the one copied to
	plus  int64    // to[0] becomes the address from[0] plus this
	adds  bool
	width int64 // bytes of each register in memory
}

type flow int

const (
	falls flow = iota
	jumps
	branches
	calls
	returns
	unknown // to an address in a register or memory
)

// A memory operand: base register and offset; base is "" if it is something else.
type memory struct {
	base   string
	offset int64
}

func (m *memory) is(offset int64, stack string) bool {
	return m != nil && m.base != stack && m.offset == offset
}
