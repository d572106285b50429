"""Conversations and random templates for chat_template_oracle.py."""
import itertools
import random

WEATHER = {"type": "function", "function": {
    "name": "get_weather", "description": "Get the weather in \"a\" city: é, 日本, <b>&'",
    "parameters": {"type": "object", "properties": {
        "city": {"type": "string", "description": "City"},
        "days": {"type": "integer", "minimum": 1, "default": 1.5, "nullable": None}},
        "required": ["city"], "additionalProperties": False}, "return": {"type": "string"}}}
ADD = {"type": "function", "function": {"name": "add", "description": "", "parameters": {}}}
CALL = {"id": "abcdef123", "type": "function", "function": {
    "name": "get_weather",
    "arguments": {"city": "Zürich", "days": 2, "list": [1, 2.0, None, True]}}}
SECOND_CALL = {"id": "abcdef124", "type": "function",
               "function": {"name": "add", "arguments": {"a": 1e16, "b": -0.0001}}}


def message(role, content, **rest):
    return {"role": role, "content": content, **rest}


def message_lists():
    """Conversations of every shape, also some that templates refuse."""
    user, system = message("user", "Hello"), message("system", "Be brief.")
    answer = message("assistant", "  Hi there!\n ")
    thought = message("assistant", "<think>\nLet me see.\n</think>\n\nIt is 4.")
    call = message("assistant", "", tool_calls=[CALL])
    return [
        [user], [system, user], [user, answer, message("user", "More? ")],
        [system, user, answer, message("user", "日本語 ünïcödé 👍🏽 \u00a0\t")],
        [message("user", "")], [message("system", ""), message("user", " \n ")],
        [user, answer, user, answer], [answer, user], [user, user], [system], [],
        [message("user", "<|im_end|> {{ 7 * 7 }} {% if %} \\n 'quoted' \"double\"")],
        [user, thought, message("user", "Sure?")], [system, user, thought],
        [user, message("assistant", "x", reasoning_content="\nBecause.\n")],
        [user, call, message("tool", "12 °C", tool_call_id="abcdef123"), answer],
        [user, call, message("tool", {"content": "12"}, tool_call_id="abcdef123", name="w")],
        [user, message("assistant", "Both.", tool_calls=[CALL, SECOND_CALL]),
         message("tool", "1", tool_call_id="abcdef123"),
         message("tool", "2", tool_call_id="abcdef124"), message("assistant", "Done.")],
        [message("user", [{"type": "text", "text": " What is it? "}, {"type": "image"}])],
        [message("system", [{"type": "text", "text": "Rules"}]), user],
        [user, message("assistant", None)], [message("unknown", "?")],
        [message("user", "line 1\r\nline 2\r")], [{"role": "user"}],
    ]


def conversations():
    """Variables for whole templates: every list with and without tools, prompt, and options."""
    options = [{}, {"tools": None}, {"tools": [WEATHER]}, {"tools": [WEATHER, ADD]},
               {"enable_thinking": False, "tools": None},
               {"builtin_tools": ["brave_search", "code_interpreter"], "date_string": "1 Jan 2025",
                "tools_in_user_message": False, "tools": [ADD]}]
    for messages, prompt, more in itertools.product(message_lists(), [True, False], options):
        yield {"messages": messages, "add_generation_prompt": prompt, "bos_token": "<s>",
               "eos_token": "</s>", "documents": None, **more}


def random_variables():
    return {"messages": [message("user", "Hello World"), message("assistant", " hi "),
                         message("user", "üñí ß çà\n x")],
            "names": ["b", "a", "C", "a"], "numbers": [3, -1, 2.5, 0, 10],
            "person": {"name": "Ada", "age": 36, "items": [1, 2], "nested": {"x": None}},
            "text": "The quick  brown fox\njumps", "empty": "", "zero": 0, "half": 0.5,
            "big": 1e17, "yes": True, "no": False, "nothing": None, "rows": [
                {"k": "x", "v": 2}, {"k": "Y", "v": 1}, {"k": "x", "v": 3}]}


NAMES = ["names", "numbers", "person", "text", "empty", "zero", "half", "yes", "no", "nothing",
         "messages", "rows", "missing", "i", "ns", "big"]
