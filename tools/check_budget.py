#!/usr/bin/env python3
"""Fails if a source file is over 800 lines, a line over 100 columns, or a function over 80 lines.

Functions are found by indentation, which clang-format guarantees: a body opens with a line that
ends in "{" and closes with a "}" at the same indentation. Namespaces, types, tables, and the
case labels of a switch are not functions.
"""
import pathlib
import re
import sys

MAX_FILE_LINES, MAX_FUNCTION_LINES, MAX_COLUMNS = 800, 80, 100
SUFFIXES = {".h", ".cc", ".def", ".inc", ".py", ".sh"}
NOT_A_FUNCTION = re.compile(r"\b(namespace|class|struct|enum|union)\b|=\s*\{$|^extern|^\}|^#")
CONTROL = re.compile(r"^(if|for|while|switch|do|else|try|case|default)\b|^\} ")


def cc_functions(lines):
    """Yields (first line number, length) of every function body, outermost ones only."""
    number = 0
    while number < len(lines):
        line = lines[number]
        stripped = line.strip()
        opens = stripped.endswith("{") and ")" in "".join(lines[max(0, number - 6):number + 1])
        if opens and not NOT_A_FUNCTION.search(stripped) and not CONTROL.match(stripped):
            start = number
            while start > 0 and lines[start - 1].strip() and not re.search(
                    r"[;{}:]$|^\s*//|^\s*#", lines[start - 1].rstrip()):
                start -= 1
            indent = min(len(text) - len(text.lstrip()) for text in lines[start:number + 1])
            closing = re.compile(rf"^ {{{indent}}}\}}")
            end = number + 1
            while end < len(lines) and not closing.match(lines[end]):
                end += 1
            yield start + 1, end - start + 1
            number = end
        number += 1


def py_functions(lines):
    for number, line in enumerate(lines):
        match = re.match(r"( *)def ", line)
        if match:
            body = re.compile(rf"^ {{{len(match.group(1)) + 1},}}\S|^\s*$|^\s*\)")
            end = number + 1
            while end < len(lines) and body.match(lines[end]):
                end += 1
            yield number + 1, len("\n".join(lines[number:end]).rstrip().splitlines())


def violations(root):
    folders = ["anybit", "tests", "bench", "examples", "tools", "scripts", "python"]
    for path in sorted(p for f in folders for p in (root / f).rglob("*") if p.suffix in SUFFIXES):
        lines = path.read_text().splitlines()
        if len(lines) > MAX_FILE_LINES:
            yield f"{path}: {len(lines)} lines, at most {MAX_FILE_LINES}"
        for number, line in enumerate(lines, 1):
            if len(line) > MAX_COLUMNS:
                yield f"{path}:{number}: {len(line)} columns, at most {MAX_COLUMNS}"
        functions = {".cc": cc_functions, ".h": cc_functions, ".inc": cc_functions,
                     ".py": py_functions}.get(path.suffix)
        for number, length in functions(lines) if functions else ():
            if length > MAX_FUNCTION_LINES:
                yield f"{path}:{number}: function of {length} lines, at most {MAX_FUNCTION_LINES}"


if __name__ == "__main__":
    found = list(violations(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")))
    print("\n".join(found) if found else "check_budget: every file and function is within budget")
    sys.exit(bool(found))
