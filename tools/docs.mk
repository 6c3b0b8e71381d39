# SPDX-License-Identifier: Apache-2.0
#
# make docs: the reference, made from aimdb.h, aimdb.hpp, and the Go and Python
# packages. It goes to docs/reference, which git ignores. A warning is an error.

REFERENCE := docs/reference
PDOC      := 16.0.0
PACKAGES  := core core/buffers core/park core/memory
GUIDES    := docs/guide.md docs/sanitizers.md
MAN3      := $(BUILD)/man/man3
MADE_MAN  := $(BUILD)/man/made

NEED_docs := doxygen=doxygen
NEED_man  := python3=python3 mandoc=mandoc
NEED_docs-python := python3=python3 module:ensurepip=python3-venv
NEED_test-docs   := mandoc=mandoc man=man-db groff=groff col=bsdextrautils pkg-config=pkg-config doxygen=doxygen \
    valgrind=valgrind gdb=gdb gcc=gcc setarch=util-linux $(NEED_docs-python)

.PHONY: docs man test-docs

docs: man | need-docs ## docs/reference: C and C++, man pages, Go, Python
	OUTPUT_DIRECTORY=$(REFERENCE) PROJECT_NUMBER=$(VERSION) doxygen tools/docs/Doxyfile
	mkdir -p $(REFERENCE)/go $(REFERENCE)/man
	for p in $(MAN3)/*.3; do mandoc -T html -O man=%N.%S.html $$p > $(REFERENCE)/man/$$(basename $$p).html || exit 1; done
	for p in $(PACKAGES); do go doc -all ./$$p > $(REFERENCE)/go/$$(echo $$p | tr / .).txt || exit 1; done
ifneq ($(wildcard bindings/python/aimdb),)
	$(MAKE) --no-print-directory docs-python
endif
	@echo "docs/reference/c/index.html"

$(MADE_MAN): capi/aimdb.h tools/docs/header.py $(wildcard examples/c/hello.c examples/c/man/*.c)
	rm -rf $(@D)
	python3 tools/docs/header.py man capi/aimdb.h examples/c $(MAN3)
	touch $@

# Not everybody who builds the library has Python.
ifneq ($(shell command -v python3),)
lib: $(MADE_MAN)
endif

man: | need-man ## build/man: a page for each function and type
	$(MAKE) --no-print-directory $(MADE_MAN)
	mandoc -T lint -W warning $(MAN3)/*.3
	cd $(MAN3) && for f in $$(cat $(CURDIR)/capi/symbols.txt); do test -e $$f.3 || { echo "no page for $$f"; exit 1; }; done

# pdoc imports the package, which loads the library.
.PHONY: docs-python
docs-python: lib | need-docs-python
	test -x $(BUILD)/pdoc/bin/pdoc || { python3 -m venv $(BUILD)/pdoc && $(BUILD)/pdoc/bin/pip -q install pdoc==$(PDOC) typing_extensions==4.15.0; }
	LD_LIBRARY_PATH=$(abspath $(BUILD)) PYTHONPATH=bindings/python \
	    PYTHONWARNINGS=error $(BUILD)/pdoc/bin/pdoc -o $(REFERENCE)/python aimdb 2> $(BUILD)/pdoc.log; \
	    status=$$?; cat $(BUILD)/pdoc.log >&2; test $$status = 0 && ! grep -qi warn $(BUILD)/pdoc.log

test-docs: lib static man lib-asan lib-tsan lib-named lib-valgrind | need-test-docs ## man pages, guide, reference: rendered, their programs run, what they say of tools; 40 s
	tests/docs/run.sh $(BUILD)
