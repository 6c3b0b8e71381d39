// SPDX-License-Identifier: Apache-2.0

package core

import (
	"encoding/binary"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newDatabase makes a database that logs nothing and is destroyed at the end.
func newDatabase(t testing.TB) *Database {
	t.Helper()
	db, err := New(Config{Level: Off})
	require.NoError(t, err)
	t.Cleanup(func() {
		db.Close(Forever, false)
		db.Destroy()
	})
	return db
}

func register(t testing.TB, db *Database, key string, kind Kind) *Record {
	t.Helper()
	config := DefaultRecord()
	config.Buffer = kind
	r, err := db.Register(key, config)
	require.NoError(t, err)
	return r
}

func number(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }

func value(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

func requireStatus(t testing.TB, want Status, err error) {
	t.Helper()
	require.Equal(t, want, StatusOf(err), "%v", err)
}

func accountOf(t testing.TB, stats func() (ConsumerStats, error)) ConsumerStats {
	t.Helper()
	s, err := stats()
	require.NoError(t, err)
	require.Equal(t, s.Offered, s.Delivered+s.Lagged+s.Skipped+s.Pending+s.Abandoned)
	return s
}

var allKinds = map[string]Kind{"ring": Ring, "latest": Latest, "mailbox": Mailbox}

func TestKey_OneTo255BytesOfTheAlphabet(t *testing.T) {
	db := newDatabase(t)
	for _, key := range []string{"a", "A.b_c:d/e-0", strings.Repeat("x", 255)} {
		_, err := db.Register(key, DefaultRecord())
		require.NoError(t, err)
		_, err = db.Register(key, DefaultRecord())
		requireStatus(t, ErrExists, err)
	}
	for _, key := range []string{"", strings.Repeat("x", 256), "a b", "ä", "a\x00"} {
		_, err := db.Register(key, DefaultRecord())
		requireStatus(t, ErrKey, err)
		_, err = db.Open(key, AnyType, AnySize)
		requireStatus(t, ErrKey, err)
	}
}

func TestOpen_AnotherTypeIsAnError(t *testing.T) {
	db := newDatabase(t)
	config := DefaultRecord()
	config.Exact, config.TypeName = 8, "Temperature"
	r, err := db.Register("t", config)
	require.NoError(t, err)
	same, err := db.Open("t", "Temperature", 8)
	require.NoError(t, err)
	require.Same(t, r, same)
	_, err = db.Open("t", "Command", 8)
	requireStatus(t, ErrType, err)
	_, err = db.Open("t", "", 8)
	requireStatus(t, ErrType, err)
	_, err = db.Open("t", AnyType, 4)
	requireStatus(t, ErrType, err)
	_, err = db.Open("u", AnyType, AnySize)
	requireStatus(t, ErrNotFound, err)
}

func TestLifecycle_CallInTheWrongStateSaysSo(t *testing.T) {
	db, err := New(Config{Level: Off})
	require.NoError(t, err)
	r := register(t, db, "r", Ring)
	requireStatus(t, ErrState, r.Produce(nil))
	_, err = db.Close(0, false)
	requireStatus(t, ErrState, err)
	require.NoError(t, db.Start())
	requireStatus(t, ErrState, db.Start())
	requireStatus(t, ErrState, db.Destroy())
	_, err = db.Register("s", DefaultRecord())
	requireStatus(t, ErrState, err)
	requireStatus(t, ErrState, r.SetProducer(Producer{Func: func(_ Emitter, b []byte) ([]byte, error) { return b, nil }}))
	status, err := db.Close(0, false)
	require.NoError(t, err)
	require.Equal(t, OK, status)
	requireStatus(t, Closed, r.Produce(nil))
	_, err = r.NewReader()
	requireStatus(t, Closed, err)
	_, err = r.Subscribe(ConsumerConfig{Func: func(Emitter, *Incoming) error { return nil }})
	requireStatus(t, Closed, err)
	require.NoError(t, db.Destroy())
	requireStatus(t, ErrHandle, db.Destroy())
	requireStatus(t, ErrHandle, db.Start())
	requireStatus(t, ErrHandle, r.Produce(nil))
	_, err = r.Stats()
	requireStatus(t, ErrHandle, err)
	_, err = r.NewReader()
	requireStatus(t, ErrHandle, err)
}

func TestProduce_SizeMustBeAccepted(t *testing.T) {
	db := newDatabase(t)
	config := DefaultRecord()
	config.PayloadMax = 8
	r, err := db.Register("max", config)
	require.NoError(t, err)
	config.Exact = 4
	exact, err := db.Register("exact", config)
	require.NoError(t, err)
	require.NoError(t, db.Start())
	require.NoError(t, r.Produce(nil))
	require.NoError(t, r.Produce(make([]byte, 8)))
	requireStatus(t, ErrSize, r.Produce(make([]byte, 9)))
	require.NoError(t, exact.Produce(make([]byte, 4)))
	requireStatus(t, ErrSize, exact.Produce(make([]byte, 3)))
	requireStatus(t, ErrSize, exact.Produce(make([]byte, 9)))
}

func TestConsumers_RegisteredBeforeStartSeeEverything(t *testing.T) {
	const values = 500
	db := newDatabase(t)
	r := register(t, db, "r", Ring)
	var seen []uint64
	c, err := r.Subscribe(ConsumerConfig{Func: func(_ Emitter, m *Incoming) error {
		seen = append(seen, value(m.Data))
		return nil
	}})
	require.NoError(t, err)
	require.NoError(t, db.Start())
	for n := uint64(1); n <= values; n++ {
		require.NoError(t, r.Produce(number(n)))
	}
	status, err := db.Close(Forever, false)
	require.NoError(t, err)
	require.Equal(t, OK, status)
	require.Len(t, seen, values)
	for i, n := range seen {
		require.EqualValues(t, i+1, n)
	}
	s := accountOf(t, c.Stats)
	require.EqualValues(t, values, s.Delivered)
	require.EqualValues(t, values, s.Offered)
}

func TestConsumers_FailuresAreCountedAndDeliveryGoesOn(t *testing.T) {
	db := newDatabase(t)
	r := register(t, db, "r", Ring)
	c, err := r.Subscribe(ConsumerConfig{Func: func(_ Emitter, m *Incoming) error {
		if value(m.Data)%2 == 0 {
			return errors.New("even")
		}
		return nil
	}})
	require.NoError(t, err)
	require.NoError(t, db.Start())
	for n := range uint64(10) {
		require.NoError(t, r.Produce(number(n)))
	}
	db.Close(Forever, false)
	s := accountOf(t, c.Stats)
	require.EqualValues(t, 10, s.Delivered)
	require.EqualValues(t, 5, s.Failures)
	require.GreaterOrEqual(t, s.CallbackNs, s.CallbackMaxNs)
}

func TestProducerFunction_AcceptsRejectsReplaces(t *testing.T) {
	db := newDatabase(t)
	r := register(t, db, "r", Ring)
	ended := 0
	require.NoError(t, r.SetProducer(Producer{
		Func: func(_ Emitter, b []byte) ([]byte, error) {
			switch n := value(b); {
			case n == 1:
				return nil, errors.New("no ones")
			case n == 2:
				return number(22), nil
			case n == 3:
				return make([]byte, 1000), nil
			}
			return b, nil
		},
		OnEnd: func() { ended++ },
	}))
	requireStatus(t, ErrExists, r.SetProducer(Producer{Func: func(_ Emitter, b []byte) ([]byte, error) { return b, nil }}))
	reader, err := r.NewReader()
	require.NoError(t, err)
	require.NoError(t, db.Start())
	require.NoError(t, r.Produce(number(0)))
	requireStatus(t, Rejected, r.Produce(number(1)))
	require.NoError(t, r.Produce(number(2)))
	requireStatus(t, ErrSize, r.Produce(number(3)))
	buffer := make([]byte, 256)
	for _, want := range []uint64{0, 22} {
		m, err := reader.TryRecv(buffer)
		require.NoError(t, err)
		require.Equal(t, want, value(m.Data))
	}
	s, err := r.Stats()
	require.NoError(t, err)
	require.Equal(t, []uint64{2, 2, 4}, []uint64{s.Produced, s.Rejected, s.ProducerCalls})
	db.Close(0, false)
	db.Destroy()
	require.Equal(t, 1, ended)
}

func TestEmitter_NestsSixteenDeepAndNoFurther(t *testing.T) {
	db := newDatabase(t)
	r := register(t, db, "r", Ring)
	depths := 0
	var last error
	require.NoError(t, r.SetProducer(Producer{Func: func(e Emitter, b []byte) ([]byte, error) {
		depths++
		if err := e.Emit(r, b); err != nil {
			last = err
		}
		return b, nil
	}}))
	require.NoError(t, db.Start())
	require.NoError(t, r.Produce(number(0)))
	require.Equal(t, MaxDepth+1, depths)
	requireStatus(t, ErrDepth, last)
}

func TestEmitter_UsedAfterItsCallIsAnError(t *testing.T) {
	db := newDatabase(t)
	a, b := register(t, db, "a", Ring), register(t, db, "b", Ring)
	other := newDatabase(t)
	foreign := register(t, other, "c", Ring)
	var kept Emitter
	require.NoError(t, a.SetProducer(Producer{Func: func(e Emitter, v []byte) ([]byte, error) {
		kept = e
		requireStatus(t, ErrHandle, e.Emit(foreign, v))
		return v, e.Emit(b, v)
	}}))
	require.NoError(t, db.Start())
	require.NoError(t, other.Start())
	require.NoError(t, a.Produce(nil))
	requireStatus(t, ErrEmitter, kept.Emit(b, nil))
	requireStatus(t, ErrEmitter, Emitter{}.Emit(b, nil))
	s, err := b.Stats()
	require.NoError(t, err)
	require.EqualValues(t, 1, s.Produced)
}

func TestEmitter_TwoConsumersEmitToEachOther(t *testing.T) {
	const rounds = 1000
	db := newDatabase(t)
	a, b := register(t, db, "a", Ring), register(t, db, "b", Ring)
	over := make(chan struct{})
	forward := func(to *Record) func(Emitter, *Incoming) error {
		return func(e Emitter, m *Incoming) error {
			n := value(m.Data)
			if n == rounds {
				close(over)
				return nil
			}
			return e.Emit(to, number(n+1))
		}
	}
	_, err := a.Subscribe(ConsumerConfig{Func: forward(b)})
	require.NoError(t, err)
	_, err = b.Subscribe(ConsumerConfig{Func: forward(a)})
	require.NoError(t, err)
	require.NoError(t, db.Start())
	require.NoError(t, a.Produce(number(0)))
	<-over
}

func TestUnsubscribe_WhenItReturnsNoCallbackRunsOrWill(t *testing.T) {
	db := newDatabase(t)
	r := register(t, db, "r", Ring)
	require.NoError(t, db.Start())
	stop := make(chan struct{})
	var producer sync.WaitGroup
	producer.Go(func() {
		for n := uint64(0); ; n++ {
			select {
			case <-stop:
				return
			default:
				r.Produce(number(n))
			}
		}
	})
	for range 200 {
		var ended atomic.Bool
		var ends atomic.Int32
		c, err := r.Subscribe(ConsumerConfig{
			Func: func(Emitter, *Incoming) error {
				require.False(t, ended.Load())
				return nil
			},
			OnEnd: func() { ends.Add(1) },
		})
		require.NoError(t, err)
		status, _, err := c.Unsubscribe(false)
		ended.Store(true)
		require.NoError(t, err)
		require.Equal(t, OK, status)
		require.EqualValues(t, 1, ends.Load())
		_, _, err = c.Unsubscribe(false)
		requireStatus(t, ErrHandle, err)
	}
	close(stop)
	producer.Wait()
}

func TestUnsubscribe_InsideCallbacksNeverWaits(t *testing.T) {
	db := newDatabase(t)
	r := register(t, db, "r", Ring)
	ended := make(chan int, 2)
	var subscribed sync.WaitGroup
	subscribed.Add(1)
	var both [2]*Consumer
	for i := range both {
		c, err := r.Subscribe(ConsumerConfig{
			Func: func(Emitter, *Incoming) error {
				subscribed.Wait()
				status, _, err := both[1-i].Unsubscribe(true)
				if err == nil {
					require.Equal(t, InProgress, status)
				}
				return nil
			},
			OnEnd: func() { ended <- i },
		})
		require.NoError(t, err)
		both[i] = c
	}
	subscribed.Done()
	require.NoError(t, db.Start())
	require.NoError(t, r.Produce(nil))
	<-ended
}

func TestClose_SaysTimeoutBlockedAndInProgress(t *testing.T) {
	db := newDatabase(t)
	r := register(t, db, "r", Ring)
	release, running := make(chan struct{}), make(chan struct{}, 10)
	c, err := r.Subscribe(ConsumerConfig{Func: func(Emitter, *Incoming) error {
		running <- struct{}{}
		<-release
		return nil
	}})
	require.NoError(t, err)
	require.NoError(t, db.Start())
	for n := range uint64(5) {
		require.NoError(t, r.Produce(number(n)))
	}
	<-running
	status, err := db.Close(time.Millisecond, false)
	require.NoError(t, err)
	require.Equal(t, Blocked, status)
	close(release)
	status, err = db.Close(Forever, false)
	require.NoError(t, err)
	require.Equal(t, Timeout, status)
	s := accountOf(t, c.Stats)
	require.Equal(t, []uint64{1, 4}, []uint64{s.Delivered, s.Abandoned})
}

func TestClose_InsideACallbackNeverWaits(t *testing.T) {
	db := newDatabase(t)
	r := register(t, db, "r", Ring)
	answer := make(chan Status, 1)
	_, err := r.Subscribe(ConsumerConfig{Func: func(Emitter, *Incoming) error {
		status, _ := db.Close(Forever, true)
		answer <- status
		return nil
	}})
	require.NoError(t, err)
	require.NoError(t, db.Start())
	require.NoError(t, r.Produce(nil))
	require.Equal(t, InProgress, <-answer)
	status, err := db.Close(Forever, false)
	require.NoError(t, err)
	require.Equal(t, OK, status)
}

func TestClose_WaitsForProducerFunctionsInFlight(t *testing.T) {
	db := newDatabase(t)
	r := register(t, db, "r", Ring)
	release, running := make(chan struct{}), make(chan struct{})
	require.NoError(t, r.SetProducer(Producer{Func: func(_ Emitter, b []byte) ([]byte, error) {
		close(running)
		<-release
		return b, nil
	}}))
	reader, err := r.NewReader()
	require.NoError(t, err)
	require.NoError(t, db.Start())
	produced := make(chan error)
	go func() { produced <- r.Produce(number(7)) }()
	<-running
	closed := make(chan Status)
	go func() { status, _ := db.Close(Forever, false); closed <- status }()
	for {
		db.mu.Lock()
		closing := db.state == stateClosing
		db.mu.Unlock()
		if closing {
			break
		}
	}
	close(release)
	require.NoError(t, <-produced, "it was under way when close began")
	require.Equal(t, OK, <-closed)
	m, err := reader.TryRecv(make([]byte, 8))
	require.NoError(t, err)
	require.EqualValues(t, 7, value(m.Data))
	_, err = reader.TryRecv(nil)
	require.Equal(t, Closed, err)
}

func TestDestroy_WhileAProducerFunctionRunsAndACloseGoesOn(t *testing.T) {
	db, err := New(Config{Level: Off})
	require.NoError(t, err)
	r := register(t, db, "r", Ring)
	release, running, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	require.NoError(t, r.SetProducer(Producer{
		Func: func(_ Emitter, b []byte) ([]byte, error) {
			close(running)
			<-release
			return b, nil
		},
		OnEnd: func() { close(ended) },
	}))
	require.NoError(t, db.Start())
	produced := make(chan error)
	go func() { produced <- r.Produce(number(7)) }()
	<-running
	status, err := db.Close(0, false)
	require.NoError(t, err)
	require.Equal(t, Blocked, status)
	require.NoError(t, db.Destroy())
	r.seal() // what another close, still under way, would do
	close(release)
	require.Equal(t, Closed, StatusOf(<-produced), "there is no region to push to")
	<-ended
}

func TestReader_WaitingReceivesAreWokenByValueCloseAndDestroy(t *testing.T) {
	for name, kind := range allKinds {
		t.Run(name, func(t *testing.T) {
			db := newDatabase(t)
			r := register(t, db, "r", kind)
			require.NoError(t, db.Start())
			reader, err := r.NewReader()
			require.NoError(t, err)
			answers := make(chan error)
			receive := func() {
				_, err := reader.Recv(make([]byte, 8), Forever)
				answers <- err
			}
			go receive()
			awaitParked(r)
			require.NoError(t, r.Produce(number(1)))
			require.NoError(t, <-answers)
			go receive()
			awaitParked(r)
			db.Close(Forever, false)
			require.Equal(t, Closed, <-answers)
		})
	}
}

func TestReader_ClosedWhileItWaits(t *testing.T) {
	db := newDatabase(t)
	r := register(t, db, "r", Mailbox)
	require.NoError(t, db.Start())
	reader, err := r.NewReader()
	require.NoError(t, err)
	answers := make(chan error)
	go func() {
		_, err := reader.Recv(nil, Forever)
		answers <- err
	}()
	awaitParked(r)
	_, err = reader.Close()
	require.NoError(t, err)
	require.Equal(t, Closed, <-answers)
	_, err = reader.Close()
	requireStatus(t, ErrHandle, err)
}

// awaitParked waits until a reader has announced itself.
func awaitParked(r *Record) {
	for atomic.LoadUint32((*uint32)(unsafe.Pointer(&r.block.buffer.Event))) == 0 {
		time.Sleep(time.Microsecond)
	}
}

func TestReader_TimeoutIsSaid(t *testing.T) {
	db := newDatabase(t)
	r := register(t, db, "r", Ring)
	reader, err := r.NewReader()
	require.NoError(t, err)
	_, err = reader.TryRecv(nil)
	require.Equal(t, Empty, err)
	_, err = reader.Recv(nil, 0)
	require.Equal(t, Timeout, err)
	_, err = reader.Recv(nil, time.Millisecond)
	require.Equal(t, Timeout, err)
	_, err = reader.Recv(nil, -1)
	requireStatus(t, ErrArgument, err)
}

func TestDescriptor_ReadableWheneverThereIsSomething(t *testing.T) {
	for name, kind := range allKinds {
		t.Run(name, func(t *testing.T) {
			db := newDatabase(t)
			r := register(t, db, "r", kind)
			reader, err := r.NewReader()
			require.NoError(t, err)
			require.NoError(t, db.Start())
			require.NoError(t, r.Produce(number(1)))
			fd, err := reader.Descriptor()
			require.NoError(t, err)
			buffer := make([]byte, 8)
			for n := uint64(1); n < 5; n++ {
				require.True(t, readable(fd))
				m, err := reader.TryRecv(buffer)
				require.NoError(t, err)
				require.Equal(t, n, value(m.Data))
				_, err = reader.TryRecv(buffer)
				require.Equal(t, Empty, err)
				require.False(t, readable(fd), "re-armed")
				require.NoError(t, r.Produce(number(n+1)))
			}
			db.Close(0, false)
			reader.TryRecv(buffer)
			_, err = reader.TryRecv(buffer)
			require.Equal(t, Closed, err)
			require.True(t, readable(fd), "the stream has ended")
		})
	}
}

func readable(fd int) bool {
	var set syscall.FdSet
	set.Bits[fd/64] |= 1 << (fd % 64)
	n, err := syscall.Select(fd+1, &set, nil, nil, &syscall.Timeval{})
	return err == nil && n == 1
}

func TestLog_AtMostOnceASecondAndNothingIsLeftOut(t *testing.T) {
	const excess = 5
	var lines []string
	var mu sync.Mutex
	ended := 0
	db, err := New(Config{Level: Warning, OnEnd: func() { ended++ }, Log: func(_ Level, text string) {
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, text)
	}})
	require.NoError(t, err)
	config := DefaultRecord()
	config.Capacity = 1
	r, err := db.Register("r", config)
	require.NoError(t, err)
	var lost uint64
	turn, taken := make(chan struct{}), make(chan struct{})
	_, err = r.Subscribe(ConsumerConfig{
		Func:  func(Emitter, *Incoming) error { taken <- struct{}{}; <-turn; return nil },
		OnLag: func(_ Emitter, _ *Record, n uint64) { lost += n },
	})
	require.NoError(t, err)
	require.NoError(t, db.Start())
	require.NoError(t, r.Produce(nil))
	<-taken
	for range 20 {
		for range excess + 1 {
			require.NoError(t, r.Produce(nil))
		}
		turn <- struct{}{}
		<-taken
	}
	close(turn)
	db.Close(Forever, false)
	require.NoError(t, db.Destroy())
	require.EqualValues(t, 20*excess, lost)
	require.Equal(t, 1, ended)
	require.Contains(t, lines[0], "lost 5 values")
	require.Contains(t, lines[len(lines)-1], "lost 95 values", "all that followed within the second")
}

func TestDestroy_WhileOthersProduceAndReceive(t *testing.T) {
	for range 50 {
		db, err := New(Config{Level: Off})
		require.NoError(t, err)
		r := register(t, db, "r", Ring)
		reader, err := r.NewReader()
		require.NoError(t, err)
		_, err = r.Subscribe(ConsumerConfig{Func: func(e Emitter, m *Incoming) error { return nil }})
		require.NoError(t, err)
		require.NoError(t, db.Start())
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				for r.Produce(number(1)) == nil {
				}
			})
		}
		all.Go(func() {
			buffer := make([]byte, 8)
			for {
				if _, err := reader.Recv(buffer, Forever); err == Closed {
					return
				}
			}
		})
		db.Close(0, false)
		require.NoError(t, db.Destroy())
		all.Wait()
	}
}

