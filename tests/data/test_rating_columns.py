"""Columns of files of ratings: headers, names that a user gives, pairs without ratings, blanks."""

import numpy as np
import pytest
from test_ratings import as_triples, write

from jaxcompress import ant
from jaxcompress.ant.prepare import read
from jaxcompress.data.ratings.negatives import add_negatives
from jaxcompress.data.ratings.read import read_ratings
from jaxcompress.errors import InputError


@pytest.mark.parametrize(
    "text",
    [
        '"User-ID";"ISBN";"Book-Rating"\n"1";"10";"5"\n2;7;3.5\n',
        "user_id,book_id,rating,date_added\n1,10,5,may\n2,7,3.5,june\n",
        "review_id,user_id,business_id,stars\na,1,10,5\nb,2,7,3.5\n",
        "user_id:token\titem_id:token\trating:float\n1\t10\t5\n2\t7\t3.5\n",
        '"user"\t"item"\t"rating"\n1\t10\t5\n2\t7\t3.5\n',
        ",user,item,rating,date,timestamp\n0,1,10,5,may,1\n1,2,7,3.5,june,2\n",
        'user,item,rating,"review; in short"\n1,10,5,so\n2,7,3.5,so\n',
        '1,10,5,"so; so"\n2,7,3.5,"so\tso"\n',
        'user,item,rating,"so\nand so"\n1,10,5,so\n2,7,3.5,so\n',
    ],
)
def test_usual_headers_are_known_and_other_columns_are_not_read(tmp_path, text):
    ratings = read_ratings(write(tmp_path, text))
    assert as_triples(ratings) == [("1", "10", 5.0), ("2", "7", 3.5)]
    assert (ratings.notes, ratings.are_pairs) == ((), False)


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("Hours,who,timestamp,game", ("user=who", "item=game", "rating=Hours")),
        ("weight,userID,userID2,artistID", ("rating=weight", "item=artistID", "user=userID")),
        # the name as it stands is preferred to one that is like it
        ("the rating,user,Item No.,item_no", ("user=user", "item=item_no", "rating=The-Rating")),
        ("overall,user,rating,item", ("user=user", "item=item", "rating=overall")),
    ],
)
def test_a_user_names_the_columns_of_a_header(tmp_path, header, columns):
    path = write(tmp_path, f"{header}\n5,1,9,10\n3.5,2,9,7\n")
    assert as_triples(read_ratings(path, columns=columns)) == [("1", "10", 5.0), ("2", "7", 3.5)]


def test_times_may_be_named_too(tmp_path):
    path = write(tmp_path, "u,i,r,when,timestamp\n1,10,5,7,no\n2,7,3.5,8,no\n")
    columns = ("user=u", "item=i", "rating=r", "timestamp=when")
    assert list(read_ratings(path, columns=columns, with_times=True).times) == [7, 8]
    with pytest.raises(InputError, match=r"no timestamps; .* by timestamp=NAME in data.columns"):
        read_ratings(path, columns=columns[:3], with_times=True)


SUGGESTED = "as in --config.data.columns=user=userId,item={},rating={}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("userId,itemId,Feedback\n1,2,3\n",
         "r.csv:1: no column rating in the header 'userId, itemId, Feedback'; name the columns, "
         + SUGGESTED.format("itemId", "Feedback") + "; without a rating each pair counts 1"),
        ("userId\tartistID\tweight\n1\t2\t3\n",
         "r.csv:1: no column rating in the header 'userId, artistID, weight'; name the columns, "
         + SUGGESTED.format("artistID", "weight")),
        ("userId,game,Hours\n1,doom,3\n",
         "r.csv:1: 'userId, game, Hours' looks like a header, but of other columns; name them, "
         + SUGGESTED.format("game", "Hours")),
        ("who;what;how much\n1;2;3\n",
         "r.csv:1: 'who, what, how much' looks like a header, but of other columns; name them, as "
         "in '--config.data.columns=user=who,item=what,rating=how much'."),
        ("userId,widget,stars\n1,2,3\n",
         "r.csv:1: no column item in the header 'userId, widget, stars'; name the columns, "
         + SUGGESTED.format("widget", "stars")),
        ("userId,asin,parent_asin,rating\n1,2,3,4\n",
         "r.csv:1: asin, parent_asin of the header 'userId, asin, parent_asin, rating' all name "
         "the item; say which, " + SUGGESTED.format("asin", "rating")),
        ("who,what\n1,2\n",
         "r.csv:1: 'who, what' looks like a header, but of other columns; name them, as in "
         "--config.data.columns=user=who,item=what."),
        ("1,2\n3,4\n", "r.csv:1: the number of columns in '1,2' is 2; expected user, item, rating, "
         "timestamp; of a user and an item alone, set --config.data.columns=user,item."),
        ("1,2,3,4,5\n", "r.csv:1: the number of columns in '1,2,3,4,5' is 5; expected user, item"),
        ("1,a,good\n2,b,bad\n", "r.csv:1: rating 'good' is not a finite number; expected user,it"),
    ],
)  # fmt: skip
def test_a_header_of_other_columns_is_said_to_be_one_and_what_to_do(tmp_path, text, message):
    with pytest.raises(InputError) as caught:
        read_ratings(write(tmp_path, text, "r.csv"))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (("users", "items"), "data.columns is users,items; it lacks user. Expected user and item"),
        (("user", "rating"), "; it lacks item."),
        (("user", "item", "user"), "; it has user 2 times."),
        (
            ("user=a", "item"),
            "'item' is not one of user, item, rating, timestamp and its name in a",
        ),
        (("user=a", "item="), "'item=' is not one of"),
        (("user=a", "item=b", "stars=c"), "'stars=c' is not one of"),
        (("user=a", "item=b"), "r.csv:1: the number of columns 'b' is 0 in the header 'a, c, C'"),
        (("user=a", "item=c-"), "r.csv:1: the number of columns 'c-' is 2 in the header"),
        (("user=a", "item=a"), "user and item are both called 'a'"),
    ],
)
def test_columns_that_cannot_be_are_refused(tmp_path, columns, message):
    with pytest.raises(InputError) as caught:
        read_ratings(write(tmp_path, "a,c,C\n1,2,3\n", "r.csv"), columns=columns)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("user_id,item_id\n1,10\n2,7\n", ("user", "item", "rating")),
        ("user,item,timestamp\n1,10,5\n2,7,6\n", ("user", "item", "rating")),
        ("1,10\n2,7\n", ("user", "item")),
        ("10\t5\t1\n7\t6\t2\n", ("item", "timestamp", "user")),
        ("who,what,how\n1,10,5\n2,7,6\n", ("user=who", "item=what")),
    ],
)
def test_pairs_without_ratings_count_1_and_that_is_said(tmp_path, text, columns):
    path = write(tmp_path, text)
    ratings = read_ratings(path, columns=columns)
    assert as_triples(ratings) == [("1", "10", 1.0), ("2", "7", 1.0)]
    assert ratings.are_pairs
    assert ratings.notes == (f"{path} has no column of ratings: each of the 2 pairs counts 1.",)


