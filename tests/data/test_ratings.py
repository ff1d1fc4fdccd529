"""Readers of ratings: MovieLens, Amazon, one's own; what is wrong, in one line."""

import bz2
import gzip
import zipfile

import numpy as np
import pytest

from jaxcompress.data.ratings import batches as ratings_batches
from jaxcompress.data.ratings import parse
from jaxcompress.data.ratings.batches import first_parts, shuffled_windows
from jaxcompress.data.ratings.planted import planted_ratings
from jaxcompress.data.ratings.read import read_ratings
from jaxcompress.data.ratings.titles import read_titles
from jaxcompress.errors import InputError

AMAZON = ("item", "user", "rating", "timestamp")


def write(tmp_path, text, name="ratings.csv"):
    (tmp_path / name).write_text(text)
    return str(tmp_path / name)


def as_triples(ratings):
    return [
        (ratings.user_ids[u], ratings.item_ids[i], float(v))
        for u, i, v in zip(ratings.users, ratings.items, ratings.values, strict=True)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "1::10::5::97\n2::7::3.5::98\n",
        "1\t10\t5\t97\n2\t7\t3.5\t98\n",
        "1,10,5,97\n2,7,3.5,98\n",
        "userId,movieId,rating,timestamp\n1,10,5.0,97\n2,7,3.5,98\n",
        "rating;asin;reviewerID;unixReviewTime\r\n5;10;1;97\r\n3.5;7;2;98\r\n",
        '"1","10",5,97\n"2","7",3.5,98',
    ],
)
def test_separators_headers_and_orders_of_columns(tmp_path, text):
    ratings = read_ratings(write(tmp_path, text), with_times=True)
    assert as_triples(ratings) == [("1", "10", 5.0), ("2", "7", 3.5)]
    assert ratings.item_ids == ["7", "10"]  # numbers in their order
    assert list(ratings.times) == [97, 98]
    assert ratings.users.dtype == ratings.items.dtype == np.int32


def test_ids_are_strings_with_gaps_and_leading_zeros(tmp_path):
    text = "B07,u9,5.0,1\nA1,u10,4.0,1\n007,u9,1.0,1\n"
    ratings = read_ratings(write(tmp_path, text), columns=AMAZON)
    assert as_triples(ratings) == [("u9", "B07", 5.0), ("u10", "A1", 4.0), ("u9", "007", 1.0)]
    assert ratings.item_ids == ["007", "A1", "B07"]


def test_a_folder_of_files_is_one_data_set_and_the_last_of_duplicates_wins(tmp_path):
    write(tmp_path, "1,10,5\n2,10,4\n", "a.csv")
    write(tmp_path, "2,10,1\n3,11,2\n", "b.csv")
    ratings = read_ratings(str(tmp_path))
    assert as_triples(ratings) == [("1", "10", 5.0), ("2", "10", 1.0), ("3", "11", 2.0)]
    assert any(note.startswith("left out 1 of 4 ratings") for note in ratings.notes)


def test_all_csv_files_of_a_folder_are_read_and_what_is_hidden_is_not(tmp_path):
    write(tmp_path, "1,10,5\n", "a.csv")
    write(tmp_path, "3,11,2\n", "B.CSV")
    (tmp_path / "c.csv.bz2").write_bytes(bz2.compress(b"4,12,1\n"))
    (tmp_path / "._a.csv").write_bytes(b"\x00\x05\x16")
    (tmp_path / "d.csv").mkdir()
    assert sorted(as_triples(read_ratings(str(tmp_path)))) == [
        ("1", "10", 5.0), ("3", "11", 2.0), ("4", "12", 1.0),
    ]  # fmt: skip


def test_the_core_is_taken_again_and_again(tmp_path):
    # 3 rates once; without 3, item 11 has one rating; without 11, user 2 has one.
    text = "1,10,5\n1,12,5\n4,10,3\n4,12,3\n2,10,4\n2,11,4\n3,11,2\n"
    ratings = read_ratings(write(tmp_path, text), min_count=2)
    assert {t[:2] for t in as_triples(ratings)} == {
        ("1", "10"), ("1", "12"), ("4", "10"), ("4", "12")
    }  # fmt: skip
    assert ratings.user_ids == ["1", "4"]
    with pytest.raises(InputError, match=r"no ratings are left with data.min_count = 9"):
        read_ratings(str(tmp_path / "ratings.csv"), min_count=9)


