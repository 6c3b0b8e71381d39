# SPDX-License-Identifier: Apache-2.0
import re
from pathlib import Path

HERE = Path(__file__).parent


def test_rules_name_tests_that_exist():
    named = set(re.findall(r"`(test_\w+)`", (HERE / "RULES.md").read_text()))
    there = {
        name
        for file in HERE.glob("test_*.py")
        for name in re.findall(r"^def (test_\w+)\(", file.read_text(), re.MULTILINE)
    }
    assert named
    assert named <= there, named - there
