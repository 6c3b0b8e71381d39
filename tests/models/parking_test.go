// SPDX-License-Identifier: Apache-2.0

package models

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// How readers sleep and are woken: park.Event as core/step*.go uses it, every
// shared access a step of its own. A ring's values are for every reader, a
// mailbox's for one of them. The buffer's lock is held from the store of a value
// to unlocking; what a step does under it alone is one step here.

const (
	producers = 2
	readers   = 3
)

// A parking is what is modelled, and what is left out of it.
type parking struct {
	mailbox bool
	values  [producers]int8 // how many each produces
	roles   [readers]role
	takes   int8 // values a reader takes before it leaves; 0: until the end
	closes  bool // an end comes, at any moment
	leaves  bool // the first reader is unsubscribed, at any moment

	// Faults.
	noRecheck    bool // sleeps without looking again
	noAwake      bool // having slept in a mailbox, looks without announcing itself
	quietEnd     bool // the end is a Signal, not a Broadcast
	noBaton      bool // leaves a mailbox without passing the wake on
	readersClear bool // who wakes clears the announcement
	sameWord     bool // Signal clears the announcement and counts nothing
	earlyLook    bool // the producer looks for sleepers before it stores the value
	freely       bool // a handle ends without the reader's lock
}

type role int8

const (
	absent role = iota
	receiver
	impatient // its sleep may end by itself; it then looks a last time
	small     // its memory is too small for any value: it leaves the value
)

type readerState struct {
	at        readerAt
	position  int8
	changed   int8 // how far the event is from what the reader's sleep compares it with
	taken     int8
	slept     bool
	everSlept bool
	ended     bool // a look found the end: look once more
	last      bool // does not wait any more
}

type readerAt int8

const (
	atBegin readerAt = iota
	atLook
	atAnnounce
	atRecheck
	atSleep
	asleep
	atPassOn
	atPassWake
	gone
)

type producerState struct {
	at   producerAt
	left int8
	saw  bool
}

type producerAt int8

const (
	atStore producerAt = iota
	atSignal
	atAdd
	atWake
)

type parkingState struct {
	tail     int8
	word     int8 // the event: its lowest bit; what else it counts is in the readers' changed
	full     bool
	sealed   bool
	stopped  bool // the first reader's handle has ended
	closer   int8 // how far the end is
	leaver   int8
	producer [producers]producerState
	reader   [readers]readerState
}

func (p parking) system() System[parkingState] {
	var start parkingState
	for i, n := range p.values {
		start.producer[i].left = n
	}
	for i, r := range p.roles {
		if r == absent {
			start.reader[i].at = gone
		}
	}
	return System[parkingState]{start, p.steps, p.wrong}
}

func (p parking) waits(s *parkingState, r *readerState) bool {
	if p.mailbox {
		return s.full
	}
	return s.tail != r.position
}

// wrong: nobody can go on, and a sleeper has something to wake up for.
func (p parking) wrong(s parkingState, last bool) string {
	for i := range s.reader {
		r := &s.reader[i]
		if last && r.at == asleep && (p.waits(&s, r) || s.sealed || i == 0 && s.stopped) {
			return "a reader sleeps and nobody will wake it"
		}
		if last && r.at != asleep && r.at != gone {
			return "a reader is stuck"
		}
	}
	return ""
}

func (p parking) steps(s parkingState) (next []parkingState) {
	for i := range s.producer {
		next = append(next, p.produce(s, i)...)
	}
	for i := range s.reader {
		next = append(next, p.receive(s, i)...)
	}
	return append(append(next, p.end(s)...), p.leave(s)...)
}

// set changes the event. Only its lowest bit is kept: a count would make endless
// states of it, and is only ever compared with what a reader saw.
func (s *parkingState) set(word int8) {
	for i := range s.reader {
		if r := &s.reader[i]; r.at == atRecheck || r.at == atSleep {
			r.changed += word - s.word
		}
	}
	s.word = word & 1
}

// add is what Event.Signal does when it saw the bit.
func (s *parkingState) add(p parking) {
	if p.sameWord {
		s.set(s.word &^ 1)
		return
	}
	s.set(s.word + 1)
}

