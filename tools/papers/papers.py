#!/usr/bin/python3
"""What is written about the programs from what they say themselves: manual pages and shell completions, from --help and the
configuration's reference page. The build calls it; so none of them can fall behind.

  papers.py man TEMPLATE PROGRAM [REFERENCE]   scdoc: the template, with @OPTIONS@, @COMMANDS@ and @KEYS@ filled in
  papers.py bash|zsh|fish PROGRAM              the completion of its commands and options
"""

import dataclasses
import pathlib
import re
import subprocess
import sys

TEXT_COLUMN = 30  # of --help: where what is said of an option or a command begins
FILES = re.compile(r"^(FILE|DIR|PATH)$")
FILE_NAMES = ("--socket", "--ledger", "DIR", "files")  # whose values are paths, though --help calls them texts


@dataclasses.dataclass
class Item:
    names: list  # "-h", "--help"; of a positional or a command: its name
    value: str  # what it takes: "FILE", "TEXT"; empty: nothing
    text: str
    initial: str = ""

    @property
    def takes_file(self):
        return bool(FILES.match(self.value)) or any(name in FILE_NAMES for name in self.names)


@dataclasses.dataclass
class Program:
    name: str
    about: str = ""
    options: list = dataclasses.field(default_factory=list)
    positionals: list = dataclasses.field(default_factory=list)
    commands: list = dataclasses.field(default_factory=list)  # of (Item, Program)


def items_of(lines):
    """The (head, text) of a section of --help."""
    found = []
    for line in lines:
        head, text = line[:TEXT_COLUMN].strip(), line[TEXT_COLUMN:].strip()
        # A head so long that its text stands below it.
        if head and (not line[:TEXT_COLUMN].endswith(" ") or head.count("[") != head.count("]")):
            head, text = line.strip(), ""
        if head:
            found.append([head, text])
        elif found:
            found[-1][1] = (found[-1][1] + " " + text).strip()
    return found


def item(head, text):
    names, _, value = head.partition(" ")
    value = value.replace(" REQUIRED", "").removesuffix(" ...")
    value, _, initial = value.partition("=")
    return Item(names.split(","), value.split(":")[0].strip(), text, initial.strip("[]"))


def read(path, *command):
    """A program, or one command of it, as its --help describes it."""
    page = subprocess.run([path, *command, "--help"], capture_output=True, text=True, timeout=60, check=True).stdout
    program = Program(" ".join([pathlib.Path(path).name, *command]))
    about, section, sections = [], None, {}
    for line in page.splitlines():
        if re.match(r"^[A-Z][A-Za-z ]*:$", line):
            section = sections.setdefault(line[:-1], [])
        elif line.startswith("Usage:"):
            section = []
        elif section is None:
            about.append(line)
        elif line.strip():
            section.append(line)
    program.about = "\n".join(about).strip()
    program.positionals = [item(*each) for each in items_of(sections.get("Positionals", []))]
    program.options = [item(*each) for each in items_of(sections.get("Options", []))]
    for head, text in items_of(sections.get("Subcommands", [])):
        program.commands.append((Item([head], "", text), read(path, *command, head)))
    return program


# ---- manual pages

def escaped(text):
    return re.sub(r"([\\_*`~<>#|\[\]])", r"\\\1", text)


def entry(each):
    head = ", ".join("*%s*" % escaped(name) for name in each.names)
    if each.value:
        head += " _%s_" % escaped(each.value)
    text = escaped(each.text or " ")
    if each.initial:
        text += " (default: %s)" % escaped(each.initial)
    return "%s\n\t%s\n\n" % (head, text)


def options_page(program):
    return "".join(entry(each) for each in program.positionals + program.options)


def commands_page(program):
    page = ""
    for each, command in program.commands:
        page += "## %s\n\n%s.\n\n" % (each.names[0], escaped(each.text[:1].upper() + each.text[1:]))
        page += "".join(entry(part) for part in command.positionals + command.options if "--help" not in part.names)
    return page


def keys_page(reference):
    """docs/configuration.md as scdoc: its headings, its keys as a list."""
    page, paragraph, in_key = "", [], False

    def flush():
        nonlocal page
        if paragraph:
            page += ("\t" if in_key else "") + marked(" ".join(paragraph)) + "\n\n"
            paragraph.clear()

    for line in reference.splitlines():
        key = re.match(r"^\*\*`(.+)`\*\* — (.*?)\s*$", line)
        if line.startswith(("# ", "<!--")):
            continue
        if line.startswith("## "):
            flush()
            in_key = False
            page += "# %s\n\n" % line[3:].replace("`", "").upper()  # scdoc takes a heading as it is
        elif key:
            flush()
            in_key = True
            page += "*%s*: %s\n" % (escaped(key[1]), marked(key[2]))
        elif line.startswith("- ") or not line.strip():
            flush()
            if line.strip():
                paragraph.append("- " + line[2:])
        else:
            paragraph.append(line.strip())
    flush()
    return page


