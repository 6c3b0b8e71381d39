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

.PHONY: docs man test-docs

docs: man ## docs/reference: C and C++, man pages, Go, Python
	@tools/need.sh doxygen=doxygen
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

man: ## build/man: a page for each function and type
	@tools/need.sh python3=python3 mandoc=mandoc
	$(MAKE) --no-print-directory $(MADE_MAN)
	mandoc -T lint -W warning $(MAN3)/*.3
	cd $(MAN3) && for f in $$(cat $(CURDIR)/capi/symbols.txt); do test -e $$f.3 || { echo "no page for $$f"; exit 1; }; done

# pdoc imports the package, which loads the library.
.PHONY: docs-python
docs-python: lib
	@tools/need.sh python3=python3 pip3=python3-pip
	python3 -c 'import venv, ensurepip' 2>/dev/null || tools/need.sh python3-venv=python3-venv
	test -x $(BUILD)/pdoc/bin/pdoc || { python3 -m venv $(BUILD)/pdoc && $(BUILD)/pdoc/bin/pip -q install pdoc==$(PDOC) typing_extensions==4.15.0; }
	LD_LIBRARY_PATH=$(abspath $(BUILD)) PYTHONPATH=bindings/python \
	    PYTHONWARNINGS=error $(BUILD)/pdoc/bin/pdoc -o $(REFERENCE)/python aimdb 2> $(BUILD)/pdoc.log; \
	    status=$$?; cat $(BUILD)/pdoc.log >&2; test $$status = 0 && ! grep -qi warn $(BUILD)/pdoc.log

test-docs: lib static man lib-asan lib-tsan lib-named lib-valgrind ## man pages, guide, reference: rendered, their programs run, what they say of tools
	@tools/need.sh mandoc=mandoc man=man-db groff=groff col=bsdextrautils pkg-config=pkg-config doxygen=doxygen \
	    valgrind=valgrind gdb=gdb gcc=gcc setarch=util-linux
	tests/docs/run.sh $(BUILD)