// wake wakes one sleeper, whichever, or all.
func (s parkingState) wake(one bool) (next []parkingState) {
	if !one {
		for i := range s.reader {
			if s.reader[i].at == asleep {
				s.reader[i].at = atBegin
			}
		}
		return []parkingState{s}
	}
	for i := range s.reader {
		if s.reader[i].at == asleep {
			n := s
			n.reader[i].at = atBegin
			next = append(next, n)
		}
	}
	if next == nil {
		next = []parkingState{s}
	}
	return next
}

func (s *parkingState) put(p parking) {
	if p.mailbox {
		s.full = true
		return
	}
	s.tail++
}

func (p parking) produce(s parkingState, i int) []parkingState {
	w := &s.producer[i]
	switch w.at {
	case atStore:
		if w.left == 0 || s.sealed {
			return nil
		}
		w.left--
		if p.earlyLook {
			w.saw = s.word&1 != 0
		}
		if !p.earlyLook {
			s.put(p)
		}
		w.at = atSignal
	case atSignal:
		if p.earlyLook {
			s.put(p)
		} else {
			w.saw = s.word&1 != 0
		}
		w.at = atStore
		if w.saw {
			w.at = atAdd
		}
		w.saw = false
	case atAdd:
		s.add(p)
		w.at, w.saw = atWake, false
	case atWake:
		w.at = atStore
		return s.wake(p.mailbox)
	}
	return []parkingState{s}
}

func (p parking) receive(s parkingState, i int) []parkingState {
	r := &s.reader[i]
	stopped := i == 0 && s.stopped
	switch r.at {
	case gone:
		return nil
	case asleep:
		if p.roles[i] != impatient || r.last {
			return nil
		}
		r.last, r.at = true, atBegin
	case atBegin: // core's awake
		if r.slept && p.mailbox && !p.noAwake {
			s.set(s.word | 1)
		}
		if r.slept && p.readersClear {
			s.set(s.word &^ 1)
		}
		r.slept = false
		r.at = atLook
	case atLook:
		p.look(&s, i, stopped)
	case atAnnounce:
		s.set(s.word | 1)
		r.at = atRecheck
		if p.noRecheck {
			r.at = atSleep
		}
	case atRecheck:
		r.at = atSleep
		if p.waits(&s, r) || s.sealed {
			r.at, r.changed = atBegin, 0
		}
	case atSleep:
		r.slept, r.everSlept = true, p.mailbox
		r.at = atBegin
		if r.changed == 0 {
			r.at = asleep
		}
		r.changed = 0
	case atPassOn: // Full, then Signal
		r.at = gone
		if r.everSlept && s.full && s.word&1 != 0 && !p.noBaton {
			s.add(p)
			r.at = atPassWake
		}
	case atPassWake:
		*r = readerState{at: gone}
		return s.wake(true)
	}
	if r.at == gone {
		*r = readerState{at: gone}
	}
	return []parkingState{s}
}

// look takes a value, or says what to do without one. The end is read after a
// look that found nothing, and before another.
func (p parking) look(s *parkingState, i int, stopped bool) {
	r := &s.reader[i]
	leave := gone
	if p.mailbox {
		leave = atPassOn
	}
	switch {
	case stopped:
		r.at = leave
	case p.waits(s, r) && p.roles[i] == small:
		r.at = leave
	case p.waits(s, r):
		if !p.mailbox {
			r.position++
		}
		if p.takes != 0 {
			r.taken++
		}
		s.full = false
		r.at = atBegin
		r.everSlept = false // a call ends, and another begins
		if r.last || p.takes != 0 && r.taken == p.takes {
			r.at = gone
		}
	case s.sealed && r.ended:
		r.at = gone
	case s.sealed:
		r.ended = true
	case r.last:
		r.at = gone
	default:
		r.at = atAnnounce
	}
}

