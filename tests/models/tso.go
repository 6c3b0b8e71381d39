// SPDX-License-Identifier: Apache-2.0

package models

// x86-TSO (Owens, Sarkar, Sewell, 2009): each processor's stores go through a
// first-in-first-out buffer; loads see the own buffer first; a locked
// instruction waits until the own buffer is empty.

const (
	tsoThreads   = 3
	tsoLocations = 8
	tsoBuffer    = 5
	tsoLength    = 8
)

// An op is an instruction over locations a to h.
type op struct {
	kind     opKind
	loc      byte
	value    int8 // stored; locked: what it becomes
	expected int8 // locked: what it must be, or the thread waits (a lock that is tried again)
}

type opKind byte

const (
	opLoad opKind = iota
	opStore
	opLocked // compare and swap that succeeds
)

func mov(loc byte, value int8) op        { return op{opStore, loc - 'a', value, 0} }
func see(loc byte) op                    { return op{opLoad, loc - 'a', 0, 0} }
func cmpxchg(loc byte, from, to int8) op { return op{opLocked, loc - 'a', to, from} }

type buffered struct {
	loc   byte
	value int8
}

type tsoState struct {
	memory [tsoLocations]int8
	pc     [tsoThreads]int8
	length [tsoThreads]int8
	buffer [tsoThreads][tsoBuffer]buffered
	seen   [tsoThreads][tsoLength]int8 // by the load at each place of the program
}

// reachesTSO reports whether an execution can end with what its loads saw.
func reachesTSO(start map[byte]int8, threads [][]op, outcome func(seen [tsoThreads][tsoLength]int8) bool) bool {
	y := System[tsoState]{
		steps: func(s tsoState) (next []tsoState) {
			for t := range threads {
				next = s.drain(next, t)
				if at := s.pc[t]; int(at) < len(threads[t]) {
					next = s.run(next, t, threads[t][at])
				}
			}
			return next
		},
		wrong: func(s tsoState, last bool) string {
			for t := range threads {
				if int(s.pc[t]) < len(threads[t]) {
					return ""
				}
			}
			if last && outcome(s.seen) {
				return "reached"
			}
			return ""
		},
	}
	for loc, value := range start {
		y.start.memory[loc-'a'] = value
	}
	_, reached := y.explore()
	return reached != ""
}

// drain writes the oldest buffered store to memory.
func (s tsoState) drain(next []tsoState, t int) []tsoState {
	if s.length[t] == 0 {
		return next
	}
	oldest := s.buffer[t][0]
	s.memory[oldest.loc] = oldest.value
	copy(s.buffer[t][:], s.buffer[t][1:])
	s.buffer[t][tsoBuffer-1] = buffered{}
	s.length[t]--
	return append(next, s)
}

func (s tsoState) run(next []tsoState, t int, o op) []tsoState {
	switch o.kind {
	case opLoad:
		s.seen[t][s.pc[t]] = s.look(t, o.loc)
	case opStore:
		if s.length[t] == tsoBuffer {
			return next
		}
		s.buffer[t][s.length[t]] = buffered{o.loc, o.value}
		s.length[t]++
	case opLocked:
		if s.length[t] != 0 || s.memory[o.loc] != o.expected {
			return next
		}
		s.memory[o.loc] = o.value
	}
	s.pc[t]++
	return append(next, s)
}

func (s *tsoState) look(t int, loc byte) int8 {
	for n := s.length[t] - 1; n >= 0; n-- {
		if s.buffer[t][n].loc == loc {
			return s.buffer[t][n].value
		}
	}
	return s.memory[loc]
}
