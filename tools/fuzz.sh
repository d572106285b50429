#!/usr/bin/env bash
# Builds the libFuzzer targets and runs each from its committed corpus until it has used a time of
# the processor, not of the clock: a busy machine takes longer but does as much.
#   tools/fuzz.sh [CPU_SECONDS_EACH=600] [TARGET...]
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

# The processor seconds that process $1 has used, or nothing if it has ended.
cpu_seconds() {
  local stat fields
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
  read -ra fields <<<"${stat##*) }"  # from field 3, the state; 14 and 15 are utime and stime
  [ "${fields[0]}" = Z ] || echo $(((fields[11] + fields[12]) / $(getconf CLK_TCK)))
}

# Runs "$@" and asks it to end (SIGUSR1, which libFuzzer obeys between two inputs) at $seconds. An
# input that hangs keeps it from obeying: SIGABRT, a little later, reports that input.
grace_seconds=60
run_for_cpu_seconds() {
  "$@" &
  local process=$! used last=0
  while used=$(cpu_seconds "$process") && [ -n "$used" ]; do
    last=$used
    [ "$used" -lt "$seconds" ] || kill -USR1 "$process" 2>/dev/null || true
    [ "$used" -lt $((seconds + grace_seconds)) ] || kill -ABRT "$process" 2>/dev/null || true
    sleep 1
  done
  used_seconds=$last
  wait "$process"
}

mkdir -p "$build/findings"
export UBSAN_OPTIONS=print_stacktrace=1
failed=()
for target in "${targets[@]}"; do
  mkdir -p "$build/corpus/$target"
  dictionary=tests/fuzz/dictionary/$target.dict
  # libFuzzer's own time-out counts the clock, in which a busy machine may stop a process.
  options=(-timeout=86400 -report_slow_units=86400 -rss_limit_mb=2048 -max_len=16384
           -artifact_prefix="$build/findings/$target-" -print_final_stats=1 -verbosity=0)
  [ -e "$dictionary" ] && options+=(-dict="$dictionary")
  log=$build/findings/$target.log
  program=$build/tests/fuzz/$target
  if run_for_cpu_seconds "$program" "${options[@]}" "$build/corpus/$target" \
      "tests/fuzz/corpus/$target" >"$log" 2>&1; then
    runs=$(sed -n 's/^stat::number_of_executed_units: //p' "$log")
    echo "$target: no finding in $used_seconds CPU s, ${runs:-?} inputs"
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
