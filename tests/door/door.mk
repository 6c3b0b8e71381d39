# SPDX-License-Identifier: Apache-2.0
#
# The direct door: included by the Makefile.

.PHONY: test-door

test-door: ## what the direct door runs, in machine code, and models of the orderings
	@tools/need.sh go=golang gcc=gcc aarch64-linux-gnu-gcc=gcc-aarch64-linux-gnu
	go test ./tests/door ./tests/models/...
