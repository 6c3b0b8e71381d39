// SPDX-License-Identifier: Apache-2.0

// Package main is the C face of AimDB, built by tools/build-lib.sh: the only
// package with cgo. aimdb.h is its contract. The C files beside it check
// arguments, call user functions and sleep; the functions here lead into core.
package main

// #cgo CFLAGS: -std=gnu11 -O2 -Wall -fvisibility=hidden
// #cgo LDFLAGS: -lpthread
// #include "side.h"
import "C"

import (
	"runtime/cgo"
	"syscall"
	"time"
	"unsafe"

	"github.com/aimdb-dev/aimdb-go/core"
	"github.com/aimdb-dev/aimdb-go/core/buffers"
	"github.com/aimdb-dev/aimdb-go/core/door"
	"github.com/aimdb-dev/aimdb-go/core/park"
)

func main() {}

// Step and step_t are one struct; so are buffers.Message and aimdb_message_t.
var (
	_ = [1]struct{}{}[unsafe.Sizeof(core.Step{})-C.sizeof_step_t]
	_ = [1]struct{}{}[unsafe.Offsetof(core.Step{}.Handle)-unsafe.Offsetof(C.step_t{}.handle)]
	_ = [1]struct{}{}[unsafe.Offsetof(core.Step{}.Event)-unsafe.Offsetof(C.step_t{}.event)]
	_ = [1]struct{}{}[unsafe.Offsetof(core.Step{}.Target)-unsafe.Offsetof(C.step_t{}.target)]
	_ = [1]struct{}{}[unsafe.Offsetof(core.Step{}.Owner)-unsafe.Offsetof(C.step_t{}.owner)]
	_ = [1]struct{}{}[unsafe.Offsetof(core.Step{}.Result)-unsafe.Offsetof(C.step_t{}.result)]
	_ = [1]struct{}{}[unsafe.Offsetof(core.Step{}.Todo)-unsafe.Offsetof(C.step_t{}.todo)]
	_ = [1]struct{}{}[unsafe.Offsetof(buffers.Destination{}.Ahead)-unsafe.Offsetof(C.step_t{}.ahead)]
	_ = [1]struct{}{}[unsafe.Sizeof(buffers.Message{})-C.sizeof_aimdb_message_t]
	_ = [1]struct{}{}[unsafe.Offsetof(buffers.Message{}.Sequence)-unsafe.Offsetof(C.aimdb_message_t{}.sequence)]
	_ = [1]struct{}{}[core.Cancel-C.STEP_CANCEL]
	_ = [1]struct{}{}[core.Drain-C.STEP_DRAIN]
	_ = [1]struct{}{}[core.Pull-C.STEP_PULL]
	_ = [1]struct{}{}[core.Within-C.STEP_WITHIN]
	_ = [1]struct{}{}[core.Emitted-C.STEP_EMITTED]
	_ = [1]struct{}{}[core.Reap-C.DO_REAP]
	_ = [1]struct{}{}[core.OpRecordAccount-C.STEP_RECORD_ACCOUNT]
	_ = [1]struct{}{}[core.Owes-C.STEP_OWES]
	_ = [1]struct{}{}[core.Census-C.STEP_CENSUS]
	_ = [1]struct{}{}[core.Share-C.SIDE_SHARE]
	_ = [1]struct{}{}[core.MostDatabases-C.SIDE_DATABASES]
	_ = [1]struct{}{}[core.Ops-C.STEPS]
	_ = [1]struct{}{}[unsafe.Sizeof(core.ConsumerStats{})-C.sizeof_side_account_t]
	_ = [1]struct{}{}[unsafe.Sizeof(core.RecordStats{})-C.sizeof_side_record_account_t]
	_ = [1]struct{}{}[unsafe.Offsetof(core.ConsumerStats{}.CallbackMaxNs)-unsafe.Offsetof(C.side_account_t{}.callback_max_ns)]
	_ = [1]struct{}{}[unsafe.Offsetof(core.RecordStats{}.Memory)-unsafe.Offsetof(C.side_record_account_t{}.memory)]
)