FILTERS = ["trim", "length", "upper", "lower", "title", "capitalize", "list", "first", "last",
           "string", "int", "float", "abs", "tojson", "reverse|list", "sort", "unique|list",
           "join(', ')", "join('-', attribute='k')", "default('d')", "default('d', true)",
           "replace('a', 'bb')", "replace('l', '', 1)", "round", "round(1)", "round(1, 'floor')",
           "indent(2)", "indent(2, true)", "indent('>', blank=true)", "tojson(indent=2)",
           "items|list",
           "dictsort", "dictsort(by='value')", "map('upper')|list", "map(attribute='k')|list",
           "map(attribute='v')|sum", "selectattr('v', 'gt', 1)|list", "rejectattr('k')|list",
           "select('string')|list", "reject('odd')|list", "select|list", "min", "max", "sum",
           "sort(reverse=true)", "sort(attribute='v')", "count", "wordcount",
           "batch(2)|list", "batch(2, 0)|list", "slice(2)|list", "groupby('k')|list", "center(20)",
           "truncate(9)", "truncate(5, true, '')", "trim('x')", "d(5)", "attr('name')",
           "format(1)", "tojson(sort_keys=true)", "int(7)", "int(base=16)", "float(1.5)", "nope",
           "map(attribute='nested.x')|list", "unique(attribute='k')|list", "tojson(true)",
           "tojson(separators=(',', ':'))", "map('int', 4)|list", "select('in', [1, 3, 'a'])|list"]
TESTS = ["defined", "undefined", "none", "string", "mapping", "iterable", "sequence", "number",
         "boolean", "true", "false", "integer", "float", "odd", "even", "eq 3", "equalto('a')",
         "ne(2)", "in [1, 'a', 3]", "divisibleby 3", "lt 3", "ge(0)", "lower", "upper", "callable",
         "sameas none", "filter", "in names", "in person", "> 1"]
METHODS = ["strip()", "upper()", "lower()", "split()", "split(' ')", "split('l', 1)", "title()",
           "rsplit('o', 1)", "rsplit(None, 1)", "split(None, 1)", "startswith('H')", "strip('Hd')",
           "endswith(('d', 'x'))", "replace('o', '0')", "replace('', '.')", "capitalize()",
           "items()|list", "keys()|list", "values()|list", "get('name')", "get('zz', 5)", "name",
           "find('o')", "rfind('o')", "count('o')", "index('o')", "join(['1', '2'])", "isdigit()",
           "isalpha()", "isupper()", "islower()", "isspace()", "zfill(9)", "ljust(9, '.')",
           "rjust(9)", "center(9)", "partition('l')", "rpartition('l')", "splitlines()",
           "splitlines(true)", "removeprefix('H')", "removesuffix('d')", "lstrip()", "rstrip()",
           "append(1)", "nested.x", "age", "swapcase()", "casefold()", "format(1, 2)", "copy()",
           "startswith('e', 1)", "find('l', 4)", "endswith('o', 0, 5)", "items", "foo", "0",
           "pop()"]
LITERALS = ["1", "-2", "0", "3.5", "1e3", "1_000", "'a'", '"it\'s"', "'\\n\\tü\\x41\\u00e9'", "''",
            "true", "False", "none", "[1, 'a', none]", "[]", "{}", "{'a': 1, 2: 'b'}", "(1, 2)",
            "(1,)", "()", "'%s and %d' % ('x', 4)", "'{} {}'.format(1, 'b')", "range(4)|list",
            "range(1, 9, 3)|list", "range(5, 0, -2)|list", "dict(a=1)", "'Straße'",
            "0x1F", "2 ** 9"]
SLICES = ["[0]", "[-1]", "[1:]", "[:-1]", "[::-1]", "[::2]", "['name']", "['role']", "[0:2]",
          "[-2:]", "[5]", "[3:1:-1]", "['items']", "[1:100]", "[none:1]"]
BINARY = ["+", "-", "*", "/", "//", "%", "~", "==", "!=", "<", "<=", ">", ">=", "in",
          "not in", "and", "or"]


def random_expression(draw, depth):
    if depth <= 0 or draw.random() < 0.15:
        return draw.choice(NAMES) if draw.random() < 0.6 else draw.choice(LITERALS)
    inner = lambda: random_expression(draw, depth - 1)
    kind = draw.randrange(12)
    if kind < 3:
        return (f"{inner()}" if kind else f"({inner()})") + f"|{draw.choice(FILTERS)}"
    if kind < 5:
        return f"({inner()} {draw.choice(BINARY)} {inner()})"
    if kind == 5:
        return f"{inner()} {draw.choice(BINARY)} {inner()} {draw.choice(BINARY)} {inner()}"
    if kind == 6:
        return f"({inner()}) is {draw.choice(['', 'not '])}{draw.choice(TESTS)}"
    if kind == 7:
        return f"({inner()}).{draw.choice(METHODS)}"
    if kind == 8:
        # A name, as jinja2 folds constants by other rules than it evaluates by ("(1)[1:]").
        return f"(missing or ({inner()})){draw.choice(SLICES)}"
    if kind == 9:
        return f"({inner()} if {inner()} else {inner()})"
    if kind == 10:
        return f"{draw.choice(['not ', '-', '+'])}({inner()})"
    return f"[{inner()}, {inner()}]"


