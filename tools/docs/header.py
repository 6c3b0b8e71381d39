#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads aimdb.h, whose comments are written for people, and gives it forms
that tools want:

    header.py doxygen HEADER                  the header with comments in Doxygen's form
    header.py man HEADER EXAMPLES DIRECTORY   a man page for each function, and aimdb(3)

What it relies on, and checks: a comment stands right before what it documents;
several declarations without a blank line between them share it; lines that
begin with a status (or "as aimdb_...") list what a function returns; sections
begin with a number and a rule of dashes.

EXAMPLES has hello.c, which aimdb(3) shows, and man/FUNCTION.c, which the page of
that function shows. The other pages name the pages whose examples call them.
"""

import os
import re
import sys
import textwrap
import time
from pathlib import Path

RETURNS = re.compile(r"   ?(AIMDB_[A-Z_]+(?:, AIMDB_[A-Z_]+)*|as aimdb_\w+)(.*)")


def body(comment):
    """The lines of a comment without its marks."""
    text = comment.strip()
    if not (text.startswith("/*") and text.endswith("*/")):
        sys.exit(f"no comment: {text[:60]}")
    lines = text[2:-2].rstrip().split("\n")
    return [re.sub(r"^ \* ?", "", line).rstrip() if i else line.strip() for i, line in enumerate(lines)]


def split(lines):
    """Text, and [(statuses, meaning)] of the list of returns at its end."""
    text, returns = [], []
    for line in lines:
        match = RETURNS.match(line)
        if match and line.startswith("  "):
            returns.append([match[1], match[2].strip()])
        elif returns and line.startswith("  "):
            returns[-1][1] = (returns[-1][1] + " " + line.strip()).strip()
        elif returns:
            sys.exit(f"text after the list of returns: {line}")
        else:
            text.append(line)
    # The short form, at the end of a sentence: "...  AIMDB_OK"
    if text and (match := re.search(r"  (AIMDB_[A-Z]+)$", text[-1])):
        text[-1] = text[-1][: match.start()]
        returns.append([match[1], ""])
    return text, returns


def paragraphs(lines):
    """Groups lines: ("text", [...]) or ("code", [...]) where they are indented."""
    groups = []
    for line in lines:
        if not line:
            groups.append(("end", []))
        elif line.startswith("  "):
            if groups and groups[-1][0] == "code":
                groups[-1][1].append(line)
            else:
                groups.append(("code", [line]))
        elif groups and groups[-1][0] == "text":
            groups[-1][1].append(line.strip())
        else:
            groups.append(("text", [line.strip()]))
    return [g for g in groups if g[0] != "end"]


TYPE = re.compile(
    r"(?P<comment>/\*(?:(?!\*/).)*\*/\n)?"
    r"(?P<code>typedef (?:(?:struct|enum) \w+ \{(?:(?!\n\}).)*\n\} (?P<name>\w+)|[^;{(]+\(\*(?P<function>\w+)\)[^;]*);\n)"
    r"(?P<macros>(?:#define(?:[^\n]*\\\n)*[^\n]*\n)*)",
    re.S,
)


def types(text):
    """{name: text} of structs, enumerations and callbacks, each with its comment
    and the macros that follow."""
    found = {m["name"] or m["function"]: m[0].strip() for m in TYPE.finditer(text)}
    declared = re.findall(r"^(?:typedef .*\(\*|\} )(aimdb_\w+)(?:;|\))", text, re.M)
    if declared != list(found):
        sys.exit(f"types that are not understood: {sorted(set(declared) - set(found))}")
    return found


def code(text):
    return re.sub(r"/\*.*?\*/", "", text, flags=re.S)


class Header:
    def __init__(self, path):
        self.text = Path(path).read_text()
        seconds = int(os.environ.get("SOURCE_DATE_EPOCH") or Path(path).stat().st_mtime)
        day = time.gmtime(seconds)
        self.date = time.strftime(f"%B {day.tm_mday}, %Y", day)
        self.version = re.search(r'#define AIMDB_VERSION "(.*)"', self.text)[1]
        self.overview = body(re.match(r"/\*.*?\*/", self.text, re.S)[0])
        self.types = types(self.text)
        self.constants = re.search(r"#define AIMDB_VERSION_MAJOR.*?(?=\n\n/\* 2  )", self.text, re.S)[0]
        self.functions = []  # (comment, declarations)
        for m in re.finditer(r"(/\*(?:(?!\*/).)*\*/)\n((?:AIMDB_API [^;]*;\n)+)", self.text, re.S):
            declarations = re.findall(r"AIMDB_API ([^;]*;)", m[2])
            self.functions.append((body(m[1]), [re.sub(r"\s+", " ", d) for d in declarations]))
        declared = re.findall(r"^AIMDB_API[^;]*?(aimdb_\w+)\(", self.text, re.M)
        found = [name(d) for _, ds in self.functions for d in ds]
        if declared != found:
            sys.exit(f"without a comment of its own: {sorted(set(declared) - set(found))}")

    def introduction(self):
        """The first comment of the header: what it is, and the rules of its section 1."""
        contents = self.overview.index("CONTENTS")
        rules = next(i for i, line in enumerate(self.overview) if line.startswith("1  "))
        return self.overview[2:contents], self.overview[rules + 1 :]


    def used(self, declarations):
        """The types that declarations are made of, and those that these are made of."""
        found, left = set(), [code(d) for d in declarations]
        while left:
            words = set(re.findall(r"\w+", left.pop())) & self.types.keys() - found - {"aimdb_status_t"}
            found |= words
            left += [code(self.types[word]) for word in words]
        return [t for t in self.types if t in found]


def name(declaration):
    return re.search(r"(aimdb_\w+)\(", declaration)[1]


# Doxygen ---------------------------------------------------------------------


def escape(text):
    return re.sub(r"([\\@<>&#%])", r"\\\1", text)


def doxygen_text(lines):
    out = []
    for kind, group in paragraphs(lines):
        if kind == "code":
            out += ["@verbatim", *group, "@endverbatim"]
        else:
            out += [re.sub(r"`([^`]*)`", r"<tt>\1</tt>", escape(line)) for line in group] + [""]
    return out


def doxygen_comment(lines):
    text, returns = split(lines)
    out = doxygen_text(text)
    for statuses, meaning in returns:
        for status in statuses.split(", "):
            if status.startswith("as "):
                out += ["", escape(f"Returns {status} {meaning}".replace(" ,", ",")) + ".", ""]
            else:
                out.append(f"@retval {status} {escape(meaning)}")
    return "/**\n" + "\n".join(" * " + line for line in out) + "\n */"


def doxygen_front(header):
    """The first page: what it is, a program, where what is, the rules."""
    introduction, rules = header.introduction()
    out = ["@mainpage", *doxygen_text(introduction)]
    out += ["<h2>A first program</h2>", "@include hello.c", "<h2>What there is</h2>", "<table>"]
    for number, title, _, declarations in SECTION.findall(header.text):
        functions = re.findall(r"^AIMDB_API[^;]*?(aimdb_\w+)\(", declarations, re.M)
        out.append(f"<tr><td>@ref section{number} \"{title.capitalize()}\"</td><td>{', '.join(f + '()' for f in functions)}</td></tr>")
    out += ["</table>", "", "For C++17: aimdb.hpp, and the namespace aimdb. Beside this reference:"]
    out += ['<a href="../man/aimdb.3.html">manual pages</a>, each with an example or a pointer to one;']
    out += ['<a href="../go/core.txt">the Go package core</a>; <a href="../python/aimdb.html">the Python package</a>.', ""]
    return [*out, "<h2>Rules for every call</h2>", "", *doxygen_text(rules)]


def comment(lines):
    return "/**\n" + "\n".join(lines) + "\n*/\n"


def doxygen_section(number, title, lines):
    """A group, which goes to the beginning of the next."""
    end = "/** @} */\n" if number > "2" or len(number) > 1 else ""
    return end + comment([f"@defgroup section{number} {title.capitalize()}", *doxygen_text(lines), "@{"])


def doxygen(header):
    text = header.text
    overview = re.match(r"/\*.*?\*/\n", text, re.S)[0]
    out = [comment(doxygen_front(header)), comment(["@file", "@brief AimDB for C: see the @ref index \"first page\"."])]
    at = len(overview)
    for m in re.finditer(r"/\*(?:(?!\*/).)*\*/", text, re.S):
        if m.start() < at:
            continue
        before, lines = text[at : m.start()], body(m[0])
        trailing = text.rfind("\n", 0, m.start()) + 1
        is_trailing = text[trailing : m.start()].strip() != ""
        section = re.match(r"(\d+)  (.*?) -{3,}$", lines[0])
        follows = text[m.end() : m.end() + 1] == "\n" and text[m.end() + 1 : m.end() + 2] not in ("\n", "")
        if section:
            made = doxygen_section(section[1], section[2], lines[1:])
        elif is_trailing and re.search(r"[;,}\d\"X]\s*$", text[trailing : m.start()]) or (
            is_trailing and "=" in text[trailing : m.start()]
        ):
            joined = " ".join(line.strip() for line in lines)
            made = "/**< " + re.sub(r"`([^`]*)`", r"<tt>\1</tt>", escape(joined)) + " */"
        elif follows and not is_trailing:
            made = doxygen_comment(lines)
        else:
            made = m[0]
        out += [before, made]
        at = m.end()
    made, closing = "".join([*out, text[at:]]).rsplit("\n#ifdef __cplusplus\n", 1)
    return made + "\n/** @} */\n#ifdef __cplusplus\n" + closing


# Man pages, in mdoc ----------------------------------------------------------

GENERAL = [
    ("AIMDB_ERR_ARGUMENT", "a pointer that must not be NULL is NULL, or a value is out of its range"),
    ("AIMDB_ERR_HANDLE", "a handle that is NULL, ended, made up, or of another type"),
    ("AIMDB_ERR_VERSION", "a struct whose struct_size this library can't serve"),
    ("AIMDB_ERR_FORKED", "called in a child of fork()"),
    ("AIMDB_ERR_INTERNAL", "a fault inside the library was caught; please report"),
]


def roff(text):
    """Text as mdoc takes it: no line begins with a control character."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in (".", "'") else text


