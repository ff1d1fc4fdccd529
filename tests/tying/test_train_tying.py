import json
import subprocess
import sys
from pathlib import Path

import helpers
import jax
import numpy as np
import pytest
import report_pages

import jaxcompress
import train.tying
from jaxcompress import tying
from jaxcompress.codes.artefact import Codes
from jaxcompress.data.text.corpus import END, read_corpus
from jaxcompress.data.text.lanes import evaluation_lanes
from jaxcompress.engine.loop import evaluate, init_state, restore_best
from jaxcompress.engine.report import format_figures
from jaxcompress.engine.workdir import read_config
from jaxcompress.storage.names import write_names
from jaxcompress.tying.model import zero_carry
from jaxcompress.tying.predict import next_word
from jaxcompress.tying.prepare import prepare
from jaxcompress.tying.reader import open_reader
from jaxcompress.tying.report import write_report
from jaxcompress.tying.task import corpus_metrics

SUMMARY = [
    "dataset",
    "vocab_size",
    "train_tokens",
    "valid_tokens",
    "test_tokens",
    "num_parameters",
    "valid_perplexity",
    "test_perplexity",
    "tokens_per_second",
]


def main(*arguments):
    return train.tying.main(["train/tying.py", *arguments])


def small(text, *more):
    return [*helpers.SMALL_LM, f"--config.data.path={text}", *more]


def test_a_run_learns_and_leaves_a_summary_and_curves(finished_lm):
    workdir, printed = finished_lm
    summary = json.loads((workdir / "summary.json").read_text())
    assert set(SUMMARY) <= set(summary)
    for name in summary:
        assert f"\n{name} " in printed
    assert summary["vocab_size"] == 5 + 3 + 7 + 2
    assert summary["train_tokens"] == 900 * 5
    assert summary["test_tokens"] == 60 * 5
    assert 1 < summary["test_perplexity"] < 8  # 17 words without training
    assert (workdir / "curves.png").stat().st_size > 10_000
    assert "valid-10-lanes_perplexity" in (workdir / "metrics.jsonl").read_text()
    assert len(helpers.losses(workdir)) == 60


def test_perplexity_is_that_of_the_whole_split_word_by_word(finished_lm, text):
    """An independent reckoning: one word at a time from the first, its state carried."""
    workdir, _ = finished_lm
    summary = json.loads((workdir / "summary.json").read_text())
    corpus = read_corpus(str(text), max_vocab=10_000)
    reader = open_reader(workdir)
    read = jax.jit(lambda carry, word: next_word(reader.params, reader.config, carry, word))
    carry, nll = zero_carry(reader.config, 1), 0.0
    before = reader.words.index(END)
    for word in corpus.splits["test"]:
        carry, logits = read(carry, np.array([before]))
        nll -= float(jax.nn.log_softmax(logits)[word])
        before = word
    np.testing.assert_allclose(
        summary["test_perplexity"], np.exp(nll / len(corpus.splits["test"])), rtol=1e-6
    )


def test_any_unroll_length_gives_the_same_perplexity(finished_lm, text):
    workdir, _ = finished_lm
    config = read_config(workdir, tying.Config)
    corpus = read_corpus(str(text), max_vocab=10_000)
    problem = prepare(corpus, config)
    state = restore_best(problem.job, workdir).state
    figures = []
    for unroll in (1, 7, 64, 1000):
        feed = evaluation_lanes(problem.splits["test"], 1, unroll)
        sums = evaluate(problem.job, state, feed)
        assert sums["count"] == 300
        figures.append(corpus_metrics(sums)["perplexity"])
    np.testing.assert_allclose(figures, figures[0], rtol=5e-7)


