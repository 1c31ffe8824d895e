"""Plants a violation of each rule in a small tree and sees that the rule finds it, and that it is content without.

A checker that cannot fail checks nothing.
"""

import pathlib
import shutil
import tempfile

import rules

HERE = pathlib.Path(__file__).resolve().parent
HEADER = "// What this is.\n#pragma once\n\nnamespace ringpost {\n\nint answer();\n\n}  // namespace ringpost\n"
SOURCE = '// What this is.\n#include "ringpost/spool.h"\n\nnamespace ringpost {\n\nint answer() { return 42; }\n\n}  // namespace ringpost\n'
CLEAN = {
    "include/ringpost/spool.h": HEADER,
    "include/ringpost/queue.h": HEADER,
    "include/ringpost/ring.h": HEADER,
    "src/spool/spool.cpp": SOURCE,
    "src/spool/meson.build": "sources = files('spool.cpp')\n",
    "tests/unit/spool_log_test.cpp": "// What this is.\n",
    "tests/unit/meson.build": "'spool_log_test.cpp'\n",
    "tests/tidy/long_functions.txt": "",
    "tools/meson.build": "",
    "README.md": "tools/quickstart\ntools/test\n",
    "CHANGELOG.md": "", "LICENSE": "", ".clang-tidy": "", ".ci/run": "", "meson_options.txt": "",
    "docs/architecture.md": "the room spool\n",
}
LONG = "// What this is.\nnamespace ringpost {\nclass Log {\n  int at(int x) const {\n" + "    x += 1;\n" * 80 + \
    "    return x;\n  }\n};\n}  // namespace ringpost\n"

# rule → files that break it, each alone
PLANTED = {
    "include_levels": [
        {"src/spool/spool.cpp": SOURCE.replace("spool.h", "queue.h")},
        {"include/ringpost/ring.h": HEADER.replace("\n\n", '\n#include "ringpost/spool.h"\n\n', 1)},
        {"src/spool/spool.cpp": SOURCE.replace("ringpost/spool.h", "../queue/wheel.h"), "src/queue/wheel.h": HEADER},
        {"src/attic/attic.cpp": "// What this is.\n"},
    ],
    "library_owners": [{"src/spool/spool.cpp": SOURCE.replace("\n\n", "\n#include <liburing.h>\n\n", 1)}],
    "function_length": [
        {"src/spool/spool.cpp": LONG},
        {"src/spool/spool.cpp": LONG, "tests/tidy/long_functions.txt": "src/spool/spool.cpp at 82 grew\n"},
        {"src/spool/spool.cpp": LONG, "tests/tidy/long_functions.txt": "src/spool/spool.cpp at 90 shrank\n"},
        {"tests/tidy/long_functions.txt": "src/spool/spool.cpp gone 90 gone\n"},
    ],
    "file_length": [{"src/spool/spool.cpp": SOURCE + "// more\n" * 600}],
    "headers_alone": [{"include/ringpost/queue.h": HEADER.replace("int answer", "std::string answer")}],
    "sources_listed": [
        {"src/spool/index.cpp": SOURCE},
        {"tests/unit/spool_index_test.cpp": "// What this is.\n"},
        {"tools/sink/meson.build": ""},
    ],
    "test_names": [{"tests/unit/attic_log_test.cpp": "// What this is.\n"}],
    "house_words": [
        {"include/ringpost/spool.h": HEADER.replace("answer();", "answer() { CHECK(1 == 1); }")},
        {"src/spool/spool.cpp": SOURCE.replace("return 42", "throw 42")},
        {"src/spool/spool.cpp": SOURCE.replace("What this is", "TODO")},
        {"src/spool/spool.cpp": SOURCE.replace("return 42;", "try { return 42; } catch (...) { return 1; }")},
    ],
    "openings": [
        {"src/spool/spool.cpp": SOURCE.removeprefix("// What this is.\n")},
        {"include/ringpost/spool.h": HEADER.replace("#pragma once\n", "")},
    ],
    "layout": [{"src/spool/spool.cpp": SOURCE.replace("return 42", "return   42")}],
    "papers": [
        {"README.md": "Welcome.\n"},
        {"docs/architecture.md": "nothing of it\n"},
        {"attic/notes.txt": "a folder nobody designed\n"},
    ],
}


def _violations(rule, files, build):
    with tempfile.TemporaryDirectory(prefix="ringpost-canary-") as top:
        for name, text in {**CLEAN, **files}.items():
            path = pathlib.Path(top) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        shutil.copy(HERE / "levels.json", pathlib.Path(top) / "tests/tidy/levels.json")
        shutil.copy(HERE.parent.parent / ".clang-format", pathlib.Path(top) / ".clang-format")
        return rule(rules.Tree(top, build, scratch=top))


def _check(rule, build):
    wrong = [f"a clean tree is called wrong: {line}" for line in _violations(rule, {}, build)]
    for number, files in enumerate(PLANTED.get(rule.__name__, [])):
        if not _violations(rule, files, build):
            wrong.append(f"planted violation {number + 1} ({', '.join(files)}) was not found")
    return wrong if PLANTED.get(rule.__name__) else wrong + ["no violation is planted for this rule"]


def checks(build):
    return [(rule.__name__, lambda rule=rule: _check(rule, build)) for rule in rules.RULES]
