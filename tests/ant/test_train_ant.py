"""The main of anchors, from files to artefacts."""

import json

import helpers
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import report_pages
import safetensors.numpy
import scipy.sparse

import jaxcompress
import train.ant
from jaxcompress import ant
from jaxcompress.anchors.artefact import SparseAnchors
from jaxcompress.ant.clusters import learn_dense_rows
from jaxcompress.ant.model import num_nonzero
from jaxcompress.ant.prepare import prepare, read
from jaxcompress.data.ratings.batches import draw_splits
from jaxcompress.data.ratings.read import read_ratings
from jaxcompress.engine.loop import fit, init_state
from jaxcompress.errors import InputError

SUMMARY = (
    "num_users", "num_items", "train_ratings", "valid_ratings", "test_ratings", "test_mse",
    "test_rmse", "valid_mse", "dense_parameters", "nnz", "num_anchors", "parameters",
    "stored_bytes", "compression_ratio", "compression_ratio_bytes", "ratings_per_second",
)  # fmt: skip


def main(*arguments):
    return train.ant.main(["train/ant.py", *map(str, arguments)])


def config_file(folder, method, **settings):
    """A config file of one method, for the small ratings."""
    extra = "".join(f", {name}={value!r}" for name, value in settings.items())
    (folder / f"{method}.py").write_text(
        "from jaxcompress import ant\n\n\ndef get_config():\n"
        f"    return ant.published_config({method!r}, report=False, num_epochs=8.0, "
        f"batch_size=64, num_parameters=250{extra})\n"
    )
    return folder / f"{method}.py"


def summary_of(workdir):
    return json.loads((workdir / "summary.json").read_text())


def same_tables(a, b):
    tables = [jaxcompress.load(path) for path in (a, b)]
    np.testing.assert_array_equal(tables[0].decode(), tables[1].decode())


def test_a_run_learns_and_leaves_a_summary_and_curves(finished_ratings, ratings_file):
    workdir, printed = finished_ratings
    summary = summary_of(workdir)
    assert set(SUMMARY) <= set(summary)
    for name in summary.keys() - {"baselines"}:
        assert f"\n{name} " in printed
    assert [row["method"] for row in summary["baselines"]] == [
        "constant", "item means", "user and item biases"]  # fmt: skip
    for row in summary["baselines"]:
        assert f"\n{row['method']} " in printed
    assert (summary["num_users"], summary["num_items"]) == (60, 40)
    assert (summary["train_ratings"], summary["test_ratings"]) == (1200, 150)
    assert summary["dense_parameters"] == 100 * 4 + 1
    ratings = read_ratings(str(ratings_file))
    test = ratings.values[draw_splits(1500, "holdout", 0)["test"]]
    assert summary["test_mse"] < test.var()
    assert (workdir / "curves.png").stat().st_size > 10_000
    assert len(helpers.losses(workdir)) == 60


def test_the_figures_are_those_of_the_exported_tables(finished_ratings, ratings_file):
    """An independent reckoning in NumPy of the test error and of all counts."""
    workdir, _ = finished_ratings
    summary, table = summary_of(workdir), jaxcompress.load(workdir)
    assert isinstance(table, SparseAnchors)
    ratings = read_ratings(str(ratings_file))
    at = draw_splits(1500, "holdout", 0)["test"]
    users = np.stack([table[f"users/{ratings.user_ids[u]}"] for u in ratings.users[at]])
    items = np.stack([table[f"items/{ratings.item_ids[i]}"] for i in ratings.items[at]])
    predicted = (users * items).sum(axis=1) + table.extras["bias"]
    mse = ((predicted - ratings.values[at]) ** 2).mean()
    np.testing.assert_allclose(summary["test_mse"], mse, rtol=1e-5)
    np.testing.assert_allclose(summary["test_rmse"], np.sqrt(mse), rtol=1e-5)
    parts = [table.part(side) for side in ("users", "items")]
    anchors = [part.num_anchors - 1 for part in parts]  # the last one is the mean row
    assert summary["num_anchors"] == anchors
    assert summary["nnz"] == table.nnz  # every row is trained on here
    assert summary["parameters"] == table.nnz + sum(anchors) * 4 + 1
    assert summary["stored_bytes"] == table.num_bytes() + 4
    file = workdir / "export" / "anchors.safetensors"
    assert summary["file_bytes"] == file.stat().st_size
    arrays = safetensors.numpy.load_file(file)
    assert summary["stored_bytes"] == sum(x.nbytes for n, x in arrays.items() if n != "names")
    assert summary["compression_ratio"] == 401 / summary["parameters"]
    for side, part in zip(("users", "items"), parts, strict=True):
        np.testing.assert_allclose(part.anchors[-1], part.mean_row(), rtol=1e-5)
        transform = scipy.sparse.load_npz(workdir / "export" / f"{side}.transform.npz")
        assert (transform.data > 0).all()
        rows = transform @ np.load(workdir / "export" / f"{side}.anchors.npy")
        np.testing.assert_allclose(rows, part.decode(), rtol=1e-5, atol=1e-6)


