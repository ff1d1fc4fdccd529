"""What a run leaves predicts: its test figures, and what to recommend."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcompress
from jaxcompress import ant
from jaxcompress.anchors.artefact import SparseAnchors
from jaxcompress.ant.export import export
from jaxcompress.ant.model import SIDES
from jaxcompress.ant.plan import make_eval_feed
from jaxcompress.ant.prepare import prepare
from jaxcompress.data.ratings.batches import draw_splits
from jaxcompress.data.ratings.read import read_ratings
from jaxcompress.engine.loop import evaluate, init_state
from jaxcompress.errors import InputError

MODELS = {
    "ant": ant.ModelConfig(user_anchors=3, item_anchors=4, latent_dim=5),
    "mf": ant.ModelConfig(table="dense", latent_dim=3),
    "mixdim": ant.ModelConfig(table="mixed", num_blocks=3, latent_dim=6, alpha=1.5),
    "ncf": ant.ModelConfig(table="dense", network="ncf", latent_dim=3, hidden_sizes=(5, 4)),
    "ncf without layers": ant.ModelConfig(network="ncf", user_anchors=2, item_anchors=2,
                                          latent_dim=3, hidden_sizes=(), biases=False),
}  # fmt: skip


@pytest.fixture(scope="module")
def ratings(ratings_file, tmp_path_factory):
    file = tmp_path_factory.mktemp("more") / "ratings.csv"
    file.write_text(ratings_file.read_text() + "rare,100,2.5,5000\nu0,seldom,4.5,5001\n")
    return read_ratings(str(file))


@pytest.mark.parametrize("method", MODELS)
def test_every_method_predicts_its_test_figures(method, ratings, tmp_path):
    config = ant.Config(seed=3, model=MODELS[method])  # of seed 3, "rare" is not trained on
    problem = prepare(ratings, config, say=lambda line: None)
    assert (np.bincount(ratings.users[problem.splits["train"]]) == 0).any()
    state = init_state(problem.job)
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda x: jnp.abs(x) + rng.random(x.shape), state.params)
    state = state.replace(params={**state.params, **{s: params[s] for s in SIDES}})
    export(problem, state, tmp_path)
    table = jaxcompress.load(tmp_path)
    test = problem.splits["test"]
    users = np.array(ratings.user_ids)[ratings.users[test]]
    items = np.array(ratings.item_ids)[ratings.items[test]]
    error = np.square(table.predict(users, items) - ratings.values[test]).mean()
    found = problem.job.task.metrics(evaluate(problem.job, state, make_eval_feed(test)))
    np.testing.assert_allclose(error, found["mse"], rtol=1e-4)
    best = table.recommend("u3", 50)
    predicted = table.predict("u3", [name for name, _ in best])
    np.testing.assert_allclose([score for _, score in best], predicted, rtol=1e-5)
    assert (np.diff(predicted) <= 1e-5).all()
    number = ratings.user_ids.index("u3")
    known = np.concatenate([problem.splits["train"], problem.splits["valid"]])
    seen = {ratings.item_ids[i] for i in ratings.items[known[ratings.users[known] == number]]}
    assert {name for name, _ in best} == set(ratings.item_ids) - seen
    nobody = table.predict("nobody", ratings.item_ids)
    np.testing.assert_allclose(nobody[0], table.predict("rare", ratings.item_ids[0]), rtol=1e-5)


def test_a_run_predicts_and_recommends(finished_ratings, ratings_file):
    workdir, _ = finished_ratings
    ratings, table = read_ratings(str(ratings_file)), jaxcompress.load(workdir)
    test = draw_splits(1500, "holdout", 0)["test"]
    users = np.array(ratings.user_ids)[ratings.users[test]]
    items = np.array(ratings.item_ids)[ratings.items[test]].astype(int)  # numbers as in the file
    error = np.square(table.predict(users, items) - ratings.values[test]).mean()
    summary = json.loads((workdir / "summary.json").read_text())
    assert error == pytest.approx(summary["test_mse"], rel=1e-4)
    assert table.predict("u0", ["100", "107"]).shape == (2,)
    assert table.predict([["u0"], ["u3"]], ["100", "107", "114"]).shape == (2, 3)
    first = table.recommend("u0", 3)
    assert [name for name, _ in table.recommend("u0", 2, exclude=[first[0][0]])] == [
        name for name, _ in first[1:]]  # fmt: skip
    with pytest.raises(InputError, match="k is 0"):
        table.recommend("u0", 0)
    with pytest.raises(InputError, match="users are float64; expected ids"):
        table.predict(1.5, "100")


def test_other_tables_predict_no_ratings():
    table = SparseAnchors.from_csr(np.eye(2), np.eye(2))
    with pytest.raises(InputError, match="these tables predict no ratings"):
        table.predict("0", "1")
