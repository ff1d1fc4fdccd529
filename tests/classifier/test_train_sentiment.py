import dataclasses
import json
import re

import helpers
import numpy as np
import pytest
import report_pages
import safetensors.numpy

import jaxcompress
import train.sentiment
from jaxcompress import InputError, classifier
from jaxcompress.anchors.artefact import SparseAnchors
from jaxcompress.classifier.compare import Options, make_variants, tell_apart
from jaxcompress.classifier.compare_report import compare_sections
from jaxcompress.classifier.config import describe
from jaxcompress.classifier.corpus import (
    most_common_words,
    num_valid_texts,
    number_corpus,
    split_texts,
)
from jaxcompress.classifier.export import num_bytes
from jaxcompress.classifier.predictions import Predictions, read_predictions, save_predictions
from jaxcompress.classifier.prepare import make_test_feed, prepare, read_source, with_seed
from jaxcompress.classifier.report import confusion_section, write_report
from jaxcompress.classifier.run import average_seeds
from jaxcompress.data.labelled.read import LabelledText, read_labelled_text
from jaxcompress.data.vectors.files import read_vectors
from jaxcompress.engine.loop import evaluate, init_state, restore_best
from jaxcompress.engine.page.sections import leave_comparison
from jaxcompress.engine.workdir import read_config
from jaxcompress.storage.names import read_names


def main(*arguments):
    return train.sentiment.main(["train/sentiment.py", *arguments])


def small(reviews, workdir, *more):
    return helpers.sentiment_command(reviews, workdir, *more)[3:]


def read_corpus(reviews):
    return read_labelled_text(str(reviews / "train.csv"), test=str(reviews / "test.csv"))


@pytest.fixture(scope="module")
def codes(reviews, tmp_path_factory):
    """A file of codes of the reviews' words."""
    file = tmp_path_factory.mktemp("codes") / "model.safetensors"
    vectors = read_vectors(str(reviews / "vectors.npy"))
    jaxcompress.compress(vectors.rows, 4, 4, words=vectors.words).save(file)
    return file


def test_a_run_learns_and_leaves_a_summary_and_curves(finished_sentiment):
    workdir, printed = finished_sentiment
    summary = json.loads((workdir / "summary.json").read_text())
    for name in summary:
        assert f"\n{name} " in printed
    assert summary["test_texts"] == 101
    assert summary["num_classes"] == 2
    assert summary["embedding_bytes"] == 24 * 8 * 4
    assert summary["test_accuracy"] > 0.9
    assert (workdir / "curves.png").stat().st_size > 10_000
    assert len(helpers.losses(workdir)) == 60


def test_the_share_of_known_tokens_is_told(finished_sentiment, reviews):
    """`,` and `rare` are in every text and in no table of words."""
    workdir, printed = finished_sentiment
    summary = json.loads((workdir / "summary.json").read_text())
    words = set(read_names(reviews / "vectors.words.txt"))
    for split in ("train", "test"):
        tokens = (reviews / f"{split}.csv").read_text().replace('"', " ").replace(",", " , ")
        tokens = [t for line in tokens.splitlines() for t in line.split()[:-2]]
        share = np.mean([token in words for token in tokens])
        assert 0.5 < share < 0.9
        np.testing.assert_allclose(summary[f"{split}_known_tokens"], share, rtol=1e-9)
        assert f" {100 * share:.1f} % of {split}" in printed


def test_the_accuracy_is_that_of_every_test_text_alone(finished_sentiment, reviews):
    workdir, _ = finished_sentiment
    config = read_config(workdir, classifier.Config)
    text, vectors = read_corpus(reviews), read_vectors(config.vectors)

    def right(ids):
        some = text._replace(
            texts=text.texts | {"test": [text.texts["test"][i] for i in ids]},
            labels=text.labels | {"test": text.labels["test"][ids]},
        )
        problem = prepare(number_corpus(some), vectors, config)
        state = restore_best(problem.job, workdir).state
        sums = evaluate(problem.job, state, make_test_feed(problem))
        assert sums["count"] == len(ids)
        return int(sums["accuracy"])

    ids = np.arange(3, 101, 20)
    assert right(ids) == sum(right(ids[i : i + 1]) for i in range(len(ids)))
    summary = json.loads((workdir / "summary.json").read_text())
    np.testing.assert_allclose(summary["test_accuracy"], right(np.arange(101)) / 101)