// directDoor: the steps are entered by the direct door.
var directDoor bool

// goBegin is the first call; it waits until Go's own start is over.
//
//export goBegin
func goBegin(cgoDoor C.bool, collectAfter C.uint64_t) {
	C.side_inherit = C.bool(park.InheritPriority())
	if entries := door.Find(); !cgoDoor {
		for op, address := range entries {
			C.side_open_door(C.int32_t(op), C.uintptr_t(address))
		}
		directDoor = entries.Direct()
	}
	makeThreads(C.SIDE_GO_SPARE)
	beginCollecting(uint64(collectAfter))
}

// answer turns what core says into a status, and its text into text, which has
// TEXT_MAX bytes.
func answer(text *C.char, err error) C.int32_t {
	if err == nil {
		return C.AIMDB_OK
	}
	say(text, err.Error())
	return C.int32_t(core.StatusOf(err))
}

func say(text *C.char, what string) {
	to := unsafe.Slice((*byte)(unsafe.Pointer(text)), C.TEXT_MAX)
	to[copy(to[:C.TEXT_MAX-1], what)] = 0
}

// caught ends every function that C calls: a panic must not cross the boundary.
func caught(text *C.char, status *C.int32_t) {
	collectInTime()
	if p := recover(); p != nil {
		say(text, faultText(p))
		*status = C.AIMDB_ERR_INTERNAL
	}
}

func faultText(p any) string {
	what := "a fault inside the library was caught"
	if e, ok := p.(error); ok {
		return what + ": " + e.Error()
	}
	if s, ok := p.(string); ok {
		return what + ": " + s
	}
	return what
}

// noted ends those that answer nothing.
func noted() {
	if p := recover(); p != nil {
		syscall.Write(2, []byte("aimdb: error: "+faultText(p)+"\n"))
	}
}

// goAttach is only entered: the runtime then knows the thread.
//
//export goAttach
func goAttach() {}

//export goStep
func goStep(op C.int32_t, s *C.step_t) { (*core.Step)(unsafe.Pointer(s)).Run(core.Op(op)) }

//export goCreate
func goCreate(log C.aimdb_log_fn, level C.int32_t, user unsafe.Pointer, free C.aimdb_free_fn,
	out *C.uint64_t, text *C.char) (status C.int32_t) {
	defer caught(text, &status)
	config := core.Config{
		Level: core.Level(level), OnEnd: func() { C.side_free(free, user) }, Worker: startWorker,
	}
	config.Log = func(level core.Level, line string) {
		text := append([]byte(line), 0) // C looks at it during the call, and need not take memory
		C.side_log(log, C.aimdb_log_level_t(level), (*C.char)(unsafe.Pointer(&text[0])), user)
	}
	db, err := core.New(config)
	if err == nil {
		*out = C.uint64_t(db.Handle())
	}
	return answer(text, err)
}

//export goStart
func goStart(handle C.uint64_t, text *C.char) (status C.int32_t) {
	defer caught(text, &status)
	db, err := core.DatabaseOf(core.Handle(handle))
	if err == nil {
		err = db.Start()
	}
	return answer(text, err)
}

// A call that waits: Step goes on with it, or says what to sleep on.
type call interface {
	step(last *C.aimdb_consumer_stats_t) (core.Status, core.Await)
}

type closeCall struct{ *core.Closing }

func (c closeCall) step(*C.aimdb_consumer_stats_t) (core.Status, core.Await) { return c.Step() }

type unsubscribeCall struct{ *core.Leaving }

func (c unsubscribeCall) step(last *C.aimdb_consumer_stats_t) (core.Status, core.Await) {
	status, stats, await := c.Step()
	if status == core.OK {
		writeStats(last, stats)
	}
	return status, await
}

// goGoOn goes on with a call, which ends with the first answer that is not Sleep.
//
//export goGoOn
func goGoOn(wait *C.side_wait_t, last *C.aimdb_consumer_stats_t, text *C.char) (status C.int32_t) {
	defer caught(text, &status)
	carried := cgo.Handle(wait.call)
	outcome, await := carried.Value().(call).step(last)
	wait.word, wait.expected = C.uint64_t(await.Address), C.uint32_t(await.Expected)
	wait.left = C.int64_t(await.Left)
	if outcome != core.Sleep {
		carried.Delete()
	}
	return C.int32_t(outcome)
}

