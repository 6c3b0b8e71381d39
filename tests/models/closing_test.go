// SPDX-License-Identifier: Apache-2.0

package models

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// How a database closes: core/closing.go. Two records with a consumer each, whose
// callbacks emit into the other's record; a producer outside, and a producer
// function that is under way and emits, too; and two calls of Close. What is done
// under a lock is one step where nothing else that is looked at can change
// meanwhile, and so is what parking_test.go checks: how values wake consumers, and
// a signal, which ends every sleep announced before.

const pipes = 2 // records, with a consumer each

type pipeline struct {
	values   int8 // from outside, into the first record
	function bool // a producer function of the first record runs, and emits into the second
	emits    int8 // by all callbacks together
	closers  [2]limit

	// Faults.
	onePass        bool // the tails are not compared
	lateTails      bool // they are taken after the walk
	uncounted      bool // what callbacks push does not move the tail
	sealsAtOnce    bool // each record is sealed as soon as it is found idle
	blind          bool // producer functions under way are not looked at
	earlyCommit    bool // a commit counts down before it pushes
	earlySignal    bool // a consumer signals before it is idle
	lateAnnounce   bool // close announces itself after its look
	quietStop      bool // a consumer that ends does not signal
	quietCommit    bool // nor does a commit
	asksNobody     bool // a close cuts off though another has time
	looksTwice     bool // a close looks again at its time to say that another goes on
	lateSeal       bool // a cut-off stops consumers before their record is sealed
	refusesQuietly bool // a refused emission is not counted
}

type limit int8

const (
	noClose  limit = iota
	hasLimit       // passes at any moment
	hasNone
)

type recordState int8

const (
	isOpen recordState = iota
	isClosing
	isSealed
)

type consumerAt int8

const (
	rests       consumerAt = iota
	inCall                 // in a callback
	hasReturned            // it has returned; the consumer is not idle yet
	tellsIdle              // idle: signals
	tellsStop              // stopped: signals
	inFree
	tellsDone
	isDone
)

type functionAt int8

const (
	noCall functionAt = iota
	runs
	commits
	pushesLate
	tellsCommit
)

type closerAt int8

const (
	begins closerAt = iota
	takesTails
	announces
	walks
	sumsUp
	readsTime
	asksOthers
	readsAgain
	cuts
	sealsAll
	awaitsEnd
	announcesLate
	sleeps
	leaves
	left
)

type verdict int8

const (
	none verdict = iota
	ok
	timedOut
	isBlocked
	inProgress
)

type closerState struct {
	at      closerAt
	index   int8 // of the record that the step is at
	walked  int8
	tails   int8
	now     int8
	ending  bool
	late    bool // its time has passed
	saw     bool // it has seen so
	told    bool // since it announced itself
	answers verdict
}

type closingState struct {
	outside   int8
	emits     int8
	tail      [pipes]int8 // what is there
	seen      [pipes]int8 // what those see who look at it
	taken     [pipes]int8
	abandoned [pipes]int8
	stopped   [pipes]bool
	state     [pipes]recordState
	consumer  [pipes]consumerAt
	function  functionAt
	refused   bool
	counted   bool // that
	announced bool
	locked    bool // db.mu, over several steps
	cut       bool
	closed    bool
	closer    [2]closerState
	wrong     string
}

func (p pipeline) system() System[closingState] {
	start := closingState{outside: p.values, emits: p.emits}
	if p.function {
		start.function = runs
	}
	for i, t := range p.closers {
		if t == noClose {
			start.closer[i].at = left
		}
	}
	return System[closingState]{start, p.steps, p.wrong}
}

func (p pipeline) steps(s closingState) (next []closingState) {
	if s.outside != 0 {
		n := s
		n.outside--
		if n.state[0] == isOpen {
			n.push(0, true)
		}
		next = append(next, n)
	}
	for c := range int8(pipes) {
		next = append(next, p.consume(s, c)...)
	}
	next = append(next, p.produce(s)...)
	for k := range s.closer {
		c := &s.closer[k]
		if p.closers[k] == hasLimit && !c.late && c.at != left {
			n := s
			n.closer[k].late = true
			next = append(next, n)
		}
		if n, can := p.close(s, int8(k)); can {
			next = append(next, n)
		}
	}
	return next
}

