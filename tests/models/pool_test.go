// SPDX-License-Identifier: Apache-2.0

package models

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The pool of shared consumers: core/pool.go and core/step_pool.go. What is done
// under the pool's lock is one step where nothing else that is looked at can
// change meanwhile, and what a consumer does under its own lock, too. So is what
// parking_test.go checks: a signal, which ends one announced sleep, if any. The
// watcher starts a worker in the place of the first that is not there, and ends those
// that it takes not to be needed: any, at any time, but a bounded number of times.

const (
	sharers = 2
	workers = 3
	rousers = 4
)

type pooling struct {
	mailbox bool
	workers int8           // at the beginning
	values  int8           // produced by each of the producers
	rouser  [rousers]rouse // who makes something there for consumers
	blocks  int8           // if not 0, callbacks of the blocker return when the other has had so many values or has ended
	blocker int8
	turns   bool // a turn may end after any value
	stay    int8 // so many workers do not end
	periods int8 // how often the watcher may end workers

	// Faults.
	noRecheck     bool // rests without looking again
	lateRest      bool // says that it rests after it has looked again
	noAwake       bool // a worker that has slept does not announce itself for the others
	noChain       bool // who takes does not wake the next
	ignoresAgain  bool // rests although something came since it looked
	queuesTwice   bool // queues a consumer that a worker has
	earlyLook     bool // a producer looks for resting consumers before it stores the value
	askingEnd     bool // an end asks whether a consumer rests
	quietStop     bool // a stop or an end does not tell the watcher
	quietPush     bool // a push does not tell the watcher
	silentWatcher bool // the watcher sleeps without announcing itself
	hastyLeave    bool // a worker leaves without a look at the queue
	sleepyLeave   bool // a worker that leaves stays counted among those asleep
	quietLeave    bool // a worker that leaves does not announce itself for the others
	countedLeave  bool // a worker that leaves stays counted
	allLeave      bool // the watcher ends the first ones, too
}

type rouse int8

const (
	nobody rouse = iota
	pushes
	stops // consumer 0
	seals
)

type sharerState int8

const (
	isResting sharerState = iota
	isQueued
	isRunning
	isAgain
	hasEnded
)

// A waker is what is left to do after the pool's lock is free: whose event is to
// be signalled.
type waker struct{ worker, watcher bool }

type workerState struct {
	at       workerAt
	consumer int8
	slept    bool
	sealed   bool // it has seen the end
	waker    waker
}

type workerAt int8

const (
	notStarted workerAt = iota
	atTake
	sleeping
	atNext
	inCallback
	atRest
	atRestCheck
	atUnshare
)

type watcherState struct {
	at    watcherAt
	moved bool // something was taken since it looked
}

type watcherAt int8

const (
	watches watcherAt = iota
	sleepsUntilTold
	looksAgain
)

type rouserState struct {
	at    rouserAt
	left  int8
	saw   bool
	waker waker
}

type rouserAt int8

const (
	atAct rouserAt = iota
	atAsk
	atReady
)

type poolState struct {
	tail         int8
	full, sealed bool
	shared       bool // the record's word
	locked       bool // a worker is between two steps under the pool's lock
	work, stall  bool // announced
	idle         int8
	count        int8 // of workers
	leaving      int8
	periods      int8          // left
	queue        [sharers]int8 // consumer + 1
	state        [sharers]sharerState
	position     [sharers]int8
	stopped      [sharers]bool
	worker       [workers]workerState
	watcher      watcherState
	rouser       [rousers]rouserState
}

func (p pooling) system() System[poolState] {
	start := poolState{shared: true, count: p.workers, periods: p.periods}
	for i := range p.workers {
		start.worker[i].at = atTake
	}
	for i, r := range p.rouser {
		start.rouser[i].left = 1
		if r == nobody {
			start.rouser[i].left = 0
		}
		if r == pushes {
			start.rouser[i].left = p.values
		}
	}
	return System[poolState]{start, p.steps, p.wrong}
}

func (p pooling) waits(s *poolState, c int8) bool {
	if p.mailbox {
		return s.full
	}
	return s.tail != s.position[c]
}

