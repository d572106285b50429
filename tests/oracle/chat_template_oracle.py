#!/usr/bin/env python3
"""Compares our chat templates with Python's jinja2, configured as transformers configures it.

chat_template_oracle.py RENDERER TEMPLATE_FOLDER [--cases N] [--seed S] [--gguf FILE]...

RENDERER is the program chat_template_render. Every *.jinja file of TEMPLATE_FOLDER, and the
template inside every GGUF file, is rendered for many conversations; N random templates follow.
Where jinja2 fails, ours has to fail; otherwise the texts are equal byte for byte.
"""
import argparse
import datetime
import json
import pathlib
import subprocess
import sys

import jinja2
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from chat_template_cases import conversations, random_template, random_variables

UNIX_TIME = 1_700_000_000


class GenerationTag(jinja2.ext.Extension):
    """{% generation %}: a block whose variables stay inside."""
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        call = self.call_method("_render_body")
        return jinja2.nodes.CallBlock(call, [], [], body).set_lineno(line)

    def _render_body(self, caller):
        return caller()


def make_environment():
    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators,
                          sort_keys=sort_keys)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True,
                                                extensions=[GenerationTag, loopcontrols])
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = (
        lambda form: datetime.datetime.fromtimestamp(UNIX_TIME).strftime(form))
    return environment


def expected(environment, case, parsed):
    """Text and error of jinja2; `parsed` keeps the templates it has compiled."""
    try:
        if case["template"] not in parsed:
            parsed[case["template"]] = environment.from_string(case["template"])
        return parsed[case["template"]].render(**case["variables"]), None
    except Exception as error:  # Whatever Python raises, ours reports an error.
        return None, f"{type(error).__name__}: {error}"


def compare(renderer, cases):
    """Number of cases whose results differ; prints the first few."""
    lines = "".join(json.dumps(dict(case, unix_time=UNIX_TIME)) + "\n" for case in cases)
    replies = subprocess.run([renderer], input=lines, capture_output=True, text=True, check=True)
    environment, parsed = make_environment(), {}
    num_different = num_errors = 0
    for case, line in zip(cases, replies.stdout.splitlines(), strict=True):
        ours = json.loads(line)
        text, error = expected(environment, case, parsed)
        num_errors += error is not None
        if ours.get("text") == text:
            continue
        num_different += 1
        if num_different <= 10:
            print(f"--- {case['name']}\ntemplate:  {case['template']!r}\n"
                  f"jinja2:    {text!r} {error or ''}\nours:      {ours!r}\n")
    print(f"{len(cases)} cases, {num_errors} of them errors in jinja2, {num_different} differ")
    return num_different


def gguf_template(path):
    from gguf import GGUFReader
    return GGUFReader(path).fields["tokenizer.chat_template"].contents()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("renderer")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--cases", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--gguf", action="append", default=[])
    arguments = parser.parse_args()

    templates = {path.name: path.read_text() for path in sorted(arguments.folder.glob("*.jinja"))}
    templates.update({path: gguf_template(path) for path in arguments.gguf})
    if not templates:
        sys.exit(f"{arguments.folder}: expected *.jinja files, found none")
    cases = [{"name": f"{name}, conversation {index}", "template": text, "variables": variables}
             for name, text in templates.items()
             for index, variables in enumerate(conversations())]
    num_different = compare(arguments.renderer, cases)
    cases = [{"name": f"--seed {arguments.seed}, random template {index}",
              "template": random_template(arguments.seed, index),
              "variables": random_variables()} for index in range(arguments.cases)]
    num_different += compare(arguments.renderer, cases)
    sys.exit(num_different != 0)


if __name__ == "__main__":
    main()
