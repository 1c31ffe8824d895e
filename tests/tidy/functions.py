"""Where functions begin and end in our C++, well enough to measure them: no parser, a scanner of braces.

blank() empties comments, strings and preprocessor lines; functions() walks the braces and names each function body it
meets at namespace or class level. Lambdas and blocks inside a function belong to it.
"""

import re

_TOKEN = re.compile(
    r"//[^\n]*|/\*.*?\*/|R\"(?P<tag>[^(\s]*)\(.*?\)(?P=tag)\"|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])+'"
    r"|^[ \t]*#(?:\\\n|[^\n])*", re.S | re.M)
_DIGIT_SEPARATOR = re.compile(r"(?<=[0-9a-fA-F])'(?=[0-9a-fA-F])")
_TYPE = re.compile(r"\b(class|struct|union|enum)\b")
_NAMESPACE = re.compile(r"\bnamespace\b|\bextern\s*$")
_NAME = re.compile(r"((?:\w+::)*~?\w+|(?:\w+::)*operator\s*\S+?)\s*\($")


def blank(text):
    """The same text, line for line, without what only looks like code."""
    text = _DIGIT_SEPARATOR.sub("_", text)
    return _TOKEN.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), text)


def _without_template(head):
    while True:
        found = re.match(r"\s*template\s*<", head)
        if not found:
            return head
        depth, at = 1, found.end()
        while at < len(head) and depth:
            depth += {"<": 1, ">": -1}.get(head[at], 0)
            at += 1
        head = head[at:]


def _kind(head, outer):
    head = _without_template(head)
    if _NAMESPACE.search(head) and "(" not in head:
        return "namespace"
    if _TYPE.search(head) and "(" not in re.sub(r"(alignas|__attribute__|final)\s*\([^)]*\)+", "", head):
        return "type"
    if "(" in head and outer in ("namespace", "type"):
        return "function"
    return "block"


def _name(head):
    head = _without_template(head)
    at = head.find("(")
    found = _NAME.search(head[:at + 1])
    return found.group(1) if found else head.strip().split("\n")[0][:40]


def functions(text):
    """Yields (name, first line, last line) of each function body, lines counted from 1."""
    code = blank(text)
    stack = ["namespace"]
    open_functions = []  # (depth, name, first line)
    head_start = 0
    pending = ""  # a constructor's initialisers in braces: the head goes on behind them
    for found in re.finditer(r"[{};]", code):
        at, sign = found.start(), found.group()
        head = pending + code[head_start:at]
        if sign == "{":
            kind = _kind(head, stack[-1])
            if kind == "function" and re.search(r"\)\s*(noexcept\s*)?:\s*[^:].*\w$|,\s*\w+$", head.rstrip(), re.S):
                kind = "initialiser"
            stack.append(kind)
            if kind == "function":
                lead = len(head) - len(head.lstrip())
                first = code.count("\n", 0, max(0, at - len(head) + lead)) + 1
                open_functions.append((len(stack), _name(head), first))
                pending = ""
            elif kind == "initialiser":
                pending = head + "{}"
        elif sign == "}":
            if open_functions and open_functions[-1][0] == len(stack):
                _, name, first = open_functions.pop()
                yield name, first, code.count("\n", 0, at) + 1
            kind = stack.pop() if len(stack) > 1 else "namespace"
            if kind != "initialiser":
                pending = ""
        else:
            pending = ""
        head_start = at + 1