def test_validation_texts_come_from_those_to_train_on_alone(reviews):
    config = classifier.Config(batch_size=16, vectors="v")
    corpus = number_corpus(read_corpus(reviews))
    problem = prepare(corpus, read_vectors(str(reviews / "vectors.npy")), config)
    job = problem.job
    bounds = corpus.numbered.bounds
    test_starts = set(bounds[corpus.ranges["test"].start : -1])
    feeds = {"valid": job.evaluations["valid"], "test": make_test_feed(problem)}
    starts = {}
    for name, feed in feeds.items():
        batches = [feed.index(i) for i in range(feed.num_batches)]
        starts[name] = {int(p) for b in batches for p in b["positions"][b["mask"], 0]}
    starts["train"] = {int(p) for s in range(170) for p in job.feed.index(s)["positions"][:, 0]}
    assert starts["test"] == test_starts
    assert len(starts["valid"]) == 30
    assert len(starts["train"]) == 270
    assert not starts["train"] & starts["valid"]
    assert not (starts["train"] | starts["valid"]) & test_starts


def test_no_text_is_trained_on_and_held_out_too():
    """A text that is there twice is only trained on."""
    texts = ["twice", *(f"text {i}" for i in range(20)), "twice"]
    labels = {"train": np.arange(22) % 2, "test": np.array([1])}
    text = LabelledText({"train": texts, "test": ["x"]}, labels, ("a", "b"))
    corpus = number_corpus(text)
    assert num_valid_texts(corpus, None) == 2
    for seed in range(8):
        ids = split_texts(corpus, 15, seed)
        assert sorted([*ids["train"], *ids["valid"]]) == list(range(22))
        assert len(ids["valid"]) == 15
        assert not {0, 21} & set(ids["valid"])
    with pytest.raises(InputError, match="valid_texts is 21, and only 20 of the 22"):
        num_valid_texts(corpus, 21)
    again = number_corpus(text._replace(texts={"train": ["x"] * 22, "test": ["x"]}))
    with pytest.raises(InputError, match="only 0 of the 22"):
        num_valid_texts(again, None)


def test_evaluate_needs_only_the_workdir(finished_sentiment, capsys):
    """It writes the same figures, those of the run's own time among them."""
    workdir, _ = finished_sentiment
    before = json.loads((workdir / "summary.json").read_text())
    (workdir / "summary.json").unlink()
    assert main("--mode=evaluate", f"--workdir={workdir}") == 0
    assert json.loads((workdir / "summary.json").read_text()) == before
    assert "step " in capsys.readouterr().out


def test_broken_off_and_started_again_a_run_takes_the_same_steps(
    finished_sentiment, reviews, tmp_path
):
    arguments = helpers.sentiment_command(reviews, tmp_path / "run")
    helpers.break_off(arguments, 45)
    assert "resumed from step " in helpers.printed(arguments)
    np.testing.assert_array_equal(
        helpers.losses(tmp_path / "run"), helpers.losses(finished_sentiment[0])
    )
    expected, found = (
        json.loads((w / "summary.json").read_text())
        for w in (finished_sentiment[0], tmp_path / "run")
    )
    assert found["test_cross_entropy"] == expected["test_cross_entropy"]


@pytest.mark.slow
def test_losses_do_not_depend_on_the_number_of_devices(finished_sentiment, reviews, tmp_path):
    arguments = helpers.sentiment_command(reviews, tmp_path / "eight")
    done = helpers.run(arguments, num_devices=8)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(
        helpers.losses(tmp_path / "eight")[:20],
        helpers.losses(finished_sentiment[0])[:20],
        rtol=1e-4,
    )