func TestParking_NoWakeUpIsLost(t *testing.T) {
	const rounds = 20_000
	for name, kind := range allKinds {
		t.Run(name, func(t *testing.T) {
			db := newDatabase(t)
			ping, pong := register(t, db, "ping", kind), register(t, db, "pong", kind)
			there, err := ping.NewReader()
			require.NoError(t, err)
			back, err := pong.NewReader()
			require.NoError(t, err)
			require.NoError(t, db.Start())
			var echo sync.WaitGroup
			echo.Go(func() {
				buffer := make([]byte, 8)
				for range rounds {
					m, err := there.Recv(buffer, Forever)
					if err != nil || pong.Produce(m.Data) != nil {
						panic(err)
					}
				}
			})
			buffer := make([]byte, 8)
			for n := range uint64(rounds) {
				require.NoError(t, ping.Produce(number(n)))
				m, err := back.Recv(buffer, Forever)
				require.NoError(t, err)
				require.Equal(t, n, value(m.Data))
			}
			echo.Wait()
		})
	}
}

func TestMemory_NoAllocationPerMessage(t *testing.T) {
	for name, kind := range allKinds {
		t.Run(name, func(t *testing.T) {
			db := newDatabase(t)
			r := register(t, db, "r", kind)
			handled := make(chan struct{}, 1)
			consumed := register(t, db, "consumed", kind)
			_, err := consumed.Subscribe(ConsumerConfig{Func: func(Emitter, *Incoming) error {
				handled <- struct{}{}
				return nil
			}})
			require.NoError(t, err)
			reader, err := r.NewReader()
			require.NoError(t, err)
			require.NoError(t, db.Start())
			sent, buffer := number(1), make([]byte, 8)
			require.Zero(t, testing.AllocsPerRun(1000, func() {
				r.Produce(sent)
				reader.TryRecv(buffer)
				r.Produce(sent)
				reader.Recv(buffer, Forever)
				consumed.Produce(sent)
				<-handled
			}))
		})
	}
}

