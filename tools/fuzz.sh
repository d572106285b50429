#!/usr/bin/env bash
# Builds the libFuzzer targets and runs each for a time, starting from its committed corpus.
#   tools/fuzz.sh [SECONDS_EACH=600] [TARGET...]
# Inputs that reach code nothing else reached collect in build/fuzz/corpus/TARGET; inputs that
# crash, hang or eat memory in build/fuzz/findings/TARGET-*. Fails if there is a finding.
# FUZZ_BUILD names another build folder.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-600}
shift || true
build=${FUZZ_BUILD:-build/fuzz}
cmake --preset fuzz -B "$build" >/dev/null
if [ $# -gt 0 ]; then targets=("$@"); else mapfile -t targets <"$build/fuzz_targets.txt"; fi
cmake --build "$build" --target "${targets[@]}"

mkdir -p "$build/findings"
export UBSAN_OPTIONS=print_stacktrace=1
failed=()
for target in "${targets[@]}"; do
  mkdir -p "$build/corpus/$target"
  dictionary=tests/fuzz/dictionary/$target.dict
  options=(-max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -max_len=16384
           -artifact_prefix="$build/findings/$target-" -print_final_stats=1 -verbosity=0)
  [ -e "$dictionary" ] && options+=(-dict="$dictionary")
  log=$build/findings/$target.log
  program=$build/tests/fuzz/$target
  if "$program" "${options[@]}" "$build/corpus/$target" "tests/fuzz/corpus/$target" \
      >"$log" 2>&1; then
    runs=$(sed -n 's/^stat::number_of_executed_units: //p' "$log")
    echo "$target: no finding in $seconds s, ${runs:-?} inputs"
  else
    failed+=("$target")
    echo "$target: FINDING; see $log"
    grep -E "ERROR|runtime error|check failed|SUMMARY|Test unit written" "$log" || tail -n 5 "$log"
  fi
done
if [ ${#failed[@]} -gt 0 ]; then
  echo "fuzz.sh: findings in ${failed[*]}" >&2
  exit 1
fi
