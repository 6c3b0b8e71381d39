#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compiles and runs complete C programs out of documents, with nothing but the
installed library, and compares what they print with what the document says:

    programs.py guide FILE...       the ```c blocks of Markdown with a main(), each
                                    with the ```output block that follows
    programs.py man DIRECTORY       the EXAMPLES of each page, as mandoc and man
                                    render it; the output is their last comment

A program that names SIGTERM is sent one when it has printed its first line.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
from pathlib import Path

WARNINGS = ["-std=gnu11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]


def flags():
    found = subprocess.run(["pkg-config", "--cflags", "--libs", "aimdb"], check=True, capture_output=True, text=True)
    libs = subprocess.run(["pkg-config", "--variable=libdir", "aimdb"], check=True, capture_output=True, text=True)
    return [*found.stdout.split(), "-Wl,-rpath," + libs.stdout.strip(), "-lpthread"]


def run(name, source, says, work):
    file, binary = work / "program.c", work / "program"
    file.write_text(source)
    subprocess.run(["gcc", *WARNINGS, file, "-o", binary, *flags()], check=True)
    process = subprocess.Popen([binary], stdout=subprocess.PIPE, text=True)
    limit = threading.Timer(60, process.kill)
    limit.start()
    prints = ""
    if "SIGTERM" in source:
        prints = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
    prints += process.stdout.read()  # to the end, also of a daemon
    process.wait()
    limit.cancel()
    if process.returncode != 0 or prints != says:
        sys.exit(f"{name}: exit status {process.returncode}, prints\n{prints}instead of\n{says}")
    print(f"{name}: compiled and run")


def guide(file, work):
    text = Path(file).read_text()
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", text, re.S | re.M)
    programs = [(code, blocks[i + 1]) for i, (kind, code) in enumerate(blocks) if kind == "c" and "int main(" in code]
    for code, (kind, says) in programs:
        title = re.match(r"/\* (.*?) \*/", code)[1]
        if kind != "output":
            sys.exit(f"{file}: no output after: {title}")
        run(f"{file}: {title}", code, says, work)
    return len(programs)


RENDER = {
    "mandoc": ["mandoc", "-T", "utf8", "-O", "width=78"],
    "groff": ["groff", "-mandoc", "-Tutf8", "-ww", "-P-c", "-k"],
    "man": ["man", "--warnings", "-l"],
}


def rendered(how, page):
    environment = {**os.environ, "MANWIDTH": "78", "LC_ALL": "C.UTF-8"}
    raw = subprocess.run([*RENDER[how], page], check=True, capture_output=True, env=environment)
    # groff 1.23's mdoc says so of what it makes of .Fo itself.
    warnings = [line for line in raw.stderr.decode().splitlines() if "cannot adjust line" not in line]
    if warnings:
        sys.exit("\n".join([f"{how} {page}:", *warnings]))
    return subprocess.run(["col", "-bx"], input=raw.stdout, check=True, capture_output=True, env=environment).stdout.decode()


def example(text):
    section = re.search(r"^EXAMPLES\n(.*?)^[A-Z]", text, re.S | re.M)
    return textwrap.dedent(section[1]).strip() + "\n" if section else ""


def man(directory, work):
    """Each page says how to use its function, in a program or by naming a page that does."""
    pages = {p.stem: p for p in sorted(Path(directory).glob("*.3")) if not p.is_symlink()}
    programs = {}
    for name, page in pages.items():
        for how in RENDER:
            text = rendered(how, page)
            found = example(text)
            if "int main(void)" in found:
                if programs.setdefault(name, found) != found:
                    sys.exit(f"{name}: {how} renders the example in another way")
            elif not re.search(r"Shown\s+by\s+aimdb", found):
                sys.exit(f"{name}: no example, by {how}")
            for callback in re.findall(r"^\s+(aimdb_\w+_fn) \w+;", text, re.M):
                if not re.search(rf"typedef \w+ \(\*{callback}\)\(", text):
                    sys.exit(f"{name}: takes {callback} and does not say its type, by {how}")
            if private := re.search(r"\b(?:side_\w+|aimdb__\w*)", text):
                sys.exit(f"{name}: {private[0]} is nobody's business")
            if name not in ("aimdb_version", "aimdb_strerror", "aimdb_last_error") and "AIMDB_ERR_ARGUMENT" not in text:
                sys.exit(f"{name}: {how} renders no list of returns")
    shown = {n: re.findall(r"aimdb\w*", " ".join(example(rendered("mandoc", p)).split())) for n, p in pages.items()}
    for name, others in shown.items():
        if name not in programs and not set(others) <= programs.keys():
            sys.exit(f"{name}: names a page without an example: {others}")
    for name, code in programs.items():
        says = re.search(r"/\* Prints:\n(.*?)\*/", code, re.S)
        says = says[1] if says else re.search(r"```output\n(.*?)```", Path("README.md").read_text(), re.S)[1]
        run(f"{name}(3)", code, says, work)
    return len(programs)


with tempfile.TemporaryDirectory() as temporary:
    kinds = {"guide": guide, "man": man}
    for argument in sys.argv[2:]:
        if kinds[sys.argv[1]](argument, Path(temporary)) == 0:
            sys.exit(f"{argument}: no programs")
