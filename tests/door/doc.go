// SPDX-License-Identifier: Apache-2.0

// Package door guards the direct door: it disassembles everything that the
// stubs of core/door can reach and checks that it is code that may run without
// a g. docs/door.md says why each rule is one.
//
// The tests look at the library itself and at a small program, probe, which
// holds the same steps and is built in a moment for any architecture. Faults are
// planted in the probe, by edits that only its build sees, and must be found.
package door