// begin goes on with a call for the first time.
func begin(c call, wait *C.side_wait_t, last *C.aimdb_consumer_stats_t, text *C.char) C.int32_t {
	wait.call = C.uint64_t(cgo.NewHandle(c))
	return goGoOn(wait, last, text)
}

//export goClose
func goClose(handle C.uint64_t, timeout C.int64_t, readers, inside C.bool, wait *C.side_wait_t, text *C.char) (status C.int32_t) {
	defer caught(text, &status)
	db, err := core.DatabaseOf(core.Handle(handle))
	if err != nil {
		return answer(text, err)
	}
	if inside {
		_, err = db.BeginClose(time.Duration(timeout), bool(readers), closeInBackground)
		if err != nil {
			return answer(text, err)
		}
		return C.AIMDB_IN_PROGRESS
	}
	c, err := db.BeginClose(time.Duration(timeout), bool(readers), nil)
	if err != nil {
		return answer(text, err)
	}
	return begin(closeCall{c}, wait, nil, text)
}

// closeInBackground starts a thread that does the rest of a closing.
func closeInBackground(c *core.Closing) error {
	carried := cgo.NewHandle(closeCall{c})
	err := made(C.side_start_closing(C.uint64_t(carried)), "db", "thread to close it in the background")
	if err != nil {
		carried.Delete()
	}
	return err
}

// goReap: see core.ReapDestroyed.
//
//export goReap
func goReap(database C.uint32_t) {
	defer noted()
	core.ReapDestroyed(uint32(database))
}

//export goDestroy
func goDestroy(handle C.uint64_t, text *C.char) (status C.int32_t) {
	defer caught(text, &status)
	db, err := core.DatabaseOf(core.Handle(handle))
	if err == nil {
		err = db.Destroy()
	}
	return answer(text, err)
}

//export goRegister
func goRegister(handle C.uint64_t, key *C.char, keyLength C.size_t, buffer C.uint32_t,
	capacity, payloadMax C.size_t, exact C.uint64_t, typeName *C.char, typeLength C.size_t,
	out *C.uint64_t, text *C.char) (status C.int32_t) {
	defer caught(text, &status)
	db, err := core.DatabaseOf(core.Handle(handle))
	if err != nil {
		return answer(text, err)
	}
	r, err := db.Register(C.GoStringN(key, C.int(keyLength)), core.RecordConfig{
		Buffer: core.Kind(buffer), Capacity: uint64(capacity), PayloadMax: uint64(payloadMax),
		Exact: uint64(exact), TypeName: C.GoStringN(typeName, C.int(typeLength)),
	})
	if err == nil {
		*out = C.uint64_t(r.Handle())
	}
	return answer(text, err)
}

//export goOpen
func goOpen(handle C.uint64_t, key *C.char, keyLength C.size_t, typeName *C.char, typeLength C.size_t,
	exact C.uint64_t, out *C.uint64_t, text *C.char) (status C.int32_t) {
	defer caught(text, &status)
	db, err := core.DatabaseOf(core.Handle(handle))
	if err != nil {
		return answer(text, err)
	}
	wanted := core.AnyType
	if typeName != nil {
		wanted = C.GoStringN(typeName, C.int(typeLength))
	}
	r, err := db.Open(C.GoStringN(key, C.int(keyLength)), wanted, uint64(exact))
	if err == nil {
		*out = C.uint64_t(r.Handle())
	}
	return answer(text, err)
}

