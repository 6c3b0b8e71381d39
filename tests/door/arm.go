// SPDX-License-Identifier: Apache-2.0

package door

import (
	"encoding/binary"
	"fmt"
	"regexp"

	"golang.org/x/arch/arm64/arm64asm"
)

// The A64 encodings are read by their fields (Arm Architecture Reference Manual
// for A-profile, C4.1): the disassembler knows no atomics of Armv8.1, and does
// not give offsets. It is asked for the text.

const (
	armStack = "SP"
	armG     = "R28"
)

var armNamesG = regexp.MustCompile(`\bR28\b|\bg\b`)

type word uint32

func (w word) field(high, low uint) uint32 { return uint32(w) >> low & (1<<(high-low+1) - 1) }

func (w word) signed(high, low uint) int64 {
	unused := 63 - (high - low)
	return int64(uint64(w.field(high, low))<<unused) >> unused
}

func (w word) register(low uint) string { return fmt.Sprintf("R%d", w.field(low+4, low)) }

// base is the register of an address: 31 is the stack pointer.
func (w word) base() string {
	if w.field(9, 5) == 31 {
		return armStack
	}
	return w.register(5)
}

func decodeARM(code []byte, pc uint64) instruction {
	if len(code) < 4 {
		return instruction{size: len(code), text: "?", fault: "does not decode"}
	}
	w := word(binary.LittleEndian.Uint32(code))
	i := instruction{size: 4}
	known := i.control(w, pc) || i.ordered(w) || i.pairs(w) || i.single(w) || i.arithmetic(w)
	if d, err := arm64asm.Decode(code); err == nil {
		i.text = arm64asm.GoSyntax(d, pc, nil, nil)
		known = true
	}
	switch {
	case !known:
		i.fault = fmt.Sprintf("does not decode: %#x", uint32(w))
	case i.text == "":
		i.text = fmt.Sprintf("atomic %#x", uint32(w))
		i.usesG = w.field(20, 16) == 28 || w.field(9, 5) == 28 || w.field(4, 0) == 28
	default:
		i.usesG = armNamesG.MatchString(i.text)
	}
	return i
}

// control: branches, exceptions, system.
func (i *instruction) control(w word, pc uint64) bool {
	at := func(offset int64) uint64 { return pc + uint64(offset)*4 }
	switch {
	case w.field(30, 26) == 0b00101:
		i.flow, i.target = jumps, at(w.signed(25, 0))
		if w.field(31, 31) == 1 {
			i.flow = calls
		}
	case w.field(31, 24) == 0b01010100, w.field(30, 25) == 0b011010:
		i.flow, i.target = branches, at(w.signed(23, 5))
	case w.field(30, 25) == 0b011011:
		i.flow, i.target = branches, at(w.signed(18, 5))
	case w.field(31, 25) == 0b1101011:
		switch w.field(24, 21) {
		case 0:
			i.flow, i.fault = unknown, "indirect call or jump"
		case 1:
			i.flow, i.fault = calls, "indirect call or jump"
		case 2:
			i.flow = returns
		default:
			i.flow, i.fault = unknown, "does not decode"
		}
	case w.field(31, 24) == 0b11010100:
		i.fault = "system call or trap"
	case w.field(31, 22) == 0b1101010100 && w.field(21, 20) == 0b11:
		i.fault = "reads a system register" // thread-local storage
	default:
		return false
	}
	return true
}

// ordered: exclusive, acquiring and releasing accesses, and atomics.
func (i *instruction) ordered(w word) bool {
	at := &memory{base: w.base()}
	switch {
	case w.field(29, 24) == 0b001000:
		second, first, o1, o0 := w.field(23, 23), w.field(22, 22), w.field(21, 21), w.field(15, 15)
		switch {
		case second == 1 && o1 == 1: // CAS: the two bits are acquire and release
			i.atomic(at, first, o0)
		case o1 == 1:
			i.fault = "an exclusive pair"
		case first == 1:
			i.load, i.acquire, i.exclusive = at, o0 == 1, second == 0
		default:
			i.store, i.release, i.exclusive = at, o0 == 1, second == 0
		}
	case w.field(29, 24) == 0b111000 && w.field(21, 21) == 1 && w.field(11, 10) == 0:
		i.atomic(at, w.field(23, 23), w.field(22, 22))
	default:
		return false
	}
	if i.exclusive && (i.load != nil && !i.acquire || i.store != nil && !i.release) {
		i.fault = "an atomic that does not order both ways"
	}
	return true
}

