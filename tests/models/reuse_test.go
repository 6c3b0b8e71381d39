// SPDX-License-Identifier: Apache-2.0

package models

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Release and reuse across databases: blocks of subscriptions come out of one
// arena, whatever database they are of, and are linked into lists of their record:
// armed readers (core/step_descriptor.go), shared consumers (core/pool.go). Two
// databases have no lock in common. The rule that keeps them apart is: a block is
// given back when it is in no list, its words that others follow (driver) are
// cleared, and its generation has ended; a step that is late finds one of these.
//
// One ends a subscription of database one; another makes one in database two, with
// the same block if it can have it. Beside each a producer of that database walks
// its list. What is done under one lock is one step.

type ending int8 // what the end of a subscription does, in order

const (
	concludes ending = iota // account and generation, under the cursor's lock
	unlinks                 // out of the list, the driver cleared, under the list's lock
	givesBack
	hasEndedAll
)

type beginning int8

const (
	takes    beginning = iota // a block that is free
	attaches                  // its words and its generation, under the cursor's lock
	drives                    // the driver, under the list's lock
	links                     // into the list, as a receive does that finds nothing
	produces                  // a value: from now on the list must lead to it
	walksList
	isTold
)

type reuse struct {
	// The block.
	free   bool
	gen    int8 // 1: of one's subscription; 2: ended; 3: of two's
	driver int8 // 0, or the database whose descriptor or consumer it leads to
	armed  bool

	inOne, inTwo bool // which lists it is in
	one          ending
	two          beginning
	late         bool // a receive of one's reader has found nothing, and will link it
	walker       int8 // producers of one that still come
	wrong        string
}

func reuseSystem(order []ending) System[reuse] {
	return System[reuse]{
		start: reuse{gen: 1, driver: 1, armed: true, inOne: true, late: true, walker: 2},
		steps: func(s reuse) (next []reuse) {
			for _, n := range []func(reuse) (reuse, bool){
				func(s reuse) (reuse, bool) { return s.end(order) }, reuse.begin, reuse.relink, reuse.walkOne,
			} {
				if n, can := n(s); can {
					next = append(next, n)
				}
			}
			return next
		},
		wrong: func(s reuse, last bool) string {
			switch {
			case s.wrong != "":
				return s.wrong
			case s.inOne && s.gen == 3:
				return "a list of database one has a subscription of database two"
			case last && s.two != takes && s.two != isTold:
				return "the subscription of database two is never told of its value"
			}
			return ""
		},
	}
}

// end is one step of the subscription that ends.
func (s reuse) end(order []ending) (reuse, bool) {
	if s.one == hasEndedAll {
		return s, false
	}
	switch order[s.one] {
	case concludes:
		if s.two > takes {
			s.wrong = "the end of database one's subscription ends the handle of database two's"
		}
		s.gen++
	case unlinks:
		s.inOne, s.armed, s.driver = false, false, 0
	case givesBack:
		s.free = true
	}
	s.one++
	return s, true
}

// begin is one step of the one that is made.
func (s reuse) begin() (reuse, bool) {
	switch s.two {
	case takes:
		if !s.free {
			return s, false
		}
		s.free = false
	case attaches:
		s.gen, s.armed, s.driver = 3, false, 0
	case drives:
		s.driver = 2
	case links:
		if s.driver != 0 && !s.armed {
			s.armed, s.inTwo = true, true
		}
	case produces:
	case walksList:
		if !s.inTwo {
			return s, false // for ever, if nobody else puts it there
		}
		if s.driver != 2 {
			s.wrong = "the walk over database two's list follows a driver that is not its own"
		}
		s.inTwo, s.armed = false, false
	default:
		return s, false
	}
	s.two++
	return s, true
}

// relink is a receive that found nothing when the subscription was still there: it
// looks at the generation and the driver under both locks.
func (s reuse) relink() (reuse, bool) {
	if !s.late {
		return s, false
	}
	s.late = false
	if s.gen == 1 && s.driver != 0 && !s.armed {
		s.armed, s.inOne = true, true
	}
	return s, true
}

// walkOne is a producer of database one.
func (s reuse) walkOne() (reuse, bool) {
	if s.walker == 0 {
		return s, false
	}
	s.walker--
	if s.inOne {
		if s.driver != 1 {
			s.wrong = "the walk over database one's list follows a driver that is not its own"
		}
		s.inOne, s.armed = false, false
	}
	return s, true
}

func TestReuse_DatabasesShareNothingButTheArena(t *testing.T) {
	for _, order := range [][]ending{{concludes, unlinks, givesBack}, {unlinks, concludes, givesBack}} {
		states, fault := reuseSystem(order).explore()
		require.Empty(t, fault)
		t.Logf("%d states", states)
	}
}

// Each other order is found out.
func TestReuse_EveryOtherOrderOfTheEndIsWrong(t *testing.T) {
	for name, order := range map[string][]ending{
		"given back before it is unlinked":                   {concludes, givesBack, unlinks},
		"given back before its generation has ended":         {unlinks, givesBack, concludes},
		"given back first":                                   {givesBack, concludes, unlinks},
		"given back first, and unlinked before it has ended": {givesBack, unlinks, concludes},
	} {
		t.Run(name, func(t *testing.T) {
			_, fault := reuseSystem(order).explore()
			require.NotEmpty(t, fault)
		})
	}
}
