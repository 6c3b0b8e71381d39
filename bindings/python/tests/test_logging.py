# SPDX-License-Identifier: Apache-2.0
import logging
import sys

import pytest

import aimdb


def test_logging_gives_lines_of_the_level_or_more_severe_to_a_function():
    lines = []
    with aimdb.Database(
        log=lambda level, text: lines.append((level, text)), log_level="info"
    ) as db:
        db.start()
    assert ("info", "database started") in lines
    assert {level for level, _ in lines} <= {"error", "warning", "info"}
    quiet = []
    with aimdb.Database(log=lambda *line: quiet.append(line)) as db:
        db.start()
    assert quiet == []


def test_logging_goes_to_a_logger(caplog):
    caplog.set_level(logging.DEBUG, "mine")
    with aimdb.Database(log=logging.getLogger("mine"), log_level="info") as db:
        db.start()
    assert "database started" in [record.getMessage() for record in caplog.records]


def test_logging_function_that_raises_goes_to_unraisablehook(monkeypatch):
    caught = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: caught.append(args.exc_value))
    with aimdb.Database(log=lambda *line: 1 // 0, log_level="info") as db:
        db.start()
    assert caught
    assert all(isinstance(error, ZeroDivisionError) for error in caught)


@pytest.mark.parametrize("options", [{"log": 5}, {"log_level": "loud"}, {"log_level": 1}])
def test_logging_with_wrong_options_is_refused(options):
    with pytest.raises(aimdb.ArgumentError, match="log"):
        aimdb.Database(**options)