def test_evaluate_and_export_need_only_the_workdir(finished_lm, capsys):
    workdir, _ = finished_lm
    before = json.loads((workdir / "summary.json").read_text())
    table = np.load(workdir / "export" / "embedding.npy")
    moment = np.load(workdir / "export" / "hidden_second_moment.npy")
    assert moment.shape == (table.shape[1],) * 2
    assert 0 < np.trace(moment) < table.shape[1]  # outputs of an LSTM are within -1 and 1
    for name in ("embedding", "hidden_second_moment"):
        (workdir / "export" / f"{name}.npy").unlink()
    assert main("--mode=evaluate", f"--workdir={workdir}") == 0
    after = json.loads((workdir / "summary.json").read_text())
    assert after["test_perplexity"] == before["test_perplexity"]
    assert not (workdir / "export" / "embedding.npy").exists()
    assert main("--mode=export", f"--workdir={workdir}") == 0
    np.testing.assert_array_equal(np.load(workdir / "export" / "embedding.npy"), table)
    np.testing.assert_allclose(
        np.load(workdir / "export" / "hidden_second_moment.npy"), moment, rtol=1e-6
    )
    words = (workdir / "export" / "embedding.words.txt").read_text().splitlines()
    assert len(words) == len(table) == 17
    capsys.readouterr()


def test_predict_shows_the_likeliest_words_and_what_is_unknown(finished_lm, capsys):
    workdir, _ = finished_lm
    assert main("--mode=predict", f"--workdir={workdir}", "--text=anna zebra", "--num_words=4") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "text: anna <unk>"
    probabilities = [float(line.split()[1]) for line in lines[1:]]
    assert len(probabilities) == 4
    assert probabilities == sorted(probabilities, reverse=True)
    assert 0 < sum(probabilities) <= 1.0001
    assert main("--mode=predict", f"--workdir={workdir}", "--text=anna") == 0
    best = capsys.readouterr().out.splitlines()[1].split()[0]
    assert best in ("sees", "likes", "knows")


def test_generate_goes_on_from_a_text(finished_lm, capsys):
    workdir, _ = finished_lm
    arguments = ("--mode=generate", f"--workdir={workdir}", "--num_tokens=30", "--temperature=0.5")
    assert main(*arguments, "--text=bob likes") == 0
    first = capsys.readouterr().out
    assert main(*arguments, "--text=bob likes") == 0
    assert capsys.readouterr().out == first
    lines = first.splitlines()
    assert lines[0] == "text: bob likes"
    drawn = " ".join(lines[1:]).split()
    words = set((workdir / "vocabulary.txt").read_text().split())
    assert set(drawn) <= words
    assert len(drawn) + first.count("\n") - 2 == 30


def test_a_compressed_table_takes_the_place_of_the_embedding(finished_lm, tmp_path, capsys):
    workdir, _ = finished_lm
    table = np.load(workdir / "export" / "embedding.npy")
    words = (workdir / "export" / "embedding.words.txt").read_text().splitlines()
    codes = jaxcompress.compress(table, 4, 4, words=words)
    codes.save(tmp_path / "model.safetensors")
    capsys.readouterr()
    assert main(
        "--mode=evaluate", f"--workdir={workdir}", f"--codes={tmp_path / 'model.safetensors'}"
    ) == 0  # fmt: skip
    figures = dict(line.rsplit(maxsplit=1) for line in capsys.readouterr().out.splitlines()[-7:])
    figures = {name.strip(): value for name, value in figures.items()}
    assert figures["embedding_bytes"] == f"{4 * table.size:,}"
    assert figures["compressed_bytes"] == f"{codes.num_bytes():,}"
    summary = json.loads((workdir / "summary.json").read_text())
    np.testing.assert_allclose(
        float(figures["test_perplexity"]), summary["test_perplexity"], rtol=1e-4
    )
    assert float(figures["compressed_test_perplexity"]) != float(figures["test_perplexity"])
    assert float(figures["compressed_test_perplexity"]) < 17


