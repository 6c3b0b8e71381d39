// SPDX-License-Identifier: Apache-2.0

package core

// A Status is an outcome (positive) or an error (negative). The numbers are
// those of the C header.
type Status int32

const (
	OK Status = 0

	Empty      Status = 1 // nothing to give now
	Lagged     Status = 2 // values were lost to this reader
	Timeout    Status = 3 // the timeout passed first
	Closed     Status = 4 // the database or the reader is closed
	Rejected   Status = 5 // the producer function rejected the value
	InProgress Status = 6 // called from inside a callback: goes on in the background
	Blocked    Status = 7 // a callback or producer function still runs

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

var texts = map[Status]string{
	OK:               "ok",
	Empty:            "nothing to receive",
	Lagged:           "values were lost to this reader",
	Timeout:          "the timeout passed first",
	Closed:           "closed",
	Rejected:         "rejected by the producer function",
	InProgress:       "called from inside a callback: goes on in the background",
	Blocked:          "a callback or producer function still runs",
	ErrArgument:      "bad argument",
	ErrHandle:        "bad handle",
	ErrState:         "wrong lifecycle state",
	ErrKey:           "bad key",
	ErrExists:        "exists already",
	ErrNotFound:      "no such record",
	ErrType:          "the record has another type",
	ErrSize:          "payload size not accepted",
	ErrTooSmall:      "buffer too small for the value",
	ErrVersion:       "struct of an unknown version",
	ErrNoMemory:      "no memory",
	ErrNoThreads:     "no thread",
	ErrNoDescriptors: "no file descriptor",
	ErrDepth:         "emission nested too deep",
	ErrEmitter:       "bad or expired emitter",
	ErrForked:        "not usable in a forked child",
	ErrUnsupported:   "not possible with this buffer",
	ErrInternal:      "internal fault",
}

// Error is the status's fixed text. A Status is an error, so that
// errors.Is(err, core.Closed) works.
func (s Status) Error() string {
	if text, ok := texts[s]; ok {
		return text
	}
	return "unknown status"
}

// An Error is a Status with a text that names the argument and the rule.
type Error struct {
	Status Status
	Text   string
}

func (e *Error) Error() string { return e.Text }

// Unwrap gives the Status.
func (e *Error) Unwrap() error { return e.Status }

func fail(s Status, text string) error { return &Error{s, text} }
