# SPDX-License-Identifier: Apache-2.0
#
# make install PREFIX=/usr/local DESTDIR=: library, headers, what pkg-config and
# CMake find them by, man pages, guide. It installs what `make lib static` has
# built and builds nothing: it needs no Go, compiler, Python or network, and root
# leaves no files in build/. `cmake --install` does the same.

PREFIX     ?= /usr/local
LIBDIR     ?= lib
INCLUDEDIR ?= include
MANDIR     ?= share/man
DATADIR    ?= share/aimdb
DOCDIR     ?= share/doc/aimdb

ARCHIVE := $(BUILD)/libaimdb.a
BUILT    = $(BUILD)/libaimdb.so.$(VERSION)
VERSION := $(shell sed -n 's/^\#define AIMDB_VERSION "\(.*\)"/\1/p' capi/aimdb.h)
ABI     := $(shell sed -n 's/^\#define AIMDB_ABI_VERSION //p' capi/aimdb.h)
POINTER  = $(shell od -An -j4 -N1 -tu1 $(BUILT) | sed 's/ *1/4/; s/ *2/8/')# the class of the ELF file
UP      := $(shell echo '$(LIBDIR)/cmake/AimDB' | sed 's|[^/][^/]*|..|g')

.PHONY: static install uninstall test-install

static: $(ARCHIVE) ## build/libaimdb.a

$(ARCHIVE): $(SOURCES) capi/symbols.txt | need-lib
	KIND=static tools/build-lib.sh $(BUILD)

to     = $(DESTDIR)$(PREFIX)/$(1)
filled = sed $(foreach v,PREFIX LIBDIR INCLUDEDIR VERSION ABI POINTER UP,-e 's|@$(v)@|$($(v))|g') \
             -e 's|@MAJOR@|$(word 1,$(subst ., ,$(VERSION)))|g' -e 's|@MINOR@|$(word 2,$(subst ., ,$(VERSION)))|g' \
             "cmake/$$(basename '$(1)').in" > '$(1)' && chmod 644 '$(1)'

# The loader's cache knows system directories; `make install` as root renews it.
SYSTEM   = $(if $(DESTDIR),,$(filter / /usr /usr/local,$(PREFIX)))
LDCONFIG = test "$$(id -u)" != 0 || ! command -v ldconfig >/dev/null || ldconfig

install: ## PREFIX=/usr/local DESTDIR=: what is built, headers, .pc, CMake files, man pages, guide
	@test -e $(BUILT) || { echo "$(BUILT) is not there: make lib, or make lib static" >&2; exit 1; }
	install -d '$(call to,$(INCLUDEDIR))' '$(call to,$(LIBDIR))/pkgconfig' '$(call to,$(LIBDIR))/cmake/AimDB'
	install -d '$(call to,$(MANDIR))/man3' '$(call to,$(DATADIR))' '$(call to,$(DOCDIR))'
	install -m 644 capi/aimdb.h bindings/c/aimdb.hpp '$(call to,$(INCLUDEDIR))'
	install -m 755 $(BUILT) '$(call to,$(LIBDIR))'
	cp -P $(BUILD)/libaimdb.so.$(ABI) $(BUILD)/libaimdb.so '$(call to,$(LIBDIR))'
	test ! -e $(ARCHIVE) || install -m 644 $(ARCHIVE) '$(call to,$(LIBDIR))'
	$(call filled,$(call to,$(LIBDIR))/pkgconfig/aimdb.pc)
	$(call filled,$(call to,$(LIBDIR))/cmake/AimDB/AimDBConfig.cmake)
	$(call filled,$(call to,$(LIBDIR))/cmake/AimDB/AimDBConfigVersion.cmake)
	@test -e $(MADE_MAN) || echo "no man pages: they are made by python3, which was not there at make lib" >&2
	test ! -e $(MADE_MAN) || find $(MAN3) -type f -exec install -m 644 -t '$(call to,$(MANDIR))/man3' {} + \
	    -o -type l -exec cp -P -t '$(call to,$(MANDIR))/man3' {} +
	install -m 644 tools/valgrind.supp '$(call to,$(DATADIR))'
	install -m 644 $(GUIDES) '$(call to,$(DOCDIR))'
	$(if $(SYSTEM),$(LDCONFIG))

uninstall: ## takes away what `make install` installed
	rm -f '$(call to,$(INCLUDEDIR))'/aimdb.h '$(call to,$(INCLUDEDIR))'/aimdb.hpp
	rm -f '$(call to,$(LIBDIR))'/libaimdb.so.$(VERSION) '$(call to,$(LIBDIR))'/libaimdb.so.$(ABI)
	rm -f '$(call to,$(LIBDIR))'/libaimdb.so '$(call to,$(LIBDIR))'/libaimdb.a
	rm -f '$(call to,$(LIBDIR))'/pkgconfig/aimdb.pc
	rm -rf '$(call to,$(LIBDIR))'/cmake/AimDB
	rm -f '$(call to,$(MANDIR))'/man3/aimdb.3 '$(call to,$(MANDIR))'/man3/aimdb_*.3
	rm -rf '$(call to,$(DATADIR))' '$(call to,$(DOCDIR))'

NEED_test-install := cmake=cmake ninja=ninja-build pkg-config=pkg-config gcc=gcc g++=g++ python3=python3

test-install: lib static $(MADE_MAN) | need-test-install ## a project outside the tree, by CMake, pkg-config and both installations; 30 s
	tests/install/run.sh