func (p pipeline) wrong(s closingState, last bool) string {
	switch {
	case s.wrong != "":
		return s.wrong
	case !last:
		return ""
	}
	lost := s.refused
	for c := range pipes {
		if s.consumer[c] != isDone {
			return "a consumer never ends"
		}
		if s.tail[c] != s.taken[c]+s.abandoned[c] {
			return "a value is lost without a count"
		}
		lost = lost || s.abandoned[c] != 0
	}
	if lost && p.closers[0] != hasLimit && p.closers[1] != hasLimit {
		return "a close that has no limit cuts off"
	}
	for _, c := range s.closer {
		if c.at != left {
			return "a close sleeps for ever"
		}
		if lost && c.answers == ok {
			return "a close says that all was delivered, and it was not"
		}
	}
	return ""
}

func (s *closingState) push(r int8, counted bool) {
	s.tail[r]++
	if counted {
		s.seen[r]++
	}
}

// emit is what a callback, or a producer function, does.
func (p pipeline) emit(s *closingState, r int8) {
	if s.state[r] == isSealed {
		s.refused = true
		s.counted = s.counted || !p.refusesQuietly
		return
	}
	s.push(r, !p.uncounted)
}

func (s *closingState) signal() {
	if !s.announced {
		return
	}
	s.announced = false
	for k := range s.closer {
		s.closer[k].told = true
	}
}

func (s *closingState) waits(c int8) bool { return !s.stopped[c] && s.tail[c] != s.taken[c] }

// rested is Step.rested.
func (s *closingState) rested(r int8) {
	if s.state[r] != isOpen {
		s.signal()
	}
}

// consume is a dispatcher.
func (p pipeline) consume(s closingState, c int8) []closingState {
	at := &s.consumer[c]
	over := s.stopped[c] || s.state[c] == isSealed && !s.waits(c)
	switch *at {
	case rests, hasReturned:
		switch {
		case over:
			*at = tellsStop
		case s.waits(c):
			s.taken[c]++
			*at = inCall
		case *at == rests:
			return nil
		case p.earlySignal: // and then, in another step, it is idle
			s.rested(c)
			*at = tellsIdle
		default:
			*at = tellsIdle
		}
	case inCall:
		*at = hasReturned
		if s.emits != 0 {
			n := s
			n.emits--
			p.emit(&n, 1-c)
			return []closingState{s, n}
		}
	case tellsIdle:
		if !p.earlySignal {
			s.rested(c)
		}
		*at = rests
	case tellsStop:
		if !p.quietStop {
			s.rested(c)
		}
		*at = inFree
	case inFree:
		*at = tellsDone
	case tellsDone:
		if !p.quietStop {
			s.signal()
		}
		*at = isDone
	case isDone:
		return nil
	}
	return []closingState{s}
}

// produce is the producer function of the first record, and its commit.
func (p pipeline) produce(s closingState) []closingState {
	commit := func() {
		if s.state[0] != isSealed { // else who produces is told
			s.push(0, true)
		}
	}
	switch s.function {
	case noCall:
		return nil
	case runs:
		p.emit(&s, 1)
		s.function = commits
	case commits:
		rejects := s
		rejects.function = tellsCommit
		s.function = tellsCommit
		if p.earlyCommit {
			s.function = pushesLate
		} else {
			commit()
		}
		return []closingState{s, rejects}
	case pushesLate:
		commit()
		s.function = tellsCommit
	case tellsCommit:
		if !p.quietCommit {
			s.rested(0)
		}
		s.function = noCall
	}
	return []closingState{s}
}

func (s *closingState) inflight() bool { return s.function == runs || s.function == commits }

// idle looks at a part: records and their consumers in turn.
func (p pipeline) idle(s *closingState, part int8) bool {
	r := part / 2
	if part%2 == 0 {
		return r != 0 || !s.inflight() || p.blind
	}
	resting := s.consumer[r] != inCall && s.consumer[r] != hasReturned
	if p.earlySignal && s.consumer[r] == tellsIdle {
		resting = false
	}
	return resting && !s.waits(r)
}

