import json

import helpers
import numpy as np
import pytest

import jaxcompress
import train.sentiment
from jaxcompress import classify, loop, sentiment
from jaxcompress.data.labelled_text import read_labelled_text
from jaxcompress.data.vectors import read_vectors, read_words


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
    words = set(read_words(reviews / "vectors.words.txt"))
    for split in ("train", "test"):
        tokens = (reviews / f"{split}.csv").read_text().replace('"', " ").replace(",", " , ")
        tokens = [t for line in tokens.splitlines() for t in line.split()[:-2]]
        share = np.mean([token in words for token in tokens])
        assert 0.5 < share < 0.9
        np.testing.assert_allclose(summary[f"{split}_known_tokens"], share, rtol=1e-9)
        assert f" {100 * share:.1f} % of {split}" in printed


def test_the_accuracy_is_that_of_every_test_text_alone(finished_sentiment, reviews):
    workdir, _ = finished_sentiment
    config = train.sentiment.workdirs.read_config(workdir, sentiment.Config)
    text, vectors = read_corpus(reviews), read_vectors(config.vectors)

    def right(ids):
        some = text._replace(
            texts=text.texts | {"test": [text.texts["test"][i] for i in ids]},
            labels=text.labels | {"test": text.labels["test"][ids]},
        )
        problem = classify.prepare(classify.number_corpus(some), vectors, config)
        job = classify.make_job(problem, 0)
        state = loop.restore_best(job, workdir).state
        feed = classify.evaluation(problem, np.array(problem.corpus.ranges["test"]))
        sums = loop.evaluate(job, state, feed)
        assert sums["count"] == len(ids)
        return int(sums["accuracy"])

    ids = np.arange(3, 101, 20)
    assert right(ids) == sum(right(ids[i : i + 1]) for i in range(len(ids)))
    summary = json.loads((workdir / "summary.json").read_text())
    np.testing.assert_allclose(summary["test_accuracy"], right(np.arange(101)) / 101)


def test_validation_texts_come_from_those_to_train_on_alone(reviews):
    config = sentiment.Config(batch_size=16, vectors="v")
    corpus = classify.number_corpus(read_corpus(reviews))
    problem = classify.prepare(corpus, read_vectors(str(reviews / "vectors.npy")), config)
    job = classify.make_job(problem, 0)
    bounds = corpus.numbered.bounds
    test_starts = set(bounds[corpus.ranges["test"].start : -1])
    test = classify.evaluation(problem, np.array(corpus.ranges["test"]))
    feeds = {"valid": job.evaluations["valid"], "test": test}
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


def test_evaluate_needs_only_the_workdir(finished_sentiment, capsys):
    workdir, _ = finished_sentiment
    before = json.loads((workdir / "summary.json").read_text())
    assert main("--mode=evaluate", f"--workdir={workdir}") == 0
    after = json.loads((workdir / "summary.json").read_text())
    assert after["test_accuracy"] == before["test_accuracy"]
    assert "step " in capsys.readouterr().out


def test_killed_and_started_again_a_run_takes_the_same_steps(finished_sentiment, reviews, tmp_path):
    arguments = helpers.sentiment_command(reviews, tmp_path / "run")
    with helpers.killed_at_step(arguments, tmp_path / "run", 45):
        pass
    assert "resumed from step " in helpers.printed(arguments)
    np.testing.assert_array_equal(
        helpers.losses(tmp_path / "run"), helpers.losses(finished_sentiment[0])
    )
    expected, found = (
        json.loads((w / "summary.json").read_text())
        for w in (finished_sentiment[0], tmp_path / "run")
    )
    assert found["test_cross_entropy"] == expected["test_cross_entropy"]


def test_losses_do_not_depend_on_the_number_of_devices(finished_sentiment, reviews, tmp_path):
    arguments = helpers.sentiment_command(reviews, tmp_path / "eight")
    done = helpers.run(arguments, num_devices=8)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(
        helpers.losses(tmp_path / "eight")[:20],
        helpers.losses(finished_sentiment[0])[:20],
        rtol=1e-4,
    )