def sentences(text):
    """One on a line of its own, as mdoc wants them."""
    split = re.split(r"(?<=[.!?)]) +(?=[A-Z*])", text.replace("`", ""))
    return [roff(line) for sentence in split for line in textwrap.wrap(sentence, 78)]


def man_text(lines):
    out = []
    for kind, group in paragraphs(lines):
        if kind == "code":
            indent = min(len(line) - len(line.lstrip()) for line in group)
            out += [".Bd -literal -offset indent", *(roff(line[indent:]) for line in group), ".Ed"]
        else:
            out += [".Pp", *sentences(" ".join(group))]
    return out[1:] if out[:1] == [".Pp"] else out


def summary(lines):
    first = re.split(r"(?<=[.:;])\s", " ".join(l.strip() for l in lines), maxsplit=1)[0]
    first = re.sub(r"`", "", first).rstrip(".:;")
    return first[0].lower() + first[1:]


GUIDE = (
    "Installed beside the library's other documentation: guide.md on shutdown, daemons, signals, "
    "real time, memory and limits; sanitizers.md on sanitizers, valgrind, debuggers and profilers."
)
LIBRARY = "AimDB (libaimdb, \\-laimdb)"


def head(title, header):
    return [
        '.\\" SPDX-License-Identifier: Apache-2.0',
        '.\\" Made from aimdb.h.',
        f".Dd {header.date}",
        f".Dt {title.upper()} 3",
        f".Os AimDB {header.version}",
        ".Sh NAME",
    ]


