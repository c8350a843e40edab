# `make` alone lists the targets. `make demo` and `make test` are all a newcomer needs.
.DEFAULT_GOAL := help
.PHONY: help packages tools build release demo demo-tenants bench bench-postgres bench-large bench-s3 bench-s3-repository test test-release test-tsan test-unit test-integration test-crash test-compat fuzz fmt lint check clean

SHELL := /bin/bash

# The build refuses an import that Package.swift does not declare.
SWIFT_FLAGS := --explicit-target-dependency-import-check error
RELEASE_FLAGS := -c release --static-swift-stdlib $(SWIFT_FLAGS)
SOURCES := Package.swift Sources Tests

# One test after the other: tests that compute on all cores would starve those that watch processes and connections end.
TEST_FLAGS := --no-parallel $(SWIFT_FLAGS)

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

packages: ## Install the Debian packages that are missing (needs root or sudo only then)
	@.ci/install-packages

tools: ## Install the storage servers and clients, and the other majors of PostgreSQL, that tests use into .build
	@.ci/install-packages python3-venv
	@.ci/install-python-tools

build: packages ## Build everything, debug
	swift build $(SWIFT_FLAGS)

release: packages ## Build both executables, optimised, in .build/release
	swift build $(RELEASE_FLAGS)

bench: release ## Measure karaffe's cold processes, whole backups and restores; kopia beside them when KOPIA_EXE names one
	@python3 Benchmarks/control_plane.py .build/release/karaffe
	swift build -c release --package-path Benchmarks --product DumpText
	@python3 Benchmarks/end_to_end.py .build/release/pod-runner Benchmarks/.build/release/DumpText
	@[ -z "$$KOPIA_EXE" ] || python3 Benchmarks/through_server.py .build/release/pod-runner Benchmarks/.build/release/DumpText

bench-s3-repository: release tools ## Measure backups and restores of a repository on rclone's S3 server; kopia's beside them when KOPIA_EXE's knows S3
	swift build -c release --package-path Benchmarks --product DumpText
	@python3 Benchmarks/through_s3.py .build/release/pod-runner Benchmarks/.build/release/DumpText

bench-s3: release ## Push a stream of BENCH_S3_BYTES (60 GiB) to an S3 server that counts and forgets: memory, parts
	@python3 Benchmarks/s3_stream.py .build/release/pod-runner

demo: release $(if $(filter s3,$(STORAGE)),tools) ## Back up, drop and restore databases of a real primary and standby (STORAGE=s3: repository on an S3 server; kopia: behind KOPIA_EXE's)
	@STORAGE=$(STORAGE) examples/flexible-server/demo.sh .build/release

bench-large: release ## Measure opening and listing a repository of a million contents and ten thousand snapshots
	swift build -c release --package-path Benchmarks --product LargeRepository
	@python3 Benchmarks/large_repository.py .build/release/pod-runner Benchmarks/.build/release/LargeRepository

demo-tenants: release ## Move a database to a server pair that has never seen it, in a temporary folder
	@examples/another-tenant/migrate.sh .build/release

bench-postgres: release ## Measure backups and restores of a real PostgreSQL: against pg_dump and psql, and what ten days store
	@python3 Benchmarks/postgres.py .build/release/pod-runner
	@python3 Benchmarks/postgres.py .build/release/pod-runner --restore --rounds 3

test: tools ## Run every test; a real kopia is used too when KOPIA_EXE names one
	REQUIRE_SERVICES=1 swift test $(TEST_FLAGS)

test-release: tools ## Run every test against optimised code, and what takes too long in debug
	REQUIRE_SERVICES=1 swift test -c release -Xswiftc -enable-testing --scratch-path .build/test-release $(TEST_FLAGS)

# A race makes the process exit with 66; pod-runner and other children of the tests are instrumented, too. No report is
# suppressed.
TSAN_SUITES := ProcessIO|HTTPTransport|Kopia(Blob|Cloud|Content|Object|Server|Repository)Tests|PodRunnerTests|CrashTests
test-tsan: tools ## Run the data plane's hermetic tests and the crash tests under the Thread Sanitizer
	mkdir -p .build/test-tsan
	clang -O2 -c -fPIC -o .build/test-tsan/synchronization.o Tests/ThreadSanitizer/synchronization.c
	swift build --build-tests --sanitize=thread --scratch-path .build/test-tsan $(SWIFT_FLAGS) \
		-Xlinker $(CURDIR)/.build/test-tsan/synchronization.o
	REQUIRE_SERVICES=1 swift test --skip-build --sanitize=thread --scratch-path .build/test-tsan $(TEST_FLAGS) \
		--filter '$(TSAN_SUITES)'

test-unit: packages ## Run the hermetic tests only: no servers, seconds
	swift test $(TEST_FLAGS) --skip IntegrationTests --skip CompatibilityTests --skip CrashTests

test-integration: packages ## Run the tests against a real PostgreSQL primary and standby
	REQUIRE_SERVICES=1 swift test $(TEST_FLAGS) --filter IntegrationTests

test-crash: packages ## Kill writers, fail every call to the storage, fill the disk
	swift test $(TEST_FLAGS) --filter CrashTests

test-compat: packages ## Run the tests against repositories of, and with KOPIA_EXE against, the real kopia
	swift test $(TEST_FLAGS) --filter CompatibilityTests

FUZZ_SECONDS ?= 600
fuzz: packages ## Feed the decoders what libFuzzer makes up, for FUZZ_SECONDS
	swift build --package-path Tests/Fuzz --scratch-path .build/fuzz -Xswiftc -sanitize=fuzzer -Xswiftc -use-ld=lld
	mkdir -p .build/fuzz-corpus
	.build/fuzz/debug/DecoderFuzz -max_total_time=$(FUZZ_SECONDS) -max_len=8192 -artifact_prefix=.build/fuzz- .build/fuzz-corpus

fmt: ## Format the sources in place
	swift format -i -r --configuration .swift-format $(SOURCES)

lint: ## Check the format of the sources
	swift format lint -s -r --configuration .swift-format $(SOURCES)

check: lint test ## Everything a reviewer would run

clean: ## Remove what was built
	rm -rf .build
