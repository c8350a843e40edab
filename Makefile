# `make` alone lists the targets.
.DEFAULT_GOAL := help
.PHONY: help build test clean

SWIFT_FLAGS := --explicit-target-dependency-import-check error

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build everything, debug
	swift build $(SWIFT_FLAGS)

test: ## Run every test
	swift test $(SWIFT_FLAGS)

clean: ## Remove what was built
	rm -rf .build
