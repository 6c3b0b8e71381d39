#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads aimdb.h, whose comments are written for people, and gives it forms
that tools want:

    header.py doxygen HEADER          the header with comments in Doxygen's form
    header.py man HEADER DIRECTORY    a man page for each function, and aimdb(3)

What it relies on, and checks: a comment stands right before what it documents;
several declarations without a blank line between them share it; lines that
begin with a status (or "as aimdb_...") list what a function returns; sections
begin with a number and a rule of dashes.
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


class Header:
    def __init__(self, path):
        self.text = Path(path).read_text()
        seconds = int(os.environ.get("SOURCE_DATE_EPOCH") or Path(path).stat().st_mtime)
        day = time.gmtime(seconds)
        self.date = time.strftime(f"%B {day.tm_mday}, %Y", day)
        self.version = re.search(r'#define AIMDB_VERSION "(.*)"', self.text)[1]
        self.overview = body(re.match(r"/\*.*?\*/", self.text, re.S)[0])
        self.structs = {
            m[2]: m[0]
            for m in re.finditer(r"typedef struct \w+ \{((?:(?!\n\}).)*)\n\} (\w+);\n(?:#define.*?[^\\]\n)*", self.text, re.S)
        }
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


def doxygen(header):
    text = header.text
    overview = re.match(r"/\*.*?\*/\n", text, re.S)[0]
    introduction, rules = header.introduction()
    first = [*doxygen_text(introduction), "<h2>Rules for every call</h2>", "", *doxygen_text(rules)]
    out = ["/** @file\n" + "\n".join(first) + "\n*/\n"]
    at = len(overview)
    for m in re.finditer(r"/\*(?:(?!\*/).)*\*/", text, re.S):
        if m.start() < at:
            continue
        before, comment = text[at : m.start()], m[0]
        lines = body(comment)
        trailing = text.rfind("\n", 0, m.start()) + 1
        is_trailing = text[trailing : m.start()].strip() != ""
        section = re.match(r"(\d+)  (.*?) -{3,}$", lines[0])
        follows = text[m.end() : m.end() + 1] == "\n" and text[m.end() + 1 : m.end() + 2] not in ("\n", "")
        if section:
            made = f"/** @page section{section[1]} {section[1]} {section[2].capitalize()}\n"
            made += "\n".join(doxygen_text(lines[1:])) + "\n*/"
        elif is_trailing and re.search(r"[;,}\d\"X]\s*$", text[trailing : m.start()]) or (
            is_trailing and "=" in text[trailing : m.start()]
        ):
            joined = " ".join(line.strip() for line in lines)
            made = "/**< " + re.sub(r"`([^`]*)`", r"<tt>\1</tt>", escape(joined)) + " */"
        elif follows and not is_trailing:
            made = doxygen_comment(lines)
        else:
            made = comment
        out += [before, made]
        at = m.end()
    out.append(text[at:])
    return "".join(out)


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


def prototype(declaration):
    match = re.match(r"(.*?[\s*])(aimdb_\w+)\((.*)\);", declaration)
    out = [f".Ft {match[1].strip()}", f".Fo {match[2]}"]
    for argument in match[3].split(", "):
        out.append(f'.Fa "{argument}"' if argument != "void" else ".Fa void")
    return [*out, ".Fc"]


def page(header, lines, declarations):
    names = [name(d) for d in declarations]
    text, returns = split(lines)
    out = head(names[0], header)
    out += [f".Nm {n} ," for n in names[:-1]] + [f".Nm {names[-1]}", f".Nd {roff(summary(text))}"]
    out += [".Sh LIBRARY", LIBRARY, ".Sh SYNOPSIS", ".In aimdb.h"]
    for declaration in declarations:
        out += prototype(declaration)
    out += [".Sh DESCRIPTION", *man_text(text)]
    used = [s for s in header.structs if any(re.search(rf"\b{s}\b", d) for d in declarations)]
    for struct in used:
        out += [".Bd -literal", *(roff(l.rstrip()) for l in header.structs[struct].rstrip().split("\n")), ".Ed"]
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
    mentioned = set(re.findall(r"aimdb_\w+", " ".join(lines))) & header_names(header) - set(names)
    see = ["aimdb", *sorted(mentioned)]
    out += [".Sh SEE ALSO"] + [f".Xr {s} 3 ," for s in see[:-1]] + [f".Xr {see[-1]} 3"]
    return "\n".join(out) + "\n"


def header_names(header):
    return {name(d) for _, ds in header.functions for d in ds}


def overview(header):
    """aimdb(3): the header's first comment, and what functions there are."""
    out = head("aimdb", header)
    out += [".Nm aimdb", ".Nd in\\-process data plane for edge applications", ".Sh LIBRARY"]
    out += [LIBRARY, ".Sh SYNOPSIS", ".In aimdb.h", ".Sh DESCRIPTION"]
    introduction, rules = header.introduction()
    out += man_text(introduction[1:])
    out += [".Sh RULES FOR EVERY CALL", *man_text(rules)]
    out += [".Sh FUNCTIONS", ".Bl -tag -width aimdb_database_stats"]
    for comment, declarations in header.functions:
        out += [".It Xo"] + [f".Xr {name(d)} 3" for d in declarations] + [".Xc", roff(summary(split(comment)[0]))]
    out += [".El"]
    for m in re.finditer(r"/\* (\d+)  ([A-Z ]+?) -{3,}(.*?)\*/", header.text, re.S):
        text = body(m[0])[1:]
        if text and any(text):
            out += [f".Sh {m[2]}", *man_text(text)]
    out += [".Sh SEE ALSO"]
    names = sorted(header_names(header))
    out += [f".Xr {n} 3 ," for n in names[:-1]] + [f".Xr {names[-1]} 3"]
    return "\n".join(out) + "\n"


def man(header, directory):
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "aimdb.3").write_text(overview(header))
    for lines, declarations in header.functions:
        first = name(declarations[0])
        (directory / f"{first}.3").write_text(page(header, lines, declarations))
        for declaration in declarations[1:]:
            link = directory / f"{name(declaration)}.3"
            link.unlink(missing_ok=True)
            link.symlink_to(f"{first}.3")


if __name__ == "__main__":
    if sys.argv[1:2] == ["doxygen"] and len(sys.argv) == 3:
        sys.stdout.write(doxygen(Header(sys.argv[2])))
    elif sys.argv[1:2] == ["man"] and len(sys.argv) == 4:
        man(Header(sys.argv[2]), Path(sys.argv[3]))
    else:
        sys.exit(__doc__)
