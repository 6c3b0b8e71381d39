// SPDX-License-Identifier: Apache-2.0

package core

import (
	"slices"
	"sync"
	"testing"
	"time"
)

// BenchmarkProduce is the throughput of a record whose consumer keeps up or lags.
func BenchmarkProduce(b *testing.B) {
	for name, kind := range allKinds {
		b.Run(name, func(b *testing.B) {
			db := newDatabase(b)
			r := register(b, db, "r", kind)
			r.Subscribe(ConsumerConfig{Func: func(Emitter, *Incoming) error { return nil }})
			db.Start()
			value := make([]byte, 64)
			for b.Loop() {
				r.Produce(value)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "values/s")
		})
	}
}

// BenchmarkReceive is a produce and a receive on one goroutine.
func BenchmarkReceive(b *testing.B) {
	for name, kind := range allKinds {
		b.Run(name, func(b *testing.B) {
			db := newDatabase(b)
			r := register(b, db, "r", kind)
			reader, _ := r.NewReader()
			db.Start()
			value, buffer := make([]byte, 64), make([]byte, 256)
			for b.Loop() {
				r.Produce(value)
				reader.TryRecv(buffer)
			}
		})
	}
}

// BenchmarkLatency is from before produce to the callback's first line, the
// consumer asleep, a value every 100 µs.
func BenchmarkLatency(b *testing.B) {
	for name, kind := range allKinds {
		b.Run(name, func(b *testing.B) {
			db := newDatabase(b)
			r := register(b, db, "r", kind)
			var sent time.Time
			var handled sync.WaitGroup
			var times []time.Duration
			r.Subscribe(ConsumerConfig{Func: func(Emitter, *Incoming) error {
				times = append(times, time.Since(sent))
				handled.Done()
				return nil
			}})
			db.Start()
			value := make([]byte, 64)
			for b.Loop() {
				awaitParked(r)
				for pause := time.Now(); time.Since(pause) < 100*time.Microsecond; {
				}
				handled.Add(1)
				sent = time.Now()
				r.Produce(value)
				handled.Wait()
			}
			slices.Sort(times)
			b.ReportMetric(float64(times[len(times)/2]), "p50-ns")
			b.ReportMetric(float64(times[len(times)*99/100]), "p99-ns")
		})
	}
}