@pytest.mark.slow
def test_compare_lays_tables_side_by_side(reviews, codes, tmp_path, capsys):
    assert main(
        *small(reviews, tmp_path, "--config.vectors=None"),
        "--mode=compare",
        f"--vectors={reviews}/vectors.npy",
        f"--codes={codes}",
        "--kinds=finetune_codebooks",
        "--config.num_seeds=2",
        "--config.num_steps=20",
        "--config.data.bucket_width=16",
    ) == 0  # fmt: skip
    rows = json.loads((tmp_path / "compare.json").read_text())
    frozen, coded, tuned = rows[::2]
    assert [row["network"] for row in rows] == ["lstm", "mean"] * 3
    assert frozen["embedding_bytes"] == 24 * 8 * 4
    codebooks = 2 * (4 + 3 * 3) * 8  # float16; all but the first without their last codeword
    assert coded["embedding_bytes"] == tuned["embedding_bytes"] == 24 * 1 + codebooks
    for row in rows:
        assert row["num_seeds"] == 2
        assert len(row["test_accuracies"]) == 2
        np.testing.assert_allclose(row["test_accuracy"], np.mean(row["test_accuracies"]))
        np.testing.assert_allclose(
            row["test_accuracy_std"], np.std(row["test_accuracies"], ddof=1), atol=1e-12
        )
    lines = capsys.readouterr().out.split("\n\nembedding ")[-1].splitlines()
    assert "finetune codebooks" in lines[5]
    assert (tmp_path / "compare.png").stat().st_size > 5_000
    tuned_file = next(tmp_path.glob("finetune*/seed-0/export/model.safetensors"))
    trained, start = jaxcompress.load(tuned_file), jaxcompress.load(codes)
    np.testing.assert_array_equal(trained.codes, start.codes)
    assert (trained.codebooks != start.codebooks).any()
    again = jaxcompress.load(tuned_file.parents[1])  # the workdir, as the run says
    np.testing.assert_array_equal(again.codebooks, trained.codebooks)


def variants_of(config=None, **options):
    config = config or classifier.Config()
    made = make_variants(config, Options(**options))
    assert all(len(folder) < 100 for folder in made)
    assert [variant.model.network for variant in made.values()] == ["lstm", "mean"] * (
        len(made) // 2
    )
    return [(variant.vectors, variant.embedding) for variant in list(made.values())[::2]]


def test_what_is_compared_is_every_table_once():
    both = "out/a/export/model.safetensors", "out-a/export/model.safetensors"
    assert variants_of(codes=",".join(both)) == [(path, "frozen") for path in both]
    assert variants_of(vectors="a.npy,./a.npy", codes="b", kinds="finetune_codebooks,ant") == [
        ("./a.npy", "frozen"),
        ("b", "frozen"),
        ("b", "finetune_codebooks"),
        (None, "ant"),
    ]
    long = f"{'x' * 300}/{'y' * 300}.npy"
    assert variants_of(vectors=long) == [(long, "frozen")]
    own = classifier.Config(vectors="b", embedding="finetune_codebooks")
    assert variants_of(own, vectors="a") == [("b", "finetune_codebooks"), ("a", "frozen")]


def test_tables_of_one_name_are_told_apart():
    paths = "one/v.npy", "two/v.npy", "other.npy"
    configs = [classifier.Config(vectors=path) for path in paths]
    assert tell_apart(configs) == [
        "one/v.npy: v.npy, frozen",
        "two/v.npy: v.npy, frozen",
        "other.npy, frozen",
    ]


def test_a_run_knows_where_its_splits_end(reviews, finished_sentiment, tmp_path, capsys):
    """The same texts, cut into other splits, are other data."""
    rows = [(reviews / f"{split}.csv").read_text().splitlines(True) for split in ("train", "test")]
    both = rows[0] + rows[1]
    (tmp_path / "train.csv").write_text("".join(both[:-1]))
    (tmp_path / "test.csv").write_text(both[-1])
    vectors = f"--config.vectors={reviews}/vectors.npy"
    assert main(*small(tmp_path, finished_sentiment[0], vectors)) == 2
    assert "holds a run over other data" in capsys.readouterr().err


