"""What README.md and docs/*.md tell is so: snippets print it, commands parse, names are there."""

import contextlib
import dataclasses
import importlib
import importlib.util
import io
import pkgutil
import re
import shlex
import sys
import tomllib
import typing

import pages
import pytest

import jaxcompress
import train
from jaxcompress.cli.arguments import parse_arguments
from jaxcompress.cli.command import main as jaxcompress_main
from jaxcompress.data.download import command as download

PROJECT = tomllib.loads((pages.ROOT / "pyproject.toml").read_text())["project"]
METHODS = (jaxcompress.dccl, jaxcompress.tying, jaxcompress.ant, jaxcompress.classifier)
LONG = ("docs/ant.md", "docs/classifier.md", "docs/tying.md")  # snippets that train
every_page = pytest.mark.parametrize("name", pages.NAMES)


@pytest.fixture
def program(request, tmp_path, monkeypatch):
    """The snippets of a page, with its files written where python finds them, like ours."""
    own = pages.snippets(request.param)
    monkeypatch.chdir(tmp_path)
    for snippet in own:
        if snippet.file is not None:
            path = tmp_path / snippet.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(snippet.code.lstrip("\n"))
    before = set(sys.modules)
    for package in (jaxcompress, train):
        monkeypatch.setattr(
            package, "__path__", [*package.__path__, str(tmp_path / package.__name__)]
        )
    yield request.param, [snippet for snippet in own if snippet.file is None]
    for module in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[module], "__file__", "")):
            del sys.modules[module]


@pytest.mark.parametrize(
    "program",
    [pytest.param(name, marks=[pytest.mark.slow] * (name in LONG)) for name in pages.NAMES],
    indirect=True,
)
def test_the_snippets_of_a_page_run_and_print_what_it_says(program):
    name, snippets = program
    names = {"__name__": "snippet"}
    for snippet in snippets:
        if snippet.needs and importlib.util.find_spec(snippet.needs) is None:
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(snippet.code, str(pages.ROOT / name), "exec"), names)
        line = snippet.code.count("\n", 0, len(snippet.code) - len(snippet.code.lstrip())) + 1
        if snippet.output is not None:
            assert printed.getvalue() == snippet.output, f"{name}, line {line}"
        else:
            assert "print(" not in snippet.code, f"{name}, line {line}: where is its output?"


def test_a_snippet_is_told_from_its_output_and_from_a_file(tmp_path, monkeypatch):
    (tmp_path / "page.md").write_text(
        "Text.\n\n```python\nprint(1)\n```\n\n```text\n1\n```\n\n**`a/b.py`**\n\n```python\nx = 1\n"
        "```\n\n<!-- needs: torch -->\n```python\ny\n```\n\nMore.\n\n```text\nno output\n```\n"
        "\n```sh\npython -m a  # b\nc && d\n```\n`python x` and `x`\n"
    )
    monkeypatch.setattr(pages, "ROOT", tmp_path)
    first, second, third = pages.snippets("page.md")
    assert first == ("\n\n\nprint(1)\n", "1\n", None, None)
    assert (second.code.strip(), second.output, second.file) == ("x = 1", None, "a/b.py")
    assert (third.code.strip(), third.output, third.needs) == ("y", None, "torch")
    assert pages.commands("page.md") == ["python -m a", "c", "d", "python x"]


@every_page
def test_every_command_of_a_page_is_one_that_runs(name, monkeypatch):
    monkeypatch.chdir(pages.ROOT)
    own = {snippet.file for snippet in pages.snippets(name)}
    for command in pages.commands(name):
        words = shlex.split(command)
        if not own.intersection(words):  # a command of the page's own files has a test of its own
            check_command([word for word in words if not re.match(r"[A-Z_]+=", word)])


def check_command(words):
    """Parses the words of a command as the program would, and reads no data."""
    program, *arguments = words
    program = program.removeprefix(".venv/bin/")
    if program in ("python", "python3") and arguments[:1] == ["-m"]:
        check_module(arguments[1], arguments[2:])
    elif program in ("python", "python3"):
        check_script(*arguments)
    elif program == "pip":
        extras = ",".join(re.findall(r"\[([\w,]+)\]", " ".join(arguments)))
        assert set(filter(None, extras.split(","))) <= PROJECT["optional-dependencies"].keys()
    elif program == ".":
        assert arguments == [".venv/bin/activate"]
    elif program in ("pytest", "ruff"):
        check_paths(arguments)
    elif program.startswith(".ci/"):
        check_paths([program])
    elif program == "jaxcompress":
        check_our_command(*arguments)
    elif program == "gcloud":
        for argument in arguments:
            if argument.startswith("--command=jaxcompress "):
                check_command(shlex.split(argument.removeprefix("--command=")))
    else:
        raise AssertionError(f"{words}: a program that this test does not know")


