# Targets: see `make help`.
SHELL := /bin/bash
PORT ?= 8080
PREREQUISITES := ca-certificates curl git libfcgi-dev libsodium-dev nginx lighttpd pkg-config spawn-fcgi python3
BENCHMARK_PREREQUISITES := gcc libc6-dev wrk
SWIFT_BUILD := swift build -c release --static-swift-stdlib --product postern

.PHONY: help run build test lint bench clean swift prerequisites benchmark-prerequisites

help:
	@echo "make run      build, and run the example on 127.0.0.1:$(PORT) until Ctrl-C (PORT= for another port)"
	@echo "make build    build the release binary: .build/release/postern"
	@echo "make test     build and run all tests"
	@echo "make lint     check the formatting"
	@echo "make bench    compare with the smallest C responder, behind the same nginx"
	@echo "make clean    remove what was built"
	@echo "What is missing is installed with apt-get first, with sudo where that is needed."

run: build
	@PORT=$(PORT) nginx/run-example .build/release/postern

build: swift prerequisites
	$(SWIFT_BUILD)

test: swift prerequisites
	swift build --build-tests
	swift test --skip-build

lint: swift
	swift format lint --strict --recursive Package.swift Sources Tests

bench: build benchmark-prerequisites
	Benchmarks/run .build/release/postern

clean:
	swift package clean

swift:
	@command -v swift >/dev/null || { echo "There is no Swift toolchain: install Swift 6.2 or later from swift.org." >&2; exit 1; }
	@swift --version 2>/dev/null | grep -Eq 'Swift version (6\.([2-9]|[1-9][0-9])|[7-9]|[1-9][0-9])' || \
		{ echo "The Swift toolchain is older than 6.2: install a newer one from swift.org." >&2; exit 1; }

prerequisites:
	@./install-missing $(PREREQUISITES)

benchmark-prerequisites:
	@./install-missing $(BENCHMARK_PREREQUISITES)
