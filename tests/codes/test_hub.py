"""Codes go to a hub and come back from it; the hub is a server of this machine."""

import json
import os
import subprocess
import sys

import helpers
import hub_server
import numpy as np
import pytest

from jaxcompress import Codes, InputError, load
from jaxcompress.codes.model_card import model_card
from jaxcompress.storage.hub import parse

pytest.importorskip("huggingface_hub")

RNG = np.random.default_rng(0)
WORDS = [
    "king",
    *(f"w{i}" for i in range(1, 8)),
    "que`en",
    "a b",
    *(f"w{i}" for i in range(10, 40)),
]
CODES = Codes(
    RNG.integers(0, 8, (40, 3)),
    RNG.normal(size=(3, 8, 5)),
    WORDS,
    metadata={"mean_squared_l2": "1.5"},
)
PUSH = """
codes = jaxcompress.load(argv[1])
print(codes.push_to_hub("org/name", license="cc0-1.0", token=argv[2]))
"""
LOAD = """
for path in argv[1:]:
    try:
        print(jaxcompress.load(path))
    except jaxcompress.InputError as error:
        print(error)
assert "jax" not in sys.modules
"""


@pytest.fixture(scope="module")
def hub():
    with hub_server.running() as hub:
        yield hub


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("hub-home")


def run(hub, home, program, *arguments, **more):
    """Runs a program in a process of its own, which reads the environment; returns its lines."""
    own = {"HF_ENDPOINT": hub.url, "HF_HOME": str(home), "HF_HUB_DISABLE_TELEMETRY": "1", **more}
    done = subprocess.run(
        [sys.executable, "-c", f"import jaxcompress, sys\nargv = sys.argv\n{program}", *arguments],
        env={**os.environ, **own},
        cwd=helpers.ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def pushed(hub, home, tmp_path_factory):
    """The hub, once the codes are there."""
    file = tmp_path_factory.mktemp("hub-codes") / "codes.safetensors"
    CODES.save(file)
    (line,) = run(hub, home, PUSH, str(file), "secret")
    assert line == f"{hub.url}/org/name/commit/{hub_server.COMMIT}"
    file.write_bytes(hub.repositories["org/name"]["model.safetensors"])
    np.testing.assert_array_equal(load(file).codes, CODES.codes)
    assert load(file).words == WORDS
    return hub


def test_what_is_pushed_is_opened_cached_and_opened_offline(pushed, tmp_path):
    same, gone = repr(CODES), "not in the cache, and the Hub cannot be reached"
    paths = ["hf://org/name", f"hf://org/name@{hub_server.COMMIT}/model.safetensors"]
    assert run(pushed, tmp_path, LOAD, *paths) == [same, same]
    gets = [r for r in pushed.requests if r.startswith("GET") and "model.safetensors" in r]
    assert len(gets) == 1  # the second time it was in the cache
    count = len(pushed.requests)
    lines = run(pushed, tmp_path, LOAD, "hf://org/name", "hf://org/else", HF_HUB_OFFLINE="1")
    assert lines[0] == same
    assert lines[1].startswith(f"hf://org/else: {gone} (or HF_HUB_OFFLINE")
    assert len(pushed.requests) == count


def test_what_is_not_there_or_not_allowed_is_one_line(pushed, home, tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"")
    pushed.repositories["org/other"] = {"README.md": b""}
    lines = run(
        pushed,
        home,
        LOAD,
        "hf://org/gone",
        "hf://org/name@v9",
        "hf://org/other",
        "hf://org/other/x.y",
    )
    assert lines == [
        "hf://org/gone: no such repository, or a private one; check the name, or log in: hf auth "
        "login.",
        "hf://org/name@v9: the repository has no such revision.",
        "hf://org/other: the repository has no model.safetensors, anchors.safetensors or "
        "low_rank.safetensors.",
        "hf://org/other/x.y: the repository has no x.y.",
    ]


def test_the_card_tells_figures_neighbours_and_how_to_read_it(pushed):
    card = pushed.repositories["org/name"]["README.md"].decode()
    assert card == model_card(CODES, "org/name", license="cc0-1.0")
    head, _, body = card.removeprefix("---\n").partition("---\n")
    assert "license: cc0-1.0\n" in head
    for line in (
        "# name",
        "| bits per row | 9 |",
        f"| bytes of codes and codebooks | {CODES.num_bytes():,} |",
        "| mean squared error of a row | 1.5 |",
        'codes = jaxcompress.load("hf://org/name")',
        "codes.nearest('king', 5)",
    ):
        assert line in body.splitlines()
    near = ", ".join(f"`{word}` {cosine:.2f}" for word, cosine in CODES.nearest("king", 5))
    assert f"- `king`: {near.replace('`que`en`', '`` que`en ``')}" in body
    assert "- `` que`en ``: " in body  # every eighth row is shown


def test_a_card_has_the_figures_of_the_summary_and_no_licence_unless_given(tmp_path):
    summary = {"mean_squared_l2": 2.25, "relative_error": 0.131, "num_rows": 40}
    numbered = Codes(CODES.codes[:4], CODES.codebooks)
    card = model_card(numbered, "org/name", summary=json.loads(json.dumps(summary)))
    assert "license" not in card
    assert "| mean squared error of a row | 2.25 |" in card
    assert "| the same, as a share of the rows' variance | 0.131 |" in card
    assert "codes[0]" in card
    assert "Neighbours" not in card
    with pytest.raises(InputError, match="license is 'a: b'; expected a name"):
        model_card(CODES, "org/name", license="a: b")


def test_a_card_that_is_there_stays_and_a_wrong_token_is_one_line(pushed, home, tmp_path):
    CODES.save(tmp_path / "c.safetensors")
    pushed.repositories["org/name"] = {"README.md": b"mine"}
    run(pushed, home, PUSH, str(tmp_path / "c.safetensors"), "secret")
    assert pushed.repositories["org/name"].keys() == {"README.md", "model.safetensors"}
    assert pushed.repositories["org/name"]["README.md"] == b"mine"
    program = f"try:\n    {PUSH.strip().splitlines()[1]}\nexcept ValueError as e:\n    print(e)"
    program = program.replace("codes.", "jaxcompress.load(argv[1]).")
    (line,) = run(pushed, home, program, str(tmp_path / "c.safetensors"), "wrong")
    assert line.startswith("hf://org/name: Client error '401 Unauthorized' for url")
    assert line.endswith("check the name, the network and your token.")


@pytest.mark.parametrize("path", ["hf://", "hf://name", "hf:///name", "hf://org/@v1"])
def test_other_paths_are_refused(path):
    with pytest.raises(InputError, match=r"expected hf://ORG/NAME, hf://ORG/NAME@REVISION or"):
        load(path)
    assert parse("hf://org/name@v1.0").revision == "v1.0"