def check_our_command(name, *arguments):
    if name == "train":
        check_module(f"train.{arguments[0]}", arguments[1:])
    elif name == "download":
        check_download(arguments)
    else:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
            jaxcompress_main([name, "--help"])
        for argument in arguments:
            if argument.startswith("-"):
                assert re.search(rf"{argument.partition('=')[0]}\b", printed.getvalue()), argument


def check_download(arguments):
    names = [a for a in arguments if not a.startswith("--") and a != "DIR"]
    assert names or "--list" in arguments
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert download.main(["--list"]) == 0
    for data in names:
        assert data.partition(":")[0] in printed.getvalue(), data


def check_module(module, arguments):
    if module.startswith("train."):
        main = importlib.import_module(module.replace("train", "jaxcompress.cli.mains"))
        if not arguments:
            return
        options = getattr(main, "Options", None)
        given = options and options()
        parsed = parse_arguments([module, *arguments], main.MODES, given, main.Config)
        assert parsed.config is None or isinstance(parsed.config, main.Config)
    else:
        assert module in ("venv", "pytest", "sphinx", "mypy")
        check_paths(arguments)


def check_script(path, *arguments):
    script = (pages.ROOT / path).read_text()
    for argument in arguments:
        if argument.startswith("--"):
            assert f'"{argument.partition("=")[0]}"' in script + read_shared(script), argument


def read_shared(script):
    """The modules of the benchmarks from which a script has its parser of flags."""
    names = [name for name in ("data", "fits") if f"{name}.parser(" in script]
    shared = [(pages.ROOT / "benchmarks" / f"{name}.py").read_text() for name in names]
    return "".join(text + read_shared(text) for text in shared)


def check_paths(arguments):
    for argument in arguments:
        if "/" in argument and not argument.startswith("build/"):
            assert (pages.ROOT / argument).exists(), argument


@every_page
def test_every_file_that_a_page_names_is_there(name):
    own = {snippet.file for snippet in pages.snippets(name)}
    folders = ("configs/", "benchmarks/", "docs/", "tests/", "jaxcompress/", "train/")
    for word in pages.read(name).replace("`", " ").replace("=", " ").replace("(", " ").split():
        if word.startswith(folders):
            path = word.rstrip(".,;:)|*").split("*")[0].split(":")[0].split("#")[0]
            path = re.sub(r"\.\{.*", ".py", path)
            assert path in own or (pages.ROOT / path).exists(), word


@every_page
def test_every_name_of_the_package_in_a_page_is_there(name):
    for span in pages.code_spans(name):
        if found := re.fullmatch(r"(jaxcompress(?:\.\w+)+)(?:\(.*\))?", span):
            module = pages.ROOT / f"{found[1].replace('.', '/')}.py"
            if not module.exists():  # a module is there even where PyTorch, say, is not
                pkgutil.resolve_name(found[1])


@every_page
def test_every_field_of_a_config_in_a_page_is_there(name):
    fields = {path for method in METHODS for path in field_paths(method.Config)}
    groups = {path.partition(".")[0] for path in fields if "." in path}
    starts = f"(?:--)?config|{'|'.join(groups)}"
    for span in pages.code_spans(name):
        for found in re.findall(rf"(?<![\w./])(?:{starts})\.[\w.]*\w", span):
            if not found.endswith(
                (".json", ".png", ".py", ".safetensors", ".codes", ".npy", ".txt")
            ):
                path = re.sub(r"^(--)?config\.", "", found)
                assert path in fields | groups, f"{name}: {span}"


def field_paths(config, prefix=""):
    """The fields of a config and of its groups, as on the command line."""
    hints = typing.get_type_hints(config)
    for field in dataclasses.fields(config):
        if dataclasses.is_dataclass(hints[field.name]):
            yield from field_paths(hints[field.name], f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}"


def test_no_sentence_stands_in_two_places():
    seen = {}
    for name in pages.NAMES:
        prose = "\n".join(
            line for line in pages.prose(name).splitlines() if not line.startswith(("|", "#"))
        )
        for sentence in re.split(r"(?<=[.:;?])\s+|\n\n", prose):
            sentence = " ".join(sentence.split())
            if len(sentence) > 60:
                assert sentence not in seen, f"{name} and {seen[sentence]}: {sentence}"
                seen[sentence] = name


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_every_link_to_a_file_is_to_one_that_is_there(name):
    links = re.findall(r"\]\(([^)#]+)[)#]", pages.read(name))
    assert links
    for link in links:
        assert link.startswith("https://arxiv.org/abs/") or (pages.ROOT / link).exists(), link