def test_of_rows_named_alike_the_first_is_read(reviews):
    vectors = read_vectors(str(reviews / "vectors.npy"))
    words = [vectors.words[3], *vectors.words[1:]]  # row 3's name is row 0's too
    corpus = number_corpus(read_corpus(reviews))
    problem = prepare(corpus, vectors._replace(words=words), classifier.Config(vectors="v"))
    tokens = np.asarray(problem.job.data["tokens"])
    row_of = dict(zip(corpus.numbered.words, range(len(corpus.numbered.words)), strict=True))
    assert set(tokens[corpus.numbered.ids == row_of[words[0]]]) == {0}
    assert set(tokens[corpus.numbered.ids == row_of["rare"]]) == {len(words)}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--config.vectors=none.npy"], "no file or folder none.npy; looked at"),
        (["--config.embedding=dense"], "and embedding is 'dense', which is learned from scratch"),
        (
            ["--config.embedding=finetune_codebooks"],
            "holds vectors; embedding 'finetune_codebooks'",
        ),
        (["--config.batch_size=1000"], "batch_size 1000 is more than the 270 texts to train on"),
        (["--config.data.valid_texts=300"], "data.valid_texts is 300; expected from 1 to 299"),
        (["--mode=compare", "--kinds=finetune_codebooks"], "which needs codes; add --codes=PATH"),
        (["--config.vectors=~nobody-here/v.npy"], "no file or folder ~nobody-here/v.npy; looked"),
        (
            ["--mode=compare", "--kinds=pq"],
            "kinds has 'pq'; each must be one of finetune_codebooks, ant",
        ),
    ],
)
def test_what_does_not_fit_is_one_line(reviews, tmp_path, capsys, more, message):
    assert main(*small(reviews, tmp_path / "run", *more)) == 2
    error = helpers.error_of(capsys)
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run" / "config.json").exists()


def test_vectors_of_other_words_and_missing_ones_are_told(reviews, tmp_path, capsys):
    np.save(tmp_path / "other.npy", np.ones((3, 4), np.float32))
    (tmp_path / "other.words.txt").write_text("zebra\nyak\nxenon\n")
    arguments = small(reviews, tmp_path / "run", f"--config.vectors={tmp_path}/other.npy")
    assert main(*arguments) == 2
    assert "none of the words of" in capsys.readouterr().err
    (tmp_path / "other.words.txt").unlink()
    assert main(*arguments) == 2
    assert "its rows have no names; expected a word for each" in capsys.readouterr().err
    arguments.append("--config.vectors=None")
    assert main(*arguments) == 2
    assert "no vectors given, and embedding is 'frozen'; add" in capsys.readouterr().err
    assert main(*arguments, "--mode=compare") == 2
    assert "nothing to compare; add --vectors=PATH,... or" in capsys.readouterr().err
    tuned = ("--mode=compare", "--config.embedding=finetune_codebooks", "--codes=a")
    assert main(*arguments, *tuned) == 2
    assert (
        "of all codes that are compared, add --kinds=finetune_codebooks" in capsys.readouterr().err
    )


def test_anchors_are_vectors_too(reviews, tmp_path):
    """As a run with `embedding` "ant" exports them, of a workdir or by their file."""
    vectors = read_vectors(str(reviews / "vectors.npy"))
    file = tmp_path / "export" / "anchors.safetensors"
    file.parent.mkdir()
    rows = SparseAnchors.from_csr(np.eye(len(vectors.rows)), vectors.rows, words=vectors.words)
    rows.save(file)
    corpus = number_corpus(read_corpus(reviews))
    dense = prepare(corpus, vectors, classifier.Config(vectors="v"))
    for path in (tmp_path, file):
        config = classifier.Config(vectors=str(path))
        problem = prepare(corpus, read_source(config), config)
        np.testing.assert_array_equal(problem.job.data["table"], dense.job.data["table"])
        assert problem.fingerprint == dense.fingerprint
        assert num_bytes(problem.table.to_artefact({})) == rows.num_bytes()
        assert describe(config) == f"{tmp_path.name}, frozen"


def test_files_that_are_no_vectors_are_one_line(reviews, codes, tmp_path, capsys):
    cut, two = tmp_path / "model.safetensors", tmp_path / "two.safetensors"
    cut.write_bytes(codes.read_bytes()[:-10])
    matrix = np.ones((3, 4), np.float32)
    safetensors.numpy.save_file({"x": matrix, "y": matrix}, two)
    for file, message in (
        (cut, "not a .safetensors file, or cut short"),
        (two, "no data.tensor given; matrices in it: x [3, 4], y [3, 4]"),
    ):
        assert main(*small(reviews, tmp_path / "run", f"--config.vectors={file}")) == 2
        error = helpers.error_of(capsys)
        assert error.startswith(f"error: {file}")
        assert message in error
        assert error.count("\n") == 1


