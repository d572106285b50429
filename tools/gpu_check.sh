#!/usr/bin/env bash
# Builds gpu_check and the VM's test programs and runs them on GPU 0; reports in build/gpu_check/.
#   tools/gpu_check.sh [PART...]     header, casts, memory, cast-times, matmul, fuzz, tune, programs
set -euo pipefail
cd "$(dirname "$0")/.."
cmake --preset release >/dev/null
cmake --build --preset release --target gpu_check vm_run_test
mkdir -p build/gpu_check
parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(memory matmul cast-times casts programs fuzz header)
status=0
for part in "${parts[@]}"; do
  if [ "$part" = programs ]; then
    ANYBIT_GPU_TESTS=1 build/release/tests/vm_run_test --gtest_filter='*OnGpu*' |
      tee build/gpu_check/programs.txt || status=1
  else
    build/release/bench/gpu_check --only "$part" --json "build/gpu_check/$part.json" || status=1
  fi
done
exit $status
