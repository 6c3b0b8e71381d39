# SPDX-License-Identifier: Apache-2.0
#
# aimdb.hpp: example and tests.

CXXFLAGS ?= -O2 -g

.PHONY: test-cpp

$(BUILD)/gateway_cpp: examples/cpp/gateway.cpp bindings/c/aimdb.hpp capi/aimdb.h $(LIB)
	$(CXX) -std=c++17 $(CXXFLAGS) $(STRICT) -Icapi -Ibindings/c $< -o $@ $(LINK)

test-cpp: lib $(BUILD)/gateway_cpp ## aimdb.hpp: gcc and clang, sanitizers, what it costs
	@tools/need.sh g++=g++ clang++=clang valgrind=valgrind
	tests/cpp/run.sh $(BUILD)
	tests/cpp/cost.sh $(BUILD)
	$(BUILD)/gateway_cpp --seconds 2 --rate 1000 < /dev/null