func (p pooling) wrong(s poolState, last bool) string {
	var has [sharers]int
	there := int8(0)
	for i := range s.worker {
		if s.worker[i].at != notStarted {
			there++
		}
		if w := &s.worker[i]; w.at >= atNext {
			has[w.consumer]++
		}
	}
	if there < p.stay {
		return "too few workers"
	}
	for c := range int8(sharers) {
		if has[c] > 1 {
			return "two workers in one consumer"
		}
		if last && s.state[c] != hasEnded && (p.waits(&s, c) || s.sealed || s.stopped[c]) {
			return "a consumer is forgotten"
		}
	}
	for i := range s.worker {
		if at := s.worker[i].at; last && at != sleeping && at != notStarted {
			return "a worker is stuck"
		}
	}
	return ""
}

func (p pooling) steps(s poolState) (next []poolState) {
	for i := range s.worker {
		if s.worker[i].waker != (waker{}) {
			next = append(next, s.wakes(func(n *poolState) *waker { return &n.worker[i].waker })...)
		} else {
			next = append(next, p.serve(s, i)...)
		}
	}
	for i := range s.rouser {
		if s.rouser[i].waker != (waker{}) {
			next = append(next, s.wakes(func(n *poolState) *waker { return &n.rouser[i].waker })...)
		} else {
			next = append(next, p.rouse(s, i)...)
		}
	}
	return append(next, p.watch(s)...)
}

// wakes is Step.leave after it has freed the lock, and what its driver does.
func (s poolState) wakes(of func(*poolState) *waker) []poolState {
	w := of(&s)
	if w.worker {
		w.worker = false
		if s.work {
			s.work = false
			return s.wakeOne()
		}
		return []poolState{s}
	}
	w.watcher = false
	if s.stall {
		s.stall = false
		s.watcher.wake()
	}
	return []poolState{s}
}

func (w *watcherState) wake() {
	if w.at == sleepsUntilTold {
		w.at = watches
	}
}

func (s poolState) wakeOne() (next []poolState) {
	for i := range s.worker {
		if s.worker[i].at == sleeping {
			n := s
			n.worker[i].at = atTake
			next = append(next, n)
		}
	}
	if next == nil {
		next = []poolState{s}
	}
	return next
}

// leave says, with the lock held, what is to be done without it.
func (s *poolState) leave() waker {
	if s.queue[0] == 0 {
		return waker{}
	}
	return waker{worker: true, watcher: s.idle == 0}
}

func (s *poolState) enqueue(c int8) {
	s.state[c] = isQueued
	for i := range s.queue {
		if s.queue[i] == 0 {
			s.queue[i] = c + 1
			return
		}
	}
}

func (p pooling) readyAll(s *poolState) {
	s.shared = false
	for c := range int8(sharers) {
		switch s.state[c] {
		case isResting:
			s.enqueue(c)
		case isRunning:
			s.state[c] = isAgain
			if p.queuesTwice {
				s.enqueue(c)
			}
		}
	}
}

// rouse is a producer, a stop or an end.
func (p pooling) rouse(s poolState, i int) []poolState {
	r, push := &s.rouser[i], p.rouser[i] == pushes
	switch r.at {
	case atAct:
		if r.left == 0 {
			return nil
		}
		r.left--
		r.at = atReady
		if push || p.askingEnd {
			r.at = atAsk
		}
		if push && p.earlyLook {
			r.saw = s.shared
		} else {
			p.act(&s, i)
		}
	case atAsk:
		saw := s.shared
		if push && p.earlyLook {
			saw = r.saw
			p.act(&s, i)
		}
		r.at, r.saw = atAct, false
		if saw {
			r.at = atReady
		}
	case atReady:
		if s.locked {
			return nil
		}
		p.readyAll(&s)
		r.at, r.waker = atAct, s.leave()
		if p.quietPush && push || p.quietStop && !push {
			r.waker.watcher = false
		}
	}
	return []poolState{s}
}

func (p pooling) act(s *poolState, i int) {
	switch p.rouser[i] {
	case pushes:
		s.tail++
		s.full = true
	case stops:
		s.stopped[0] = true
	case seals:
		s.sealed = true
	}
}

