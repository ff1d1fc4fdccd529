"""The command `jaxcompress`, in this process; and its answers to what is wrong."""

import io
import json
import pathlib
import subprocess
import sys

import helpers
import numpy as np
import pytest
import safetensors.numpy

import jaxcompress
from jaxcompress.cli.command import main
from jaxcompress.cli.configs import config_names, find_config
from jaxcompress.errors import InputError

FORMS = {"word2vec": "two.txt", "npy": "two.npy", "safetensors": "two.vectors.safetensors"}


@pytest.fixture
def codes(tmp_path, monkeypatch):
    """A file of four rows, in the working directory."""
    monkeypatch.chdir(tmp_path)
    codebooks = np.array([[[1.0, 0.0], [0.0, 1.0]], [[2.0, 0.0], [0.0, 2.0]]], np.float32)
    made = jaxcompress.Codes(
        np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.uint8), codebooks, ["a", "b", "c", "d"]
    )
    made.save("two.codes.safetensors")
    return made


@pytest.fixture
def anchors(tmp_path, monkeypatch):
    """A file of anchors of three rows, in the working directory."""
    monkeypatch.chdir(tmp_path)
    mixes = np.array([[1.0, 0.0], [0.5, 0.0], [0.0, 2.0]])
    made = jaxcompress.SparseAnchors.from_csr(mixes, np.eye(2), words=["a", "b", "c"])
    made.save("two.safetensors")
    return made


