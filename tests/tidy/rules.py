"""The house rules. Each rule is a function from a Tree to the list of its violations, as "file:line: what".

canary.py plants a violation of each and sees that it is found; check.py runs them on the project.
"""

import concurrent.futures
import functools
import json
import pathlib
import re
import shutil
import subprocess

from functions import blank, functions

LONG_FUNCTION = 70  # lines; from here on a function needs a line with a reason in long_functions.txt
LONG_FILE = 600  # lines
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?P<open>["<])(?P<name>[^">]+)[">]', re.M)
CODE = (".h", ".cpp")


class Tree:
    """The files that the rules look at, read once."""

    def __init__(self, top, build, scratch=None, quick=False):
        self.quick = quick  # the private headers stand alone or not another time
        self.top = pathlib.Path(top)
        self.build = pathlib.Path(build)
        self.scratch = pathlib.Path(scratch or build) / "tidy"  # where a rule may write
        self.data = json.loads((self.top / "tests/tidy/levels.json").read_text())
        self.levels = self.data["levels"]

    @functools.cache
    def files(self, *folders):
        found = []
        for folder in folders:
            found += [p for p in (self.top / folder).rglob("*") if p.suffix in CODE and p.parent.name != "pch"]
        return sorted(found)

    @functools.cache
    def text(self, path):
        return path.read_text(encoding="utf-8", errors="replace")

    def code(self):
        return self.files("src", "include", "tools", "tests", "bench")

    def name(self, path):
        return str(path.relative_to(self.top))

    def place(self, path):
        """Whose file this is: a room, 'main', or the top-level folder (tools, tests, bench)."""
        parts = path.relative_to(self.top).parts
        if parts[0] == "src":
            return parts[1] if len(parts) > 2 else "main"
        if parts[:2] == ("include", "ringpost"):
            return "base" if parts[2] == "base" else path.stem
        return parts[0]

    def own_header(self, path, name):
        """Whether "name" is a private header that `path` may include: of its own room, or of its own top folder."""
        own = path.parent if self.place(path) in self.levels else self.top / self.name(path).split("/")[0]
        if path.name.startswith("tools_") and path.parent == self.top / "tests/unit":
            own = self.top / "tools"  # the tools' parts have no face: their unit tests see them as they are
        if self.place(path) == "tests" and name.startswith("tools/dnsd/"):
            own = self.top / "tools"  # the name server of tests, of the simulator too, is ringpost-dnsd's
        found = next((base / name for base in (path.parent, self.top / "src", self.top) if (base / name).exists()), None)
        return found is not None and found.resolve().is_relative_to(own.resolve())

    def includes(self, path):
        text = self.text(path)
        for found in INCLUDE.finditer(text):
            yield text.count("\n", 0, found.start()) + 1, found["open"] == '"', found["name"]


def room_of_face(name):
    parts = pathlib.PurePosixPath(name).parts
    if len(parts) < 2 or parts[0] != "ringpost":
        return None
    return "base" if parts[1] == "base" else pathlib.PurePosixPath(parts[1]).stem


def include_levels(tree):
    """A room includes faces of lower levels, its own face and its own private headers; others include faces only."""
    wrong = []
    for path in tree.code():
        place = tree.place(path)
        if place not in tree.levels and place not in ("tools", "tests", "bench"):
            wrong.append(f"{tree.name(path)}:1: no level for '{place}' in tests/tidy/levels.json")
            continue
        for line, quoted, name in tree.includes(path):
            if not quoted or name == "ringpost_options.h":
                continue
            where = f"{tree.name(path)}:{line}"
            room = room_of_face(name)
            if room is None:
                if not tree.own_header(path, name):
                    wrong.append(f'{where}: "{name}" is neither a face nor a header of this folder')
            elif room not in tree.levels:
                wrong.append(f"{where}: no level for '{room}' in tests/tidy/levels.json")
            elif place in tree.levels and room != place and tree.levels[room] >= tree.levels[place]:
                wrong.append(f"{where}: {place} (level {tree.levels[place]}) includes {room} (level {tree.levels[room]})")
    return wrong


def library_owners(tree):
    """A wrapped library is known to its room alone."""
    wrong = []
    for path in tree.code():
        place = tree.place(path)
        for line, _, name in tree.includes(path):
            for start, allowed in tree.data["libraries"].items():
                if name.startswith(start) and place not in allowed:
                    wrong.append(f"{tree.name(path)}:{line}: <{name}> is for {', '.join(allowed)} only")
    return wrong


def function_length(tree):
    """No function reaches 70 lines, but for those listed with a reason, which may only shrink."""
    listed = {}
    for line in (tree.top / "tests/tidy/long_functions.txt").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            path, name, lines, _ = line.split(None, 3)
            listed[path, name] = int(lines)
    wrong, seen = [], set()
    for path in tree.files("src", "include", "tools"):
        for name, first, last in functions(tree.text(path)):
            key, length = (tree.name(path), name), last - first + 1
            if length < LONG_FUNCTION:
                continue
            seen.add(key)
            if key not in listed:
                wrong.append(f"{key[0]}:{first}: {name} has {length} lines")
            elif length > listed[key]:
                wrong.append(f"{key[0]}:{first}: {name} grew from {listed[key]} to {length} lines")
            elif length < listed[key]:
                wrong.append(f"{key[0]}:{first}: {name} shrank to {length} lines: lower its line in long_functions.txt")
    wrong += [f"{path}:1: {name} is short or gone: take it out of long_functions.txt"
              for path, name in listed if (path, name) not in seen]
    return wrong


def file_length(tree):
    """No file passes 600 lines: past that a room is hiding in a room."""
    return [f"{tree.name(path)}:{lines}: {lines} lines" for path in tree.code()
            if (lines := tree.text(path).count("\n")) > LONG_FILE]


def _proved_headers(tree):
    """Headers that some .cpp includes first: that it compiles proves that they stand alone."""
    proved = set()
    for path in tree.files("src", "tools"):
        first = next((name for _, quoted, name in tree.includes(path) if quoted), None)
        opening = next(iter(tree.includes(path)), (0, False, None))
        if path.suffix != ".cpp" or first is None or opening[2] != first:
            continue
        for base in (path.parent, tree.top / "include", tree.top / "src"):
            if (base / first).exists():
                proved.add((base / first).resolve())
    return proved


def headers_alone(tree):
    """Each header compiles by itself, included twice."""
    proved = _proved_headers(tree)
    where = tree.files("include") if tree.quick else tree.code()
    headers = [p for p in where if p.suffix == ".h" and p.resolve() not in proved]

    compiler = (["ccache"] if shutil.which("ccache") else []) + ["g++"]
    scratch = tree.scratch
    scratch.mkdir(parents=True, exist_ok=True)

    def compile_alone(path):
        name = tree.name(path)
        source = scratch / (name.replace("/", "-") + ".cpp")
        source.write_text(f'#include "{path}"\n#include "{path}"\n')
        flags = ["-std=c++23", "-O0", "-Wall", "-Wextra", "-I", str(tree.top / "include"), "-I", str(tree.build), "-I",
                 str(tree.top / "src"), "-I", str(tree.top)]
        if tree.place(path) == "tests":
            flags.append("-DRINGPOST_WITH_DOCTEST")
        done = subprocess.run([*compiler, *flags, "-c", str(source), "-o", str(source.with_suffix(".o"))],
                              capture_output=True, text=True, timeout=240)
        return [f"{name}:1: does not compile alone:\n{done.stderr[:600]}"] if done.returncode else []

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return [line for lines in pool.map(compile_alone, headers) for line in lines]


def sources_listed(tree):
    """Each source is built: a room's in its meson.build, the others in one of their top folder; each tool is listed."""
    wrong = []
    for path in tree.files("src", "tools", "bench", "tests"):
        if path.suffix != ".cpp":
            continue
        room = tree.place(path) in tree.levels and path.parent != tree.top / "src"
        where = [path.parent / "meson.build"] if room else sorted((tree.top / tree.name(path).split("/")[0]).rglob("meson.build"))
        where += [tree.top / "meson.build"] if path.parent == tree.top / "src" else []
        listed = re.compile(rf"['/]{re.escape(path.name)}'")
        if not any(meson.exists() and listed.search(meson.read_text()) for meson in where):
            wrong.append(f"{tree.name(path)}:1: not listed in a meson.build")
    for folder in sorted((tree.top / "tools").iterdir()):
        if (folder / "meson.build").exists() and f"'{folder.name}'" not in (tree.top / "tools/meson.build").read_text():
            wrong.append(f"tools/{folder.name}:1: not listed in tools/meson.build")
    return wrong


def test_names(tree):
    """A unit test file is named after its room (or the simulated world, or the tools) and what it tests."""
    wrong = []
    for path in tree.files("tests/unit"):
        helper = path.with_suffix(".h").exists()  # what several test files share
        if path.suffix == ".cpp" and path.name != "main.cpp" and not helper:
            found = re.fullmatch(r"([a-z]+)_[a-z0-9_]+_test\.cpp", path.name)
            if not found or found[1] not in (*tree.levels, "sim", "tools"):
                wrong.append(f"{tree.name(path)}:1: a unit test is <room>_<thing>_test.cpp")
    return wrong


WORDS = [  # (pattern, where, what to say); matched on code without comments and strings
    (re.compile(r"(?<!RINGPOST_)\bCHECK\("), "header", "CHECK is doctest's in a test: headers say RINGPOST_CHECK"),
    (re.compile(r"\bthrow\b"), "src", "no exceptions in src/"),
    (re.compile(r"\bco_(await|yield|return)\b"), "src", "no coroutines in src/"),
    (re.compile(r"\busing\s+namespace\s+std\s*;"), "all", "names are written out"),
    (re.compile(r"\busing\s+namespace\s+(?!std::\w+_literals\b)\w+"), "header", "a header opens no namespace for others"),
    (re.compile(r"\bstd::(format|print|println)\b"), "all", "g++ 12 has no std::format: fmt"),
    (re.compile(r"\bassert\s*\(|\bstd::abort\s*\("), "room", "a bug is a CHECK"),
    (re.compile(r"\t"), "all", "a tab"),
]
MARKERS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def house_words(tree):
    """What we do not write, each with its reason."""
    wrong = []
    for path in tree.code():
        place = tree.place(path)
        groups = {"all"} | ({"src"} if place in tree.levels else set()) | ({"header"} if path.suffix == ".h" else set())
        groups |= {"room"} if place in tree.levels and place not in ("base", "main") else set()
        code = blank(tree.text(path))
        for pattern, where, what in WORDS:
            if where not in groups or (where == "header" and place == "tests") or path.name == "check.h":
                continue
            for found in pattern.finditer(code):
                wrong.append(f"{tree.name(path)}:{code.count(chr(10), 0, found.start()) + 1}: {what}")
        if "src" in groups and place not in tree.data["may_catch"] and re.search(r"\bcatch\s*\(", code):
            wrong.append(f"{tree.name(path)}:1: a library that throws is caught at its wrapper, which is not here")
        for found in MARKERS.finditer(tree.text(path)):
            wrong.append(f"{tree.name(path)}:{tree.text(path).count(chr(10), 0, found.start()) + 1}: {found.group()}: do it")
    return wrong


def openings(tree):
    """A file opens with a comment that says what it is, or is the body of a header beside it that does; a header is
    included once."""
    wrong = []
    for path in tree.code():
        text = tree.text(path)
        says = path.with_suffix(".h") if path.suffix == ".cpp" and path.with_suffix(".h").exists() else path
        if not text.startswith("// ") and not tree.text(says).startswith("// "):
            wrong.append(f"{tree.name(path)}:1: opens with what it is, owns, and never does")
        if path.suffix == ".h" and "#pragma once" not in text:
            wrong.append(f"{tree.name(path)}:1: no #pragma once")
    return wrong


def layout(tree):
    """clang-format has nothing to say."""
    files = [str(path) for path in tree.code()]
    done = subprocess.run(["clang-format-19", "--dry-run", "--ferror-limit=20", "-Werror", *files], capture_output=True,
                          text=True, cwd=tree.top, timeout=240)
    if done.returncode == 0:
        return []
    found = [line for line in done.stderr.splitlines() if "clang-format-violations" in line]
    return [line.replace(str(tree.top) + "/", "") for line in found] or [f"clang-format-19: {done.stderr[:300]}"]


def papers(tree):
    """What every project is asked for is there, the two commands stand on the README's first screen, and the
    architecture page knows each room that has code."""
    wrong = [f"{name}:1: missing" for name in ("README.md", "CHANGELOG.md", "LICENSE", "docs/architecture.md",
                                               ".clang-format", ".clang-tidy", ".ci/run", "meson_options.txt")
             if not (tree.top / name).exists()]
    wrong += [f"{path.name}:1: not a folder of the design's top level" for path in sorted(tree.top.iterdir())
              if path.is_dir() and path.name not in tree.data["folders"] + [".git", "build"]]
    if wrong:
        return wrong
    screen = "\n".join((tree.top / "README.md").read_text().splitlines()[:40])
    wrong += [f"README.md:1: {command} is not on the first screen" for command in ("tools/quickstart", "tools/test")
              if command not in screen]
    page = (tree.top / "docs/architecture.md").read_text()
    for room in sorted(path.name for path in (tree.top / "src").iterdir() if path.is_dir() and any(path.glob("*.cpp"))):
        if not re.search(rf"\b{room}\b", page):
            wrong.append(f"docs/architecture.md:1: says nothing of the room {room}")
    return wrong


RULES = [include_levels, library_owners, function_length, file_length, headers_alone, sources_listed, test_names,
         house_words, openings, layout, papers]
