// SPDX-License-Identifier: Apache-2.0

package core_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/aimdb-dev/aimdb-go/core"
)

func Example() {
	db, _ := core.New(core.Config{})
	greetings, _ := db.Register("greetings", core.DefaultRecord())
	greetings.Subscribe(core.ConsumerConfig{
		Func: func(_ core.Emitter, m *core.Incoming) error {
			fmt.Printf("%d: %s\n", m.Sequence, m.Data)
			return nil
		},
	})
	db.Start()
	greetings.Produce([]byte("hello"))
	greetings.Produce([]byte("goodbye"))
	status, _ := db.Close(time.Second, false)
	fmt.Println(status)
	db.Destroy()
	// Output:
	// 1: hello
	// 2: goodbye
	// ok
}

func ExampleReader_TryRecv() {
	db, _ := core.New(core.Config{})
	config := core.DefaultRecord()
	config.Capacity = 2
	r, _ := db.Register("ticks", config)
	reader, _ := r.NewReader()
	db.Start()
	for i := range 5 {
		r.Produce([]byte{byte('0' + i)})
	}
	buffer := make([]byte, config.PayloadMax)
	for {
		m, err := reader.TryRecv(buffer)
		if errors.Is(err, core.Empty) {
			break
		}
		if errors.Is(err, core.Lagged) {
			fmt.Println("lost", m.Lost)
			continue
		}
		fmt.Printf("got %s\n", m.Data)
	}
	db.Close(0, false)
	db.Destroy()
	// Output:
	// lost 3
	// got 3
	// got 4
}

func ExampleEmitter_Emit() {
	db, _ := core.New(core.Config{})
	readings, _ := db.Register("readings", core.DefaultRecord())
	alerts, _ := db.Register("alerts", core.DefaultRecord())
	readings.SetProducer(core.Producer{
		Func: func(e core.Emitter, value []byte) ([]byte, error) {
			if value[0] > 90 {
				e.Emit(alerts, []byte("hot"))
			}
			return value, nil
		},
	})
	reader, _ := alerts.NewReader()
	db.Start()
	readings.Produce([]byte{20})
	readings.Produce([]byte{99})
	m, _ := reader.Recv(make([]byte, 16), core.Forever)
	fmt.Printf("%s\n", m.Data)
	db.Close(0, false)
	db.Destroy()
	// Output:
	// hot
}
