# SPDX-License-Identifier: Apache-2.0
#
# aimdb.hpp: its tests. CMake builds the example.

.PHONY: test-cpp

NEED_test-cpp := g++=g++ clang++=clang valgrind=valgrind

test-cpp: lib | need-test-cpp ## aimdb.hpp: gcc and clang, sanitizers, what it costs; 2 minutes
	tests/cpp/run.sh $(BUILD)
	tests/cpp/cost.sh $(BUILD)
