#!/usr/bin/env bash
# Compiles the sources that have Arm code with the cross compiler, warnings as errors, and sees that
# the kernels came out as dot-product instructions. Exit code 77 where the compiler is not there.
set -euo pipefail
cd "$(dirname "$0")/.."

compiler=aarch64-linux-gnu-g++
command -v "$compiler" >/dev/null || { echo "check_neon: no $compiler here" >&2; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Headers of libraries that are the same for every processor, without the C library beside them.
mkdir "$work/include"
for library in fmt tl nlohmann; do ln -s "/usr/include/$library" "$work/include/$library"; done

mapfile -t sources < <(git ls-files 'anybit/*.cc' | grep -v '_test\.cc$' |
                       xargs grep -l __aarch64__)
for source in "${sources[@]}"; do
  "$compiler" -std=c++20 -O2 -ffp-contract=off -Wall -Wextra -Werror -Wconversion \
    -Wno-sign-conversion -Wno-missing-field-initializers -Wno-restrict -DFMT_HEADER_ONLY \
    -I. -isystem "$work/include" -c "$source" -o "$work/$(basename "$source" .cc).o"
done
count=$(aarch64-linux-gnu-objdump -d "$work/panel_neon.o" | grep -cE '\s(sdot|udot)\s' || true)
if [ "$count" -eq 0 ]; then
  echo "check_neon: no dot-product instruction in panel_neon.cc" >&2
  exit 1
fi
echo "check_neon: ${#sources[@]} sources compile for aarch64; $count dot-product instructions"
