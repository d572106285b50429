#!/usr/bin/env python3
"""Fails if a file under anybit/ includes a layer that its own layer may not see."""
import pathlib
import re
import sys

# Layer -> the layers it may include, besides itself. Each names only layers listed above it.
LAYERS = {
    "base": [],
    "numeric": ["base"],
    "layout": ["base"],
    "tensor": ["base", "numeric", "layout"],
    "vm": ["base", "numeric", "layout", "tensor"],
    "kernel": ["base", "numeric", "layout", "tensor", "vm"],
    "quant": ["base", "numeric", "layout", "tensor", "kernel"],
    "model": ["base", "numeric", "layout", "tensor", "kernel"],
    "engine": ["base", "numeric", "tensor", "kernel", "model"],
    "recipe": ["base", "numeric", "tensor", "kernel", "quant", "model"],
    "train": ["base", "numeric", "tensor", "kernel", "quant", "model"],
    "eval": ["base", "numeric", "tensor", "kernel", "model", "engine"],
    "store": ["base", "numeric", "tensor", "kernel", "model"],
    "server": ["base", "numeric", "model", "engine"],
    "cli": ["base", "numeric", "layout", "tensor", "vm", "kernel", "quant", "model", "engine",
            "recipe", "train", "eval", "store", "server"],
}
INCLUDE = re.compile(r'\s*#\s*include\s+"anybit/(\w+)/(.*)"')


def violations(root):
    for path in sorted((root / "anybit").rglob("*")):
        parts = path.relative_to(root).parts
        if path.suffix not in {".h", ".cc", ".def", ".inc"} or len(parts) < 3:
            continue
        allowed = LAYERS.get(parts[1], []) + [parts[1]]
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            layer, rest = match.groups()
            if layer not in allowed:
                yield f"{path}:{number}: {parts[1]} may not include {layer}"
            elif layer != parts[1] and "internal/" in rest:
                yield f"{path}:{number}: {layer}/internal is private to {layer}"


def upward_rows():
    seen = []
    for layer, allowed in LAYERS.items():
        yield from (f"LAYERS: {layer} names {a}, which is not below it" for a in allowed
                    if a not in seen)
        seen.append(layer)


if __name__ == "__main__":
    found = list(upward_rows())
    found += violations(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "."))
    print("\n".join(found) if found else "check_layers: every include points down")
    sys.exit(bool(found))
