"""A workdir knows what it holds."""

import dataclasses
import json

import pytest

from jaxcompress import InputError, ant, classifier, dccl, tying
from jaxcompress.engine.config import RunConfig, as_earlier, setting
from jaxcompress.engine.workdir import as_begun, opened, read_config

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


@pytest.mark.parametrize("text", ["", "{", "[]", "\xff", '{"model": 3}', '{"batch_size": "many"}'])
def test_a_damaged_config_is_said_in_one_line(text, tmp_path):
    (tmp_path / "config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(
        InputError, match=r"config\.json is damaged .*; restore it from a copy"
    ) as error:
        read_config(tmp_path, dccl.Config)
    assert "\n" not in str(error.value)


@dataclasses.dataclass(kw_only=True)
class Group:
    old: int = setting(1)
    younger: float | None = setting(0.5, earlier=None)


@dataclasses.dataclass(kw_only=True)
class Younger(RunConfig):
    group: Group = dataclasses.field(default_factory=Group)
    also: bool = setting(True)
    rotate: bool = setting(True, earlier=False)


def test_a_run_that_began_before_a_setting_goes_on_without_it(tmp_path, caplog):
    config = Younger()
    assert as_begun(config, tmp_path) is config
    with opened(tmp_path, config, "data"):
        pass
    assert as_begun(config, tmp_path) == config
    assert not caplog.records
    file = tmp_path / "config.json"
    kept = json.loads(file.read_text())
    for name in ("rotate", "also"):
        del kept[name]
    del kept["group"]["younger"]
    file.write_text(json.dumps(kept))
    with pytest.raises(InputError, match=r"group.younger = None, rotate = False, this one has 0.5"):
        opened(tmp_path, config, "data").__enter__()
    began = as_begun(config, tmp_path)
    assert began == Younger(group=Group(younger=None), rotate=False)
    assert caplog.messages == [
        f"the run in {tmp_path} is older than some settings: it goes on with group.younger = None, "
        "rotate = False."
    ]
    with opened(tmp_path, began, "data"):
        assert read_config(tmp_path, Younger) == began
    assert as_earlier(config, {"group": 3, "also": True, "rotate": True}).group.younger is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seed": True}, "seed is True; it must be of type int"),
        ({"num_steps": 2.5}, r"num_steps is 2\.5; it must be of type int | None"),
        ({"model": dccl.ModelConfig(num_codebooks="8")}, "model.num_codebooks is '8'; it must be"),
        ({"sweep": dccl.SweepConfig(num_codewords=(4, "8"))}, "sweep.num_codewords is"),
    ],
)
def test_a_setting_of_another_type_is_said_in_one_line(settings, message):
    with pytest.raises(InputError, match=message):
        dccl.Config(**settings).check()
    dccl.Config(optimizer=dccl.OptimizerConfig(learning_rate=1)).check()  # 1 is a float too
