"""The rules of the design that imports, the README and the data layer must keep."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import readme_commands

ROOT = Path(__file__).parents[1]
# Lowest first: a module imports only modules of lower levels.
LEVELS = [
    {"errors", "codes_files", "rate_distortion", "sizes", "lookup", "lstm", "softmax_loss"},
    {"local_search"},
    {"task", "config", "encoding", "compressed", "to_faiss", "sparse_anchors"},
    {"optim", "refinement", "layers", "ant", "baselines", "rating_model"},
    {"dccl", "tying", "factorization", "sentiment"},
    {"steps", "checkpoint", "metrics", "workdir"},
    {"loop"},
    {"coded_table"},
    {"learn", "recommend", "token_embeddings", "classify"},
    {"api", "sweep"},
]


def imports(path):
    """Absolute names of the modules that a file imports, at its top and inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def level_of(module):
    return next(i for i, names in enumerate(LEVELS) if module in names)


def modules():
    return [p for p in (ROOT / "jaxcompress").glob("*.py") if p.stem != "__init__"]


def test_every_module_has_a_level():
    assert {p.stem for p in modules()} <= set().union(*LEVELS)


@pytest.mark.parametrize("path", modules(), ids=lambda p: p.stem)
def test_a_module_imports_only_what_lies_below_it(path):
    known = {p.stem for p in modules()}
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "jaxcompress" and len(parts) > 1 and parts[1] in known - {path.stem}:
            assert level_of(parts[1]) <= level_of(path.stem), f"{path.name} imports {name}"
        assert parts[0] not in ("train", "configs"), f"{path.name} imports {name}"


def test_data_imports_neither_jax_nor_a_method():
    for path in (ROOT / "jaxcompress" / "data").glob("*.py"):
        for name in imports(path):
            top = name.split(".")
            assert top[0] not in ("jax", "jaxlib", "flax", "optax", "orbax"), f"{path.name}: {name}"
            if top[0] == "jaxcompress" and len(top) > 1:
                assert top[1] in ("data", "errors"), f"{path.name} imports {name}"
    program = "import sys, jaxcompress.data.vectors, jaxcompress; assert 'jax' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_only_checkpoint_imports_orbax():
    for path in [*ROOT.glob("jaxcompress/**/*.py"), *ROOT.glob("train/*.py")]:
        if path.name != "checkpoint.py":
            assert not [n for n in imports(path) if n.split(".")[0] == "orbax"], path


def test_a_config_file_imports_one_method_and_no_main():
    for path in (ROOT / "configs").glob("*.py"):
        names = {n for n in imports(path) if n != "jaxcompress"}
        assert all(n.startswith("jaxcompress.") for n in names), path
        assert len(names) == 1, path


def test_the_readme_runs_the_quickstart_and_the_tests():
    run, test = (readme_commands.command(name) for name in ("run", "test"))
    assert run.endswith("python -m train.dccl --config configs/quickstart.py")
    assert run.startswith("python3 -m venv .venv && ")
    assert "\n" not in run
    assert test.startswith("python3 -m venv .venv && ")
    assert test.endswith("pytest")
    assert "\n" not in test


def test_every_command_of_the_readme_names_files_that_are_there():
    text = readme_commands.README.read_text()
    for word in text.replace("`", " ").replace("=", " ").split():
        if word.startswith(("configs/", "benchmarks/", "tests/", "jaxcompress/", "train/")):
            path = word.rstrip(".,;:)").split("*")[0].split(":")[0]
            assert (ROOT / path).exists(), word


def test_the_quickstart_command_of_the_readme_runs(tmp_path):
    command = readme_commands.command("run").rsplit(" && ", 1)[1].split()
    assert command[0] == "python"
    done = subprocess.run(
        [
            sys.executable,
            *command[1:],
            f"--workdir={tmp_path / 'run'}",
            "--config.num_steps=40",
            "--config.refine.num_rounds=2",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "num_rows" in done.stdout
    assert "sample words that are not" not in done.stdout