func TestMemory_BookkeepingPerConsumerIsAtMost448Bytes(t *testing.T) {
	const table = unsafe.Sizeof(uintptr(0))
	const member = 3 * unsafe.Sizeof(uintptr(0)) // of a map, at the most
	require.LessOrEqual(t, unsafe.Sizeof(cursorBlock{})+unsafe.Sizeof(Consumer{})+
		unsafe.Sizeof(ConsumerConfig{})+table+member, uintptr(448))
	require.LessOrEqual(t, unsafe.Sizeof(cursorBlock{})+unsafe.Sizeof(Reader{})+table+member, uintptr(448))
}

func TestClose_WaitsForTheCallbackOfAnUnsubscribedConsumer(t *testing.T) {
	for name, shared := range map[string]bool{"dedicated": false, "shared": true} {
		t.Run(name, func(t *testing.T) {
			ended := make(chan struct{})
			db, err := New(Config{Level: Off, OnEnd: func() { close(ended) }})
			require.NoError(t, err)
			r := register(t, db, "r", Ring)
			begun, goOn := make(chan struct{}), make(chan struct{})
			c, err := r.Subscribe(ConsumerConfig{Shared: shared, Func: func(Emitter, *Incoming) error {
				close(begun)
				<-goOn
				return nil
			}})
			require.NoError(t, err)
			require.NoError(t, db.Start())
			require.NoError(t, r.Produce(number(1)))
			<-begun
			status, _, err := c.Unsubscribe(true)
			require.NoError(t, err)
			require.Equal(t, InProgress, status)
			s, err := r.Stats()
			require.NoError(t, err)
			require.Zero(t, s.Readers)
			status, err = db.Close(0, false)
			require.NoError(t, err)
			require.Equal(t, Blocked, status)
			require.NoError(t, db.Destroy())
			select {
			case <-ended:
				t.Error("the database has ended with a callback of its running")
			default:
			}
			close(goOn)
			<-ended
		})
	}
}
