"""The report of a workdir, whichever method it is of."""

import dataclasses
import json

import pytest

import jaxcompress
from jaxcompress.reporting import method_of

METHODS = ("dccl", "tying", "ant", "classifier")


@pytest.mark.parametrize("method", METHODS)
def test_the_method_of_a_run_is_known_by_its_settings(method, tmp_path):
    settings = dataclasses.asdict(getattr(jaxcompress, method).Config())
    del settings["report"]  # as an earlier release wrote them
    (tmp_path / "config.json").write_text(json.dumps({"data_fingerprint": "0", **settings}))
    assert method_of(tmp_path) == method
    with pytest.raises(jaxcompress.InputError) as caught:  # it is not finished
        jaxcompress.write_report(tmp_path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "report.html").exists()


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(jaxcompress.InputError, match="holds no run"):
        jaxcompress.write_report(tmp_path)
    (tmp_path / "config.json").write_text('{"rank": 8}')
    with pytest.raises(jaxcompress.InputError, match="a run of none of dccl, tying"):
        jaxcompress.write_report(tmp_path)
