"""What a run's anchors stand for, printed and in its report."""

import json
import re

import numpy as np
import pytest
import report_pages
from test_train_ant import config_file, main

import jaxcompress
from jaxcompress import ant
from jaxcompress.ant.report import write_report
from jaxcompress.ant.run import inspect_anchors
from jaxcompress.errors import InputError


def test_inspect_shows_what_anchors_stand_for(tmp_path, capsys):
    rng = np.random.default_rng(0)
    with open(tmp_path / "ratings.dat", "w") as stream:
        for u in range(60):
            for i in range(20):
                if rng.random() < 0.7:  # users like one of two genres
                    stream.write(f"{u}::{i}::{5 if u % 2 == i % 2 else 1}::0\n")
    with open(tmp_path / "movies.dat", "w", encoding="latin-1") as stream:
        for i in range(20):
            stream.write(f"{i}::Film {i} (é)::{'Comedy' if i % 2 else 'Drama'}\n")
    file, workdir = config_file(tmp_path, "ant"), tmp_path / "run"
    arguments = (f"--config.data.path={tmp_path}", "--config.model.item_anchors=3",
                 "--config.model.user_anchors=3", "--config.model.latent_dim=2",
                 "--config.optimizer.learning_rate=0.05", "--config.num_epochs=20")  # fmt: skip
    assert main(f"--config={file}", f"--workdir={workdir}", *arguments) == 0
    capsys.readouterr()
    assert main("--mode=inspect", f"--workdir={workdir}", "--num_items=3") == 0
    printed = capsys.readouterr().out
    assert "anchor 1: " in printed
    assert "Film" in printed
    purities = [float(x.split()[0]) for x in printed.split("genre purity ")[1:]]
    assert max(purities) == 1.0  # one of them is one genre's alone
    assert "(of all items 0.50)" in printed
    of_items, of_users = printed.split("\nanchors of users")
    assert "of 20 items" in of_items
    assert "of 60 users; genre purity 1.00" in of_users  # those who like one of two genres
    assert "users of most weight: " in of_users
    liked = ant.inspect_anchors(str(workdir), num_items=3, side="users")
    genre = max(liked, key=lambda anchor: anchor.purity * anchor.num_items)
    parity = {"Drama": 0, "Comedy": 1}[genre.genre]
    assert {int(user) % 2 for user in genre.users} == {parity}
    anchors = ant.inspect_anchors(str(workdir), num_items=3)
    capsys.readouterr()
    assert [anchor.number for anchor in anchors] == [1, 2, 3]
    assert all(anchor.share == 0.5 for anchor in anchors if anchor.items)
    table = jaxcompress.load(workdir).part("items")
    for k, anchor in enumerate(anchors):
        weights = table.to_csr()[:, k].toarray()[:, 0] * np.linalg.norm(table.anchors[k])
        expected = np.sort(weights[weights > 0])[::-1][:3]
        np.testing.assert_allclose([item.weight for item in anchor.items], expected, rtol=1e-5)
        assert anchor.num_items == (weights > 0).sum()
        genres = [item.genres[0] for item in anchor.items]
        assert anchor.purity == max(genres.count(g) for g in ("Comedy", "Drama")) / len(genres)


def test_a_run_without_anchors_is_not_inspected(ratings_file, tmp_path, capsys):
    config = ant.Config(
        report=False,
        data=ant.DataConfig(path=str(ratings_file)), num_steps=20, batch_size=64, eval_every=20,
        model=ant.ModelConfig(table="dense", latent_dim=2),
    )  # fmt: skip
    ant.train(config, str(tmp_path / "run"))
    capsys.readouterr()
    with pytest.raises(InputError, match="MF 2 has no anchors"):
        ant.inspect_anchors(str(tmp_path / "run"))


def test_a_run_leaves_a_report_of_its_transforms(finished_ratings):
    workdir, printed = finished_ratings
    assert f"\nreport: {workdir}/report.html\n" in printed
    text, pictures = report_pages.check(workdir / "report.html")
    summary = json.loads((workdir / "summary.json").read_text())
    assert f"NBANT 4, test MSE {summary['test_mse']:.4f}" in text
    assert f"{summary['parameters']:,} parameters" in text
    table = jaxcompress.load(workdir)
    for picture, side in zip(pictures, ("users", "items"), strict=False):
        assert picture.get("aria-label") == f"The transform of {side}"
        drawn = "".join(path.get("d") for path in picture.findall(".//{*}path"))
        transform = table.part(side).to_csr()[:, :-1]  # the last anchor is the mean row
        assert drawn.count("M") == transform.nnz > 0


@pytest.mark.parametrize("side", ["items", "users"])
def test_a_report_lists_the_items_of_each_anchor(side, finished_ratings):
    workdir, _ = finished_ratings
    of_items, of_users = write_report(workdir).read_text().split("whose ratings it raises most")
    page = {"items": of_items, "users": of_users}[side]
    rows = re.findall(r"<tr>\n<td class=\"number\">(\d+)</td>(.*?)</tr>", page, re.DOTALL)
    anchors = inspect_anchors(workdir, 6, side)
    found = {anchor.number: anchor for anchor in anchors if anchor.num_items}
    assert {int(number) for number, _ in rows} == found.keys() != set()
    for number, cells in rows:
        titles = [item.title for item in found[int(number)].items]
        assert re.findall(r"<span>(.*?)</span>", cells) == titles
