// SPDX-License-Identifier: Apache-2.0

package core

import (
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"github.com/aimdb-dev/aimdb-go/core/buffers"
	"github.com/aimdb-dev/aimdb-go/core/inject"
	"github.com/aimdb-dev/aimdb-go/core/memory"
	"github.com/aimdb-dev/aimdb-go/core/park"
)

// A Reader is a pull subscription. Several goroutines may use one: each value
// goes to one of them.
type Reader struct {
	subscription
	own   memory.Region // where values are checked before they are the caller's
	ended bool          // under db.mu
	fd    int           // under db.mu; -1: none
}

// NewReader opens a reader on a record, before or after start. It gets what is
// produced from now on; of a latest also the current value.
func (r *Record) NewReader() (*Reader, error) {
	reader := &Reader{fd: -1}
	values, room := r.config.Batch(false)
	size := values*uint64(unsafe.Sizeof(buffers.Message{})) + room
	own, err := memory.Take(size)
	if err != nil {
		return nil, fail(ErrNoMemory, "record: no memory or address space for a reader's "+decimal(size)+" bytes")
	}
	reader.own = own
	r.db.mu.Lock()
	defer r.db.mu.Unlock()
	if err := r.attach(&reader.subscription, readerHandle); err != nil {
		reader.own.Give()
		return nil, err
	}
	reader.locked(func(b *cursorBlock) {
		at := memory.Pointer(own.Base())
		b.own = buffers.Destination{
			Messages: at, Distance: unsafe.Sizeof(buffers.Message{}),
			Data: unsafe.Add(at, values*uint64(unsafe.Sizeof(buffers.Message{}))),
		}
		b.room, b.most = room, values
	})
	readerTable.put(reader.index, reader)
	r.readers[reader] = struct{}{}
	r.countReaders()
	r.db.readers++
	return reader, nil
}

// Handle names the reader for drivers outside of Go.
func (reader *Reader) Handle() Handle { return reader.handle }

// Record is what the reader reads.
func (reader *Reader) Record() *Record { return reader.record }

// Close ends the reader. A receive that waits answers Closed.
func (reader *Reader) Close() (ConsumerStats, error) {
	r := reader.record
	r.db.mu.Lock()
	if reader.ended {
		r.db.mu.Unlock()
		return ConsumerStats{}, fail(ErrHandle, "reader: is closed")
	}
	last := reader.end()
	delete(r.readers, reader)
	r.countReaders()
	r.wakeReaders() // with mu, as in BeginUnsubscribe
	r.db.mu.Unlock()
	r.db.tellClosings()
	return last, nil
}

// Stats gives a snapshot that is consistent in itself, until the reader is
// closed.
func (reader *Reader) Stats() (ConsumerStats, error) {
	return reader.stats(Pull, "reader: is closed")
}

// end needs db.mu.
func (reader *Reader) end() ConsumerStats {
	reader.ended = true
	reader.record.db.readers--
	readerTable.put(reader.index, nil)
	last := reader.conclude()
	reader.closeDescriptor()
	reader.own.Give()
	reader.giveBack()
	return last
}

// A Received is a value as a receive returns it.
type Received struct {
	Data     []byte // part of the buffer given to the receive
	Sequence uint64 // number of the value in its record, from 1
	Lost     uint64 // with Lagged: values lost; with ErrTooSmall: bytes needed
}

// TryRecv takes the next value without waiting, copied into buffer. It answers
// nil, Empty, Closed, Lagged, or ErrTooSmall.
func (reader *Reader) TryRecv(buffer []byte) (Received, error) {
	return reader.receive(buffer, 0, Empty)
}

// Recv waits for the next value at most for timeout. It answers as TryRecv, or
// Timeout.
func (reader *Reader) Recv(buffer []byte, timeout time.Duration) (Received, error) {
	if timeout < 0 {
		return Received{}, fail(ErrArgument, "timeout: is negative")
	}
	return reader.receive(buffer, timeout, Timeout)
}

