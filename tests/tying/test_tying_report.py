"""The page that a language model leaves."""

import json

import numpy as np
import report_pages

import train.tying
from jaxcompress.codes.artefact import Codes
from jaxcompress.tying.report import write_report


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
        assert "Codes took the place of the embedding and classifier" in text
        assert "Neighbours before and after" in text
    finally:
        (workdir / "codes.json").unlink()  # the fixture's run is as it was