def test_nbant_keeps_its_history_and_is_compiled_once(ratings_file):
    config = ant.Config(
        report=False,
        batch_size=64, num_steps=200, eval_every=20, steps_per_dispatch=20,
        data=ant.DataConfig(path=str(ratings_file)),
        model=ant.ModelConfig(latent_dim=4, user_anchors=2, item_anchors=2),
        growth=ant.GrowthConfig(enabled=True, max_anchors=12, anchor_penalty=1e-4),
    )  # fmt: skip
    problem = prepare(read(config), config, say=lambda line: None)
    compiled, numbers = [], []
    train_steps = problem.job.engine.train

    def counted(state, *others):
        numbers.append(int(state.aux["users"]["active"].sum()))
        out = train_steps(state, *others)
        compiled.append(problem.job.engine.step._cache_size())
        return out

    job = problem.job._replace(engine=problem.job.engine._replace(train=counted))
    fitted = fit(job, show_progress=False)
    assert len(set(numbers)) > 3  # it grew
    assert set(compiled) == {1}
    growth = fitted.state.aux["growth"]
    assert int(growth["num_evaluations"]) == 9  # the last evaluation changes nothing
    assert np.isfinite(growth["objectives"]).all()
    assert int(growth["best_count"][0]) in numbers


@pytest.mark.parametrize(
    "method", ["mixdim", "ant", "ncf", *(
        pytest.param(name, marks=pytest.mark.slow)
        for name in ("mf", "nbant", "sparse", "pruned", "ncf-ant"))]
)  # fmt: skip
def test_every_method_trains_exports_and_evaluates(method, ratings_file, tmp_path, capsys):
    file, workdir = config_file(tmp_path, method), tmp_path / "run"
    data = f"--config.data.path={ratings_file}"
    anchors = ("--config.model.user_anchors=4", "--config.model.item_anchors=4",
               "--config.growth.max_anchors=9", "--config.model.num_blocks=2")  # fmt: skip
    assert main(f"--config={file}", data, f"--workdir={workdir}", *anchors) == 0
    summary = summary_of(workdir)
    if method in ("ant", "nbant", "pruned"):
        assert summary["parameters"] <= 250
    export = workdir / "export"
    if method in ("mf", "mixdim", "ncf"):
        assert np.load(export / "users.npy").shape == (60, 16)
        assert (export / "items.ids.txt").read_text().splitlines()[0] == "100"
        assert summary["stored_bytes"] == 4 * summary["parameters"]
    else:
        table = jaxcompress.load(workdir)
        assert table.part("users").num_rows == 60
        assert summary["stored_bytes"] == table.num_bytes() + sum(
            x.nbytes for name, x in table.extras.items() if not name.startswith("seen.")
        )
    before = summary["test_mse"]
    assert main("--mode=evaluate", f"--workdir={workdir}") == 0
    assert summary_of(workdir)["test_mse"] == before
    capsys.readouterr()


def test_export_writes_the_files_anew(finished_ratings, capsys):
    workdir, _ = finished_ratings
    before = jaxcompress.load(workdir)
    (workdir / "export" / "anchors.safetensors").unlink()
    assert main("--mode=export", f"--workdir={workdir}") == 0
    np.testing.assert_array_equal(jaxcompress.load(workdir).decode(), before.decode())
    capsys.readouterr()


