#!/usr/bin/env bash
# Installs the Debian 12 packages that Anybit is built and tested with. Does nothing when they are
# there; uses sudo only if it is not run by root.
set -euo pipefail

packages=(
  g++ cmake ninja-build ccache mold pkg-config git make ca-certificates
  libexpected-dev libfmt-dev libcli11-dev nlohmann-json3-dev
  libpcre2-dev libutf8proc-dev libcurl4-openssl-dev
  libgtest-dev libgmock-dev libbenchmark-dev librapidcheck-dev libmpfr-dev
  g++-aarch64-linux-gnu
  clang clang-format clang-tidy libclang-rt-14-dev libomp-14-dev
  python3 python3-venv gnuplot-nox
)

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
    missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  as_root=(sudo)
fi
echo "Installing ${#missing[@]} Debian packages: ${missing[*]}" >&2
"${as_root[@]}" apt-get update -qq
DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends \
  "${missing[@]}" >/dev/null
