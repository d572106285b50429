#!/usr/bin/env python3
"""Turns the device header into C++ source: each body as one text, its own includes resolved.

Usage: embed_device_header.py SOURCE_ROOT OUTPUT. Run by the build.
"""
import pathlib
import re
import sys

DEVICE = "anybit/vm/backend/cuda/device/"
OWN_INCLUDE = re.compile(r'#include "(anybit/[^"]+)"')
CHUNK = 12000  # Characters a string literal; compilers bound them.


def resolved(root, path, seen):
    """The text of the header without comments, its own includes put in place, each once."""
    if path in seen:
        return ""
    seen.add(path)
    out = []
    for line in (root / path).read_text().splitlines():
        match = OWN_INCLUDE.match(line)
        if match:
            out.append(resolved(root, match.group(1), seen))
        elif line != "#pragma once" and not line.lstrip().startswith("//") and line.strip():
            out.append(line + "\n")
    return "".join(out)


def literal(name, text):
    assert ')~"' not in text
    chunks, current = [], ""
    for line in text.splitlines(keepends=True):
        if len(current) + len(line) > CHUNK:
            chunks.append(current)
            current = ""
        current += line
    chunks.append(current)
    body = "\n".join(f'R"~({chunk})~"' for chunk in chunks)
    return f"static constexpr std::string_view {name} =\n{body};\n\n"


def main():
    root, output = (pathlib.Path(argument) for argument in sys.argv[1:3])
    ptx = resolved(root, DEVICE + "device_ptx.h", set())
    emulated = resolved(root, DEVICE + "device_emulated.h", set())
    output.write_text(
        '#include "anybit/vm/backend/cuda/device_source.h"\n\nnamespace anybit::vm {\n\n'
        + literal("kPtx", "#pragma once\n" + ptx)
        + literal("kEmulated", "#pragma once\n" + emulated)
        + "std::string_view device_header_source() { return kPtx; }\n"
        "std::string_view emulated_header_source() { return kEmulated; }\n\n"
        "}  // namespace anybit::vm\n")


if __name__ == "__main__":
    main()
