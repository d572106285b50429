#!/usr/bin/env bash
# Builds and runs the tests: the sanitized build first, then the optimized one, whose ctest
# summary ends the output.
set -euo pipefail
cd "$(dirname "$0")/.."

oracle_python=$(bash scripts/install_oracles.sh)
jobs=$(nproc)

cmake --preset dev >/dev/null
cmake --build --preset dev
ctest --preset dev -j "$jobs" --label-exclude slow --quiet --output-on-failure

cmake --preset release -DANYBIT_ORACLE_PYTHON="$oracle_python" >/dev/null
cmake --build --preset release
cmake --build --preset release --target all_verify_interface_header_sets
ctest --preset release -j "$jobs"
