"""docs/design.md, beyond what it prints: its ranks, and the method that it adds, with its main."""

import json
import re

import numpy as np
import pages
import pytest
import test_layout
from test_pages import program  # noqa: F401 (a fixture)

the_page = pytest.mark.parametrize("program", ["docs/design.md"], indirect=True)


@the_page
def test_the_method_runs_from_its_main_and_reaches_the_error_of_principal_components(
    program,  # noqa: F811
    tmp_path,
):
    import train.lowrank

    table = np.random.default_rng(1).normal(size=(300, 12)) * np.arange(12)
    np.save(tmp_path / "table.npy", table.astype(np.float32))
    arguments = ["train/lowrank.py", f"--config={tmp_path}/configs/lowrank.py", "--workdir=out"]
    assert train.lowrank.main([*arguments, "--config.num_steps=600"]) == 0
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    best = np.square(np.linalg.svd(table)[1][4:]).sum() / 300
    assert best <= summary["squared_l2"] < 1.05 * best
    saved = np.load(tmp_path / "out" / "lowrank.npz")
    error = np.square(saved["numbers"] @ saved["basis"] - table).sum() / 300
    np.testing.assert_allclose(error, summary["squared_l2"], rtol=1e-5)
    assert train.lowrank.main(["train/lowrank.py", "--workdir=out", "--mode=evaluate"]) == 0
    assert train.lowrank.main([*arguments, "--config.num_steps=500"]) == 2  # another config


@the_page
def test_the_method_imports_only_from_folders_below_the_methods(program, tmp_path):  # noqa: F811
    methods = next(rank for rank in test_layout.RANKS if "dccl" in rank)
    files = list((tmp_path / "jaxcompress" / "lowrank").glob("*.py"))
    assert len(files) == 6
    for file in files:
        for name in test_layout.imports(file):
            if name.startswith("jaxcompress.") and not name.startswith("jaxcompress.lowrank"):
                folder = name.split(".")[1]
                assert test_layout.rank_of(folder) < test_layout.RANKS.index(methods), name


def test_the_ranks_of_the_page_are_those_of_the_layout():
    part = pages.read("docs/design.md").partition("## Who may import whom")[2].partition("##")[0]
    rows = re.findall(r"^\| \d+ \| ([^|]*) \|", part, re.MULTILINE)
    assert [set(re.findall(r"`(\w+)`", row)) for row in rows] == test_layout.RANKS