@pytest.mark.slow
def test_the_exported_embedding_is_what_train_dccl_reads(finished_lm, tmp_path):
    workdir, _ = finished_lm
    done = helpers.run_here(
        helpers.command(
            workdir / "export" / "embedding.npy", tmp_path / "dccl", "--config.batch_size=8",
            "--config.model.num_codewords=4", "--config.data.valid_rows=0",
        )
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "anna" in jaxcompress.load(tmp_path / "dccl")


@pytest.mark.parametrize("form", ["vectors", "codes"])
def test_the_embedding_starts_from_pretrained_vectors(text, tmp_path, capsys, form):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(20, 16)).astype(np.float32)
    words = ["anna", "bob", "sees", *[f"other{i}" for i in range(17)]]
    if form == "vectors":
        np.save(tmp_path / "v.npy", rows)
        write_names(tmp_path / "v.words.txt", words)
        path = tmp_path / "v.npy"
    else:
        codes = jaxcompress.compress(rows, 4, 4, words=words)
        path, rows = tmp_path / "v.safetensors", codes.decode()
        codes.save(path)
    config = tying.Config(
        report=False,
        data=tying.DataConfig(path=str(text), vectors=str(path)),
        model=tying.ModelConfig(hidden_size=16),
        eval_lanes=2,
    )
    corpus = read_corpus(str(text))
    capsys.readouterr()
    problem = prepare(corpus, config)
    assert capsys.readouterr().out == ""
    known = {word for word, is_known in zip(corpus.words, problem.known, strict=True) if is_known}
    assert known == {"anna", "bob", "sees"}
    table = init_state(problem.job).params["embedding"]
    np.testing.assert_allclose(table[corpus.words.index("bob")], rows[1], rtol=1e-6)
    assert np.abs(table[corpus.words.index("carl")]).max() <= 0.1


def test_a_run_reports_how_many_words_have_a_vector(text, tmp_path, capsys):
    np.save(tmp_path / "v.npy", np.ones((3, 16), np.float32))
    write_names(tmp_path / "v.words.txt", ["anna", "zebra", "bob"])
    vectors = f"--config.data.vectors={tmp_path / 'v.npy'}"
    assert main(*small(text, f"--workdir={tmp_path / 'run'}", vectors, "--config.num_steps=1")) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"2 of 17 words have a vector in {tmp_path / 'v.npy'}"
    assert lines[1].startswith(f"4,500 tokens of {text}, 17 words; 1 steps (")
    assert f" of 24 x 5 tokens on 1 cpu device(s); workdir {tmp_path / 'run'}" in lines[1]


def test_functions_without_flags_give_what_the_main_prints(finished_lm, tmp_path, capsys):
    workdir, _ = finished_lm
    table = np.load(workdir / "export" / "embedding.npy")
    words = (workdir / "export" / "embedding.words.txt").read_text().splitlines()
    codes, path = jaxcompress.compress(table, 4, 4, words=words), tmp_path / "model.safetensors"
    codes.save(path)
    summary = json.loads((workdir / "summary.json").read_text())
    reader = tying.open_reader(workdir)
    capsys.readouterr()
    perplexities = {split: tying.perplexity(workdir, split) for split in ("valid", "test")}
    figures = tying.evaluate_codes(workdir, path)
    same_figures = tying.evaluate_codes(
        str(workdir), codes, config=read_config(workdir, tying.Config)
    )
    predicted = tying.predict_words(reader, "anna", num_words=3)
    generated = tying.generate_text(reader, "anna", num_tokens=20, temperature=0.5, seed=0)
    rows = tying.compare_runs([workdir])
    assert capsys.readouterr().out == ""
    for split, value in perplexities.items():
        np.testing.assert_allclose(value, summary[f"{split}_perplexity"], rtol=1e-6)
        assert figures[f"{split}_perplexity"] == value
    assert figures == same_figures
    assert rows == [{"workdir": str(workdir), "variant": "VD-LSTM+REAL 16", **summary}]
    assert main("--mode=evaluate", f"--workdir={workdir}", f"--codes={path}") == 0
    ending = f"\n\n{format_figures(figures)}\nreport: {workdir}/report.html\n"
    assert capsys.readouterr().out.endswith(ending)
    (Path(workdir) / "codes.json").unlink()  # the fixture's run is as it was
    jaxcompress.write_report(workdir)
    assert main("--mode=predict", f"--workdir={workdir}", "--text=anna", "--num_words=3") == 0
    lines = [f"{word:<20} {probability:.4f}" for word, probability in predicted]
    assert capsys.readouterr().out.splitlines() == ["text: anna", *lines]
    assert main("--mode=generate", f"--workdir={workdir}", "--text=anna", "--num_tokens=20",
                "--temperature=0.5") == 0  # fmt: skip
    assert capsys.readouterr().out == f"text: anna\n{generated}\n"


