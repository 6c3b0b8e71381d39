// SPDX-License-Identifier: Apache-2.0

//go:build fault_nobaton

package core

// A planted fault, for tests that must find it: a reader leaves a mailbox without passing the wake on.
const faultNoBaton = true
