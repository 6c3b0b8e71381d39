# SPDX-License-Identifier: Apache-2.0
#
# The binary interface, recorded in capi/symbols.txt and capi/abi.txt.

.PHONY: abi abi-record

NEED_abi := clang=clang

abi: symbols | need-abi ## the interface against the one recorded
	@tools/abi.sh capi/aimdb.h | diff -u capi/abi.txt - || { echo "aimdb.h differs from capi/abi.txt: see docs/abi.md" >&2; exit 1; }

abi-record: | need-abi ## records the interface anew, after a change that docs/abi.md allows
	tools/abi.sh capi/aimdb.h > capi/abi.txt