def test_notes_say_what_was_left_out_and_nothing_else(tmp_path):
    path = write(tmp_path, "1,10,5\n1,11,4\n2,10,3\n2,11,3\n")
    assert read_ratings(path, min_count=2).notes == ()
    path = write(tmp_path, "1,10,5\n1,11,4\n2,10,3\n2,11,3\n2,11,5\n3,10,1\n")
    assert read_ratings(path, min_count=2).notes == (
        "left out 1 of 6 ratings: their user and item come again later, and the last rating is "
        "kept.",
        "left out 1 of 6 ratings: their user or item has fewer than 2 of them.",
    )


@pytest.mark.parametrize("separator", ["\t", "::"])
def test_a_quote_is_a_character_like_any_other_but_between_commas(tmp_path, separator):
    rows = [("u1", "a", 5), ("u1", '"b', 4), ("u2", "a", 3), ("u2", "c", 2), ("u3", 'd"', 1)]
    text = "".join(f"{separator.join(map(str, row))}\n" for row in rows)
    assert as_triples(read_ratings(write(tmp_path, text, "r.tsv"))) == rows


@pytest.mark.parametrize("separator", [",", ";"])
def test_quoted_text_may_be_longer_than_what_is_parsed_at_a_time(tmp_path, monkeypatch, separator):
    monkeypatch.setattr(parse, "_BLOCK", 100)
    text = '"so ""good"",\nso; good\nand so on"'
    rows = [separator.join((f"u{i}", f'"i,;{i}"', str(i), text)) for i in range(50)]
    path = write(tmp_path, "\n".join([separator.join(("user", "item", "rating", "text")), *rows]))
    assert as_triples(read_ratings(path)) == [(f"u{i}", f"i,;{i}", i) for i in range(50)]


@pytest.mark.parametrize(
    "content",
    [
        b"user,item,rating\r1,10,5\r2,7,3\r",
        b"\xef\xbb\xbfuser,item,rating\r\n1,10,5\r\n2,7,3\r\n",
        b"\xef\xbb\xbf1,10,5\n2,7,3",
        b"1::10::5\r2::7::3\r",
        b"\xef\xbb\xbf1\t10\t5\r2\t7\t3\r",
    ],
)
def test_marks_and_line_ends_make_no_difference(tmp_path, content):
    (tmp_path / "r.csv").write_bytes(content)
    ratings = read_ratings(str(tmp_path / "r.csv"))
    assert as_triples(ratings) == [("1", "10", 5.0), ("2", "7", 3.0)]


