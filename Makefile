# Targets: see `make help`.
SHELL := /bin/bash
PORT ?= 8080
SECONDS ?= 60

# Debian packages. What is missing of them is installed by the targets that need it.
FOR_SWIFT := ca-certificates curl g++ git libncurses6 libsqlite3-0 libxml2 tzdata
TO_BUILD := libcrypt-dev libfcgi-dev libsodium-dev pkg-config
TO_RUN := curl nginx spawn-fcgi
TO_MAKE_IMAGE := binutils python3
TO_TEST := $(TO_RUN) $(TO_MAKE_IMAGE) apache2-utils lighttpd python3-venv chromium chromium-driver caddy apache2-bin strace \
	fail2ban prometheus libfaketime fish groff logrotate man-db mandoc openssl python3-yaml systemd unicode-data \
	valgrind zsh
TO_INSTALL := python3
TO_PACKAGE := dpkg-dev binutils lintian
TO_TEST_PACKAGE := debootstrap
TO_BENCH := binutils gcc libssl-dev nginx openssl php-fpm php-sqlite3 python3 python3-venv strace \
	uwsgi-core uwsgi-plugin-python3 wrk

.PHONY: help run build testing test check-fast test-long test-example fuzz lint docs bench bench-store clean install-dependencies swift
.PHONY: install uninstall deb test-deb image release

help:
	@echo "make run      build, and run the example on 127.0.0.1:$(PORT) until Ctrl-C (PORT=8081 for another port)"
	@echo "make build    build the release binary, .build/release/postern"
	@echo "make install      put what was built below PREFIX=/usr/local, with the includes for the web servers"
	@echo "make uninstall    take that away again"
	@echo "make deb      build a Debian package, .build/deb/postern_*.deb"
	@echo "make test-deb     install, upgrade, remove and purge the package in Debians of their own; minutes, as root"
	@echo "make image    make a container's image without a container engine, .build/image/postern-*.tar"
	@echo "make release VERSION=1.2.3    make a release; DRY_RUN=1 changes nothing here; see docs/versions.md"
	@echo "make test     build and run all tests"
	@echo "make check-fast   check the formatting, and run the tests that start no other program: a minute, once built"
	@echo "make test-long    crashes, power cuts, faults and contention in large numbers, for hours"
	@echo "make test-example build the package in Tests/Example as its own, and everything that it needs once more"
	@echo "make docs     make web pages of the libraries' documentation, in .build/documentation"
	@echo "make fuzz     put made-up files to the journal's reader for SECONDS=60"
	@echo "make lint     check the formatting"
	@echo "make bench    compare with the smallest C responder, with DRF, php-fpm and nginx's own, behind the same nginx"
	@echo "make bench-store    compare the store with SQLite"
	@echo "make install-dependencies    install what all of these need"
	@echo "make clean    remove what was built"
	@echo
	@echo "What a target needs and is not there it installs with apt-get, with sudo where you are not root."

run: build
	@./install-missing $(TO_RUN)
	@PORT=$(PORT) nginx/run-example .build/release/postern

build: swift
	@./install-missing $(TO_BUILD)
	swift build -c release --static-swift-stdlib --product postern

# One optimized build has all that the tests ask and start. It is in a folder of its own, because `make build` has other flags,
# and each would build everything once more after the other.
TESTING := -c release --scratch-path .build/testing
TESTS := .build/testing/release

testing: swift
	@./install-missing $(TO_BUILD)
	POSTERN_TESTABLE=1 swift build $(TESTING) --build-tests

test: testing
	@./install-missing $(TO_TEST)
	@Tests/Fuzzing/run 10 >.build/fuzzing.log 2>&1 || { tail -40 .build/fuzzing.log; exit 1; }
	@Tests/run $(TESTS) .build/test.log
	@[ -z "$$POSTERN_LONG_TESTS" ] || $(MAKE) test-example

# What starts no program and no web server.
check-fast: lint testing
	@Tests/run $(TESTS) .build/test.log --fast

# Those suites whose figures POSTERN_LONG_TESTS changes.
LONG := Crash|Compact|PowerCut|Fault|Damage|Contention|TokenIndex|Soak|StoreSimulation

test-long: testing
	@./install-missing $(TO_TEST)
	POSTERN_LONG_TESTS=1 POSTERN_TESTABLE=1 swift test $(TESTING) --skip-build --filter '$(LONG)'

# Its sources are a target of this package as well, which `make test` builds and asks.
test-example: swift
	@./install-missing $(TO_BUILD)
	swift build --package-path Tests/Example --scratch-path .build-example

docs: swift
	@./install-missing $(TO_BUILD)
	swift build
	./build-documentation

fuzz: swift
	Tests/Fuzzing/run $(SECONDS)

lint: swift
	swift format lint --strict --recursive Package.swift Sources Tests Benchmarks

bench: build
	@./install-missing $(TO_BENCH)
	swift build -c release --static-swift-stdlib --product store-benchmark
	Benchmarks/run .build/release/postern

bench-store: swift
	@./install-missing $(TO_BUILD) gcc libsqlite3-dev python3
	swift build -c release --static-swift-stdlib --product store-benchmark
	Benchmarks/run-store .build/release/store-benchmark

