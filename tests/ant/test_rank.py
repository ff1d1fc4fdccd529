"""How well test items are found among all items."""

import numpy as np
import pytest
from test_train_ant import main

import jaxcompress
from jaxcompress import ant
from jaxcompress.data.ratings.batches import draw_splits
from jaxcompress.data.ratings.read import read_ratings


def test_rank_finds_test_items_among_all_items(finished_ratings, ratings_file, capsys):
    """An independent reckoning of recall, NDCG and hits, by what the artefact recommends."""
    workdir, _ = finished_ratings
    assert main("--mode=rank", f"--workdir={workdir}", "--k=2,5", "--threshold=2.0") == 0
    printed = capsys.readouterr().out
    ranking = ant.rank_items(str(workdir), k=(2, 5), threshold=2.0)
    assert capsys.readouterr().out == ""
    ratings, table = read_ratings(str(ratings_file)), jaxcompress.load(workdir)
    test = draw_splits(1500, "holdout", 0)["test"]
    relevant = {}
    for at in test[ratings.values[test] >= 2]:
        found = relevant.setdefault(ratings.user_ids[ratings.users[at]], set())
        found.add(ratings.item_ids[ratings.items[at]])
    assert set(ranking.users) == relevant.keys()
    recall, ndcg, hit_rate = ranking.figures["NBANT 4"]
    for row, user in enumerate(ranking.users):
        for column, k in enumerate((2, 5)):
            hits = [name in relevant[user] for name, _ in table.recommend(user, k)]
            gain = sum(hit / np.log2(place + 2) for place, hit in enumerate(hits))
            most = sum(1 / np.log2(i + 2) for i in range(min(k, len(relevant[user]))))
            assert recall[row, column] == pytest.approx(sum(hits) / len(relevant[user]))
            assert ndcg[row, column] == pytest.approx(gain / most)
            assert hit_rate[row, column] == any(hits)
    lines = (workdir / "ranking.csv").read_text().splitlines()
    assert lines[0].startswith("user,recall_at_2,ndcg_at_2,hit_rate_at_2,recall_at_5")
    assert [line.split(",")[0] for line in lines[1:]] == ranking.users
    assert list(ranking.figures) == ["NBANT 4", "popularity", "item means"]
    for row in ranking.rows():
        shown = next(x for x in printed.splitlines() if x.startswith(row["method"]))
        assert f"{row['recall_at_2']:.5g}" in shown
    assert main("--mode=rank", f"--workdir={workdir}", "--k=0") == 2
    assert main("--mode=rank", f"--workdir={workdir}", "--k=ten") == 2
    assert main("--mode=rank", f"--workdir={workdir}", "--threshold=99") == 2
    assert "threshold is 99; the largest rating is " in capsys.readouterr().err


def test_popularity_and_item_means_rank_by_training_ratings(finished_ratings, ratings_file):
    workdir, _ = finished_ratings
    ranking = ant.rank_items(str(workdir), k=3, threshold=2.0)
    ratings, splits = read_ratings(str(ratings_file)), draw_splits(1500, "holdout", 0)
    counts = np.bincount(ratings.items[splits["train"]], minlength=40)
    known = np.concatenate([splits["train"], splits["valid"]])
    for row, name in enumerate(ranking.users[:5]):
        user, test = ratings.user_ids.index(name), splits["test"]
        seen = ratings.items[known[ratings.users[known] == user]]
        left = [i for i in np.argsort(-counts, kind="stable") if i not in seen][:3]
        mine = test[(ratings.users[test] == user) & (ratings.values[test] >= 2)]
        expected = np.isin(left, ratings.items[mine]).sum() / len(mine)
        assert ranking.figures["popularity"].recall[row, 0] == pytest.approx(expected)
