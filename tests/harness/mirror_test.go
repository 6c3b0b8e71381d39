// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"math"
	"unsafe"
)

// A Handle is any of the opaque pointers: a number that points to nothing.
type Handle uintptr

// A Status is aimdb_status_t.
type Status int32

const (
	OK         Status = 0
	Empty      Status = 1
	Lagged     Status = 2
	Timeout    Status = 3
	Closed     Status = 4
	Rejected   Status = 5
	InProgress Status = 6
	Blocked    Status = 7

	ErrArgument      Status = -1
	ErrHandle        Status = -2
	ErrState         Status = -3
	ErrKey           Status = -4
	ErrExists        Status = -5
	ErrNotFound      Status = -6
	ErrType          Status = -7
	ErrSize          Status = -8
	ErrTooSmall      Status = -9
	ErrVersion       Status = -10
	ErrNoMemory      Status = -11
	ErrNoThreads     Status = -12
	ErrNoDescriptors Status = -13
	ErrDepth         Status = -14
	ErrEmitter       Status = -15
	ErrForked        Status = -16
	ErrUnsupported   Status = -17
	ErrInternal      Status = -18
)

var statuses = map[string]Status{
	"AIMDB_OK": OK, "AIMDB_EMPTY": Empty, "AIMDB_LAGGED": Lagged, "AIMDB_TIMEOUT": Timeout,
	"AIMDB_CLOSED": Closed, "AIMDB_REJECTED": Rejected, "AIMDB_IN_PROGRESS": InProgress,
	"AIMDB_BLOCKED": Blocked, "AIMDB_ERR_ARGUMENT": ErrArgument, "AIMDB_ERR_HANDLE": ErrHandle,
	"AIMDB_ERR_STATE": ErrState, "AIMDB_ERR_KEY": ErrKey, "AIMDB_ERR_EXISTS": ErrExists,
	"AIMDB_ERR_NOT_FOUND": ErrNotFound, "AIMDB_ERR_TYPE": ErrType, "AIMDB_ERR_SIZE": ErrSize,
	"AIMDB_ERR_TOO_SMALL": ErrTooSmall, "AIMDB_ERR_VERSION": ErrVersion,
	"AIMDB_ERR_NO_MEMORY": ErrNoMemory, "AIMDB_ERR_NO_THREADS": ErrNoThreads,
	"AIMDB_ERR_NO_DESCRIPTORS": ErrNoDescriptors, "AIMDB_ERR_DEPTH": ErrDepth,
	"AIMDB_ERR_EMITTER": ErrEmitter, "AIMDB_ERR_FORKED": ErrForked,
	"AIMDB_ERR_UNSUPPORTED": ErrUnsupported, "AIMDB_ERR_INTERNAL": ErrInternal,
}

var statusNames = func() map[Status]string {
	names := make(map[Status]string)
	for name, s := range statuses {
		names[s] = name
	}
	return names
}()

func (s Status) String() string {
	if name, ok := statusNames[s]; ok {
		return name
	}
	return "a status that the header does not list"
}

const (
	Second         int64 = 1_000_000_000
	Forever        int64 = math.MaxInt64
	AnySize              = ^uintptr(0)
	KeyMax               = 255
	TypeNameMax          = 255
	DepthMax             = 16
	DispatchersMax       = 4096

	Ring    int32 = 0
	Latest  int32 = 1
	Mailbox int32 = 2

	LogWarning int32 = 1
	LogDebug   int32 = 3

	Dedicated int32 = 0
	Shared    int32 = 1

	Accept  int32 = 0
	Reject  int32 = 1
	Replace int32 = 2

	DoorCgo    int32 = 0
	DoorDirect int32 = 1

	DrainReaders uint32 = 1
)

// Every constant of the header that is no status.
var constants = map[string]int64{
	"AIMDB_VERSION_MAJOR": 0, "AIMDB_VERSION_MINOR": 1, "AIMDB_VERSION_PATCH": 0,
	"AIMDB_ABI_VERSION": 0, "AIMDB_MICROSECOND": 1000, "AIMDB_MILLISECOND": 1_000_000,
	"AIMDB_SECOND": Second, "AIMDB_FOREVER": Forever, "AIMDB_KEY_MAX": KeyMax,
	"AIMDB_TYPE_NAME_MAX": TypeNameMax, "AIMDB_DEPTH_MAX": DepthMax,
	"AIMDB_DISPATCHERS_MAX": DispatchersMax, "AIMDB_ANY_SIZE": -1,
	"AIMDB_RING": int64(Ring), "AIMDB_LATEST": int64(Latest), "AIMDB_MAILBOX": int64(Mailbox),
	"AIMDB_LOG_ERROR": 0, "AIMDB_LOG_WARNING": int64(LogWarning), "AIMDB_LOG_INFO": 2,
	"AIMDB_LOG_DEBUG": int64(LogDebug), "AIMDB_LOG_OFF": 4,
	"AIMDB_ACCEPT": int64(Accept), "AIMDB_REJECT": int64(Reject), "AIMDB_REPLACE": int64(Replace),
	"AIMDB_DEDICATED": int64(Dedicated), "AIMDB_SHARED": int64(Shared),
	"AIMDB_DOOR_CGO": int64(DoorCgo), "AIMDB_DOOR_DIRECT": int64(DoorDirect),
	"AIMDB_CLOSE_DRAIN_READERS": int64(DrainReaders),
}