def literal(text):
    return [".Bd -literal", *(roff(line.rstrip()) for line in text.strip().split("\n")), ".Ed"]


class Examples:
    """Complete programs, by the name of the page that shows them."""

    def __init__(self, directory):
        files = [*sorted(directory.glob("man/*.c")), directory / "hello.c"]
        self.text = {f.stem.replace("hello", "aimdb"): re.sub(r"/\* SPDX.*\n", "", f.read_text()) for f in files}

    def section(self, names):
        if own := self.text.get(names[0]):
            return [".Sh EXAMPLES", *literal(own)]
        by = [page for page, text in self.text.items() if any(re.search(rf"\b{n}\(", text) for n in names)]
        if not by:  # which tests/docs/programs.py takes for a fault
            return []
        return [".Sh EXAMPLES", "Shown by", *cross_references(by)]


def cross_references(names):
    return [f".Xr {n} 3 ," for n in names[:-1]] + [f".Xr {names[-1]} 3"]


def prototype(declaration):
    match = re.match(r"(.*?[\s*])(aimdb_\w+)\((.*)\);", declaration)
    out = [f".Ft {match[1].strip()}", f".Fo {match[2]}"]
    for argument in match[3].split(", "):
        out.append(f'.Fa "{argument}"' if argument != "void" else ".Fa void")
    return [*out, ".Fc"]