def test_compare_lays_tables_side_by_side(reviews, codes, tmp_path, capsys):
    arguments = [a for a in small(reviews, tmp_path) if not a.startswith("--config.vectors=")]
    assert main(
        *arguments,
        "--mode=compare",
        f"--vectors={reviews}/vectors.npy",
        f"--codes={codes}",
        "--kinds=finetune_codebooks",
        "--config.num_seeds=2",
        "--config.num_steps=20",
        "--config.data.bucket_width=16",
    ) == 0  # fmt: skip
    rows = json.loads((tmp_path / "compare.json").read_text())
    frozen, coded, tuned = rows
    assert frozen["embedding_bytes"] == 24 * 8 * 4
    assert coded["embedding_bytes"] == tuned["embedding_bytes"] == 24 * 1 + 4 * 4 * 4 * 8
    for row in rows:
        assert row["num_seeds"] == 2
        assert len(row["test_accuracies"]) == 2
        np.testing.assert_allclose(row["test_accuracy"], np.mean(row["test_accuracies"]))
        np.testing.assert_allclose(
            row["test_accuracy_std"], np.std(row["test_accuracies"], ddof=1), atol=1e-12
        )
    lines = capsys.readouterr().out.split("\n\nembedding ")[-1].splitlines()
    assert "finetune codebooks" in lines[3]
    assert (tmp_path / "compare.png").stat().st_size > 5_000
    tuned_file = next(tmp_path.glob("finetune*/seed-0/export/model.safetensors"))
    trained, start = jaxcompress.load(tuned_file), jaxcompress.load(codes)
    np.testing.assert_array_equal(trained.codes, start.codes)
    assert (trained.codebooks != start.codebooks).any()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--config.vectors=none.npy"], "no file none.npy; looked at"),
        (["--config.embedding=dense"], "vectors are given, and embedding is 'dense'"),
        (
            ["--config.embedding=finetune_codebooks"],
            "holds vectors; embedding 'finetune_codebooks'",
        ),
        (["--config.batch_size=1000"], "batch_size 1000 is more than the 270 texts to train on"),
        (["--config.data.valid_texts=300"], "data.valid_texts is 300; expected from 1 to 299"),
        (["--mode=compare"], "nothing to compare; add --vectors=PATH,... or --codes=PATH,..."),
        (["--mode=compare", "--kinds=pq"], "kinds has 'pq'; it must be of finetune_codebooks, ant"),
    ],
)
def test_what_does_not_fit_is_one_line(reviews, tmp_path, capsys, more, message):
    assert main(*small(reviews, tmp_path / "run", *more)) == 2
    error = capsys.readouterr().err
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
    arguments = [a for a in arguments if not a.startswith("--config.vectors=")]
    assert main(*arguments, "--config.vectors=None") == 2
    assert "no vectors given, and embedding is 'frozen'; add" in capsys.readouterr().err


def test_seeds_differ_in_their_validation_texts_and_first_values(reviews):
    config = sentiment.Config(batch_size=16, vectors="v")
    vectors = read_vectors(str(reviews / "vectors.npy"))
    problem = classify.prepare(classify.number_corpus(read_corpus(reviews)), vectors, config)
    jobs = [classify.make_job(problem, seed) for seed in (0, 1)]
    first, second = (np.asarray(loop.init_state(job).params["lstm_inputs"]) for job in jobs)
    assert (first != second).any()
    first, second = (set(job.evaluations["valid"].index(0)["positions"][:30, 0]) for job in jobs)
    assert first != second
    first, second = (job.feed.index(0)["positions"][:, 0] for job in jobs)
    assert (first != second).any()


def test_several_seeds_of_a_table_from_scratch(reviews, tmp_path, capsys):
    seeds = ("--config.num_seeds=2", "--config.num_steps=20", "--config.data.bucket_width=16")
    dense = ("--config.vectors=None", "--config.embedding=dense", "--config.model.dim=6")
    assert main(*small(reviews, tmp_path, *seeds, *dense)) == 0
    summary = json.loads((tmp_path / "summary.json").read_text())
    words = (tmp_path / "seed-0/export/embedding.words.txt").read_text().splitlines()
    assert set(words) == {*read_words(reviews / "vectors.words.txt"), ",", "rare", "<unk>"}
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
