#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The C reference as a browser shows it: the first page has a text, a program and
a way to every function, type and section of the header: reference.py DIRECTORY"""

import html
import os
import re
import subprocess
import sys
from pathlib import Path

out = Path(sys.argv[1])
out.mkdir()
environment = {**os.environ, "OUTPUT_DIRECTORY": str(out), "PROJECT_NUMBER": "0"}
subprocess.run(["doxygen", "tools/docs/Doxyfile"], check=True, env=environment)
header = Path("capi/aimdb.h").read_text()


def words(page):
    """What is to be read on a page."""
    text = re.sub(r"(?s)<script.*?</script>|<!--.*?-->", "", page)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", text)).split())


def must(what, missing):
    if missing:
        sys.exit(f"{what}: {missing}")


front = (out / "c/index.html").read_text()
links = dict(re.findall(r'<a class="el" href="([^"#]+)(?:#\w+)?"[^>]*>([^<]+)</a>', front))
functions = Path("capi/symbols.txt").read_text().split()
must("functions without a link on the first page", [f for f in functions if not re.search(rf'<a class="el"[^>]*>{f}\(\)</a>', front)])
text = words(front)
for wanted in ("without ever waiting for a consumer", "A first program", "int main(void)", "aimdb_produce(temperature", "Rules for every call",
               "No function is async-signal-safe", "Callback consumers"):
    must("the first page does not say", [] if wanted in text else [wanted])

must("links to nowhere", [f for f in links if not f.startswith("..") and not (out / "c" / f).exists()])
sections = {name: words((out / "c" / name).read_text()) for name in links if "section" in name}
must("sections", [] if len(sections) == 9 else list(sections))
everything = " ".join(sections.values())
types = re.findall(r"^(?:typedef .*\(\*|\} |typedef struct \w+ )(aimdb_\w+)[;)]", header, re.M)
must("no type found in the header", [] if len(types) > 20 else types)
must("in no section", [n for n in functions + types if not re.search(rf"\b{n}\b", everything)])
must("private names", re.findall(r"\b(?:side_\w+|aimdb__\w*)", everything + text))
print(f"reference: the first page leads to {len(functions)} functions and {len(types)} types")
