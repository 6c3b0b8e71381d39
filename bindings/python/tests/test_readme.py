# SPDX-License-Identifier: Apache-2.0
"""The programs of the README, and the examples."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import TIMEOUT

HERE = Path(__file__).resolve().parents[1]
README = (HERE / "README.md").read_text()
PROGRAMS = re.findall(r"```python\n(.*?)```\n\n```output\n(.*?)```", README, re.DOTALL)


def test_readme_has_a_first_program_of_ten_lines():
    assert len([line for line in PROGRAMS[0][0].splitlines() if line]) <= 10
    assert len(PROGRAMS) == README.count("```python")


@pytest.mark.parametrize(("program", "output"), PROGRAMS)
def test_readme_program_does_what_it_says(run_python, program, output):
    assert run_python(program).stdout == output


def example(*arguments, text=""):
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        input=text,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


def test_example_gateway_has_exact_accounts_and_obeys(tmp_path):
    config, events = tmp_path / "settings.json", tmp_path / "events"
    config.write_text('{"cpu_alert_percent": 0.0, "memory_alert_percent": 0.0}')
    program = HERE / "examples" / "gateway.py"
    out = example(
        program, "--seconds", 2, "--rate", 500, "--config", config, "--events", events,
        text="rate 400\nnonsense\npause\nresume\n",
    )  # fmt: skip
    assert out.count(" exact ") == 5
    assert "WRONG" not in out
    told = events.read_text()
    assert "memory at" in told
    assert "settings: {" in told


def test_example_gateway_stops_when_told():
    out = example(HERE / "examples" / "gateway.py", "--seconds", 1000, text="stop")
    assert "WRONG" not in out


def test_example_numpy_finds_the_tones(tmp_path):
    program = HERE / "examples" / "numpy_spectrum.py"
    out = example(program, "--seconds", 1, "--picture", tmp_path / "spectrum.png")
    assert re.search(r"^50 Hz: (0\.9\d|1\.0\d)$", out, re.MULTILINE)
    assert re.search(r"^120 Hz: (0\.4\d|0\.5\d)$", out, re.MULTILINE)


def test_example_of_c_and_python_share_records():
    out = example(HERE / "examples" / "together" / "plant.py")
    assert "highest pressure 3.00 at sample 16" in out
    assert "C: valve to 30" in out
    assert "ended with 0, valve is 30" in out
