// SPDX-License-Identifier: Apache-2.0

package door

import (
	"debug/elf"
	"fmt"
)

// What a C function must leave as it found it: System V (amd64), AAPCS64 (arm64).
func (m *image) preserved() (all []string) {
	if m.arch == elf.EM_X86_64 {
		return []string{"RBX", "RBP", "R12", "R13", "R14", "R15"}
	}
	for n := 19; n <= 30; n++ {
		all = append(all, fmt.Sprint("R", n))
	}
	for n := 8; n <= 15; n++ {
		all = append(all, fmt.Sprint("F", n))
	}
	return all
}

// frame runs a stub with a name in the place of each value, the call destroying
// all registers, and looks whether C gets back what it expects. Stubs are
// straight: no branch.
func (c *closure) frame(f *function) {
	arch, stack := c.image.arch, c.image.stack()
	argument, slot := "RDI", int64(0)
	if arch == elf.EM_AARCH64 {
		argument, slot = "R0", 8
	}
	register := map[string]string{argument: "argument", "R31": "zero"}
	for _, r := range c.image.preserved() {
		register[r] = "C's " + r
	}
	inFrame := map[int64]string{} // by offset from the stack pointer at entry
	sp, called := int64(0), false
	for n := range f.body {
		i := &f.body[n]
		switch {
		case i.flow == calls:
			c.atCall(f, i, register, inFrame, sp, slot)
			register, called = map[string]string{"R31": "zero"}, true
			continue
		case i.flow == returns:
			for _, r := range c.image.preserved() {
				if register[r] != "C's "+r {
					c.report(f, i, "%s is not given back to C", r)
				}
			}
			if !called {
				c.report(f, i, "calls nothing")
			}
			return
		case !i.move:
			c.report(f, i, "the stub does what the guard does not follow")
			return
		}
		sp -= i.before
		if i.store != nil {
			if i.store.base != stack || i.store.offset < 0 {
				c.report(f, i, "stores outside of its frame, where a signal may write")
			}
			for k, r := range i.from {
				inFrame[sp+i.store.offset+int64(k)*i.width] = register[r]
			}
		}
		if i.load != nil {
			for k, r := range i.to {
				register[r] = inFrame[sp+i.load.offset+int64(k)*i.width]
			}
		}
		if i.adds {
			register[i.to[0]] = register[i.from[0]]
			if i.plus != 0 || i.from[0] == stack {
				register[i.to[0]] = "an address"
			}
		}
		sp += i.after
	}
	c.report(f, &f.body[len(f.body)-1], "does not return")
}

// atCall: the argument is where Go looks for it, and g is 0 where a register
// holds it.
func (c *closure) atCall(f *function, i *instruction, register map[string]string,
	inFrame map[int64]string, sp, slot int64) {
	if inFrame[sp+slot] != "argument" {
		c.report(f, i, "the argument is not on the stack")
	}
	if c.image.arch == elf.EM_AARCH64 {
		if register[armG] != "zero" {
			c.report(f, i, "g is not 0: code that uses it would not fault")
		}
		if sp%16 != 0 {
			c.report(f, i, "the stack pointer is not a multiple of 16")
		}
	}
	for at, value := range inFrame {
		if at < sp+slot+8 && at >= sp+slot && value != "argument" {
			c.report(f, i, "a register is saved where Go may write")
		}
	}
}