//export goRecordInfo
func goRecordInfo(handle C.uint64_t, info *C.aimdb_record_info_t, text *C.char) (status C.int32_t) {
	defer caught(text, &status)
	r, err := core.RecordOf(core.Handle(handle))
	if err != nil {
		return answer(text, err)
	}
	config := r.Config()
	info.buffer = C.aimdb_buffer_t(config.Buffer)
	info.capacity, info.payload_max = C.size_t(config.Capacity), C.size_t(config.PayloadMax)
	info.exact_size = C.size_t(config.Exact) // AnySize becomes SIZE_MAX, of any width
	copyString(info.key[:], r.Key())
	copyString(info.type_name[:], config.TypeName)
	return C.AIMDB_OK
}

func copyString(to []C.char, s string) {
	for i := range len(s) {
		to[i] = C.char(s[i])
	}
}

//export goSetProducer
func goSetProducer(handle, function, argument C.uint64_t, user unsafe.Pointer, free C.aimdb_free_fn,
	text *C.char) (status C.int32_t) {
	defer caught(text, &status)
	r, err := core.RecordOf(core.Handle(handle))
	if err == nil {
		err = r.SetProducer(core.Producer{
			Function: uint64(function), User: uint64(argument), OnEnd: func() { C.side_free(free, user) },
		})
	}
	return answer(text, err)
}

//export goSubscribe
func goSubscribe(handle C.uint64_t, given *C.side_consumer_t, out *C.uint64_t, text *C.char) (status C.int32_t) {
	defer caught(text, &status)
	r, err := core.RecordOf(core.Handle(handle))
	if err != nil {
		return answer(text, err)
	}
	c, err := r.Subscribe(core.ConsumerConfig{
		Shared:     bool(given.shared),
		Dispatcher: func(c *core.Consumer) (uint64, error) { return dispatch(given, r, c) },
	})
	if err == nil {
		*out = C.uint64_t(c.Handle())
	}
	return answer(text, err)
}

// dispatch makes the C side of a consumer, and its thread unless it is shared. It
// carries the consumer as a cgo.Handle until goEnded.
func dispatch(given *C.side_consumer_t, r *core.Record, c *core.Consumer) (driver uint64, err error) {
	given.handle, given.record = C.uint64_t(c.Handle()), C.uint64_t(r.Handle())
	values, room := r.Config().Batch(bool(given.shared))
	given.database, given.values, given.room = C.uint32_t(r.DatabaseIndex()), C.uint64_t(values), C.uint64_t(room)
	name := "aimdb:" + r.Key()
	copyString(given.name[:], name[:min(len(name), len(given.name)-1)])
	carried := cgo.NewHandle(c)
	given._go = C.uint64_t(carried)
	err = made(C.side_dispatch(given, (*C.uint64_t)(&driver)), "record", "consumer")
	if err != nil {
		carried.Delete()
	}
	return driver, err
}

// made is the error of a status of the C side, about an argument.
func made(status C.int32_t, argument, what string) error {
	switch status {
	case C.AIMDB_OK:
		return nil
	case C.AIMDB_ERR_NO_THREADS:
		return &core.Error{Status: core.ErrNoThreads, Text: argument + ": no thread for one more " + what}
	}
	return &core.Error{Status: core.ErrNoMemory, Text: argument + ": no memory for one more " + what}
}

// startWorker starts a worker of shared consumers, or their watcher. The thread
// carries the database as a cgo.Handle until goWorkerLeft.
func startWorker(db *core.Database, watcher bool) error {
	carried := cgo.NewHandle(db)
	err := made(C.side_start_worker(C.uint64_t(db.Handle()), C.uint32_t(db.Index()), C.uint64_t(carried), C.bool(watcher)), "record", "worker of shared consumers")
	if err != nil {
		carried.Delete()
	}
	return err
}

//export goAddWorker
func goAddWorker(carried C.uint64_t) {
	defer noted()
	cgo.Handle(carried).Value().(*core.Database).AddWorker()
}

//export goWorkerLeft
func goWorkerLeft(carried C.uint64_t) {
	defer noted()
	cgo.Handle(carried).Value().(*core.Database).WorkerLeft()
	cgo.Handle(carried).Delete()
}

//export goLookAfter
func goLookAfter(carried C.uint64_t) {
	defer noted()
	collectInTime()
	cgo.Handle(carried).Value().(*core.Consumer).LookAfter()
}