// judge is asked when a close finds that all is delivered.
func (s *closingState) judge() {
	for c := range int8(pipes) {
		if s.waits(c) || s.consumer[c] == inCall || s.consumer[c] == hasReturned || s.inflight() || s.function == pushesLate {
			s.wrong = "a database is found drained and is not"
		}
	}
}

func (s *closingState) leave(k int8, answer verdict) {
	c := &s.closer[k]
	c.at, c.answers = left, answer
	s.closed = s.closed || answer != inProgress
	s.signal()
}

func (s *closingState) announce(k int8) { s.announced, s.closer[k].told = true, false }

// close is a step of a call.
func (p pipeline) close(s closingState, k int8) (closingState, bool) {
	c := &s.closer[k]
	if s.locked && (c.at == begins && c.index == 0 || c.at == asksOthers || c.at == leaves) {
		return s, false
	}
	switch c.at {
	case begins: // with the database's lock
		s.locked = true
		s.state[c.index] = max(s.state[c.index], isClosing)
		c.next(pipes, takesTails)
	case takesTails:
		c.tails += s.seen[c.index]
		if c.next(pipes, announces) {
			s.locked = false
		}
	case announces:
		if !p.lateAnnounce {
			s.announce(k)
		}
		c.at = walks
		if c.ending {
			c.at = awaitsEnd
		}
	case walks:
		p.walk(&s, c)
	case sumsUp:
		p.sum(&s, c)
	case readsTime:
		c.saw, c.at = c.late, asksOthers
	case asksOthers:
		p.ask(&s, k)
	case readsAgain:
		if c.late {
			s.leave(k, inProgress)
		} else {
			p.rest(c)
		}
	case cuts:
		p.cutOff(&s, c)
	case sealsAll:
		s.state[c.index] = isSealed
		if c.next(pipes, awaitsEnd) {
			c.ending, c.walked = true, 0
		}
	case awaitsEnd:
		p.awaitEnd(&s, c)
	case announcesLate:
		s.announce(k)
		c.at = sleeps
	case sleeps:
		if !c.told && !c.late {
			return s, false
		}
		c.told, c.at = false, announces
	case leaves:
		answer := c.answers
		if answer == ok && (s.counted || s.abandoned != [pipes]int8{}) {
			answer = timedOut
		}
		s.leave(k, answer)
	case left:
		return s, false
	}
	return s, true
}

// next counts what a step is done for, and after the last goes on to another step.
func (c *closerState) next(of int8, then closerAt) bool {
	if c.index++; c.index < of {
		return false
	}
	c.index, c.at = 0, then
	return true
}

func (p pipeline) walk(s *closingState, c *closerState) {
	if !p.idle(s, c.walked) {
		c.at = readsTime
		return
	}
	if c.walked%2 == 1 && p.sealsAtOnce {
		s.state[c.walked/2] = isSealed
	}
	if c.walked++; c.walked < 2*pipes {
		return
	}
	c.at = sumsUp
	if p.lateTails {
		c.tails = 0
		for _, t := range s.seen {
			c.tails += t
		}
	}
	if p.onePass || p.sealsAtOnce {
		s.judge()
		c.at = sealsAll
	}
}

func (p pipeline) sum(s *closingState, c *closerState) {
	c.now += s.seen[c.index]
	if !c.next(pipes, walks) {
		return
	}
	if c.now == c.tails {
		s.judge()
		c.at = sealsAll
	}
	c.walked, c.tails, c.now = 0, c.now, 0
}

func (p pipeline) ask(s *closingState, k int8) {
	c, other := &s.closer[k], &s.closer[1-k]
	// One that has not begun is in no list.
	has := other.at > takesTails && other.at != left && !other.late
	switch {
	case s.cut || s.closed:
		c.at, c.ending, c.walked = awaitsEnd, true, 0
	case c.saw && (!has || p.asksNobody):
		s.locked, s.cut, c.at = true, true, cuts
		if has {
			s.wrong = "a close cuts off though another has time"
		}
	case c.saw:
		s.leave(k, inProgress)
	case p.looksTwice:
		c.at = readsAgain
	default:
		p.rest(c)
	}
}

