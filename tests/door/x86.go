// SPDX-License-Identifier: Apache-2.0

package door

import (
	"golang.org/x/arch/x86/x86asm"
)

const (
	x86Stack = "RSP"
	x86G     = x86asm.R14
)

// Instructions with a first operand that they only read.
var x86Reads = map[x86asm.Op]bool{
	x86asm.CMP: true, x86asm.TEST: true, x86asm.BT: true, x86asm.PUSH: true, x86asm.JMP: true,
	x86asm.CALL: true, x86asm.MUL: true, x86asm.UCOMISD: true, x86asm.COMISD: true,
}

var x86Faults = map[x86asm.Op]string{
	x86asm.DIV: "divides, which can trap", x86asm.IDIV: "divides, which can trap",
	x86asm.SYSCALL: "system call", x86asm.SYSENTER: "system call",
	x86asm.INT: "trap", x86asm.INTO: "trap", x86asm.UD2: "trap", x86asm.UD1: "trap", x86asm.HLT: "trap",
	x86asm.LEAVE: "sets the stack pointer from a register",
}

func decodeX86(code []byte, pc uint64) instruction {
	d, err := x86asm.Decode(code, 64)
	if err != nil {
		return instruction{size: 1, text: "?", fault: "does not decode: " + err.Error()}
	}
	i := instruction{size: d.Len, text: x86asm.GoSyntax(d, pc, nil), fault: x86Faults[d.Op]}
	i.follow(d, pc)
	i.access(d)
	i.stack(d)
	i.registers(d)
	return i
}

// follow says where it goes on.
func (i *instruction) follow(d x86asm.Inst, pc uint64) {
	relative, direct := d.Args[0].(x86asm.Rel)
	switch d.Op {
	case x86asm.RET:
		i.flow = returns
		return
	case x86asm.CALL:
		i.flow = calls
	case x86asm.JMP:
		i.flow = jumps
	default:
		if !direct {
			return
		}
		i.flow = branches
	}
	if !direct {
		if i.flow == jumps {
			i.flow = unknown
		}
		i.fault = "indirect call or jump"
		return
	}
	i.target = pc + uint64(d.Len) + uint64(int64(relative))
}

// access says what memory it reads and writes.
func (i *instruction) access(d x86asm.Inst) {
	for _, p := range d.Prefix {
		i.exclusive = i.exclusive || p&0xff == x86asm.PrefixLOCK
	}
	for n, a := range d.Args {
		m, ok := a.(x86asm.Mem)
		if !ok || d.Op == x86asm.LEA || d.Op == x86asm.NOP {
			continue
		}
		at := &memory{offset: m.Disp}
		if m.Base != 0 && m.Index == 0 {
			at.base = m.Base.String()
		}
		if n > 0 || x86Reads[d.Op] {
			i.load = at
			i.exclusive = i.exclusive || d.Op == x86asm.XCHG
			continue
		}
		i.store = at
		if d.Op != x86asm.MOV {
			i.load = at
		}
		i.exclusive = i.exclusive || d.Op == x86asm.XCHG
	}
}

// stack follows the stack pointer, and what a stub does.
func (i *instruction) stack(d x86asm.Inst) {
	first, isRegister := d.Args[0].(x86asm.Reg)
	second, fromRegister := d.Args[1].(x86asm.Reg)
	constant, isConstant := d.Args[1].(x86asm.Imm)
	i.width = int64(d.DataSize / 8)
	switch {
	case d.Op == x86asm.PUSH:
		i.before, i.store = 8, &memory{base: x86Stack}
		i.move, i.from = isRegister, []string{first.String()}
	case d.Op == x86asm.POP:
		i.after, i.load, i.store = 8, &memory{base: x86Stack}, nil
		i.move, i.to = isRegister, []string{first.String()}
	case isRegister && first == x86asm.RSP && !x86Reads[d.Op]:
		switch {
		case d.Op == x86asm.SUB && isConstant:
			i.move, i.before = true, int64(constant)
		case d.Op == x86asm.ADD && isConstant:
			i.move, i.after = true, int64(constant)
		default:
			i.fault = "sets the stack pointer from a register"
		}
	case d.Op == x86asm.MOV && isRegister && fromRegister:
		i.move, i.to, i.from, i.adds = true, []string{first.String()}, []string{second.String()}, true
	case d.Op == x86asm.MOV && isRegister && i.load != nil:
		i.move, i.to = i.load.base != "", []string{first.String()}
	case d.Op == x86asm.MOV && fromRegister && i.store != nil:
		i.move, i.from = i.store.base != "", []string{second.String()}
	case d.Op == x86asm.NOP:
		i.move = true
	}
}

// registers finds use of g and of thread-local storage.
func (i *instruction) registers(d x86asm.Inst) {
	g := false
	for _, a := range d.Args {
		switch a := a.(type) {
		case x86asm.Reg:
			g = g || x86Whole(a) == x86G
		case x86asm.Mem:
			g = g || a.Base == x86G || a.Index == x86G || a.Segment == x86asm.FS || a.Segment == x86asm.GS
		}
	}
	to, _ := d.Args[0].(x86asm.Reg)
	switch _, fromRegister := d.Args[1].(x86asm.Reg); {
	case !g:
	case d.Op == x86asm.MOV && to == x86G && !fromRegister:
		i.loadsG = true
	default:
		i.usesG = true
	}
}

// x86Whole is the 64-bit register of a part of R14.
func x86Whole(r x86asm.Reg) x86asm.Reg {
	switch r {
	case x86asm.R14B, x86asm.R14W, x86asm.R14L:
		return x86asm.R14
	}
	return r
}
