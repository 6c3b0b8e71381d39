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

// A lossLog sums what a consumer in Go has lost and failed at, to be logged at most
// once a second. The driver in C does this itself, without Go's timers: the first of
// them opens descriptors that the host of a library may close.
type lossLog struct {
	mu       sync.Mutex
	lagged   uint64
	failures uint64
	last     time.Time
	timer    *time.Timer
}

const logInterval = time.Second

// report adds to the sum and logs it, or has it logged when the second is over.
func (l *lossLog) report(c *Consumer, lagged, failures uint64) {
	l.mu.Lock()
	l.lagged += lagged
	l.failures += failures
	l.flushInTime(c)
}

// flushInTime needs mu and unlocks it. The timer may come late, after a report
// has logged in its place: so it asks for the time like everyone.
func (l *lossLog) flushInTime(c *Consumer) {
	wait := logInterval - time.Since(l.last)
	if l.last.IsZero() || wait <= 0 {
		l.flush(c)
		return
	}
	if l.timer == nil {
		l.timer = time.AfterFunc(wait, func() {
			l.mu.Lock()
			l.flushInTime(c)
		})
	} else if l.lagged != 0 || l.failures != 0 {
		l.timer.Reset(wait)
	}
	l.mu.Unlock()
}

// end logs what is left.
func (l *lossLog) end(c *Consumer) {
	l.mu.Lock()
	if l.timer != nil {
		l.timer.Stop()
	}
	l.flush(c)
}

// flush needs mu and unlocks it: the log function is user code.
func (l *lossLog) flush(c *Consumer) {
	lagged, failures := l.lagged, l.failures
	if lagged != 0 || failures != 0 {
		l.lagged, l.failures, l.last = 0, 0, time.Now()
	}
	l.mu.Unlock()
	c.LogLosses(lagged, failures)
}

// LogLosses writes a line for values lost and one for callbacks failed, if there
// were any.
func (c *Consumer) LogLosses(lagged, failures uint64) {
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