def test_anchors_are_described_searched_and_converted(anchors, capsys):
    assert main(["info", "two.safetensors", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["holds"] == "anchors"
    assert (figures["num_anchors"], figures["nonzeros"]) == (2, 3)
    assert figures["words"] == ["a", "b", "c"]
    assert figures["file_bytes"] == anchors.file_bytes()
    assert main(["nearest", "two.safetensors", "a", "-n=1"]) == 0
    assert capsys.readouterr().out == "b\t1.0000\n"
    for form, name in (("word2vec", "two.txt"), ("npy", "two.npy")):
        assert main(["convert", "two.safetensors", "--to", form]) == 0
        vectors = jaxcompress.data.read_vectors(name)
        np.testing.assert_array_equal(vectors.rows, anchors.decode())
        assert vectors.words == ["a", "b", "c"]
    capsys.readouterr()
    assert main(["convert", "two.safetensors", "--to=codes"]) == 2
    assert "the file holds anchors; --to codes takes codes" in capsys.readouterr().err


def test_compress_info_and_nearest(table, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments = ["compress", str(table), "--bytes-per-row=2", "--effort=fast", "--max-rows=300"]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert said.startswith("300 x 16 vectors of ")
    assert "4 codebooks x 16 codewords" in said
    opened = jaxcompress.load_codes("table.codes.safetensors")
    assert len(opened) == 300
    assert f"mean squared L2 {float(opened.metadata['mean_squared_l2']):.5g}, " in said
    assert main(arguments) == 2
    assert "table.codes.safetensors is there already; give another with -o" in (
        capsys.readouterr().err
    )
    assert main(["info", "table.codes.safetensors", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["bytes_per_row"] == 2
    assert figures["num_bytes"] == opened.num_bytes()
    assert figures["words"] == ["w0", "w1", "w2", "w3", "w4"]
    assert len(figures["sha256"]) == 64


def test_info_of_a_workdir(finished, capsys):
    assert main(["info", str(finished[0])]) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert lines["holds"] == "codes"
    assert lines["dim"] == "16"


def test_the_page_of_a_run_is_written_anew(finished, capsys):
    page = finished[0] / "report.html"
    page.unlink(missing_ok=True)
    assert main(["report", str(finished[0])]) == 0
    assert capsys.readouterr().out == f"wrote {page}\n"
    assert page.exists()


def test_nearest_words(codes, monkeypatch, capsys):
    assert main(["nearest", "two.codes.safetensors", "a", "-n=1"]) == 0
    assert capsys.readouterr().out == "c\t0.8944\n"
    monkeypatch.setattr("sys.stdin", io.StringIO("a\nd\n"))
    assert main(["nearest", "two.codes.safetensors", "-", "-n1"]) == 0
    assert capsys.readouterr().out == "a\tc\t0.8944\nd\tb\t0.8944\n"
    assert main(["nearest", "two.codes.safetensors", "nobody"]) == 2
    assert "error: two.codes.safetensors: no row is named 'nobody'" in capsys.readouterr().err


@pytest.mark.parametrize("form", FORMS)
def test_what_is_converted_is_read_back(codes, form, capsys):
    assert main(["convert", "two.codes.safetensors", "--to", form]) == 0
    assert f"wrote {FORMS[form]}, " in capsys.readouterr().out
    vectors = jaxcompress.data.read_vectors(FORMS[form])
    np.testing.assert_array_equal(vectors.rows, codes.decode())
    if form != "safetensors":
        assert vectors.words == ["a", "b", "c", "d"]


def test_convert_to_codes_and_to_faiss(codes, finished):
    faiss = pytest.importorskip("faiss")
    assert main(["convert", str(finished[0]), "--to=codes", "-o=run.safetensors"]) == 0
    assert len(jaxcompress.load_codes("run.safetensors")) == 600
    assert main(["convert", "two.codes.safetensors", "--to=faiss"]) == 0
    np.testing.assert_array_equal(faiss.read_index("two.faiss").reconstruct_n(0, 4), codes.decode())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["info", "none.safetensors"], "no file or folder none.safetensors"),
        (["convert", "two.codes.safetensors", "--to=npy", "-o=no/x.npy"], "there is no folder no"),
        (["compress", "none.txt"], "no file or folder none.txt"),
        (["train", "dccl"], "no config given; add --config NAME, one of ag_news, "),
        (["train", "dccl", "--config=glov"], "no config 'glov'; published are ag_news, "),
        (["train", "dccl", "--config=a/ptb.py"], "no config file at 'a/ptb.py'; --config ptb is"),
        (["train", "ant", "--config=glove"], "the config is a jaxcompress.dccl.Config"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(codes, arguments, said, capsys):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert said in error
    assert error.count("\n") == 1


def test_a_model_gets_its_table_back_from_codes(codes, capsys):
    pathlib.Path("model").mkdir()
    safetensors.numpy.save_file(
        {"embed.weight": np.ones((4, 2), np.float16)}, "model/model.safetensors"
    )
    command = ["export-model", "model", "--codes=two.codes.safetensors", "-o=small"]
    assert main(command) == 0
    assert "wrote small: embed.weight are what" in capsys.readouterr().out
    read = jaxcompress.data.read_vectors("small")
    np.testing.assert_array_equal(read.rows, codes.decode().astype(np.float16))
    assert main(command) == 2


def test_notes_go_to_stderr_unless_they_are_silenced(table, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rows = np.load(table)[:40]
    np.save("rows.npy", np.concatenate([rows, rows[:1]]).astype(np.float64))
    arguments = ["compress", "rows.npy", "--bytes-per-row=1", "--effort=fast", "--force"]
    assert main(arguments) == 0
    assert "note: float64 numbers were rounded to float32.\n" in capsys.readouterr().err
    monkeypatch.setenv("JAXCOMPRESS_LOG", "error")
    assert main(arguments) == 0
    assert "note" not in capsys.readouterr().err
    monkeypatch.setenv("JAXCOMPRESS_LOG", "loud")
    assert main(arguments) == 2
    assert "JAXCOMPRESS_LOG is 'loud'; expected one of debug, " in capsys.readouterr().err


def test_ctrl_c_says_that_nothing_was_written(codes, monkeypatch, capsys):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("jaxcompress.cli.convert.load", interrupted)
    assert main(["convert", "two.codes.safetensors", "--to=npy"]) == 130
    assert capsys.readouterr().err == "interrupted; nothing was written.\n"


def test_help_fits_a_screen_and_that_of_a_method_lists_its_fields(capsys):
    words = ["compress", "info", "nearest", "convert", "export-model", "report", "download"]
    for command in ("", *words):
        with pytest.raises(SystemExit) as ended:
            main([*command.split(), "--help"])
        assert ended.value.code == 0
        assert len(capsys.readouterr().out.splitlines()) <= 40
    assert main(["train", "tying", "--config=ptb:small-real", "--help"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("usage: jaxcompress train tying --config NAME ")
    assert "  batch_size: int = 20\n" in said
    assert "  model.dropout: float = 0.3\n      share of the units that is dropped" in said
    assert "--temperature=FLOAT" in said


def test_a_name_is_a_published_config_and_an_ending_makes_a_file(tmp_path):
    assert "glove" in config_names()
    assert find_config("ptb:small-al").endswith("configs/ptb.py:small-al")
    own = tmp_path / "own.py"
    own.touch()
    assert find_config(f"{own}:x") == f"{own}:x"
    with pytest.raises(InputError, match=r"no config file at 'own\.py'; published are ag_news"):
        find_config("own.py")


def test_nobody_reads_on():
    program = "import sys; from jaxcompress.cli.command import main; sys.exit(main(sys.argv[1:]))"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "train", "dccl", "--help"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=helpers.ROOT,
    )
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 141


def test_what_reads_codes_loads_no_jax(codes, tmp_path):
    program = (
        "import sys; from jaxcompress.cli.command import main\n"
        "assert main(['nearest', sys.argv[1], 'a']) == 0\n"
        "assert 'jax' not in sys.modules"
    )
    file = str(tmp_path / "two.codes.safetensors")
    subprocess.run([sys.executable, "-c", program, file], check=True, cwd=helpers.ROOT)