def marked(text):
    """Markdown's `code`, **bold** and *emphasis* as scdoc has them; a list's hyphen stays."""
    bullet, text = ("- ", text[2:]) if text.startswith("- ") else ("", text)
    parts = re.split(r"`([^`]*)`|\*\*([^*]*)\*\*|\*([^*]*)\*", text)
    out = bullet
    for number, part in enumerate(parts):
        if not part:
            continue
        kind = number % 4
        out += escaped(part) if kind == 0 else ("_%s_" if kind == 3 else "*%s*") % escaped(part.strip())
    return out


def man(template, path, reference=None):
    program = read(path)
    page = pathlib.Path(template).read_text()
    for mark, fill in (("@OPTIONS@", lambda: options_page(program)), ("@COMMANDS@", lambda: commands_page(program)),
                       ("@KEYS@", lambda: keys_page(pathlib.Path(reference).read_text()))):
        if mark in page:
            page = page.replace(mark, fill().strip())
    return page


# ---- completions

def shell_quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"


def long_or_short(each):
    return [name for name in each.names if name.startswith("-")]


def bash(program):
    def words(of, more=()):
        every = [name for each in of.options for name in long_or_short(each)] + [each.names[0] for each, _ in of.commands]
        return " ".join(dict.fromkeys([*every, *more]))

    def values(test):
        every = [each for of in [program] + [command for _, command in program.commands] for each in of.options]
        return "|".join(sorted({name for each in every if each.value and test(each) for name in long_or_short(each)}))

    name = program.name
    lines = ["# bash completion of %s, from what its --help says." % name, "_%s() {" % name.replace("-", "_"),
             "  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command='' word words",
             "  COMPREPLY=()", "  case $before in"]
    for pattern, action in ((values(lambda each: each.takes_file), "mapfile -t COMPREPLY < <(compgen -f -- \"$current\"); return"),
                            (values(lambda each: not each.takes_file), "return")):
        if pattern:
            lines.append("    %s) %s ;;" % (pattern, action))
    lines.append("  esac")
    if program.commands:
        lines += ["  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do",
                  "    case $word in %s) command=$word; break ;; esac" % "|".join(each.names[0] for each, _ in program.commands),
                  "  done"]
    lines.append("  case $command in")
    top = [name for each in program.options for name in long_or_short(each) if name not in ("-h", "--help", "--version")]
    for each, command in program.commands:
        lines.append("    %s) words=%s ;;" % (each.names[0], shell_quoted(words(command, top))))
    lines += ["    *) words=%s ;;" % shell_quoted(words(program)), "  esac",
              "  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")"]
    if any(each.takes_file for each in program.positionals):
        lines.append("  [[ $current == -* ]] || mapfile -t COMPREPLY < <(compgen -f -- \"$current\")")
    lines += ["}", "complete -o filenames -F _%s %s" % (name.replace("-", "_"), name), ""]
    return "\n".join(lines)


def zsh(program):
    def specification(each):
        text = re.sub(r"([\[\]:\\])", r"\\\1", each.text)
        value = ":%s:%s" % (each.value.lower() or "value", "_files" if each.takes_file else " ") if each.value else ""
        return [shell_quoted("%s[%s]%s" % (name, text, value)) for name in long_or_short(each)]

    def arguments(of):
        every = [part for each in of.options for part in specification(each)]
        return every + [shell_quoted("*:%s:%s" % (each.names[0], "_files" if each.takes_file else " "))
                        for each in of.positionals[-1:]]

    name = program.name
    lines = ["#compdef %s" % name, "# zsh completion of %s, from what its --help says." % name,
             "local context state state_descr line", "typeset -A opt_args"]
    if not program.commands:
        return "\n".join(lines + ["_arguments %s" % " ".join(arguments(program)), ""])
    lines.append("_arguments -C %s ':command:->command' '*::argument:->argument'" % " ".join(arguments(program)))
    lines += ["case $state in", "command)"]
    described = [shell_quoted(each.names[0] + ":" + each.text) for each, _ in program.commands]
    lines += ["  local -a commands=(%s)" % " ".join(described), "  _describe command commands ;;", "argument)", "  case $line[1] in"]
    for each, command in program.commands:
        lines.append("  %s) _arguments %s ;;" % (each.names[0], " ".join(arguments(command))))
    return "\n".join(lines + ["  esac ;;", "esac", ""])


def fish(program):
    def option(each, condition):
        line = "complete -c %s" % program.name + (" -n %s" % shell_quoted(condition) if condition else "")
        for name in long_or_short(each):
            line += " -l " + name[2:] if name.startswith("--") else " -s " + name[1:]
        return line + ((" -r" if each.takes_file else " -x") if each.value else "") + " -d " + shell_quoted(each.text)

    lines = ["# fish completion of %s, from what its --help says." % program.name]
    if program.commands:
        lines.append("complete -c %s -f" % program.name)
    lines += [option(each, "") for each in program.options]
    for each, command in program.commands:
        lines.append("complete -c %s -n __fish_use_subcommand -a %s -d %s" % (program.name, each.names[0], shell_quoted(each.text)))
        condition = "__fish_seen_subcommand_from " + each.names[0]
        lines += [option(part, condition) for part in command.options if "--help" not in part.names]
    return "\n".join(lines + [""])


def main():
    kind, *rest = sys.argv[1:]
    print(man(*rest) if kind == "man" else {"bash": bash, "zsh": zsh, "fish": fish}[kind](read(*rest)), end="")


if __name__ == "__main__":
    main()
