# SPDX-License-Identifier: Apache-2.0
#
# make deb: Debian packages in build/deb. python3-aimdb is among them if there is
# bindings/python.

DEB    := $(BUILD)/deb
DATE    = $(shell git log -1 --format=%cD 2>/dev/null || date -R)
PYTHON := $(wildcard bindings/python/aimdb)

NEED_deb := dpkg-buildpackage=dpkg-dev dh=debhelper dh_python3=dh-python lintian=lintian mandoc=mandoc fakeroot=fakeroot

.PHONY: deb

# On a copy of the tree: dpkg-buildpackage leaves its results beside it. -d: Go
# may be from elsewhere than Debian.
deb: | need-lib need-deb ## libaimdb0, libaimdb-dev and python3-aimdb, checked by lintian
	rm -rf $(DEB)
	mkdir -p $(DEB)/aimdb-$(VERSION)
	tar --exclude=./$(BUILD) --exclude=./.git --exclude=./docs/reference -cf - . | tar -C $(DEB)/aimdb-$(VERSION) -xf -
	printf '%s\n' 'aimdb ($(VERSION)) unstable; urgency=medium' '' \
	    '  * Release $(VERSION): see CHANGELOG.md.' '' \
	    ' -- AimDB developers <aimdb-dev@users.noreply.github.com>  $(DATE)' > $(DEB)/aimdb-$(VERSION)/debian/changelog
	cd $(DEB)/aimdb-$(VERSION) && dpkg-buildpackage --no-sign --build=binary -d $(if $(PYTHON),,-Pnopython)
	lintian --allow-root --fail-on error,warning --suppress-tags initial-upload-closes-no-bugs $(DEB)/*.changes
	@ls $(DEB)/*.deb