// end seals the record, adds to the event and wakes all.
func (p parking) end(s parkingState) []parkingState {
	if !p.closes {
		return nil
	}
	switch s.closer {
	case 0:
		s.sealed = true
	case 1:
		if p.quietEnd && s.word&1 == 0 {
			s.closer = 3
			return []parkingState{s}
		}
		if p.quietEnd {
			s.add(p)
		} else {
			s.set(s.word + 2)
		}
	case 2:
		s.closer++
		return s.wake(false)
	default:
		return nil
	}
	s.closer++
	return []parkingState{s}
}

// leave ends the first reader's handle, adds to the event and wakes all. A step
// holds the reader's lock from its first look to its second, and the handle ends
// under it.
func (p parking) leave(s parkingState) []parkingState {
	if !p.leaves {
		return nil
	}
	switch s.leaver {
	case 0:
		if at := s.reader[0].at; !p.freely && (at == atLook || at == atAnnounce || at == atRecheck) {
			return nil
		}
		s.stopped = true
	case 1:
		s.set(s.word + 2)
	case 2:
		s.leaver++
		return s.wake(false)
	default:
		return nil
	}
	s.leaver++
	return []parkingState{s}
}

var parkings = map[string]parking{
	"ring, two sleepers":            {values: [2]int8{2, 2}, roles: [3]role{receiver, receiver}},
	"ring, two sleepers, an end":    {values: [2]int8{1, 2}, roles: [3]role{receiver, receiver}, closes: true},
	"ring, a timeout":               {values: [2]int8{2, 1}, roles: [3]role{receiver, impatient}, closes: true},
	"mailbox, three sleepers":       {mailbox: true, values: [2]int8{2, 2}, roles: [3]role{receiver, receiver, receiver}},
	"mailbox, each takes one":       {mailbox: true, takes: 1, values: [2]int8{2, 2}, roles: [3]role{receiver, receiver, receiver}},
	"mailbox, timeouts":             {mailbox: true, takes: 1, values: [2]int8{2, 1}, roles: [3]role{impatient, receiver, impatient}},
	"mailbox, one leaves its value": {mailbox: true, values: [2]int8{2, 1}, roles: [3]role{small, receiver, receiver}},
	"mailbox, one is unsubscribed":  {mailbox: true, values: [2]int8{1, 1}, roles: [3]role{receiver, receiver, impatient}, leaves: true},
	"mailbox, an end":               {mailbox: true, values: [2]int8{1, 1}, roles: [3]role{receiver, receiver, receiver}, closes: true},
	"mailbox, an end and leavers":   {mailbox: true, values: [2]int8{1, 0}, roles: [3]role{receiver, small, impatient}, closes: true, leaves: true},
}

func TestParking_LosesNoWakeUp(t *testing.T) {
	for name, p := range parkings {
		t.Run(name, func(t *testing.T) {
			states, fault := p.system().explore()
			require.Empty(t, fault)
			t.Logf("%d states", states)
		})
	}
}

func TestParking_NeedsEachPart(t *testing.T) {
	faults := []struct {
		name  string
		found string // in
		plant func(*parking)
	}{
		{"no second look", "ring, two sleepers", func(p *parking) { p.noRecheck = true }},
		{"no second look", "mailbox, each takes one", func(p *parking) { p.noRecheck = true }},
		{"no announcement after a sleep", "mailbox, each takes one", func(p *parking) { p.noAwake = true }},
		{"the end is a signal", "mailbox, an end", func(p *parking) { p.quietEnd = true }},
		{"a leaver does not pass the wake on", "mailbox, one leaves its value", func(p *parking) { p.noBaton = true }},
		{"who wakes clears the announcement", "ring, two sleepers", func(p *parking) { p.readersClear = true }},
		{"a flag, not a count", "ring, two sleepers", func(p *parking) { p.sameWord = true }},
		{"the producer looks before it stores", "ring, two sleepers", func(p *parking) { p.earlyLook = true }},
		{"a handle ends without the reader's lock", "mailbox, one is unsubscribed", func(p *parking) { p.freely = true }},
	}
	for _, f := range faults {
		t.Run(f.name+" in "+f.found, func(t *testing.T) {
			p, known := parkings[f.found]
			require.True(t, known)
			f.plant(&p)
			_, fault := p.system().explore()
			require.NotEmpty(t, fault, "no wake-up is lost without it")
		})
	}
}