// cutOff seals a record in one step and stops its consumer in the next.
func (p pipeline) cutOff(s *closingState, c *closerState) {
	if r := c.index / 2; (c.index%2 == 0) != p.lateSeal {
		s.state[r] = isSealed
	} else {
		s.stopped[r], s.abandoned[r] = true, s.tail[r]-s.taken[r]
	}
	if c.next(2*pipes, awaitsEnd) {
		s.locked, c.ending, c.walked = false, true, 0
	}
}

// rest is what a close does that finds nothing more to do.
func (p pipeline) rest(c *closerState) {
	c.at = sleeps
	if p.lateAnnounce {
		c.at = announcesLate
	}
}

func (p pipeline) awaitEnd(s *closingState, c *closerState) {
	for ; c.walked < 2*pipes; c.walked++ {
		r := c.walked / 2
		ended := s.consumer[r] == tellsDone || s.consumer[r] == isDone
		if c.walked%2 == 0 {
			ended = r != 0 || !s.inflight()
		}
		if ended {
			continue
		}
		if c.late {
			c.at, c.answers = leaves, isBlocked
		} else {
			p.rest(c)
		}
		return
	}
	c.at, c.answers = leaves, ok
}

var pipelines = map[string]pipeline{
	"one call":                     {values: 2, emits: 2, closers: [2]limit{hasNone}},
	"one call, a function":         {values: 1, emits: 1, function: true, closers: [2]limit{hasNone}},
	"one call, its time passes":    {values: 2, emits: 2, closers: [2]limit{hasLimit}},
	"two calls":                    {values: 1, emits: 1, closers: [2]limit{hasNone, hasNone}},
	"two calls, one's time passes": {values: 1, emits: 1, closers: [2]limit{hasNone, hasLimit}},
	"two calls, their time passes": {values: 1, emits: 1, closers: [2]limit{hasLimit, hasLimit}},
	"a function, its time passes":  {values: 1, emits: 1, function: true, closers: [2]limit{hasLimit}},
}

func TestClosing_DrainsAndForgetsNothing(t *testing.T) {
	for name, p := range pipelines {
		t.Run(name, func(t *testing.T) {
			states, fault := p.system().explore()
			require.Empty(t, fault)
			t.Logf("%d states", states)
		})
	}
}

func TestClosing_NeedsEachPart(t *testing.T) {
	faults := []struct {
		name  string
		found string // in
		plant func(*pipeline)
	}{
		{"the tails are not compared", "one call", func(p *pipeline) { p.onePass = true }},
		{"the tails are taken after the walk", "one call", func(p *pipeline) { p.lateTails = true }},
		{"a push is not counted", "one call", func(p *pipeline) { p.uncounted = true }},
		{"records are sealed in the first pass", "one call", func(p *pipeline) { p.sealsAtOnce = true }},
		{"producer functions are not looked at", "one call, a function", func(p *pipeline) { p.blind = true }},
		{"a commit counts down before it pushes", "one call, a function", func(p *pipeline) { p.earlyCommit = true }},
		{"a consumer signals before it is idle", "one call", func(p *pipeline) { p.earlySignal = true }},
		{"close announces itself after its look", "one call", func(p *pipeline) { p.lateAnnounce = true }},
		{"a consumer that ends is silent", "one call", func(p *pipeline) { p.quietStop = true }},
		{"a commit is silent", "one call, a function", func(p *pipeline) { p.quietCommit = true }},
		{"a cut-off asks nobody", "two calls, one's time passes", func(p *pipeline) { p.asksNobody = true }},
		{"close looks twice at its time", "one call, its time passes", func(p *pipeline) { p.looksTwice = true }},
		{"a record is sealed after its consumer stops", "one call, its time passes", func(p *pipeline) { p.lateSeal = true }},
		{"a refused emission is not counted", "two calls, their time passes", func(p *pipeline) { p.refusesQuietly = true }},
	}
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			p, known := pipelines[f.found]
			require.True(t, known)
			f.plant(&p)
			_, fault := p.system().explore()
			require.NotEmpty(t, fault, "it works without it")
			what, _, _ := strings.Cut(fault, ":")
			t.Log(what)
		})
	}
}