# Where things go. DESTDIR stands before all of it, for packages.
PREFIX ?= /usr/local
DESTDIR ?=
BINARY ?= .build/release/postern
UNITDIR ?= $(PREFIX)/lib/systemd/system
ZSHDIR ?= $(PREFIX)/share/zsh/site-functions
BASHDIR := $(PREFIX)/share/bash-completion/completions
FISHDIR := $(PREFIX)/share/fish/vendor_completions.d
SHARED := $(PREFIX)/share/postern
DOCUMENTS := $(PREFIX)/share/doc/postern
INCLUDES := $(wildcard nginx/*.conf lighttpd/*.conf apache/*.conf caddy/Caddyfile fail2ban/*/*.conf grafana/*.json)
INSTALLED := $(PREFIX)/bin/postern $(PREFIX)/share/man/man1/postern.1 $(BASHDIR)/postern $(ZSHDIR)/_postern \
	$(FISHDIR)/postern.fish $(UNITDIR)/postern.service $(UNITDIR)/postern.socket \
	$(PREFIX)/lib/sysusers.d/postern.conf $(PREFIX)/lib/tmpfiles.d/postern.conf

# Builds nothing, so that root needs no toolchain: make build && sudo make install
install:
	@test -x "$(BINARY)" || { echo "There is no $(BINARY): run make build first." >&2; exit 1; }
	@./install-missing $(TO_INSTALL)
	install -d $(addprefix $(DESTDIR),$(sort $(dir $(INSTALLED))))
	install -m 755 "$(BINARY)" $(DESTDIR)$(PREFIX)/bin/postern
	"$(BINARY)" --experimental-dump-help | man/make-page "$$("$(BINARY)" --version)" \
		"$$(date -ud "$$(sed -n 's/^ -- .*  //p;T;q' debian/changelog)" +%Y-%m-%d)" man/sections.man \
		>$(DESTDIR)$(PREFIX)/share/man/man1/postern.1
	"$(BINARY)" --generate-completion-script bash | sed '1{/^#!/d}' >$(DESTDIR)$(BASHDIR)/postern
	"$(BINARY)" --generate-completion-script zsh >$(DESTDIR)$(ZSHDIR)/_postern
	"$(BINARY)" --generate-completion-script fish >$(DESTDIR)$(FISHDIR)/postern.fish
	sed 's#/usr/bin/postern#$(PREFIX)/bin/postern#' systemd/postern.service >$(DESTDIR)$(UNITDIR)/postern.service
	install -m 644 systemd/postern.socket $(DESTDIR)$(UNITDIR)/
	install -m 644 systemd/postern.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/postern.conf
	install -m 644 systemd/postern.tmpfiles $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/postern.conf
	@chmod 644 $(addprefix $(DESTDIR),$(filter-out %/bin/postern,$(INSTALLED)))
	@for file in $(INCLUDES); do install -D -m 644 $$file $(DESTDIR)$(SHARED)/$$file; done
	@for file in README.md CHANGELOG.md LICENSE NOTICE SECURITY.md Security/statement.md; do \
		install -D -m 644 $$file $(DESTDIR)$(DOCUMENTS)/$$file; done

# The store, the user and what was copied to a web server stay.
uninstall:
	rm -f $(addprefix $(DESTDIR),$(INSTALLED))
	rm -rf $(DESTDIR)$(SHARED) $(DESTDIR)$(DOCUMENTS)

deb: build
	@./install-missing $(TO_INSTALL) $(TO_PACKAGE)
	debian/build .build/release/postern .build/deb

test-deb: deb
	@./install-missing $(TO_TEST_PACKAGE)
	debian/test .build/deb

image: build
	@./install-missing $(TO_MAKE_IMAGE)
	container/make-image .build/release/postern .build/image

release: swift
	@test -n "$(VERSION)" || { echo "Say which: make release VERSION=1.2.3" >&2; exit 1; }
	@./install-missing $(TO_BUILD) $(TO_INSTALL) $(TO_PACKAGE) $(TO_MAKE_IMAGE)
	./make-release $(VERSION) $(if $(DRY_RUN),--dry-run)

install-dependencies:
	@./install-missing $(FOR_SWIFT) $(TO_BUILD) $(TO_TEST) $(TO_BENCH) $(TO_PACKAGE) $(TO_TEST_PACKAGE)

clean:
	swift package clean
	rm -rf .build/testing .build/fuzzing

# What the toolchain itself needs comes first: without it, it cannot even say its version.
swift:
	@command -v swift >/dev/null || { echo "There is no Swift toolchain: install Swift 6.2 or later, see swift.org." >&2; exit 1; }
	@./install-missing $(FOR_SWIFT)
	@version=$$(swift --version 2>&1); \
		grep -Eq 'Swift version (6\.([2-9]|[1-9][0-9])|[7-9]|[1-9][0-9])' <<<"$$version" || \
		{ echo "Swift 6.2 or later is needed, see swift.org. This one says:"; echo "$$version"; exit 1; } >&2
