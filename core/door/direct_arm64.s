// SPDX-License-Identifier: Apache-2.0

//go:build !race && !asan && !msan && !aimdb_cgo

#include "textflag.h"

// A stub is a C function of one pointer (AAPCS64: in R0) that calls a Go
// function of one pointer (ABI0: at 8(RSP), above the saved link register). C
// expects R19 to R30 and the low halves of V8 to V15 back; Go keeps none of them.
//
// NOFRAME: the prologue that the assembler makes stores R29 below the stack
// pointer, where a signal handler on this stack overwrites it. So the stub
// builds the frame itself, the pair R29, R30 first. g is zeroed: Go code that
// would touch it faults at once instead of using what C left in R28.
#define STUB(name, target, address) \
TEXT name(SB),NOSPLIT|NOFRAME,$0; \
	SUB	$192, RSP; \
	MOVD	R30, 0(RSP); \
	STP	(R29, R30), 176(RSP); \
	ADD	$176, RSP, R29; \
	STP	(R19, R20), 24(RSP); \
	STP	(R21, R22), 40(RSP); \
	STP	(R23, R24), 56(RSP); \
	STP	(R25, R26), 72(RSP); \
	STP	(R27, g), 88(RSP); \
	FSTPD	(F8, F9), 104(RSP); \
	FSTPD	(F10, F11), 120(RSP); \
	FSTPD	(F12, F13), 136(RSP); \
	FSTPD	(F14, F15), 152(RSP); \
	MOVD	R0, 8(RSP); \
	MOVD	ZR, g; \
	CALL	target(SB); \
	LDP	24(RSP), (R19, R20); \
	LDP	40(RSP), (R21, R22); \
	LDP	56(RSP), (R23, R24); \
	LDP	72(RSP), (R25, R26); \
	LDP	88(RSP), (R27, g); \
	FLDPD	104(RSP), (F8, F9); \
	FLDPD	120(RSP), (F10, F11); \
	FLDPD	136(RSP), (F12, F13); \
	FLDPD	152(RSP), (F14, F15); \
	LDP	176(RSP), (R29, R30); \
	ADD	$192, RSP; \
	RET; \
TEXT address(SB),NOSPLIT,$0-8; \
	MOVD	$name(SB), R0; \
	MOVD	R0, ret+0(FP); \
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