def test_files_of_a_folder_all_have_ratings_or_none(tmp_path):
    write(tmp_path, "user,item\n1,10\n", "a.csv")
    write(tmp_path, "user,item,rating\n2,10,4\n", "b.csv")
    with pytest.raises(InputError, match=r"a.csv: no column rating, and .*b.csv has one; expected"):
        read_ratings(str(tmp_path))


def test_negatives_are_pairs_that_are_not_there_as_many_of_each_user(tmp_path):
    rng = np.random.default_rng(0)
    chosen = rng.permutation(30 * 40)[:200]
    text = "".join(f"{k // 40},{k % 40},{k}\n" for k in [*chosen, *range(40)])  # 0 has all items
    path = write(tmp_path, text)
    pairs = read_ratings(path, columns=("user", "item", "timestamp"), with_times=True)
    both = add_negatives(pairs, 1, seed=0)
    positives, negatives = (np.flatnonzero(both.values == value) for value in (1, 0))
    assert list(positives) == list(range(len(pairs)))
    numbers = both.users * 40 + both.items
    assert len(set(numbers)) == len(both)
    counts = [np.bincount(both.users[some], minlength=30) for some in (positives, negatives)]
    np.testing.assert_array_equal(counts[1], np.where(counts[0] == 40, 0, counts[0]))
    for user, time in zip(both.users[negatives], both.times[negatives], strict=True):
        assert time // 40 == int(both.user_ids[user])  # of a pair of the same user
    assert len(set(both.items[negatives])) > 30
    np.testing.assert_array_equal(both.items, add_negatives(pairs, 1, seed=0).items)
    assert (both.items != add_negatives(pairs, 1, seed=1).items).any()
    assert both.notes[-1] == f"drew {len(negatives)} pairs that are not in {path}, as ratings of 0."


def test_a_run_over_pairs_is_refused_or_draws_negatives(tmp_path):
    pairs = ant.DataConfig(path=write(tmp_path, "user,item\n1,10\n2,7\n"))
    with pytest.raises(
        InputError, match=r"each pair counts 1, and .* --config.data.num_negatives=4"
    ):
        read(ant.Config(data=pairs))
    pairs.num_negatives = 1
    assert sorted(as_triples(read(ant.Config(data=pairs)))) == [
        ("1", "10", 1.0), ("1", "7", 0.0), ("2", "10", 0.0), ("2", "7", 1.0),
    ]  # fmt: skip
    pairs.path = write(tmp_path, "1,10,5\n2,7,3\n")
    with pytest.raises(InputError, match=r"data.num_negatives is 1; .* has ratings"):
        read(ant.Config(data=pairs))


def test_blank_users_and_items_are_left_out_and_counted(tmp_path):
    path = write(tmp_path, "user,item,rating\n10,7,5\n,7,4\n9,,3\n9, ,3\n9,8,2\n,7,1\n9,8,1\n")
    ratings = read_ratings(path)
    assert as_triples(ratings) == [("10", "7", 5.0), ("9", "8", 1.0)]
    assert (ratings.user_ids, ratings.item_ids) == (["9", "10"], ["7", "8"])  # as numbers
    assert ratings.notes == (
        "left out 4 of 7 ratings: their user or item is blank.",
        "left out 1 of 7 ratings: their user and item come again later, and the last rating is "
        "kept.",
    )
    with pytest.raises(InputError, match="all users or all items are blank; expected ids"):
        read_ratings(write(tmp_path, "user,item,rating\n1,,5\n,2,4\n"))