// serve is a worker: Take, Next and callbacks, Rest.
func (p pooling) serve(s poolState, i int) []poolState {
	w := &s.worker[i]
	c := w.consumer
	switch w.at {
	case notStarted, sleeping:
		return nil
	case atTake:
		if s.locked {
			return nil
		}
		p.take(&s, w)
	case atNext:
		p.next(&s, w)
	case inCallback:
		if other := 1 - c; p.blocks != 0 && c == p.blocker && s.position[other] < p.blocks && s.state[other] != hasEnded {
			return nil
		}
		w.at = atNext
		if p.turns && !s.locked {
			more := s
			more.enqueue(c)
			more.worker[i] = workerState{at: atTake, waker: more.leave()}
			return []poolState{s, more}
		}
	case atRest:
		if s.locked {
			return nil
		}
		p.rest(&s, w)
	case atRestCheck: // with the lock held since it said that it rests
		if p.lateRest {
			s.shared = true
		} else if p.waits(&s, c) && !p.noRecheck {
			s.enqueue(c)
		}
		s.locked = false
		*w = workerState{at: atTake, waker: s.leave()}
	case atUnshare:
		if s.locked {
			return nil
		}
		s.state[c] = hasEnded
		*w = workerState{at: atTake, waker: s.leave()}
	}
	return []poolState{s}
}

func (p pooling) take(s *poolState, w *workerState) {
	leaves := s.leaving != 0 && (s.queue[0] == 0 || p.hastyLeave)
	if w.slept {
		w.slept = false
		if !leaves || !p.sleepyLeave {
			s.idle--
		}
		if !p.noAwake && !(leaves && p.quietLeave) {
			s.work = true
		}
	}
	if leaves {
		s.leaving--
		if !p.countedLeave {
			s.count--
		}
		w.at, w.consumer = notStarted, 0
		return
	}
	if s.queue[0] != 0 {
		w.at, w.consumer = atNext, s.queue[0]-1
		copy(s.queue[:], s.queue[1:])
		s.queue[sharers-1] = 0
		s.state[w.consumer] = isRunning
		s.watcher.moved = s.watcher.at == looksAgain
		if !p.noChain {
			w.waker = s.leave()
		}
		return
	}
	s.idle++
	s.work = true
	w.at, w.slept = sleeping, true
}

// next looks for a value; one that finds none reads the end, and looks again if
// it has come.
func (p pooling) next(s *poolState, w *workerState) {
	c := w.consumer
	switch {
	case s.stopped[c]:
		w.at = atUnshare
	case p.waits(s, c):
		if !p.mailbox {
			s.position[c]++
		}
		s.full = false
		w.at, w.sealed = inCallback, false
	case w.sealed:
		w.at = atUnshare
	case s.sealed:
		w.sealed = true
	default:
		w.at = atRest
	}
}

func (p pooling) rest(s *poolState, w *workerState) {
	c := w.consumer
	if s.state[c] == isAgain && !p.ignoresAgain {
		s.enqueue(c)
		*w = workerState{at: atTake, waker: s.leave()}
		return
	}
	if p.lateRest && p.waits(s, c) {
		s.enqueue(c)
		*w = workerState{at: atTake, waker: s.leave()}
		return
	}
	s.state[c] = isResting
	if !p.lateRest {
		s.shared = true
	}
	s.locked, w.at = true, atRestCheck
}

// watch is the watcher. How long it sleeps before it looks again is anyone's guess.
func (p pooling) watch(s poolState) []poolState {
	w := &s.watcher
	quiet := s.queue[0] == 0 || s.idle != 0
	switch {
	case s.locked:
		return nil
	case w.at == sleepsUntilTold:
		return p.endWorkers(s)
	case quiet:
		w.at, w.moved = sleepsUntilTold, false
		s.stall = !p.silentWatcher
	case w.at == watches:
		w.at = looksAgain
	case w.moved:
		w.moved = false
	default:
		for i := range s.worker {
			if s.worker[i].at == notStarted && s.count <= p.workers {
				s.worker[i].at, w.at = atTake, watches
				s.count++
				s.leaving = 0
				return []poolState{s}
			}
		}
		return nil
	}
	return []poolState{s}
}

// endWorkers is the watcher after its sleep: of those asleep some, beyond those that
// stay, were so all the time. They are woken.
func (p pooling) endWorkers(s poolState) (next []poolState) {
	quiet := s.queue[0] == 0 || s.idle != 0
	extra := s.count - p.stay
	if p.allLeave {
		extra = s.count
	}
	if !quiet || s.periods == 0 {
		return nil
	}
	s.periods--
	s.stall = !p.silentWatcher
	for n := int8(1); n <= min(s.idle, extra); n++ {
		ends := s
		ends.leaving = n
		woken := []poolState{ends}
		if ends.work {
			for i := range woken {
				woken[i].work = false
			}
			for range n {
				woken = wakeOneMore(woken)
			}
		}
		next = append(next, woken...)
	}
	return next
}

func wakeOneMore(states []poolState) (next []poolState) {
	for _, s := range states {
		next = append(next, s.wakeOne()...)
	}
	return next
}

