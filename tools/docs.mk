# SPDX-License-Identifier: Apache-2.0
#
# make docs: the reference, made from aimdb.h, aimdb.hpp, and the Go and Python
# packages. It goes to docs/reference, which git ignores. A warning is an error.

REFERENCE := docs/reference
PDOC      := 16.0.0
PACKAGES  := core core/buffers core/park core/memory

.PHONY: docs man

docs: man ## docs/reference: C and C++, man pages, Go, Python
	@tools/need.sh doxygen=doxygen
	OUTPUT_DIRECTORY=$(REFERENCE) PROJECT_NUMBER=$(VERSION) doxygen tools/docs/Doxyfile
	mkdir -p $(REFERENCE)/go
	for p in $(PACKAGES); do go doc -all ./$$p > $(REFERENCE)/go/$$(echo $$p | tr / .).txt || exit 1; done
ifneq ($(wildcard bindings/python/aimdb),)
	$(MAKE) --no-print-directory docs-python
endif
	@echo "docs/reference/c/index.html"

man: ## docs/reference/man: a page for each function
	@tools/need.sh python3=python3 mandoc=mandoc
	rm -rf $(REFERENCE)/man
	python3 tools/docs/header.py man capi/aimdb.h $(REFERENCE)/man/man3
	mandoc -T lint -W warning $(REFERENCE)/man/man3/*.3
	cd $(REFERENCE)/man/man3 && for f in $$(cat $(CURDIR)/capi/symbols.txt); do test -e $$f.3 || { echo "no page for $$f"; exit 1; }; done

# pdoc imports the package, which loads the library.
.PHONY: docs-python
docs-python: lib
	@tools/need.sh python3=python3 pip3=python3-pip
	python3 -c 'import venv, ensurepip' 2>/dev/null || tools/need.sh python3-venv=python3-venv
	test -x $(BUILD)/pdoc/bin/pdoc || { python3 -m venv $(BUILD)/pdoc && $(BUILD)/pdoc/bin/pip -q install pdoc==$(PDOC) typing_extensions==4.15.0; }
	LD_LIBRARY_PATH=$(abspath $(BUILD)) PYTHONPATH=bindings/python \
	    PYTHONWARNINGS=error $(BUILD)/pdoc/bin/pdoc -o $(REFERENCE)/python aimdb 2> $(BUILD)/pdoc.log; \
	    status=$$?; cat $(BUILD)/pdoc.log >&2; test $$status = 0 && ! grep -qi warn $(BUILD)/pdoc.log

install-man: man ## the man pages, under PREFIX
	install -d '$(call to,$(MANDIR))/man3'
	cp -P $(REFERENCE)/man/man3/*.3 '$(call to,$(MANDIR))/man3'
.PHONY: install-man
