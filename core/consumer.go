// SPDX-License-Identifier: Apache-2.0

package core

import (
	"sync/atomic"
	"unsafe"

	"github.com/aimdb-dev/aimdb-go/core/buffers"
	"github.com/aimdb-dev/aimdb-go/core/park"
)

// A Consumer is a callback subscription. Its dispatcher, a goroutine or a
// thread of its own, makes one call at a time, in order.
type Consumer struct {
	subscription
	config *ConsumerConfig
	losses *lossLog // made at the first; of a dispatcher in Go

	// Under db.mu. The block is given back when the dispatcher has ended,
	// someone has unsubscribed, and nobody waits for the end.
	holders  int32
	detached bool
	ended    bool
	unlisted bool // the handle has ended
	freed    bool
}

// An Incoming is a value as it reaches a callback in Go, valid during the call.
type Incoming struct {
	Data     []byte
	Sequence uint64 // number of the value in its record, from 1
	Record   *Record
}

// ConsumerConfig is what a consumer is subscribed with.
type ConsumerConfig struct {
	// Func gets each value. An error is a failure: counted, delivery goes on.
	Func func(Emitter, *Incoming) error

	// OnLag is told of values lost, before the next value. May be nil.
	OnLag func(e Emitter, r *Record, lost uint64)

	// Shared consumers are served by the workers of their database, few for all
	// of them. Others have a dispatcher each.
	Shared bool

	// Dispatcher, for consumers outside of Go, starts what calls Next steps in
	// the place of a goroutine; of a shared consumer it gives the word that Take
	// steps answer for it. It must have [Consumer.End] called after the step
	// that answers Closed. If it fails there is no subscription.
	Dispatcher func(*Consumer) (driver uint64, err error)

	// OnEnd is called once, after the last callback, by the dispatcher in Go.
	OnEnd func()
}

// Subscribe adds a consumer to a record, before or after start. It gets what
// is produced from now on; of a latest also the current value.
func (r *Record) Subscribe(config ConsumerConfig) (*Consumer, error) {
	if config.Func == nil && config.Dispatcher == nil {
		return nil, fail(ErrArgument, "config.fn: is NULL")
	}
	c := &Consumer{config: &config}
	r.db.mu.Lock()
	if err := r.attach(&c.subscription, consumerHandle); err != nil {
		r.db.mu.Unlock()
		return nil, err
	}
	consumerTable.put(c.index, c)
	r.consumers[c] = struct{}{}
	r.subscribed++
	r.countReaders()
	r.db.consumers++
	c.holders++ // by this call
	r.db.mu.Unlock()
	if err := c.begin(); err != nil {
		c.withdraw()
		return nil, err
	}
	c.unhold(false)
	return c, nil
}

func (c *Consumer) begin() error {
	if c.config.Shared {
		if err := c.record.db.startPool(); err != nil {
			return err
		}
	}
	if c.config.Dispatcher != nil {
		driver, err := c.config.Dispatcher(c)
		if err != nil {
			return err
		}
		c.block.driver = driver
	}
	switch {
	case !c.config.Shared && c.config.Dispatcher == nil:
		go newDispatcher(c).dispatch()
	case c.config.Shared:
		if c.config.Dispatcher == nil {
			c.record.db.keepSharer(c.index, newDispatcher(c))
		}
		c.share()
	}
	return nil
}

// withdraw takes a subscription back whose dispatcher did not start.
func (c *Consumer) withdraw() {
	c.stop()
	c.record.db.mu.Lock()
	c.detach()
	c.markEnded()
	c.record.db.mu.Unlock()
	c.unhold(true)
	c.record.db.tellClosings()
	c.record.db.reapIfAtRest()
}

// Handle names the consumer for drivers outside of Go.
func (c *Consumer) Handle() Handle { return c.handle }

// Record is what the consumer is subscribed to.
func (c *Consumer) Record() *Record { return c.record }

// finish is the end of a dispatcher in Go.
func (c *Consumer) finish() {
	if c.config.OnEnd != nil {
		c.config.OnEnd()
	}
	c.End()
}