func (reader *Reader) receive(buffer []byte, timeout time.Duration, nothing Status) (Received, error) {
	m := buffers.Message{StructSize: unsafe.Sizeof(buffers.Message{})}
	s := Step{Handle: reader.handle, Destination: buffers.Destination{
		Data: unsafe.Pointer(unsafe.SliceData(buffer)), Size: uint64(len(buffer)),
		Messages: unsafe.Pointer(&m), Max: 1,
	}}
	reader.wait(&s, timeout)
	runtime.KeepAlive(reader)
	switch s.Result {
	case OK:
		return Received{Data: buffer[:m.Size:m.Size], Sequence: m.Sequence}, nil
	case Lagged:
		return Received{Lost: m.Lagged}, Lagged
	case ErrTooSmall:
		return Received{Lost: uint64(m.Size)}, ErrTooSmall
	case Empty:
		return Received{}, nothing
	case ErrHandle:
		return Received{}, Closed
	}
	return Received{}, s.Result
}

// wait receives until there is something or the timeout is over; then it looks
// a last time.
func (reader *Reader) wait(s *Step, timeout time.Duration) {
	if timeout > 0 {
		s.Flags |= Wait
	}
	end := time.Time{}
	for {
		drive(s, OpReceive)
		if s.Result != Sleep {
			return
		}
		if end.IsZero() && timeout != Forever {
			end = deadline(timeout)
		}
		if !park.Sleep(uintptr(s.Event), s.Expected, left(end)) {
			s.Flags &^= Wait
		}
	}
}

// Descriptor gives an eventfd for poll and epoll: readable whenever there is
// something to receive or the stream has ended. It may be readable with
// nothing to receive; the receive that answers Empty re-arms it. It is the
// reader's.
func (reader *Reader) Descriptor() (int, error) {
	r := reader.record
	r.db.mu.Lock()
	defer r.db.mu.Unlock()
	if reader.ended {
		return -1, fail(ErrHandle, "reader: is closed")
	}
	if reader.fd >= 0 {
		return reader.fd, nil
	}
	opened, errno := eventDescriptor()
	if errno != 0 {
		return -1, fail(ErrNoDescriptors, "reader: no descriptor to be had: "+errno.Error())
	}
	reader.fd = int(opened)
	b := reader.block
	reader.locked(func(b *cursorBlock) { b.polled = true })
	r.listening(func(*recordBlock) { b.driver = uint64(opened) + 1 })
	s := Step{Target: reader.handle}
	drive(&s, OpRearm)
	return reader.fd, nil
}

func eventDescriptor() (fd uintptr, errno syscall.Errno) {
	if errno, fails := inject.Fails(inject.Descriptor); fails {
		return 0, errno
	}
	fd, _, errno = syscall.Syscall(syscall.SYS_EVENTFD2, 0, syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	return fd, errno
}

// listening runs f with the lock of the record's armed readers held.
func (r *Record) listening(f func(b *recordBlock)) {
	owner := r.block.listen.Lock()
	f(r.block)
	r.block.listen.Unlock(owner)
}

// notify makes all armed descriptors of the record readable.
func (r *Record) notify() {
	s := Step{Target: r.handle}
	drive(&s, OpNotify)
}

// closeDescriptor needs db.mu. The number may be another file's at once, so
// nobody may be about to write it: the lock says so.
func (reader *Reader) closeDescriptor() {
	if reader.fd < 0 {
		return
	}
	b := reader.block
	reader.record.listening(func(r *recordBlock) {
		for link := &r.listeners; *link != 0; link = &cursorAt(*link - 1).next {
			if *link == reader.index+1 {
				*link = b.next
				break
			}
		}
		b.armed, b.driver = false, 0
		syscall.Close(reader.fd)
	})
	reader.fd = -1
}

func makeReadable(fd int) {
	one := [8]byte{1}
	if bigEndian {
		one = [8]byte{7: 1}
	}
	syscall.Write(fd, one[:])
}

func makeUnreadable(fd int) {
	var count [8]byte
	syscall.Read(fd, count[:])
}

var bigEndian = *(*byte)(unsafe.Pointer(&[]uint16{1}[0])) == 0
