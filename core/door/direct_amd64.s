// SPDX-License-Identifier: Apache-2.0

//go:build !race && !asan && !msan && !aimdb_cgo

#include "textflag.h"

// A stub is a C function of one pointer (System V: in DI) that calls a Go
// function of one pointer (ABI0: on the stack). C expects BX, BP and R12 to R15
// back; Go's ABI0 keeps none of them. The frame, with BP saved by the assembler,
// is one that Go's unwinder knows: a profiler's signal may hit here.
#define STUB(name, target, address) \
TEXT name(SB),NOSPLIT,$48-0; \
	MOVQ	BX, 8(SP); \
	MOVQ	R12, 16(SP); \
	MOVQ	R13, 24(SP); \
	MOVQ	R14, 32(SP); \
	MOVQ	R15, 40(SP); \
	MOVQ	DI, 0(SP); \
	CALL	target(SB); \
	MOVQ	8(SP), BX; \
	MOVQ	16(SP), R12; \
	MOVQ	24(SP), R13; \
	MOVQ	32(SP), R14; \
	MOVQ	40(SP), R15; \
	RET; \
TEXT address(SB),NOSPLIT,$0-8; \
	LEAQ	name(SB), AX; \
	MOVQ	AX, ret+0(FP); \
	RET

STUB(·produceStub, ·produce, ·produceAddress)
STUB(·commitStub, ·commit, ·commitAddress)
STUB(·nextStub, ·next, ·nextAddress)
STUB(·receiveStub, ·receive, ·receiveAddress)
STUB(·peekStub, ·peek, ·peekAddress)
STUB(·readyStub, ·ready, ·readyAddress)
STUB(·takeStub, ·take, ·takeAddress)
STUB(·restStub, ·rest, ·restAddress)
STUB(·watchStub, ·watch, ·watchAddress)
STUB(·notifyStub, ·notify, ·notifyAddress)
STUB(·rearmStub, ·rearm, ·rearmAddress)
STUB(·accountStub, ·account, ·accountAddress)
STUB(·recordAccountStub, ·recordAccount, ·recordAccountAddress)