// Message and the other structs have the fields of the header's, in its order.
// Pointers are numbers: the library's must not be followed by the collector.
type Message struct {
	StructSize uintptr
	Data       uintptr
	Size       uintptr
	Record     Handle
	Sequence   uint64
	Lagged     uint64
}

type Draft struct {
	StructSize, Data, Capacity, Size uintptr
}

type Config struct {
	StructSize uintptr
	Log        uintptr
	LogLevel   int32
	User       uintptr
	Free       uintptr
}

type RecordConfig struct {
	StructSize uintptr
	Buffer     int32
	Capacity   uintptr
	PayloadMax uintptr
	ExactSize  uintptr
	TypeName   *byte
}

type RecordInfo struct {
	StructSize uintptr
	Buffer     int32
	Capacity   uintptr
	PayloadMax uintptr
	ExactSize  uintptr
	Key        [KeyMax + 1]byte
	TypeName   [TypeNameMax + 1]byte
}

type ProducerConfig struct {
	StructSize, Fn, User, Free uintptr
}

type ConsumerStats struct {
	StructSize                                                 uintptr
	Offered, Delivered, LaggedEvents, Lagged, Skipped, Pending uint64
	Abandoned, Failures, CallbackNs, CallbackMaxNs             uint64
}

type ConsumerConfig struct {
	StructSize, Fn, OnLag, User, Free, StackSize uintptr
	Dispatch                                     int32
}

type RecordStats struct {
	StructSize                                                 uintptr
	Produced, Rejected, Overwritten, Taken, Pending, Abandoned uint64
	Bytes, Readers, Memory                                     uint64
	ProducerCalls, ProducerNs, ProducerMaxNs                   uint64
}

type DatabaseStats struct {
	StructSize                          uintptr
	Records, Consumers, Readers, Memory uint64
	Door                                int32
}

// The initialisers of the header.
func newMessage() *Message       { return &Message{StructSize: unsafe.Sizeof(Message{})} }
func newRecordInfo() *RecordInfo { return &RecordInfo{StructSize: unsafe.Sizeof(RecordInfo{})} }
func newProducerConfig() *ProducerConfig {
	return &ProducerConfig{StructSize: unsafe.Sizeof(ProducerConfig{})}
}
func newConsumerConfig() *ConsumerConfig {
	return &ConsumerConfig{StructSize: unsafe.Sizeof(ConsumerConfig{})}
}
func newConsumerStats() *ConsumerStats {
	return &ConsumerStats{StructSize: unsafe.Sizeof(ConsumerStats{})}
}
func newRecordStats() *RecordStats { return &RecordStats{StructSize: unsafe.Sizeof(RecordStats{})} }
func newDatabaseStats() *DatabaseStats {
	return &DatabaseStats{StructSize: unsafe.Sizeof(DatabaseStats{})}
}

func newConfig() *Config {
	return &Config{StructSize: unsafe.Sizeof(Config{}), LogLevel: LogWarning}
}

func newRecordConfig() *RecordConfig {
	return &RecordConfig{StructSize: unsafe.Sizeof(RecordConfig{}), Buffer: Ring, Capacity: 1024,
		PayloadMax: 256, ExactSize: AnySize}
}

// mirrors are the structs by their names in the header.
var mirrors = map[string]any{
	"aimdb_message_t": newMessage(), "aimdb_draft_t": new(Draft), "aimdb_config_t": newConfig(),
	"aimdb_record_config_t": newRecordConfig(), "aimdb_record_info_t": newRecordInfo(),
	"aimdb_producer_config_t": newProducerConfig(), "aimdb_consumer_stats_t": newConsumerStats(),
	"aimdb_consumer_config_t": newConsumerConfig(), "aimdb_record_stats_t": newRecordStats(),
	"aimdb_database_stats_t": newDatabaseStats(),
}
