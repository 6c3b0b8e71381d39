// SPDX-License-Identifier: Apache-2.0

//go:build (amd64 || arm64) && !race && !asan && !msan && !aimdb_cgo

package door

import "github.com/aimdb-dev/aimdb-go/core"

// Find gives the direct door.
func Find() (e Entries) {
	e[core.OpProduce] = produceAddress()
	e[core.OpCommit] = commitAddress()
	e[core.OpNext] = nextAddress()
	e[core.OpReceive] = receiveAddress()
	e[core.OpPeek] = peekAddress()
	e[core.OpReady] = readyAddress()
	e[core.OpTake] = takeAddress()
	e[core.OpRest] = restAddress()
	e[core.OpWatch] = watchAddress()
	e[core.OpNotify] = notifyAddress()
	e[core.OpRearm] = rearmAddress()
	e[core.OpAccount] = accountAddress()
	e[core.OpRecordAccount] = recordAccountAddress()
	return e
}

// The addresses of the stubs.
func produceAddress() uintptr
func commitAddress() uintptr
func nextAddress() uintptr
func receiveAddress() uintptr
func peekAddress() uintptr
func readyAddress() uintptr
func takeAddress() uintptr
func restAddress() uintptr
func watchAddress() uintptr
func notifyAddress() uintptr
func rearmAddress() uintptr
func accountAddress() uintptr
func recordAccountAddress() uintptr

// What the stubs call: assembly can only name functions of its own package.

//lint:file-ignore U1000 they are used by assembly only

//go:nosplit
func produce(s *core.Step) { s.Produce() }

//go:nosplit
func commit(s *core.Step) { s.Commit() }

//go:nosplit
func next(s *core.Step) { s.Next() }

//go:nosplit
func receive(s *core.Step) { s.Receive() }

//go:nosplit
func peek(s *core.Step) { s.Peek() }

//go:nosplit
func ready(s *core.Step) { s.Ready() }

//go:nosplit
func take(s *core.Step) { s.Take() }

//go:nosplit
func rest(s *core.Step) { s.Rest() }

//go:nosplit
func watch(s *core.Step) { s.Watch() }

//go:nosplit
func notify(s *core.Step) { s.Notify() }

//go:nosplit
func rearm(s *core.Step) { s.Rearm() }

//go:nosplit
func account(s *core.Step) { s.Account() }

//go:nosplit
func recordAccount(s *core.Step) { s.RecordAccount() }
