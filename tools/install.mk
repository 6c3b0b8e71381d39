# SPDX-License-Identifier: Apache-2.0
#
# make install PREFIX=/usr/local DESTDIR=: library, archive, headers, and what
# pkg-config and CMake find them by. `cmake --install` does the same.

PREFIX     ?= /usr/local
LIBDIR     ?= lib
INCLUDEDIR ?= include
MANDIR     ?= share/man

ARCHIVE := $(BUILD)/libaimdb.a
VERSION := $(shell sed -n 's/^\#define AIMDB_VERSION "\(.*\)"/\1/p' capi/aimdb.h)
ABI     := $(shell sed -n 's/^\#define AIMDB_ABI_VERSION //p' capi/aimdb.h)
POINTER  = $(shell echo __SIZEOF_POINTER__ | $(CC) -E -P -)
UP      := $(shell echo '$(LIBDIR)/cmake/AimDB' | sed 's|[^/][^/]*|..|g')


.PHONY: static install uninstall test-install

static: $(ARCHIVE) ## build/libaimdb.a

$(ARCHIVE): $(SOURCES) capi/symbols.txt | toolchain
	KIND=static tools/build-lib.sh $(BUILD)

to     = $(DESTDIR)$(PREFIX)/$(1)
filled = sed $(foreach v,PREFIX LIBDIR INCLUDEDIR VERSION ABI POINTER UP,-e 's|@$(v)@|$($(v))|g') \
             -e 's|@MAJOR@|$(word 1,$(subst ., ,$(VERSION)))|g' -e 's|@MINOR@|$(word 2,$(subst ., ,$(VERSION)))|g' \
             "cmake/$$(basename '$(1)').in" > '$(1)' && chmod 644 '$(1)'

install: $(LIB) $(ARCHIVE) ## PREFIX=/usr/local DESTDIR=: library, archive, headers, .pc, CMake files
	install -d '$(call to,$(INCLUDEDIR))' '$(call to,$(LIBDIR))/pkgconfig' '$(call to,$(LIBDIR))/cmake/AimDB'
	install -m 644 capi/aimdb.h bindings/c/aimdb.hpp '$(call to,$(INCLUDEDIR))'
	install -m 755 $(BUILD)/libaimdb.so.$(VERSION) '$(call to,$(LIBDIR))'
	cp -P $(BUILD)/libaimdb.so.$(ABI) $(BUILD)/libaimdb.so '$(call to,$(LIBDIR))'
	install -m 644 $(ARCHIVE) '$(call to,$(LIBDIR))'
	$(call filled,$(call to,$(LIBDIR))/pkgconfig/aimdb.pc)
	$(call filled,$(call to,$(LIBDIR))/cmake/AimDB/AimDBConfig.cmake)
	$(call filled,$(call to,$(LIBDIR))/cmake/AimDB/AimDBConfigVersion.cmake)
	test -n '$(DESTDIR)' || test "$$(id -u)" != 0 || ldconfig # the loader's cache

uninstall: ## takes away what `make install` installed
	rm -f '$(call to,$(INCLUDEDIR))'/aimdb.h '$(call to,$(INCLUDEDIR))'/aimdb.hpp
	rm -f '$(call to,$(LIBDIR))'/libaimdb.so.$(VERSION) '$(call to,$(LIBDIR))'/libaimdb.so.$(ABI)
	rm -f '$(call to,$(LIBDIR))'/libaimdb.so '$(call to,$(LIBDIR))'/libaimdb.a
	rm -f '$(call to,$(LIBDIR))'/pkgconfig/aimdb.pc
	rm -rf '$(call to,$(LIBDIR))'/cmake/AimDB

test-install: lib static ## a project outside the tree, by CMake, pkg-config and both installations
	@tools/need.sh cmake=cmake ninja=ninja-build pkg-config=pkg-config gcc=gcc g++=g++
	tests/install/run.sh
