// SPDX-License-Identifier: Apache-2.0

package core

import (
	"syscall" // not os: its start takes memory in every process
	"unsafe"
)

// In builds for tests (aimdb_poison) a block that is given back must be in no list,
// and is filled with what is no index, address or state; but for its lock, its
// generation and the record it was of, which a thread that is late looks at first.

const (
	poisonByte = 0xdb
	poison     = poisonByte * 0x01010101
)

func (c *cursorBlock) free() bool { return c.shared == single && !c.armed }

func (c *cursorBlock) poison() {
	mustBeFree(c.free(), "a subscription is given back while it is in a list")
	generation, record := c.generation, c.record
	bytes := (*[unsafe.Sizeof(*c)]byte)(unsafe.Pointer(c))
	for i := unsafe.Offsetof(c.cursor.Lock) + unsafe.Sizeof(c.cursor.Lock); i < unsafe.Sizeof(*c); i++ {
		bytes[i] = poisonByte
	}
	c.generation, c.record = generation, record
}

func (r *recordBlock) free() bool { return r.sharers == 0 && r.listeners == 0 }

func (r *recordBlock) poison() {
	mustBeFree(r.free(), "a record is given back while others are in its lists")
	r.sharers, r.listeners = poison, poison
	r.function, r.user = poison, poison
}

func (p *poolBlock) free() bool { return p.first == 0 && p.idle == 0 }

func (p *poolBlock) poison() {
	mustBeFree(p.free(), "a pool is given back while it has consumers or workers")
	p.first, p.last = poison, poison
}

// mustBeFree ends the process: locks are held, and a caught panic would hide it.
func mustBeFree(free bool, otherwise string) {
	if !free {
		println(otherwise)
		syscall.Exit(3)
	}
}