//export goLogLosses
func goLogLosses(carried, lagged, failures C.uint64_t) {
	defer noted()
	collectInTime()
	cgo.Handle(carried).Value().(*core.Consumer).LogLosses(uint64(lagged), uint64(failures))
}

//export goFutexFault
func goFutexFault(carried C.uint64_t, number C.int32_t) {
	defer noted()
	collectInTime()
	cgo.Handle(carried).Value().(*core.Consumer).FutexFault(syscall.Errno(number))
}

//export goEnded
func goEnded(carried C.uint64_t) {
	defer noted()
	collectInTime()
	cgo.Handle(carried).Value().(*core.Consumer).End()
	cgo.Handle(carried).Delete()
}

//export goUnsubscribe
func goUnsubscribe(handle C.uint64_t, inside C.bool, out *C.aimdb_consumer_stats_t, wait *C.side_wait_t, text *C.char) (status C.int32_t) {
	defer caught(text, &status)
	c, err := core.ConsumerOf(core.Handle(handle))
	if err != nil {
		return answer(text, err)
	}
	l, err := c.BeginUnsubscribe()
	if err != nil {
		return answer(text, err)
	}
	if inside {
		writeStats(out, l.Leave())
		return C.AIMDB_IN_PROGRESS
	}
	return begin(unsubscribeCall{l}, wait, out, text)
}

func writeStats(out *C.aimdb_consumer_stats_t, s core.ConsumerStats) {
	*out = C.aimdb_consumer_stats_t{
		offered: C.uint64_t(s.Offered), delivered: C.uint64_t(s.Delivered),
		lagged_events: C.uint64_t(s.LaggedEvents), lagged: C.uint64_t(s.Lagged),
		skipped: C.uint64_t(s.Skipped), pending: C.uint64_t(s.Pending),
		abandoned: C.uint64_t(s.Abandoned), failures: C.uint64_t(s.Failures),
		callback_ns: C.uint64_t(s.CallbackNs), callback_max_ns: C.uint64_t(s.CallbackMaxNs),
	}
}

//export goReaderOpen
func goReaderOpen(handle C.uint64_t, out *C.uint64_t, text *C.char) (status C.int32_t) {
	defer caught(text, &status)
	r, err := core.RecordOf(core.Handle(handle))
	if err != nil {
		return answer(text, err)
	}
	reader, err := r.NewReader()
	if err == nil {
		*out = C.uint64_t(reader.Handle())
	}
	return answer(text, err)
}

//export goReaderClose
func goReaderClose(handle C.uint64_t, out *C.aimdb_consumer_stats_t, text *C.char) (status C.int32_t) {
	defer caught(text, &status)
	reader, err := core.ReaderOf(core.Handle(handle))
	if err != nil {
		return answer(text, err)
	}
	stats, err := reader.Close()
	if err == nil {
		writeStats(out, stats)
	}
	return answer(text, err)
}

//export goReaderFd
func goReaderFd(handle C.uint64_t, out *C.int32_t, text *C.char) (status C.int32_t) {
	defer caught(text, &status)
	reader, err := core.ReaderOf(core.Handle(handle))
	if err != nil {
		return answer(text, err)
	}
	fd, err := reader.Descriptor()
	*out = C.int32_t(fd)
	return answer(text, err)
}

//export goDatabaseStats
func goDatabaseStats(handle C.uint64_t, out *C.aimdb_database_stats_t, text *C.char) (status C.int32_t) {
	defer caught(text, &status)
	db, err := core.DatabaseOf(core.Handle(handle))
	if err != nil {
		return answer(text, err)
	}
	s, err := db.Stats()
	if err != nil {
		return answer(text, err)
	}
	out.records, out.consumers = C.uint64_t(s.Records), C.uint64_t(s.Consumers)
	out.readers, out.memory = C.uint64_t(s.Readers), C.uint64_t(s.Memory)
	out.door = C.AIMDB_DOOR_CGO
	if directDoor {
		out.door = C.AIMDB_DOOR_DIRECT
	}
	return C.AIMDB_OK
}
