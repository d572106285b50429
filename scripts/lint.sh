#!/usr/bin/env bash
# The checkers: layers, budgets, formatting; with --tidy also clang-tidy over every source.
set -euo pipefail
cd "$(dirname "$0")/.."

python3 tools/check_layers.py
python3 tools/check_budget.py
git ls-files '*.h' '*.cc' | xargs clang-format --dry-run -Werror
echo "clang-format: every source is formatted"

if [ "${1:-}" = "--tidy" ]; then
  cmake --preset release >/dev/null
  git ls-files 'anybit/*.cc' | xargs -P "$(nproc)" -n 4 clang-tidy -p build/release --quiet
  echo "clang-tidy: clean"
fi