@pytest.mark.parametrize(
    ("devices", "parallel"), [(8, "jit"), pytest.param(8, "pmap", marks=pytest.mark.slow)]
)
def test_eight_devices_train_as_one_does(
    devices, parallel, ratings_file, finished_ratings, tmp_path
):
    done = helpers.run(
        helpers.ratings_command(ratings_file, tmp_path / "run", f"--config.parallel={parallel}"),
        num_devices=devices,
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(
        helpers.losses(tmp_path / "run"), helpers.losses(finished_ratings[0]), rtol=1e-4
    )
    ours, theirs = summary_of(tmp_path / "run"), summary_of(finished_ratings[0])
    assert ours["num_anchors"] == theirs["num_anchors"]
    np.testing.assert_allclose(ours["test_mse"], theirs["test_mse"], rtol=1e-4)


def test_a_run_that_was_broken_off_ends_with_the_same_tables(
    ratings_file, finished_ratings, tmp_path
):
    workdir = tmp_path / "run"
    arguments = helpers.ratings_command(ratings_file, workdir)
    helpers.break_off(arguments, 45)
    assert "resumed from step " in helpers.printed(arguments)
    same_tables(workdir, finished_ratings[0])
    assert summary_of(workdir)["num_anchors"] == summary_of(finished_ratings[0])["num_anchors"]
    np.testing.assert_array_equal(helpers.losses(workdir), helpers.losses(finished_ratings[0]))


@pytest.mark.slow
def test_a_stream_tests_on_the_window_that_follows(ratings_file, tmp_path, capsys):
    workdir = tmp_path / "run"
    assert main(
        "--config=configs/quickstart_ratings.py", f"--config.data.path={ratings_file}",
        "--config.report=false",
        f"--workdir={workdir}", "--config.batch_size=50", "--config.stream.window=300",
        "--config.stream.num_passes=2", "--config.num_steps=None", "--config.model.latent_dim=4",
        "--config.model.user_anchors=2", "--config.model.item_anchors=2",
        "--config.growth.max_anchors=8", "--config.growth.num_steps=1000",
        "--config.penalty.lazy=true",
    ) == 0  # fmt: skip
    capsys.readouterr()
    summary = summary_of(workdir)
    assert summary["num_windows"] == 5
    assert (summary["train_ratings"], summary["test_ratings"]) == (1200, 300)
    assert [row["window"] for row in summary["windows"]] == [2, 3, 4, 5]
    biases = summary["baselines"][2]
    assert biases["test_mse"] == summary["windows"][-1]["user and item biases"]
    assert summary["windows"][-1]["run"] == pytest.approx(summary["test_mse"], rel=1e-5)
    lines = [json.loads(x) for x in (workdir / "metrics.jsonl").read_text().splitlines()]
    at = [line["step"] for line in lines if "valid_mse" in line]
    assert at == [12, 24, 36, 48]
    assert summary["best_epoch"] == 4  # the state after the last window
    assert {line["valid_users_anchors"] for line in lines if "valid_mse" in line} != {2.0}


@pytest.mark.slow
def test_a_stream_of_real_ratings_grows_as_users_arrive(real_data, tmp_path, capsys):
    workdir = tmp_path / "run"
    assert main(
        f"--config={helpers.ROOT}/configs/movielens_100k.py:nbant", f"--workdir={workdir}",
        f"--config.data.path={real_data}/ml-100k", "--config.stream.window=20000",
        "--config.penalty.num_parameters=None", "--config.penalty.lazy=true",
    ) == 0  # fmt: skip
    capsys.readouterr()
    summary = summary_of(workdir)
    assert (summary["num_windows"], summary["test_ratings"]) == (5, 20_000)
    assert summary["unseen_test_users"] > 0
    assert summary["mean_next_window_mse"] < 1.6
    lines = [json.loads(x) for x in (workdir / "metrics.jsonl").read_text().splitlines()]
    numbers = [line["valid_users_anchors"] for line in lines if "valid_mse" in line]
    assert numbers[0] == 10
    assert max(numbers) > 10


def test_rows_that_have_not_arrived_are_the_mean_and_are_not_counted(tmp_path):
    with open(tmp_path / "r.csv", "w") as stream:
        for t in range(40):  # user 9 comes in the second half
            stream.write(f"{9 if t >= 20 else t % 3},{t},{1 + t % 5},{t}\n")
    config = ant.Config(
        report=False,
        batch_size=5, data=ant.DataConfig(path=str(tmp_path / "r.csv")),
        model=ant.ModelConfig(user_anchors=2, item_anchors=2, latent_dim=3),
        stream=ant.StreamConfig(window=10), penalty=ant.PenaltyConfig(lazy=True),
    )  # fmt: skip
    problem = prepare(read(config), config, say=lambda line: None)
    state = init_state(problem.job)
    assert np.asarray(state.aux["users"]["seen"]).tolist() == [True] * 3 + [False]
    assert (np.asarray(state.params["users"]["transform"][3]) > 0).all()  # ready for it
    assert int(num_nonzero(state.params, state.aux)) == 2 * 3 + 2 * 10
    arrive = {f"{side}_counts": jnp.zeros_like(state.aux[side]["counts"])
              for side in ("users", "items")}  # fmt: skip
    _, aux = problem.job.task.after_eval(
        4, jax.random.key(0), state.params, state.aux, {"valid": arrive}
    )
    assert np.asarray(aux["users"]["seen"]).all()


def test_compare_lays_runs_side_by_side(finished_ratings, tmp_path, capsys):
    workdir, _ = finished_ratings
    arguments = ("--mode=compare", f"--workdirs={workdir},{workdir}", f"--workdir={tmp_path}")
    assert main(*arguments) == 0
    printed = capsys.readouterr().out
    assert printed.count(str(workdir)) == 2
    assert "NBANT 4" in printed
    assert printed.count("user and item biases") == 1  # the same of both runs
    assert (tmp_path / "compare.png").stat().st_size > 10_000
    text, pictures = report_pages.check(tmp_path / "compare.html")
    assert "Test error over parameters" in [picture.get("aria-label") for picture in pictures]
    assert text.count(str(workdir)) >= 2
    assert main("--mode=compare", f"--workdirs={tmp_path}") == 2
    assert "holds no run" in capsys.readouterr().err


def test_related_pairs_are_exempt_from_the_penalty(ratings_file, tmp_path, capsys):
    ratings, at = read_ratings(str(ratings_file)), draw_splits(1500, "holdout", 0)["train"]
    most = int(np.argsort(-np.bincount(ratings.items[at]), kind="stable")[0])
    ids = ratings.item_ids
    other = next(i for i in ids if i != ids[most])
    (tmp_path / "pairs.txt").write_bytes(f"\ufeff{ids[most]} {other}\rx y\r".encode())
    config = ant.Config(
        report=False,
        data=ant.DataConfig(path=str(ratings_file), related_items=str(tmp_path / "pairs.txt")),
        model=ant.ModelConfig(item_anchors=2, user_anchors=2, anchor_init="frequency"),
        penalty=ant.PenaltyConfig(transform=1.0), num_steps=40, batch_size=64, eval_every=40,
    )  # fmt: skip
    problem = prepare(read(config), config)
    assert "1 pairs" in capsys.readouterr().out
    transform = np.asarray(fit(problem.job, show_progress=False).state.params["items"]["transform"])
    assert transform[ids.index(other), 0] > 0
    assert (np.delete(transform, ids.index(other), axis=0) == 0).mean() > 0.9


def test_anchors_from_clusters_of_a_dense_run(ratings_file, tmp_path, capsys):
    config = ant.Config(
        report=False,
        data=ant.DataConfig(path=str(ratings_file)), num_steps=20, batch_size=64, eval_every=20,
        model=ant.ModelConfig(item_anchors=3, user_anchors=5, latent_dim=4, anchor_init="clusters"),
    )  # fmt: skip
    ratings = read(config)
    rows = learn_dense_rows(ratings, config)
    assert {side: x.shape for side, x in rows.items()} == {"users": (60, 4), "items": (40, 4)}
    problem = prepare(ratings, config, rows, say=lambda line: None)
    transform = np.asarray(init_state(problem.job).params["users"]["transform"])
    assert transform.shape == (60, 5)
    assert ((transform > 1).sum(axis=1) == 1).all()  # each row belongs to one cluster
    anchors = np.asarray(init_state(problem.job).params["users"]["anchors"])
    members = transform.argmax(axis=1)
    for k in range(5):  # the centre of a cluster of dense rows is their mean
        np.testing.assert_allclose(anchors[k], rows["users"][members == k].mean(0), rtol=1e-4)
    ant.train(config, str(tmp_path / "run"))  # the run makes this step by itself
    assert jaxcompress.load(tmp_path / "run").part("users").num_anchors == 5 + 1
    capsys.readouterr()


def test_too_many_anchors_are_refused_before_a_dense_run(ratings_file):
    config = ant.Config(
        report=False,
        data=ant.DataConfig(path=str(ratings_file)),
        model=ant.ModelConfig(user_anchors=61, anchor_init="clusters"),
    )
    with pytest.raises(InputError, match=r"model\.user_anchors is 61; there are 60 users"):
        learn_dense_rows(read(config), config)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--config.data.path=/nowhere",), "no file or folder /nowhere"),
        (("--config.model.item_anchors=41", "--config.growth.max_anchors=50"),
         "model.item_anchors is 41; there are 40 items"),
        (("--config.growth.max_anchors=2",), "growth.max_anchors is 2"),
        (("--config.data.min_count=2000",), "no ratings are left"),
        (("--config.debias_steps=60",), "60 steps, an evaluation every 20; that is too few"),
        (("--config.stream.window=5000",), "expected two windows or more"),
        (("--config.model.table=cubes",), "model.table is 'cubes'"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_writes_nothing(
    arguments, message, ratings_file, tmp_path, capsys
):
    data = () if "data.path" in arguments[0] else (f"--config.data.path={ratings_file}",)
    workdir = tmp_path / "run"
    assert main(*helpers.SMALL_RATINGS, *data, *arguments, f"--workdir={workdir}") == 2
    error = helpers.error_of(capsys)
    assert message in error
    assert error.count("\n") == 1
    assert not workdir.exists()


def test_other_ratings_are_refused_in_the_workdir(finished_ratings, tmp_path, capsys):
    workdir, _ = finished_ratings
    other = helpers.make_ratings(tmp_path, num_ratings=1400)
    assert main(*helpers.SMALL_RATINGS, f"--config.data.path={other}", f"--workdir={workdir}") == 2
    assert "a run over other data" in capsys.readouterr().err


def test_the_reference_protocol_tests_on_what_it_chose_by(ratings_file, tmp_path, capsys):
    file, workdir = config_file(tmp_path, "ant-paper"), tmp_path / "run"
    assert main(
        f"--config={file}", f"--workdir={workdir}", f"--config.data.path={ratings_file}",
        "--config.data.protocol=reference", "--config.num_epochs=1",
    ) == 0  # fmt: skip
    capsys.readouterr()
    summary = summary_of(workdir)
    assert (summary["train_ratings"], summary["test_ratings"]) == (1350, 150)
    assert summary["test_mse"] == summary["valid_mse"]


def test_the_best_state_is_the_one_that_was_evaluated(tmp_path, capsys):
    workdir = tmp_path / "run"
    assert main(
        "--config=configs/quickstart_ratings.py", f"--workdir={workdir}", "--config.num_steps=80",
        "--config.report=false",
        "--config.eval_every=20",
    ) == 0  # fmt: skip
    capsys.readouterr()
    lines = [json.loads(x) for x in (workdir / "metrics.jsonl").read_text().splitlines()]
    best = min((x for x in lines if "valid_mse" in x), key=lambda x: x["valid_objective"])
    summary = summary_of(workdir)
    assert summary["num_anchors"] == [best["valid_users_anchors"], best["valid_items_anchors"]]
    np.testing.assert_allclose(summary["valid_mse"], best["valid_mse"], rtol=1e-6)


@pytest.mark.slow
def test_states_that_cannot_be_the_best_are_saved_without_a_warning(ratings_file, tmp_path):
    """States before the last phase have no figures to be chosen by; orbax warns of that."""
    done = helpers.run(
        helpers.ratings_command(ratings_file, tmp_path / "run", "--config.growth.num_steps=40")
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("planted", [6, 16, 30])
def test_nbant_finds_the_planted_number(planted, tmp_path, capsys):
    assert main(
        "--config=configs/quickstart_ratings.py", f"--workdir={tmp_path / 'run'}",
        f"--config.data.planted_anchors={planted}",
    ) == 0  # fmt: skip
    capsys.readouterr()
    summary = summary_of(tmp_path / "run")
    assert summary["planted_anchors"] == planted
    assert all(abs(number - planted) <= 2 for number in summary["num_anchors"])
