// SPDX-License-Identifier: Apache-2.0

package core

import (
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A Level says how severe a log line is.
type Level int32

const (
	LevelError Level = iota
	Warning
	Info
	Debug
	Off // as a least level: nothing is logged
)

// A logger passes lines on. It is shared by whoever logs; the last one out
// ends the function.
type logger struct {
	config Config
	uses   *atomic.Int32
}

func newLogger(config Config) logger {
	l := logger{config, new(atomic.Int32)}
	l.uses.Store(1)
	return l
}

func (l logger) write(level Level, text string) {
	if l.config.Level == Off || level > l.config.Level || !l.acquire() {
		return
	}
	defer l.release()
	if l.config.Log != nil {
		l.config.Log(level, text)
		return
	}
	name := [...]string{"error", "warning", "info", "debug"}[level]
	syscall.Write(2, []byte("aimdb: "+name+": "+text+"\n"))
}

// acquire fails once the function has ended.
func (l logger) acquire() bool {
	for {
		n := l.uses.Load()
		if n == 0 {
			return false
		}
		if l.uses.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (l logger) release() {
	if l.uses.Add(-1) == 0 && l.config.OnEnd != nil {
		l.config.OnEnd()
	}
}

// A trouble sums what went wrong with a consumer, to be logged at most once a
// second.
type trouble struct {
	mu       sync.Mutex
	lagged   uint64
	failures uint64
	last     time.Time
	timer    *time.Timer
}

const logInterval = time.Second

// report adds to the sum and logs it, or has it logged when the second is over.
func (t *trouble) report(c *Consumer, lagged, failures uint64) {
	t.mu.Lock()
	t.lagged += lagged
	t.failures += failures
	t.flushInTime(c)
}

// flushInTime needs mu and unlocks it. The timer may come late, after a report
// has logged in its place: so it asks for the time like everyone.
func (t *trouble) flushInTime(c *Consumer) {
	wait := logInterval - time.Since(t.last)
	if t.last.IsZero() || wait <= 0 {
		t.flush(c)
		return
	}
	if t.timer == nil {
		t.timer = time.AfterFunc(wait, func() {
			t.mu.Lock()
			t.flushInTime(c)
		})
	} else if t.lagged != 0 || t.failures != 0 {
		t.timer.Reset(wait)
	}
	t.mu.Unlock()
}

// end logs what is left.
func (t *trouble) end(c *Consumer) {
	t.mu.Lock()
	if t.timer != nil {
		t.timer.Stop()
	}
	t.flush(c)
}

// flush needs mu and unlocks it: the log function is user code.
func (t *trouble) flush(c *Consumer) {
	lagged, failures := t.lagged, t.failures
	if lagged != 0 || failures != 0 {
		t.lagged, t.failures, t.last = 0, 0, time.Now()
	}
	t.mu.Unlock()
	key := c.record.key
	if lagged != 0 {
		c.record.db.log.write(Warning, key+": a consumer lagged and lost "+decimal(lagged)+" values")
	}
	if failures != 0 {
		c.record.db.log.write(Warning, key+": a consumer's callback failed "+decimal(failures)+" times")
	}
}

// FutexFault is told by a dispatcher outside of Go that the kernel refuses to let
// threads wait, for the log.
func (c *Consumer) FutexFault(errno syscall.Errno) {
	c.record.db.log.write(Warning, "the kernel refuses futex calls ("+errno.Error()+
		"): threads look again at intervals instead of being woken")
}
