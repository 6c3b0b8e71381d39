// SPDX-License-Identifier: Apache-2.0

package core

import "sync/atomic"

// An Emitter lets a callback produce into other records of its database. It is
// valid during the call it was given to.
type Emitter struct {
	frame      *frame
	activation uint32
}

// A frame is one running callback. Its activation is odd while it runs, so an
// emitter that is kept longer is found out.
type frame struct {
	activation atomic.Uint32
	depth      uint32
	database   uint32
}

func (f *frame) enter(db *Database, depth uint32) Emitter {
	f.depth, f.database = depth, db.index
	return Emitter{f, f.activation.Add(1)}
}

func (f *frame) leave() { f.activation.Add(1) }

// Emit produces a value into a record of the emitter's database. Emissions
// nest at most [MaxDepth] deep.
func (e Emitter) Emit(r *Record, value []byte) error {
	if e.frame == nil || e.frame.activation.Load() != e.activation {
		return fail(ErrEmitter, "emitter: its callback has returned")
	}
	return r.produce(value, e.frame.depth, e.frame.database)
}