// End tells that the dispatcher has ended and the user pointer is freed.
func (c *Consumer) End() {
	if c.losses != nil {
		c.losses.end(c)
	}
	if c.config.Shared {
		c.unshare()
	}
	db := c.record.db
	db.mu.Lock()
	delete(db.sharers, c.index)
	c.markEnded()
	c.freeIfLast()
	db.mu.Unlock()
	db.tellClosings()
	db.reapIfAtRest()
}

// report is told by a dispatcher in Go of losses and failed callbacks, for the log.
func (c *Consumer) report(lagged, failures uint64) {
	if c.losses == nil {
		c.losses = new(lossLog)
	}
	c.losses.report(c, lagged, failures)
}

// A Leaving is one call of Unsubscribe: it says what to sleep on until the consumer
// has ended, as Closing does.
type Leaving struct{ c *Consumer }

// BeginUnsubscribe ends the account: no further callback begins. Whoever does not
// wait calls Leave next, others Step.
func (c *Consumer) BeginUnsubscribe() (*Leaving, error) {
	db := c.record.db
	db.mu.Lock()
	defer db.mu.Unlock()
	if c.unlisted || db.state == stateDestroyed {
		return nil, fail(ErrHandle, "consumer: is unsubscribed")
	}
	c.holders++
	c.detach()
	c.stop()
	c.wake() // with mu: the record's block is another's soon after Destroy had it
	return &Leaving{c}, nil
}

// Step answers OK, and the last account, when no callback runs or will run and the
// user pointer is freed; else Sleep.
func (l *Leaving) Step() (Status, ConsumerStats, Await) {
	phase := &l.c.block.phase
	if now := atomic.LoadUint32(phase); now != done {
		return Sleep, ConsumerStats{}, Await{Address: word(phase), Expected: now, Left: Forever}
	}
	last := l.c.account()
	l.c.unhold(true)
	return OK, last, Await{}
}

// Leave gives the last account so far; the end comes later.
func (l *Leaving) Leave() ConsumerStats {
	last := l.c.account()
	l.c.unhold(false)
	return last
}

// Unsubscribe ends the subscription. It returns when no callback of it runs or
// will run; from inside any callback it does not wait, answers InProgress, and
// OnEnd tells the end.
func (c *Consumer) Unsubscribe(inside bool) (Status, ConsumerStats, error) {
	l, err := c.BeginUnsubscribe()
	if err != nil {
		return ErrHandle, ConsumerStats{}, err
	}
	if inside {
		return InProgress, l.Leave(), nil
	}
	for {
		status, last, wait := l.Step()
		if status == OK {
			return OK, last, nil
		}
		park.Sleep(wait.Address, wait.Expected, wait.Left)
	}
}

// stop ends the account: no further callback begins. It reports whether none
// runs.
func (c *Consumer) stop() (quiet bool) {
	owner := c.block.cursor.Lock.Lock()
	c.block.cursor.Stop(&c.record.block.buffer)
	quiet = atomic.LoadUint32(&c.block.phase) != calling
	c.block.cursor.Lock.Unlock(owner)
	return quiet
}

// wake makes the consumer's dispatcher, or a worker, look again.
func (c *Consumer) wake() {
	if c.config.Shared {
		c.record.db.pooled(func(p *poolBlock) { p.ready(c.index) })
		return
	}
	c.record.wakeSleepers()
}

// detach ends the subscription; the record waits for its dispatcher. It needs
// db.mu.
func (c *Consumer) detach() {
	if !c.detached && !c.ended {
		c.record.subscribed--
		c.record.countReaders()
	}
	c.detached = true
}

// markEnded lets those go on who wait for the end, with what they count on done.
// It needs db.mu.
func (c *Consumer) markEnded() {
	if !c.detached {
		c.record.subscribed--
		c.record.countReaders()
	}
	c.ended = true
	c.record.db.consumers--
	atomic.StoreUint32(&c.block.phase, done)
	park.Wake(word(&c.block.phase), park.Everyone)
}

// unhold is the end of a caller's interest; unlist: its handle ends now.
func (c *Consumer) unhold(unlist bool) {
	c.record.db.mu.Lock()
	defer c.record.db.mu.Unlock()
	c.holders--
	if unlist {
		c.unlist()
	}
	c.freeIfLast()
}

