#!/usr/bin/env bash
# Builds and runs the tests. The last lines of the output are ctest's own summary.
#   scripts/test.sh            optimized, with the comparisons against PyPI packages
#   scripts/test.sh sanitize   under AddressSanitizer and UBSan
set -euo pipefail
cd "$(dirname "$0")/.."

jobs=$(nproc)
# Tests run side by side: threads that wait must not spin.
export OMP_WAIT_POLICY=passive

if [ "${1:-}" = sanitize ]; then
  cmake --preset dev >/dev/null
  cmake --build --preset dev
  ctest --preset dev -j "$jobs"
  exit
fi

oracle_python=$(bash scripts/install_oracles.sh)
cmake --preset release -DANYBIT_ORACLE_PYTHON="$oracle_python" >/dev/null
cmake --build --preset release
cmake --build --preset release --target all_verify_interface_header_sets
ctest --preset release -j "$jobs"
