"""The rules of the design that imports, the README and the data layer must keep."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import readme_commands

ROOT = Path(__file__).parents[1]
# Lowest first: a folder (or a module at the package's top) imports only from those before it.
RANKS = [
    {"errors"},
    {"notes", "bars"},
    {"storage"},
    {"data"},
    {"engine", "nn"},
    {"compressed"},
    {"codes", "anchors"},
    {"tables", "loading"},
    {"dccl", "tying", "ant", "classifier"},
    {"layers", "models", "api", "reporting"},
    {"cli"},
    {"__main__"},
]


def imports(path):
    """Absolute names of the modules that a file imports, at its top and inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def rank_of(folder):
    return next(rank for rank, names in enumerate(RANKS) if folder in names)


def test_a_folder_imports_only_from_folders_of_lower_rank():
    package = ROOT / "jaxcompress"
    for path in package.glob("**/*.py"):
        own = path.relative_to(package).parts[0].removesuffix(".py")
        for name in imports(path):
            top, _, rest = name.partition(".")
            assert top not in ("train", "configs"), f"{path} imports {name}"
            if top == "jaxcompress" and own != "__init__":
                other = rest.split(".")[0]
                assert other, f"{path} imports jaxcompress itself"
                assert other == own or rank_of(other) < rank_of(own), f"{path} imports {name}"


def test_storage_data_and_the_layer_of_pytorch_never_import_jax():
    for files in ("storage/**/*.py", "data/**/*.py", "layers/torch.py"):
        for path in (ROOT / "jaxcompress").glob(files):
            for name in imports(path):
                assert name.split(".")[0] not in ("jax", "jaxlib", "flax", "optax", "orbax"), path
    program = (
        "import sys, jaxcompress.data.vectors.files, jaxcompress; assert 'jax' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_two_files_of_the_engine_alone_import_orbax():
    own = [ROOT / "jaxcompress/engine" / name for name in ("arrays.py", "checkpoint.py")]
    for path in [*ROOT.glob("jaxcompress/**/*.py"), *ROOT.glob("train/*.py")]:
        if path not in own:
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


@pytest.mark.slow
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


def test_only_the_command_line_imports_absl_and_ml_collections():
    for path in (ROOT / "jaxcompress").glob("**/*.py"):
        if path.parent.name != "cli":
            for name in imports(path):
                assert name.split(".")[0] not in ("absl", "ml_collections"), f"{path}: {name}"


def test_our_modules_change_no_logger():
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in (ROOT / "jaxcompress").glob("**/*.py")
        if path.name not in ("__main__.py", "torch.py")  # PyTorch may not be there
    ]
    program = (
        "import importlib, logging, sys\n"
        "import flax, jax, ml_collections, optax, orbax.checkpoint, tensorboardX\n"
        "def state():\n"
        "    loggers = {'root': logging.root, **logging.root.manager.loggerDict}.items()\n"
        "    return {n: (x.level, x.disabled, tuple(x.handlers), tuple(x.filters))\n"
        "            for n, x in loggers if isinstance(x, logging.Logger)}\n"
        "before = state()\n"
        "for name in sys.argv[1:]: importlib.import_module(name)\n"
        "after = state()\n"
        "assert {n: after[n] for n in before} == before\n"
    )
    subprocess.run([sys.executable, "-c", program, *names], check=True, cwd=ROOT)