def random_statement(draw, depth):
    expression = lambda: random_expression(draw, 2)
    if depth <= 0 or draw.random() < 0.3:
        dash = draw.choice(["", "", "-"])
        return "{{" + dash + " " + expression() + " " + draw.choice(["", "-"]) + "}}"
    body = lambda: random_body(draw, depth - 1)
    left, right = draw.choice(["{%", "{%-", "{%+"]), draw.choice(["%}", "-%}", "+%}", "%}"])
    tag = lambda text: f"{left} {text} {right}"
    kind = draw.randrange(11)
    if kind == 0:
        return tag(f"if {expression()}") + body() + tag(f"elif {expression()}") + body() + \
            tag("else") + body() + tag("endif")
    if kind in (1, 2):
        head = draw.choice(["for i in names", "for i in numbers if i", "for i in rows",
                            "for k, i in person.items()", "for i in messages", "for i in missing",
                            "for i in text", "for k, i in person|dictsort", "for i in person",
                            f"for i in {random_expression(draw, 1)}"])
        stop = draw.choice(["", tag("if loop.index > 2") + tag("break") + tag("endif"),
                            tag("if loop.first") + tag("continue") + tag("endif")])
        loop = draw.choice(["{{ loop.index }}", "{{ loop.last }}{{ loop.revindex }}", "{{ i }}",
                            "{{ loop.previtem }}{{ loop.nextitem }}", "{{ loop.cycle('x', 'y') }}",
                            "{{ loop.length }}{{ loop.depth0 }}", "{% set text = i %}"])
        return tag(head) + stop + loop + body() + tag("else") + "none" + tag("endfor")
    if kind == 3:
        return tag(f"set i = {expression()}") + "{{ i }}"
    if kind == 4:
        return tag("set i" + draw.choice(["", " | upper", " | trim | title"])) + body() + \
            tag("endset") + "<{{ i }}>"
    if kind == 5:
        return tag("set ns = namespace(n=0, s='')") + tag("for q in numbers") + \
            tag(f"set ns.n = ns.n + {draw.choice(['q', '1', 'loop.index'])}") + tag("endfor") + \
            "{{ ns.n }}{{ ns.zz }}"
    if kind == 6:
        return tag("macro m(a, b='B', c=a)") + body() + "{{ a }}{{ b }}{{ c }}" + \
            tag("endmacro") + "{{ m(1) }}{{ m(" + random_expression(draw, 1) + ", b=2) }}" + \
            draw.choice(["", "{{ m(1, 2, 3, 4) }}", "{{ m(z=1) }}", "{{ m() }}"])
    if kind == 7:
        return tag("macro w(a)") + "({{ caller(a) }})" + tag("endmacro") + tag("call(v) w(7)") + \
            "{{ v }}" + body() + tag("endcall")
    if kind == 8:
        head = draw.choice(["filter upper", "filter trim|lower", "generation"])
        return tag(head) + body() + tag("end" + head.split()[0])
    if kind == 9:
        return tag(f"with i = {expression()}, q = 2") + "{{ i }}{{ q }}" + body() + tag("endwith")
    return draw.choice(["{# a comment #}", "{#- trimmed -#}", "{% raw %}{{ x }} {% endraw %}",
                        "{%- raw -%} {% if %} {%- endraw -%}\n", "{# multi\nline #}\n"])


def random_body(draw, depth):
    gaps = ["", " ", "\n", "  \n  ", "\n\n", "text", "a\n  ", "\t", " ü "]
    parts = []
    for _ in range(draw.randrange(1, 3)):
        parts += [draw.choice(gaps), random_statement(draw, depth), draw.choice(gaps)]
    return "".join(parts)


def random_template(seed, index):
    """Template `index` of the sequence `seed`; each one can be repeated alone."""
    draw = random.Random(seed * 1_000_003 + index)
    if index % 2 == 0:
        return "{{ " + random_expression(draw, 3) + " }}"
    return random_body(draw, 2)
