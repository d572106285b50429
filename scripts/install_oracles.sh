#!/usr/bin/env bash
# Makes the Python environment with the independent implementations that tests compare with, and
# prints its interpreter. Without a package index to reach, prints nothing and says so.
set -euo pipefail

cache=${XDG_CACHE_HOME:-$HOME/.cache}/anybit
packages=(numpy==2.4.6 ml_dtypes==0.6.0 gfloat==0.5.2 gguf==0.19.0 tokenizers==0.23.3
          jinja2==3.1.6 safetensors==0.8.0)
key=$(printf '%s\n' "${packages[@]}" | sha256sum | cut -c1-16)
environment=$cache/oracle-$key

if [ ! -e "$environment/complete" ]; then
  rm -rf "$environment"
  mkdir -p "$cache"
  python3 -m venv "$environment" >&2
  if ! "$environment/bin/pip" install -q --disable-pip-version-check "${packages[@]}" >&2; then
    rm -rf "$environment"
    echo "No package index: the tests against PyPI packages are left out." >&2
    exit 0
  fi
  touch "$environment/complete"
fi
echo "$environment/bin/python"