def test_a_run_over_another_text_is_not_scored(finished_lm, tmp_path):
    workdir, _ = finished_lm
    config = read_config(workdir, tying.Config)
    moved = helpers.make_text(tmp_path)
    config.data.path = str(moved)
    tying.perplexity(workdir, "valid", config=config)  # the same text, elsewhere
    (moved / "test.txt").write_text("anna sees bob\n")
    with pytest.raises(jaxcompress.InputError, match="holds a run over other data"):
        tying.perplexity(workdir, "valid", config=config)


def test_compare_lays_runs_side_by_side(finished_lm, text, tmp_path, capsys):
    workdir, _ = finished_lm
    other = tmp_path / "baseline"
    assert main(*small(text, f"--workdir={other}", "--config.num_steps=40")[1:],
                "--config=configs/text.py:baseline") == 0  # fmt: skip
    capsys.readouterr()
    assert main("--mode=compare", f"--workdirs={workdir},{other}", f"--workdir={tmp_path}") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["workdir", "variant", "num_parameters"]
    assert "VD-LSTM+REAL 16" in lines[1]
    assert "VD-LSTM 16" in lines[2]
    assert (tmp_path / "compare.png").stat().st_size > 10_000
    page, pictures = report_pages.check(tmp_path / "compare.html")
    assert "VD-LSTM+REAL 16" in page
    assert len(pictures) == 1
    # What each of them predicts, the likeliest word first.
    assert main("--mode=predict", f"--workdirs={workdir},{other}", "--text=anna",
                "--num_words=2") == 0  # fmt: skip
    text, *lines = capsys.readouterr().out.splitlines()
    assert text == "text: anna"
    for line, folder, variant in zip(lines, (workdir, other), ("+REAL", ""), strict=True):
        best = tying.predict_words(tying.open_reader(folder), "anna", 2)
        words = ", ".join(f"{word} {probability:.2f}" for word, probability in best)
        assert line == f"VD-LSTM{variant} 16 ({folder.name}): {words}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config=configs/ptb.py:small-bogus"], "'small-bogus' is not SIZE-VARIANT; sizes are"),
        (["--config=configs/quickstart.py"], "this main takes a jaxcompress.tying.Config."),
        (["--mode=predict"], "no workdir given; add --workdir DIR"),
        (["--mode=predict", "--workdir=gone"], "workdir gone holds no run"),
        (["--mode=compare"], "no workdirs given; add --workdirs=DIR,DIR,..."),
        (["--mode=generate", "--workdir=LM", "--temperature=0"],
         "temperature is 0.0; it must be above 0."),
        (["--mode=generate", "--workdir=LM", "--num_tokens=0"], "num_tokens is 0; it must be at l"),
        (["--mode=predict", "--workdir=LM", "--num_words=0"], "num_words is 0; it must be at l"),
        (["--mode=evaluate", "--workdir=LM", "--codes=gone"], "no file or folder gone; expected a"),
        (["--config=configs/text.py", "--config.data.path=gone"], "no folder gone; looked at"),
        (["--config=configs/text.py", "--config.unroll=0"], "unroll is 0; it must be at least 1."),
        (["--config=configs/text.py", "--config.data.path=TEXT", "--config.unroll=1000"],
         "expected at least batch_size x unroll = 20 x 1000; lower one of them."),
        (["--config=configs/text.py", "--config.data.path=TEXT", "--config.data.vectors=TABLE"],
         "16 dimensions; model.hidden_size is 200; set --config.model.hidden_size=16."),
        (["--config=configs/text.py", "--config.data.path=TEXT", "--num_words=many"], "num_words"),
    ],
)  # fmt: skip
def test_a_wrong_command_line_is_one_line_and_writes_nothing(
    arguments, message, text, table, finished_lm, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(helpers.ROOT)
    monkeypatch.delenv("JAXCOMPRESS_DATA", raising=False)
    paths = {"TEXT": text, "TABLE": table, "LM": finished_lm[0]}
    for name, path in paths.items():
        arguments = [argument.replace(name, str(path)) for argument in arguments]
    if "--config" in arguments[0]:
        arguments.append(f"--workdir={tmp_path / 'run'}")
    assert main(*arguments) == 2
    lines = helpers.error_of(capsys).strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert message in lines[0]
    assert not (tmp_path / "run").exists()


def test_broken_off_and_started_again_a_run_ends_with_the_same_bytes(finished_lm, text, tmp_path):
    arguments = helpers.text_command(text, tmp_path / "run")
    helpers.break_off(arguments, 45)
    assert "resumed from step " in helpers.printed(arguments)
    np.testing.assert_array_equal(helpers.losses(tmp_path / "run"), helpers.losses(finished_lm[0]))
    expected = (finished_lm[0] / "export" / "embedding.npy").read_bytes()
    assert (tmp_path / "run" / "export" / "embedding.npy").read_bytes() == expected


def test_losses_do_not_depend_on_the_number_of_devices(finished_lm, text, tmp_path):
    done = helpers.run(helpers.text_command(text, tmp_path / "eight"), num_devices=8)
    assert done.returncode == 0, done.stderr
    one, eight = helpers.losses(finished_lm[0]), helpers.losses(tmp_path / "eight")
    np.testing.assert_allclose(eight[:20], one[:20], rtol=1e-5)
    figures = [
        json.loads((path / "summary.json").read_text())["test_perplexity"]
        for path in (finished_lm[0], tmp_path / "eight")
    ]
    np.testing.assert_allclose(figures[1], figures[0], rtol=1e-3)
    assert main("--mode=evaluate", f"--workdir={tmp_path / 'eight'}") == 0  # on one device
    on_one = json.loads((tmp_path / "eight" / "summary.json").read_text())["test_perplexity"]
    np.testing.assert_allclose(on_one, figures[1], rtol=1e-5)


@pytest.mark.slow  # tests/engine/toy_devices.py has it with a carry of its own
def test_pmap_agrees_with_jit_if_nothing_is_dropped(text, tmp_path):
    done = [
        helpers.run(
            helpers.text_command(
                text, tmp_path / parallel, "--config.model.dropout=0",
                f"--config.parallel={parallel}", "--config.num_steps=20",
            ),
            num_devices=8,
        )
        for parallel in ("jit", "pmap")
    ]  # fmt: skip
    assert [d.returncode for d in done] == [0, 0], done[1].stderr
    jit, pmap = helpers.losses(tmp_path / "jit"), helpers.losses(tmp_path / "pmap")
    np.testing.assert_allclose(pmap, jit, rtol=1e-5)


def test_what_is_public_is_there_and_needs_no_flags():
    program = (
        "import sys\n"
        "from jaxcompress import tying\n"
        "assert callable(tying.train) and 'jax' not in sys.modules\n"
        "assert set(tying.__all__) <= set(dir(tying))\n"
        "for name in tying.__all__: assert getattr(tying, name) is not None, name\n"
        "assert not any(name.startswith(('ml_collections', 'jaxcompress.cli', 'train'))\n"
        "               for name in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=helpers.ROOT)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = tying.nonsense


@pytest.mark.slow
def test_the_quickstart_of_language_models_runs(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "train.tying", "--config=configs/quickstart_lm.py",
         f"--workdir={tmp_path / 'run'}", "--config.num_steps=10"],
        cwd=helpers.ROOT, env=helpers.environment(), capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "test_perplexity" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("spec", ["ptb.py:small-al", "ptb.py:medium-re", "wikitext2.py:small-real"])
def test_the_shipped_configs_run_on_real_text(spec, real_data, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(helpers.ROOT)
    monkeypatch.setenv("JAXCOMPRESS_DATA", str(real_data))
    for split, name in (("train", "valid"), ("valid", "test"), ("test", "valid")):
        source = real_data / "ptb" / f"ptb.{name}.txt"
        lines = source.read_text().splitlines()[:40]
        (tmp_path / f"{split}.txt").write_text("\n".join(lines) + "\n")
    assert main(
        f"--config=configs/{spec}", f"--workdir={tmp_path / 'run'}", "--config.num_steps=2",
        "--config.report=false",
        f"--config.data.path={tmp_path}", "--config.unroll=5", "--config.model.hidden_size=8",
    ) == 0  # fmt: skip
    assert "test_perplexity" in capsys.readouterr().out


def test_a_run_leaves_a_report_of_its_perplexity_and_its_words(finished_lm):
    workdir, printed = finished_lm
    assert f"\nreport: {workdir}/report.html\n" in printed
    text, pictures = report_pages.check(workdir / "report.html")
    summary = json.loads((workdir / "summary.json").read_text())
    assert f"test perplexity {summary['test_perplexity']:.1f}" in text
    assert pictures[0].get("aria-label") == "Perplexity"
    assert "anna" in text.partition("What it writes")[2].partition("Neighbours")[0]
    assert "The table as codes" not in text


def test_codes_that_were_measured_are_in_the_report(finished_lm, tmp_path):
    workdir, _ = finished_lm
    rows = np.load(workdir / "export" / "embedding.npy")
    words = (workdir / "export" / "embedding.words.txt").read_text().splitlines()
    codebook = np.concatenate([rows[:8], np.zeros((1, rows.shape[1]))])
    codes = np.minimum(np.arange(len(rows)), 8)[:, None]  # a few rows as they are, others lost
    Codes(codes, codebook[None], words).save(tmp_path / "codes.safetensors")
    arguments = ("--mode=evaluate", f"--workdir={workdir}", f"--codes={tmp_path}/codes.safetensors")
    try:
        assert train.tying.main(["train/tying.py", *arguments]) == 0
        text, _ = report_pages.check(write_report(workdir))
        figures = json.loads((workdir / "codes.json").read_text())
        assert f"{figures['compressed_test_perplexity']:.2f}" in text
        assert "A compressed table took the place of the embedding and classifier" in text
        assert "Neighbours before and after" in text
    finally:
        (workdir / "codes.json").unlink()  # the fixture's run is as it was


@pytest.mark.slow
def test_real_runs_away_without_a_bound_on_its_teacher_and_is_stopped(tmp_path, capsys):
    """The standard library's text, 2,000 words: rows as they are, and as they enter by default."""
    settings = (
        "--config=configs/text.py", "--config.data.path=stdlib", "--config.data.max_vocab=2000",
        "--config.eval_every=250", "--config.num_steps=1000", "--config.report=false",
    )  # fmt: skip
    free, bounded = tmp_path / "free", tmp_path / "bounded"
    assert main(*settings, f"--workdir={free}", "--config.model.max_sharpness=none") == 1
    errors = capsys.readouterr().err
    assert "max |L_v|^2 / (tau ln V) is above 0.5: the teacher of the longest row" in errors
    assert "times its best" in errors.splitlines()[-1]
    assert main("--mode=evaluate", f"--workdir={free}") == 0  # the best state is there
    assert main(*settings, f"--workdir={bounded}") == 0
    summary = json.loads((bounded / "summary.json").read_text())
    assert summary["valid_perplexity"] < 85
    assert "max |L_v|^2" not in capsys.readouterr().err
