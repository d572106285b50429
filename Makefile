# The front door. `make demo` and `make test` do everything from a fresh clone on Debian 12.
.DEFAULT_GOAL := help
SHELL := /bin/bash
MODEL ?= wiki-6m
PRESET ?= release

.PHONY: help
help:  ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.PHONY: setup
setup:  ## Install the Debian packages that are missing
	@bash scripts/install_packages.sh

.PHONY: build
build: setup  ## Build build/release/anybit
	cmake --preset release >/dev/null
	cmake --build --preset release --target anybit

.PHONY: demo
demo: build  ## Quantize a real model to ten formats and show what each costs (MODEL=smollm2: a larger one)
	bash scripts/demo.sh $(MODEL)

.PHONY: test
test: setup  ## Build and pass the tests
	bash scripts/test.sh

.PHONY: sanitize
sanitize: setup  ## Build and run the tests under AddressSanitizer and UBSan
	bash scripts/test.sh sanitize

.PHONY: lint
lint: setup  ## Layers, budgets, clang-format, headers that compile alone, clang-tidy
	bash scripts/lint.sh --tidy

.PHONY: tsan
tsan: setup  ## The tests of threaded code under ThreadSanitizer
	cmake --preset tsan >/dev/null
	cmake --build --preset tsan
	TSAN_OPTIONS="ignore_noninstrumented_modules=1 halt_on_error=1" ctest --preset tsan -R 'base/|kernel/|quant/|engine/'

.PHONY: fuzz
fuzz: setup  ## Run every fuzz target for SECONDS (600)
	bash tools/fuzz.sh $(or $(SECONDS_EACH),600)

.PHONY: format
format:  ## Apply clang-format
	git ls-files '*.h' '*.cc' | xargs clang-format -i

.PHONY: clean
clean:  ## Remove build/
	rm -rf build