// unlist ends the handle. It needs db.mu.
func (c *Consumer) unlist() {
	if !c.unlisted {
		c.unlisted = true
		consumerTable.put(c.index, nil)
		c.conclude()
	}
}

// freeIfLast needs db.mu.
func (c *Consumer) freeIfLast() {
	if c.holders == 0 && c.detached && c.ended && !c.freed {
		c.freed = true
		c.unlist()
		delete(c.record.consumers, c)
		c.giveBack()
	}
}

// A subscription is what consumers and readers have in common.
type subscription struct {
	record *Record
	block  *cursorBlock
	handle Handle
	index  uint32
}

// attach gives the subscription its block. It needs db.mu.
func (r *Record) attach(s *subscription, t handleType) error {
	switch r.db.state {
	case stateDestroyed:
		return fail(ErrHandle, "record: its database is destroyed")
	case stateClosing, stateClosed:
		return fail(Closed, "record: its database is "+r.db.state.String())
	}
	index, err := cursors.Alloc()
	if err != nil {
		return noBlock(err, &cursors, "record", "consumers and readers")
	}
	b := cursorAt(index)
	*s = subscription{record: r, block: b, index: index}
	owner := b.cursor.Lock.Lock()
	r.locked(func(rb *recordBlock) { b.cursor.Attach(&rb.buffer) })
	b.record = r.index
	b.callback, b.polled, b.shared, b.armed, b.driver = t == consumerHandle, false, single, false, 0
	b.failures, b.ns, b.nsMax = 0, 0, 0
	atomic.StoreUint32(&b.phase, idle)
	s.handle = handle(t, index, enliven(&b.generation))
	b.cursor.Lock.Unlock(owner)
	return nil
}

// locked runs f with the cursor's lock held.
func (s *subscription) locked(f func(b *cursorBlock)) {
	owner := s.block.cursor.Lock.Lock()
	f(s.block)
	s.block.cursor.Lock.Unlock(owner)
}

// conclude ends the account and the handle at once: no step gives a value after the
// account it answers. The block is still the subscription's: whoever concludes
// takes it from every list it may be in before it is given back, for it may be
// another database's from then on.
func (s *subscription) conclude() (last ConsumerStats) {
	s.locked(func(b *cursorBlock) {
		b.cursor.Stop(&s.record.block.buffer)
		last = b.account(s.record.block)
		atomic.AddUint32(&b.generation, 1)
	})
	return last
}

// giveBack gives the block back, which is in no list any more.
func (s *subscription) giveBack() {
	if poisoned {
		s.locked((*cursorBlock).poison)
	}
	cursors.Free(s.index)
}

// ConsumerStats is the account of a consumer or reader:
// Offered = Delivered + Lagged + Skipped + Pending + Abandoned.
type ConsumerStats struct {
	buffers.Account
	Failures      uint64 // callbacks that failed
	CallbackNs    uint64 // time in callbacks, total
	CallbackMaxNs uint64 // and the longest
}

// account gives a snapshot that is consistent in itself. The block must be held.
func (s *subscription) account() (now ConsumerStats) {
	s.locked(func(b *cursorBlock) { now = b.account(s.record.block) })
	return now
}

// account needs cursor.Lock.
func (c *cursorBlock) account(r *recordBlock) (now ConsumerStats) {
	c.cursor.Account(&r.buffer, &now.Account)
	now.Failures, now.CallbackNs, now.CallbackMaxNs = c.failures, c.ns, c.nsMax
	return now
}

// Stats gives a snapshot that is consistent in itself, until the subscription
// has ended.
func (c *Consumer) Stats() (ConsumerStats, error) {
	return c.stats(0, "consumer: is unsubscribed")
}

func (s *subscription) stats(flags uint32, otherwise string) (now ConsumerStats, err error) {
	step := Step{Handle: s.handle, Flags: flags}
	step.Data = unsafe.Pointer(&now)
	drive(&step, OpAccount)
	if step.Result != OK {
		return ConsumerStats{}, fail(ErrHandle, otherwise)
	}
	return now, nil
}
