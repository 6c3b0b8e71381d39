// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
)

// purego makes at most 2000 callbacks in a process and never frees one. So
// there is one for each function type of the header; the user pointer is a
// number that finds the hook.
var (
	producerFn = purego.NewCallback(func(e Handle, m *Message, d *Draft, user uintptr) int32 {
		return hookOf(user).produce(e, m, d)
	})
	consumerFn = purego.NewCallback(func(e Handle, m *Message, user uintptr) int32 {
		return hookOf(user).consume(e, m)
	})
	lagFn = purego.NewCallback(func(e, record Handle, lagged uint64, user uintptr) {
		hookOf(user).lag(e, record, lagged)
	})
	logFn = purego.NewCallback(func(level int32, text uintptr, user uintptr) {
		hookOf(user).log(level, goString(text))
	})
	freeFn = purego.NewCallback(func(user uintptr) { hookOf(user).end(user) })
)

// A hook is what a user pointer stands for. freed is closed by the free
// function; a second call of it panics.
type hook struct {
	produce func(emitter Handle, m *Message, d *Draft) int32
	consume func(emitter Handle, m *Message) int32
	lag     func(emitter, record Handle, lagged uint64)
	log     func(level int32, text string)
	freed   chan struct{}
}

var hooks = struct {
	sync.Mutex
	next  uintptr
	known map[uintptr]*hook
}{known: make(map[uintptr]*hook)}

func (h *hook) register() uintptr {
	h.freed = make(chan struct{})
	hooks.Lock()
	defer hooks.Unlock()
	hooks.next++
	hooks.known[hooks.next] = h
	return hooks.next
}

func hookOf(user uintptr) *hook {
	hooks.Lock()
	defer hooks.Unlock()
	return hooks.known[user]
}

func (h *hook) end(user uintptr) {
	hooks.Lock()
	delete(hooks.known, user)
	hooks.Unlock()
	close(h.freed)
}

func (h *hook) producer() *ProducerConfig {
	c := newProducerConfig()
	c.Fn, c.User, c.Free = producerFn, h.register(), freeFn
	return c
}

func (h *hook) consumer() *ConsumerConfig {
	c := newConsumerConfig()
	c.Fn, c.User, c.Free = consumerFn, h.register(), freeFn
	if h.lag != nil {
		c.OnLag = lagFn
	}
	return c
}

func (h *hook) logger() *Config {
	c := newConfig()
	c.Log, c.LogLevel, c.User, c.Free = logFn, LogDebug, h.register(), freeFn
	return c
}

// payload copies the bytes of a message.
func (m *Message) payload() []byte {
	return append([]byte(nil), unsafe.Slice((*byte)(at(m.Data)), m.Size)...)
}