const never = 100 // as blocks: only when it has ended

var poolings = map[string]pooling{
	"two producers":        {workers: 1, values: 1, rouser: [4]rouse{pushes, pushes}},
	"one producer":         {workers: 2, values: 2, rouser: [4]rouse{pushes}, turns: true},
	"an end":               {workers: 2, values: 1, rouser: [4]rouse{pushes, seals}},
	"a stop":               {workers: 1, values: 1, rouser: [4]rouse{pushes, stops}, turns: true},
	"blocked":              {workers: 1, values: 2, rouser: [4]rouse{pushes}, blocks: 2, blocker: 1},
	"blocked, two workers": {workers: 2, values: 2, rouser: [4]rouse{pushes}, blocks: 2},
	"blocked, a stop":      {workers: 1, values: 1, rouser: [4]rouse{pushes, stops}, blocks: never, blocker: 1},
	"blocked, an end":      {workers: 1, values: 1, rouser: [4]rouse{pushes, seals}, blocks: never, blocker: 1},
	"two leave":            {workers: 3, stay: 1, periods: 1, values: 1, rouser: [4]rouse{pushes}},
	"leave twice":          {workers: 2, stay: 1, periods: 2, values: 1, rouser: [4]rouse{pushes}},
	"leave and come back":  {workers: 2, stay: 1, periods: 1, values: 2, rouser: [4]rouse{pushes}, blocks: 2, blocker: 1},
	"leave before a stop":  {workers: 2, stay: 1, periods: 1, values: 1, rouser: [4]rouse{pushes, stops}, blocks: never, blocker: 1},
	"mailbox":              {workers: 1, values: 1, rouser: [4]rouse{pushes, pushes}, mailbox: true},
	"mailbox, all of them": {workers: 1, values: 1, rouser: [4]rouse{pushes, stops, seals}, mailbox: true},
}

func TestPool_ForgetsNoConsumer(t *testing.T) {
	for name, p := range poolings {
		t.Run(name, func(t *testing.T) {
			states, fault := p.system().explore()
			require.Empty(t, fault)
			t.Logf("%d states", states)
		})
	}
}

func TestPool_NeedsEachPart(t *testing.T) {
	faults := []struct {
		name  string
		found string // in
		plant func(*pooling)
	}{
		{"no second look", "two producers", func(p *pooling) { p.noRecheck = true }},
		{"says that it rests after the second look", "two producers", func(p *pooling) { p.lateRest = true }},
		{"no announcement after a sleep", "blocked, two workers", func(p *pooling) { p.noAwake = true }},
		{"who takes wakes nobody", "blocked, two workers", func(p *pooling) { p.noChain = true }},
		{"again is ignored", "a stop", func(p *pooling) { p.ignoresAgain = true }},
		{"again is ignored", "an end", func(p *pooling) { p.ignoresAgain = true }},
		{"a running consumer is queued", "two producers", func(p *pooling) { p.queuesTwice = true }},
		{"the producer looks before it stores", "two producers", func(p *pooling) { p.earlyLook = true }},
		{"an end asks who rests", "an end", func(p *pooling) { p.askingEnd = true }},
		{"a stop does not tell the watcher", "blocked, a stop", func(p *pooling) { p.quietStop = true }},
		{"an end does not tell the watcher", "blocked, an end", func(p *pooling) { p.quietStop = true }},
		{"a push does not tell the watcher", "blocked", func(p *pooling) { p.quietPush = true }},
		{"the watcher does not announce itself", "blocked", func(p *pooling) { p.silentWatcher = true }},
		{"leaves without a look at the queue", "two leave", func(p *pooling) { p.hastyLeave = true }},
		{"who leaves is counted among those asleep", "leave and come back", func(p *pooling) { p.sleepyLeave = true }},
		{"who leaves does not announce the others", "two leave", func(p *pooling) { p.quietLeave = true }},
		{"who leaves stays counted", "leave twice", func(p *pooling) { p.countedLeave = true }},
		{"the first leave, too", "two leave", func(p *pooling) { p.allLeave = true }},
	}
	for _, f := range faults {
		t.Run(f.name+" in "+f.found, func(t *testing.T) {
			p, known := poolings[f.found]
			require.True(t, known)
			f.plant(&p)
			_, fault := p.system().explore()
			require.NotEmpty(t, fault, "it works without it")
			t.Log(fault[:60])
		})
	}
}