def page(header, examples, lines, declarations):
    names = [name(d) for d in declarations]
    text, returns = split(lines)
    out = head(names[0], header)
    out += [f".Nm {n} ," for n in names[:-1]] + [f".Nm {names[-1]}", f".Nd {roff(summary(text))}"]
    out += [".Sh LIBRARY", LIBRARY, ".Sh SYNOPSIS", ".In aimdb.h"]
    for declaration in declarations:
        out += prototype(declaration)
    out += [".Sh DESCRIPTION", *man_text(text)]
    if used := header.used([*declarations, *lines]):
        out += [".Sh TYPES", "From aimdb.h:"]
        for t in used:
            out += literal(header.types[t])
    if declarations[0].startswith("aimdb_status_t"):
        out += [".Sh RETURN VALUES", ".Bl -tag -width AIMDB_ERR_ARGUMENT"]
        for statuses, meaning in returns:
            out += [f".It {roff(statuses)}", *sentences(meaning)]
        out += [".El", ".Pp", "Each function that takes a handle or a struct can return, besides:"]
        out += [".Bl -tag -width AIMDB_ERR_ARGUMENT"]
        listed = " ".join(s for s, _ in returns).split(", ")
        for status, meaning in GENERAL:
            if status not in listed:
                out += [f".It {status}", roff(meaning)]
        out += [".El", ".Pp", "A negative status means that the call did nothing;", ".Xr aimdb_last_error 3", "then says more."]
    out += examples.section(names)
    mentioned = set(re.findall(r"aimdb_\w+", " ".join(lines))) & header_names(header) - set(names)
    see = ["aimdb", *sorted(mentioned)]
    out += [".Sh SEE ALSO", *cross_references(see)]
    return "\n".join(out) + "\n"


def header_names(header):
    return {name(d) for _, ds in header.functions for d in ds}


SECTION = re.compile(r"/\* (\d+)  ([A-Z ]+?) -{3,}((?:(?!\*/).)*)\*/\n(.*?)(?=/\* \d+  [A-Z ]+? -{3,}|\Z)", re.S)


def overview(header, examples):
    """aimdb(3): what belongs to no single function."""
    out = head("aimdb", header)
    out += [".Nm aimdb", ".Nd in\\-process data plane for edge applications", ".Sh LIBRARY"]
    out += [LIBRARY, ".Sh SYNOPSIS", ".In aimdb.h", ".Sh DESCRIPTION"]
    introduction, rules = header.introduction()
    out += man_text(introduction[1:])
    out += [".Sh RULES FOR EVERY CALL", *man_text(rules)]
    out += [".Sh FUNCTIONS", ".Bl -tag -width aimdb_database_stats"]
    for comment, declarations in header.functions:
        out += [".It Xo"] + [f".Xr {name(d)} 3" for d in declarations] + [".Xc", roff(summary(split(comment)[0]))]
    out += [".El", ".Sh CONSTANTS", *literal(header.constants)]
    for number, title, text, declarations in SECTION.findall(header.text):
        shown = man_text(body(f"/* {text.strip(' *')}*/")) if text.strip(" *\n") else []
        if number in ("2", "3"):  # before the first function: types alone
            shown += literal(declarations.split("\n/* The version of the library")[0])
        if shown:
            out += [f".Sh {title}", *shown]
    out += examples.section(["aimdb"])
    out += [".Sh SEE ALSO", *cross_references(sorted(header_names(header))), ".Pp", *sentences(GUIDE)]
    return "\n".join(out) + "\n"


def pages_of_types(header):
    """{type: page}: the first function whose arguments it is in, else aimdb(3)."""
    own = TYPE.finditer(header.text[header.text.index("/* 4  ") :])
    later = {m["name"] or m["function"] for m in own}
    pages = dict.fromkeys(header.types, "aimdb")
    for _, declarations in reversed(header.functions):
        for t in set(header.used(declarations)) & later:
            pages[t] = name(declarations[0])
    return pages


def link(directory, alias, page):
    path = directory / f"{alias}.3"
    path.unlink(missing_ok=True)
    path.symlink_to(f"{page}.3")


def man(header, examples, directory):
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "aimdb.3").write_text(overview(header, examples))
    for lines, declarations in header.functions:
        first = name(declarations[0])
        (directory / f"{first}.3").write_text(page(header, examples, lines, declarations))
        for declaration in declarations[1:]:
            link(directory, name(declaration), first)
    for t, shown in pages_of_types(header).items():
        link(directory, t, shown)


if __name__ == "__main__":
    if sys.argv[1:2] == ["doxygen"] and len(sys.argv) == 3:
        sys.stdout.write(doxygen(Header(sys.argv[2])))
    elif sys.argv[1:2] == ["man"] and len(sys.argv) == 5:
        man(Header(sys.argv[2]), Examples(Path(sys.argv[3])), Path(sys.argv[4]))
    else:
        sys.exit(__doc__)