def test_gz_and_zip(tmp_path):
    text = b"userId,movieId,rating,timestamp\n1,10,5.0,97\n"
    with gzip.open(tmp_path / "r.csv.gz", "wb") as stream:
        stream.write(text)
    with zipfile.ZipFile(tmp_path / "ml.zip", "w") as bundle:
        bundle.writestr("ml/ratings.csv", text)
        bundle.writestr("ml/movies.csv", b"")
    for path in ("r.csv.gz", "ml.zip/ml/ratings.csv"):
        assert as_triples(read_ratings(str(tmp_path / path))) == [("1", "10", 5.0)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 10 5\n2 7 3\n", "r.csv:1: '1 10 5' has no separator"),
        ("1,10\n2,7\n", r"r.csv:1: the number of columns in '1,10' is 2; expected user, item"),
        ("user,rating\n1,5\n", r"r.csv:1: no column item in the header"),
        ("1,10,5\n2,7\n", r"r.csv:2: the number of columns in '2,7' is 2; expected user,item,"),
        ("1,10,5\n2,7,good\n", r"r.csv:2: rating 'good' is not a finite number"),
        ("1,10,5\n\n2,7,\n", r"r.csv:3: rating '' is not a finite number"),
        ("1::10::5\n2::7::nan\n", r"r.csv:2: rating 'nan' is not a finite number"),
        ("1::10::5\n2:7:3\n", r"r.csv:2: the number of columns in '2:7:3' is 1; expected user::"),
        (
            '1,10,5\n2,"7,3\n3,8,4\n',
            r"r.csv:2: not CSV \(unexpected end of data\); expected quotes",
        ),
        ('1,10,5\n2,"7,3\n3,8",4\n', r"r.csv:2: item '7,3\\n3,8' has a line break, as if a"),
        ('1,10,5,"so\nso"\n2,7,x,y\n', r"r.csv:3: rating 'x' is not a finite number"),
        ("1,10,5\r2,7\r", r"r.csv:2: the number of columns in '2,7' is 2; expected user,item,"),
        ("u1,a,inf\nu2,b,4\n", "r.csv:1: rating 'inf' is not a finite number"),
        ("u1,a,3\nu2,b,1e39\n", "r.csv:2: rating '1e39' is not a finite number"),
        ("u1,a,1_0\nu2,b,4\n", "r.csv:1: "),
        ("", "first line is empty"),
        ("user,item,rating\n", "no ratings after the header"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path, text, message):
    with pytest.raises(InputError, match=message) as caught:
        read_ratings(write(tmp_path, text, "r.csv"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("row", [b"2,\xff\xfe,3,x", b"2,7,3,\xff", b"2,7,3,\xe4"])
def test_bytes_that_are_not_utf_8_are_said_in_whichever_column(tmp_path, row):
    (tmp_path / "r.csv").write_bytes(b"1,10,5,x\n" * 9 + row)  # \xe4 would begin a longer character
    with pytest.raises(InputError, match=r"r.csv:10: byte \d of the line, 0x.., is not UTF-8"):
        read_ratings(str(tmp_path / "r.csv"), columns=("user", "item", "rating", "text"))


def test_timestamps_that_are_asked_for_must_be_there(tmp_path):
    path = write(tmp_path, "1,10,5\n")
    with pytest.raises(InputError, match="no timestamps"):
        read_ratings(path, with_times=True)
    path = write(tmp_path, "1,10,5,3\n1,11,5,soon\n")
    with pytest.raises(InputError, match="csv:2: timestamp 'soon' is not a whole number"):
        read_ratings(path, with_times=True)


def test_a_missing_file_says_where_it_was_looked_for(tmp_path):
    with pytest.raises(InputError, match=r"no file or folder gone; looked at .*download ml-1m "):
        read_ratings("gone")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no ratings in this folder"):
        read_ratings(str(tmp_path / "empty"))


def test_splits_are_disjoint_and_of_the_seed():
    parts = ratings_batches.draw_splits(1003, "holdout", 0)
    assert [len(parts[name]) for name in ("train", "valid", "test")] == [803, 100, 100]
    assert np.array_equal(np.sort(np.concatenate(list(parts.values()))), np.arange(1003))
    assert not np.array_equal(
        parts["test"], ratings_batches.draw_splits(1003, "holdout", 1)["test"]
    )
    parts = ratings_batches.draw_splits(1003, "reference", 0)
    assert len(parts["train"]) == 903
    assert parts["valid"] is parts["test"]
    with pytest.raises(InputError, match="9 ratings; expected at least 10"):
        ratings_batches.draw_splits(9, "holdout", 0)


def test_windows_follow_time_and_the_last_is_never_trained_on():
    times = np.array([5, 1, 4, 2, 3, 0, 6])
    parts = ratings_batches.cut_windows(times, 3, num_passes=2, batch_size=2)
    assert [list(p) for p in parts.positions] == [[5, 1, 3], [4, 2, 0], [6]]
    assert parts.steps == 3
    feed = shuffled_windows(parts, 2, seed=0)
    for number in (0, 1):
        seen = np.concatenate([feed.index(3 * number + i)["ids"] for i in range(3)])
        assert sorted(seen) == sorted(2 * list(parts.positions[number]))
    replayed = shuffled_windows(parts, 2, seed=0, replay=True)
    seen = np.concatenate([replayed.index(3 + i)["ids"] for i in range(3)])
    assert sorted(seen) == sorted(np.concatenate(parts.positions[:2]))
    first = first_parts(np.array([0, 1, 1, 2, 0, 1, 3]), parts.positions, 5)
    assert list(first) == [1, 0, 0, 2, -1]
    with pytest.raises(InputError, match="expected two windows or more"):
        ratings_batches.cut_windows(times, 7, 1, 2)


def test_real_movielens_and_amazon_have_their_counts(real_data):
    ratings = read_ratings(str(real_data / "ml-1m"))
    assert (len(ratings), len(ratings.user_ids), len(ratings.item_ids)) == (1_000_209, 6040, 3706)
    assert ratings.user_ids[ratings.users[0]] == "1"
    assert ratings.item_ids[ratings.items[0]] == "1193"
    assert not ratings.notes
    ratings = read_ratings(str(real_data / "ml-100k"), with_times=True)
    assert (len(ratings), len(ratings.user_ids), len(ratings.item_ids)) == (100_000, 943, 1682)
    assert ratings.times[0] == 881250949
    ratings = read_ratings(str(real_data / "amazon"), columns=AMAZON)
    assert (len(ratings.user_ids), len(ratings.item_ids)) == (72_098, 2428)
    assert len(ratings) == 88_318
    assert ratings.notes[0].startswith("left out 1,371 of 89,689 ratings")  # 1,366 pairs
    core = read_ratings(str(real_data / "amazon"), columns=AMAZON, min_count=5)
    assert np.bincount(core.users).min() >= 5
    assert np.bincount(core.items).min() >= 5


def test_titles_of_the_three_forms(real_data, tmp_path):
    assert read_titles(str(real_data / "ml-1m"))["1"].name == "Toy Story (1995)"
    title = read_titles(str(real_data / "ml-100k" / "u.data"))["2"]
    assert title == ("GoldenEye (1995)", ("Action", "Adventure", "Thriller"))
    (tmp_path / "movies.csv").write_text('movieId,title,genres\n7,"Heat, The",Action|Crime\n')
    assert read_titles(str(tmp_path))["7"] == ("Heat, The", ("Action", "Crime"))
    assert read_titles(str(real_data / "amazon")) == {}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("movies.dat", "1::A::Crime\r7::Amélie\x85::Crime|War\r".encode("latin-1")),
        ("movies.dat", "\ufeff7::Amélie\x85::Crime|War\r\n".encode()),
        ("movies.csv", '\ufeffmovieId,title,genres\r7,"Amélie\x85",Crime|War\r'.encode()),
    ],
)
def test_titles_are_opened_as_all_text_is_and_may_be_in_latin_1(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert read_titles(str(tmp_path))["7"] == ("Amélie\x85", ("Crime", "War"))


def test_titles_in_csv_that_are_not_utf_8_are_said(tmp_path):
    (tmp_path / "movies.csv").write_bytes(b"movieId,title,genres\n7,Am\xe9lie,War\n")
    with pytest.raises(InputError, match=r"movies.csv:2: byte 5 of the line, 0xe9, is not UTF-8"):
        read_titles(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("movies.dat", "1::Heat::Crime\n2::Up\n", "movies.dat:2: the number of columns is 2; ex"),
        ("movies.csv", "movieId,title,genres\n1,Heat\n", "movies.csv:2: the number of columns is"),
        ("u.item", "1|Heat\n", "u.item:1: the number of columns is 2; expected 24"),
    ],
)
def test_a_title_that_cannot_be_read_is_named_by_its_line(tmp_path, name, text, message):
    with pytest.raises(InputError, match=message) as caught:
        read_titles(write(tmp_path, text, name))
    assert "\n" not in str(caught.value)


def test_planted_ratings_have_the_rank_and_the_noise_they_say():
    made = planted_ratings(6, 0, num_users=50, num_items=40, num_ratings=2000, noise=0.0)
    table = np.zeros((50, 40))
    table[made.users, made.items] = made.values
    assert np.linalg.matrix_rank(table, tol=1e-4) == 6
    np.testing.assert_allclose(made.values.std(), 1.0, rtol=1e-5)
    noisy = planted_ratings(6, 0, num_users=50, num_items=40, num_ratings=2000, noise=0.5)
    np.testing.assert_allclose((noisy.values - made.values).std(), 0.5, rtol=0.05)