func (i *instruction) atomic(at *memory, acquire, release uint32) {
	i.load, i.store, i.exclusive = at, at, true
	i.acquire, i.release = acquire == 1, release == 1
}

// pairs: LDP, STP.
func (i *instruction) pairs(w word) bool {
	if w.field(29, 27) != 0b101 || w.field(25, 25) != 0 {
		return false
	}
	class := "R"
	i.width = 4 << (w.field(31, 31))
	if w.field(26, 26) == 1 {
		class, i.width = "F", 4<<w.field(31, 30)
	}
	registers := []string{fmt.Sprint(class, w.field(4, 0)), fmt.Sprint(class, w.field(14, 10))}
	i.reach(w, w.field(24, 23), w.signed(21, 15)*i.width, w.field(22, 22) == 1, registers)
	return true
}

// single: LDR, STR and their like.
func (i *instruction) single(w word) bool {
	if w.field(29, 27) != 0b111 || w.field(25, 25) != 0 {
		return false
	}
	scale, class := w.field(31, 30), "R"
	load := w.field(23, 22) != 0
	if w.field(26, 26) == 1 {
		class, load = "F", w.field(22, 22) == 1
		scale |= w.field(23, 23) << 2
	}
	i.width = 1 << scale
	registers := []string{fmt.Sprint(class, w.field(4, 0))}
	switch {
	case w.field(24, 24) == 1:
		i.reach(w, 2, int64(w.field(21, 10))<<scale, load, registers)
	case w.field(21, 21) == 1: // with an index
		if load {
			i.load = &memory{}
		} else {
			i.store = &memory{}
		}
	default:
		mode := w.field(11, 10) // unscaled, post, unprivileged, pre
		if mode == 0 {
			mode = 2
		}
		i.reach(w, mode, w.signed(20, 12), load, registers)
	}
	return true
}

// reach: mode 1 moves the base after the access, 3 before it.
func (i *instruction) reach(w word, mode uint32, offset int64, load bool, registers []string) {
	at := &memory{base: w.base(), offset: offset}
	i.move = true
	if mode&1 == 1 {
		at.offset = 0
		switch {
		case at.base != armStack:
			i.move = false
		case mode == 1:
			i.after = offset
		default:
			i.before = -offset
		}
	}
	if load {
		i.load, i.to = at, registers
	} else {
		i.store, i.from = at, registers
	}
}

// arithmetic: what moves the stack pointer, and copies.
func (i *instruction) arithmetic(w word) bool {
	switch {
	case w.field(31, 31) == 1 && w.field(29, 23) == 0b0100010: // ADD, SUB with a constant
		sum := int64(w.field(21, 10)) << (12 * w.field(22, 22))
		if w.field(30, 30) == 1 {
			sum = -sum
		}
		toStack := w.field(4, 0) == 31
		switch {
		case toStack && w.base() != armStack:
			i.fault = "sets the stack pointer from a register: the frame exceeds 240 bytes, and the link register was stored below it"
		case toStack && sum < 0:
			i.move, i.before = true, -sum
		case toStack:
			i.move, i.after = true, sum
		default:
			i.move, i.adds, i.plus = true, true, sum
			i.from, i.to = []string{w.base()}, []string{w.register(0)}
		}
	case w.field(31, 21) == 0b10101010000 && w.field(15, 5) == 0b00000011111: // MOV
		i.move, i.adds = true, true
		i.from, i.to = []string{w.register(16)}, []string{w.register(0)}
	case uint32(w) == 0xd503201f: // NOP
		i.move = true
	default:
		return false
	}
	return true
}
