"""Embedding "nbant": how many anchors a table has is learned with the classifier."""

import json

import helpers
import numpy as np

import jaxcompress
import train.sentiment
from jaxcompress.classifier.corpus import number_corpus, training_counts
from jaxcompress.data.labelled.read import LabelledText

NBANT = ("--config.vectors=None", "--config.embedding=nbant", "--config.model.network=mean",
         "--config.model.dim=6", "--config.model.num_anchors=4", "--config.model.max_anchors=12",
         "--config.model.delta=2", "--config.optimizer.table_rate=0.05")  # fmt: skip


def main(reviews, workdir, *more):
    command = helpers.sentiment_command(reviews, workdir, *NBANT, *more)[3:]
    return train.sentiment.main(["train/sentiment.py", *command])


def test_anchors_join_and_leave_until_a_third_of_the_run(reviews, tmp_path, capsys):
    steps = ("--config.num_steps=48", "--config.eval_every=2")
    assert main(reviews, tmp_path, *steps, "--config.model.anchor_penalty=0.0") == 0
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["embedding"] == "NBANT, from scratch, mean"
    anchors = jaxcompress.load(tmp_path)
    assert anchors.num_bytes() == summary["embedding_bytes"]
    found = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    errors = [line["valid_cross_entropy"] for line in found if "valid_cross_entropy" in line]
    assert len(errors) == 24
    # The number that had the least error of the first eight evaluations, two more each time or
    # two fewer where the error rose.
    numbers, direction = [4], 1
    for i in range(1, 8):
        direction = -direction if i > 1 and errors[i - 1] > errors[i - 2] else direction
        numbers.append(np.clip(numbers[-1] + 2 * direction, 2, 12))
    assert anchors.anchors.shape == (numbers[np.argmin(errors[:8])], 6)
    capsys.readouterr()
    (tmp_path / "summary.json").unlink()
    assert (
        train.sentiment.main(["train/sentiment.py", "--mode=evaluate", f"--workdir={tmp_path}"])
        == 0
    )
    again = json.loads((tmp_path / "summary.json").read_text())
    assert again["test_accuracy"] == summary["test_accuracy"]
    assert again["test_cross_entropy"] == summary["test_cross_entropy"]


def test_a_dear_anchor_leaves(reviews, tmp_path):
    steps = ("--config.num_steps=48", "--config.eval_every=2")
    assert main(reviews, tmp_path, *steps, "--config.model.anchor_penalty=10") == 0
    assert len(jaxcompress.load(tmp_path).anchors) < 4


def test_a_run_too_short_for_it_is_one_line(reviews, tmp_path, capsys):
    assert main(reviews, tmp_path, "--config.num_steps=20", "--config.eval_every=20") == 2
    (line,) = [x for x in capsys.readouterr().err.splitlines() if x.startswith("error: ")]
    assert "a run of 20 steps with an evaluation every 20 is too short for anchors" in line


def test_rows_count_as_often_as_the_texts_to_train_on_have_them():
    texts = {"train": ["b a b", "c a b"], "test": ["a a a"]}
    labels = {"train": np.array([0, 1]), "test": np.array([1])}
    corpus = number_corpus(LabelledText(texts, labels, ("x", "y")))
    assert training_counts(corpus, ["b", "a"]).tolist() == [3, 2, 1]
