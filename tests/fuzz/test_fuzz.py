"""A hundred of the cases that `run.py` makes by the thousand."""

import pytest
from fuzz.run import FAULTS, run_case


@pytest.mark.parametrize("tens", range(10))
def test_wrong_files_and_settings_are_read_or_refused_in_one_line(tens, tmp_path, monkeypatch):
    monkeypatch.setenv("JAXCOMPRESS_CACHE", str(tmp_path))
    for number in range(10 * tens, 10 * tens + 10):
        outcome = run_case(0, number)
        assert outcome.kind not in FAULTS, outcome