def test_a_file_in_the_place_of_a_workdir_is_one_line(reviews, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    for workdir in (tmp_path / "file", tmp_path / "file" / "run"):
        assert main(*small(reviews, workdir)) == 2
        assert f"{tmp_path / 'file'} is a file; expected a folder" in capsys.readouterr().err


def test_seeds_differ_in_their_validation_texts_and_first_values(reviews):
    config = classifier.Config(batch_size=16, vectors="v")
    vectors = read_vectors(str(reviews / "vectors.npy"))
    problem = prepare(number_corpus(read_corpus(reviews)), vectors, config)
    jobs = [problem.job, with_seed(problem, 1).job]
    first, second = (np.asarray(init_state(job).params["lstm_inputs"]) for job in jobs)
    assert (first != second).any()
    first, second = (set(job.evaluations["valid"].index(0)["positions"][:30, 0]) for job in jobs)
    assert first != second
    first, second = (job.feed.index(0)["positions"][:, 0] for job in jobs)
    assert (first != second).any()


def test_seeds_share_data_and_programs_and_a_seed_is_that_of_a_run_of_its_own(reviews):
    config = classifier.Config(batch_size=16, vectors="v", num_seeds=3)
    corpus, vectors = (number_corpus(read_corpus(reviews)), read_vectors(f"{reviews}/vectors.npy"))
    several = prepare(corpus, vectors, config)
    one = with_seed(several, 2)
    assert one.job.engine is several.job.engine
    assert one.job.data is several.job.data
    alone = prepare(corpus, vectors, dataclasses.replace(config, seed=2, num_seeds=1))
    assert one.config == alone.config
    assert one.job.config == alone.job.config
    assert one.fingerprint == alone.fingerprint
    pairs = [(one.job.feed, alone.job.feed)]
    pairs.append((one.job.evaluations["valid"], alone.job.evaluations["valid"]))
    for ours, theirs in pairs:
        np.testing.assert_array_equal(ours.index(0)["positions"], theirs.index(0)["positions"])


def test_the_figures_of_seeds_are_means_with_the_deviation_of_a_sample():
    seeds = [{"dim": 8, "name": "v", "test_accuracy": a, "x": 10 * a} for a in (0.5, 0.6, 0.7)]
    found = average_seeds(seeds)
    assert (found["dim"], found["name"], found["num_seeds"]) == (8, "v", 3)
    np.testing.assert_allclose(found["x"], 6.0)
    np.testing.assert_allclose(found["test_accuracy_std"], np.sqrt((0.01 + 0.0 + 0.01) / 2))
    assert found["test_accuracies"] == [0.5, 0.6, 0.7]
    assert average_seeds(seeds[:1])["test_accuracy_std"] == 0


def test_a_table_from_scratch_takes_the_most_frequent_words_of_the_texts_to_train_on():
    texts = {"train": ["b a b", "c a b"], "test": ["d d d d"]}
    labels = {"train": np.array([0, 1]), "test": np.array([1])}
    corpus = number_corpus(LabelledText(texts, labels, ("x", "y")))
    assert most_common_words(corpus, 2) == ["b", "a"]
    assert most_common_words(corpus, 9) == ["b", "a", "c"]


@pytest.mark.slow
def test_several_seeds_of_a_table_from_scratch(reviews, tmp_path, capsys):
    seeds = ("--config.num_seeds=2", "--config.num_steps=20", "--config.data.bucket_width=16")
    dense = ("--config.vectors=None", "--config.embedding=dense", "--config.model.dim=6",
             "--config.optimizer.table_rate=0.03")  # fmt: skip
    assert main(*small(reviews, tmp_path, *seeds, *dense)) == 0
    summary = json.loads((tmp_path / "summary.json").read_text())
    words = (tmp_path / "seed-0/export/embedding.words.txt").read_text().splitlines()
    assert set(words) == {*read_names(reviews / "vectors.words.txt"), ",", "rare", "<unk>"}
    assert np.load(tmp_path / "seed-0/export/embedding.npy").shape == (27, 6)
    assert summary["embedding_bytes"] == 4 * 27 * 6
    each = [json.loads((tmp_path / f"seed-{s}/summary.json").read_text()) for s in (0, 1)]
    assert summary["test_accuracies"] == [one["test_accuracy"] for one in each]
    (tmp_path / "summary.json").unlink()
    assert main("--mode=evaluate", f"--workdir={tmp_path}") == 0
    again = json.loads((tmp_path / "summary.json").read_text())
    assert again["test_accuracies"] == summary["test_accuracies"]
    assert main("--mode=evaluate", f"--workdir={tmp_path}/seed-1") == 0
    capsys.readouterr()


def test_a_run_leaves_a_report_of_its_confusion(finished_sentiment):
    workdir, printed = finished_sentiment
    assert f"\nreport: {workdir}/report.html\n" in printed
    text, _ = report_pages.check(workdir / "report.html")
    summary = json.loads((workdir / "summary.json").read_text())
    assert f"{100 * summary['test_accuracy']:.1f}\xa0% right" in text
    page = write_report(workdir).read_text().partition("Confusion")[2]
    counts = {mark: [int(n) for n in re.findall(rf'"{mark}">(\d+)<', page.partition("</table>")[0])]
              for mark in ("good", "bad")}  # fmt: skip
    assert sum(counts["good"]) == round(101 * summary["test_accuracy"])
    assert sum(counts["good"]) + sum(counts["bad"]) == 101


@pytest.mark.parametrize(("num_classes", "named"), [(10, True), (41, False)])
def test_the_confusion_of_many_classes_is_a_picture(num_classes, named):
    labels = np.arange(num_classes)
    found = Predictions(labels, labels, labels[::-1], np.ones(num_classes))
    section = confusion_section(found, [f"class {i}" for i in labels])
    assert (">class 9<" in section.pictures[0].svg) == named


def test_predictions_are_of_the_texts_in_their_order(finished_sentiment, reviews):
    workdir, _ = finished_sentiment
    found = read_predictions(workdir)
    lines = (reviews / "test.csv").read_text().splitlines()
    np.testing.assert_array_equal(found.texts, np.arange(101))
    names = [line.rpartition(",")[2] for line in lines]
    classes = sorted(set(names))
    assert [classes[label] for label in found.labels] == names
    summary = json.loads((workdir / "summary.json").read_text())
    np.testing.assert_allclose(found.is_right.mean(), summary["test_accuracy"])
    wrong = np.flatnonzero(~found.is_right)
    page = (workdir / "report.html").read_text()
    listed = page.partition("taken for another class")[2].partition("</table>")[0]
    for text in re.findall(r'<td class="long">(.*?)</td>', listed):
        start = text.removesuffix("…")
        assert any(start in lines[i] for i in wrong)


def test_the_page_of_several_tables_shows_what_another_table_gets_wrong(
    finished_sentiment, reviews, tmp_path
):
    workdir, _ = finished_sentiment
    text = read_labelled_text(f"{reviews}/train.csv", test=f"{reviews}/test.csv")
    summary, found = json.loads((workdir / "summary.json").read_text()), read_predictions(workdir)
    right = np.flatnonzero(found.is_right)[:3]
    other = found._replace(
        found=np.where(np.isin(found.texts, right), 1 - found.found, found.found)
    )
    (tmp_path / "seed-0").mkdir()
    save_predictions(tmp_path / "seed-0", other)
    rows = [summary, {**summary, "embedding": "codes", "embedding_bytes": 10}]
    sections = lambda: compare_sections(rows, [workdir, tmp_path], text)
    leave_comparison(tmp_path / "compare.html", "Texts", sections)
    page, pictures = report_pages.check(tmp_path / "compare.html")
    assert pictures[0].get("aria-label") == "Test accuracy and bytes of each table"
    assert re.search(r"\bcodes\s+3\s+0\s", page)
    listed = page.partition("What codes gets wrong")[2]
    for i in right:
        assert " ".join(text.texts["test"][i].split()) in listed
