"""A workdir knows what it holds."""

import dataclasses
import json

import pytest

from jaxcompress import InputError, ant, classifier, dccl, tying
from jaxcompress.engine.workdir import read_config

METHODS = (ant, classifier, dccl, tying)


@pytest.mark.parametrize("method", METHODS)
def test_a_run_of_another_method_is_refused(method, tmp_path):
    saved = {"data_fingerprint": "abc", **dataclasses.asdict(method.Config())}
    (tmp_path / "config.json").write_text(json.dumps(saved))
    assert read_config(tmp_path, method.Config) == method.Config()
    for other in METHODS:
        if other is not method:
            with pytest.raises(InputError, match="holds a run of another method, with settings of"):
                read_config(tmp_path, other.Config)
