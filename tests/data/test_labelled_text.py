"""Film reviews, CSV files and planted polarity as labelled text; what is wrong, in one line."""

import csv
import gzip
import io
import itertools
import tarfile
import zipfile
import zlib

import numpy as np
import pytest

from jaxcompress.data.labelled import planted as labelled_planted
from jaxcompress.data.labelled.read import read_labelled_text
from jaxcompress.data.text.tokenizer import count_words, tokenize
from jaxcompress.data.vectors.stdlib import stdlib_vectors
from jaxcompress.errors import InputError

REVIEWS = {
    "train/neg/10_2.txt": b"Bad.<br />Twice.",
    "train/neg/9_1.txt": b"Worse.",
    "train/pos/0_9.txt": b"Good, caf\xc3\xa9.",
    "train/unsup/0_0.txt": b"Who knows?",
    "train/urls_neg.txt": b"http://example.org",
    "test/neg/1_1.txt": b"No.",
    "test/pos/2_10.txt": b"Yes.",
    "imdb.vocab": b"the",
}


def as_folder(place, files):
    for name, content in files.items():
        (place / "aclImdb" / name).parent.mkdir(parents=True, exist_ok=True)
        (place / "aclImdb" / name).write_bytes(content)
    return str(place / "aclImdb")


def tar_bytes(files):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as bundle:
        for name, content in files.items():
            member = tarfile.TarInfo(f"aclImdb/{name}")
            member.size = len(content)
            bundle.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def as_archive(place, files):
    (place / "aclImdb_v1.tar.gz").write_bytes(gzip.compress(tar_bytes(files)))
    return str(place / "aclImdb_v1.tar.gz")


def error_of(source, **others):
    with pytest.raises(InputError) as caught:
        read_labelled_text(source, **others)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("as_source", [as_folder, as_archive])
def test_reviews_are_ordered_by_class_and_number(tmp_path, as_source):
    data = read_labelled_text(as_source(tmp_path, REVIEWS))
    assert data.texts == {
        "train": ["Worse.", "Bad.<br />Twice.", "Good, café."],
        "test": ["No.", "Yes."],
    }
    np.testing.assert_array_equal(data.labels["train"], [0, 0, 1])
    np.testing.assert_array_equal(data.labels["test"], [0, 1])
    assert data.labels["train"].dtype == np.int32
    assert data.classes == ("neg", "pos")
    assert data.notes == ()


def test_the_folder_is_taken_before_the_archive(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXCOMPRESS_DATA", str(tmp_path))
    as_archive(tmp_path, REVIEWS)
    assert read_labelled_text("aclImdb").source == str(tmp_path / "aclImdb_v1.tar.gz")
    folder = as_folder(tmp_path, REVIEWS)
    assert read_labelled_text("aclImdb").source == folder


def test_where_there_are_no_reviews_both_names_and_a_command_are_said(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXCOMPRESS_DATA", str(tmp_path))
    message = error_of("aclImdb")
    assert f"looked at aclImdb_v1.tar.gz, {tmp_path}/aclImdb_v1.tar.gz, " in message
    assert "There is no folder aclImdb in these places either." in message
    assert message.endswith("jaxcompress download aclImdb")


@pytest.mark.parametrize("as_source", [as_folder, as_archive])
def test_an_empty_review_is_counted_and_left_out(tmp_path, as_source):
    files = {**REVIEWS, "train/pos/1_7.txt": b" <br />\n", "train/pos/2_7.txt": b""}
    data = read_labelled_text(as_source(tmp_path, files))
    assert len(data.texts["train"]) == len(data.labels["train"]) == 3
    assert data.notes == ("left out 2 of the train split's 5 texts: no tokens in them.",)


@pytest.mark.parametrize("as_source", [as_folder, as_archive])
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"test/pos/2_10.txt": None}, "class pos is missing from the test split; expected files "
         "aclImdb/test/pos/*.txt."),
        ({"train/neg/9_1.txt": b"ab\xffc"}, "train/neg/9_1.txt:1: byte 3 of the line, 0xff, is not "
         "UTF-8"),
        ({"train/pos/0_9.txt": b" "}, "the train split has no text of class pos"),
        ({"test/neg/1_1.txt": b"", "test/pos/2_10.txt": b""},
         "the test split has no text with a token"),
    ],
)  # fmt: skip
def test_bad_reviews_are_one_line(tmp_path, as_source, change, expected):
    files = {k: v for k, v in {**REVIEWS, **change}.items() if v is not None}
    assert expected in error_of(as_source(tmp_path, files))


@pytest.mark.parametrize("keep", [0, 5, 200, -200, -9, -1])
def test_an_archive_that_is_cut_short_is_one_line(tmp_path, keep):
    rng = np.random.default_rng(0)
    files = {**REVIEWS, "train/unsup/noise.txt": rng.bytes(2000)}
    source = as_archive(tmp_path, files)
    whole = (tmp_path / "aclImdb_v1.tar.gz").read_bytes()
    (tmp_path / "aclImdb_v1.tar.gz").write_bytes(whole[:keep])
    message = error_of(source)
    assert message.startswith(f"{source}: damaged or cut short after ")
    assert message.endswith("Fetch it with: jaxcompress download aclImdb")


def test_a_flipped_bit_anywhere_is_an_error_or_harmless(tmp_path):
    source = as_archive(tmp_path, REVIEWS)
    whole = (tmp_path / "aclImdb_v1.tar.gz").read_bytes()
    good = read_labelled_text(source).texts
    refused = 0
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << at % 8
        (tmp_path / "aclImdb_v1.tar.gz").write_bytes(damaged)
        try:
            texts = read_labelled_text(source).texts
        except InputError:
            refused += 1
        else:
            assert texts == good, at
    assert refused > len(whole) - 20  # gzip's header holds bytes that do not matter


@pytest.mark.parametrize("name", ["train/neg/11_1.txt", "train/unsup/11_1.txt"])
def test_bytes_that_cannot_be_inflated_are_one_line(tmp_path, name):
    content = tar_bytes({**REVIEWS, name: b"x" * 90_000})
    packer = zlib.compressobj(wbits=31)
    good = packer.compress(content[: content.index(b"xxx") + 45_000])
    good += packer.flush(zlib.Z_FULL_FLUSH)  # what follows starts a block, of no type there is
    (tmp_path / "r.tgz").write_bytes(good + b"\xff" * 1000)
    message = error_of(str(tmp_path / "r.tgz"))
    assert "damaged or cut short after aclImdb/" in message
    assert "invalid block type" in message


def test_a_tar_that_ends_in_the_middle_of_a_review_is_one_line(tmp_path):
    content = tar_bytes({**REVIEWS, "train/neg/11_1.txt": b"x" * 9000})
    at = content.index(b"x" * 9000)
    (tmp_path / "r.tgz").write_bytes(gzip.compress(content[: at + 100]))
    assert "damaged or cut short after aclImdb/imdb.vocab" in error_of(str(tmp_path / "r.tgz"))


def test_the_real_archive_has_its_50_000_reviews(real_data):
    data = read_labelled_text(str(real_data / "aclImdb_v1.tar.gz"))
    for split in ("train", "test"):
        np.testing.assert_array_equal(data.labels[split], np.repeat([0, 1], 12_500))
    assert data.texts["train"][0].startswith("Story of a man who has unnatural feelings for a pig.")
    assert data.texts["train"][12_500].startswith("Bromwell High is a cartoon comedy.")
    assert data.notes == (
        "kept 123 of the test split's 25,000 texts that are in the train split too.",
    )


def write(tmp_path, text, name="train.csv"):
    raw = text if isinstance(text, bytes) else text.encode()
    (tmp_path / name).write_bytes(raw)
    return str(tmp_path / name)


def read_csv(tmp_path, train, test):
    return read_labelled_text(write(tmp_path, train), test=write(tmp_path, test, "test.csv"))


@pytest.mark.parametrize(
    "train",
    [
        'fine,pos\n"dull, ""very""\r\ndull",neg\nso so,mixed\n',
        'text,label\r\nfine,pos\r\n"dull, ""very""\r\ndull",neg\r\nso so,mixed\r\n',
        'Sentiment,Review\npos,fine\nneg,"dull, ""very""\r\ndull"\n\nmixed,so so',
        '\ufefflabel,text\npos ,fine\nneg,"dull, ""very""\r\ndull"\nmixed,"so so"\n',
    ],
)
def test_two_columns_with_a_header_or_without(tmp_path, train):
    data = read_csv(tmp_path, train, "good,pos\nbad,neg\n")
    assert data.texts["train"] == ["fine", 'dull, "very"\ndull', "so so"]
    assert data.classes == ("mixed", "neg", "pos")
    np.testing.assert_array_equal(data.labels["train"], [2, 1, 0])
    np.testing.assert_array_equal(data.labels["test"], [2, 1])
    assert data.notes == ("the test split has no text of class mixed.",)


def test_whole_numbers_are_ordered_as_numbers_and_there_is_a_valid_split(tmp_path):
    train = write(tmp_path, "a,10\nb,9\nc,-1\n")
    valid = write(tmp_path, "d,10\ne,-1\nf,9\n", "valid.csv")
    data = read_labelled_text(train, valid=valid, test=write(tmp_path, "g,9\n", "test.csv"))
    assert data.classes == ("-1", "9", "10")
    np.testing.assert_array_equal(data.labels["valid"], [2, 0, 1])
    assert list(data.texts) == ["train", "test", "valid"]


def test_a_csv_file_may_be_packed(tmp_path):
    (tmp_path / "train.csv.gz").write_bytes(gzip.compress(b"a,x\nb,y\n"))
    with zipfile.ZipFile(tmp_path / "news.zip", "w") as bundle:
        bundle.writestr("news/test.csv", "c,y\nd,x\n")
        bundle.writestr("news/readme.txt", "")
    test = str(tmp_path / "news.zip" / "news" / "test.csv")
    data = read_labelled_text(str(tmp_path / "train.csv.gz"), test=test)
    assert data.texts == {"train": ["a", "b"], "test": ["c", "d"]}
    np.testing.assert_array_equal(data.labels["test"], [1, 0])


def test_a_first_row_whose_label_comes_again_is_never_a_header(tmp_path):
    data = read_csv(tmp_path, "text,label\nb,pos\nc,label\n", "review,label\nd,pos\ne,label\n")
    assert data.texts["train"] == ["text", "b", "c"]
    assert data.texts["test"] == ["review", "d", "e"]


def test_three_columns_count_their_labels_from_1(tmp_path):
    rows = '3,"One, two",three\n1,Four,five\n'
    for header in ("", "label,title,description\n", "Class Index,Title,Description\n"):
        data = read_csv(tmp_path, header + rows, 'title,label,description\n"One, two",3,three\n')
        assert data.texts == {"train": ["One, two three", "Four five"], "test": ["One, two three"]}
        assert data.classes == ("0", "2")
        np.testing.assert_array_equal(data.labels["test"], [1])


def test_a_long_field_and_an_empty_text(tmp_path):
    limit = csv.field_size_limit()
    data = read_csv(tmp_path, f'{"x" * 200_000},a\ny,b\n ,b\n"",a\n', "z,a\nz,b\n")
    assert len(data.texts["train"][0]) == 200_000
    assert data.notes == ("left out 2 of the train split's 4 texts: no tokens in them.",)
    assert csv.field_size_limit() == limit


@pytest.mark.parametrize(
    ("train", "test", "expected"),
    [
        ("a,x\nb,y\n", 'a,x\n"b\nc",y\nd,z\n', "test.csv:4: label 'z' is not one of the training "
         "file's 2 classes: x, y."),
        ("a,x\nb,y,z\n", "", "train.csv:2: the number of columns is 3; "
         "expected 2, text,label; a text with commas"),
        ("a,x\nb\n", "", "train.csv:2: the number of columns is 1; expected 2"),
        ("a\nb\n", "", "train.csv:1: the number of columns is 1; expected text,label or AG News's"),
        ("a,b,x\nb,c,y\n", "", "train.csv:1: label 'a' of a row of three columns "
         "is not a whole number from 0 up; say what the columns are, as in --config.data.columns="),
        ("1,b,x\n-1,c,y\n", "", "train.csv:2: label '-1' of a row of three columns "
         "is not a whole number from 0 up"),
        ("a,x\nb, \n", "", "train.csv:2: the label is empty"),
        ("text,stars\na,1\nb,2\n", "", "train.csv:1: 'text,stars' looks like a header, but of"),
        ("text,stars\na,good\nb,bad\n", "", "train.csv:1: 'text,stars' looks like a header, but"),
        ("words,stars\na,1\nb,2\n", "", "train.csv:1: 'words,stars' looks like a header, but of"),
        ("tweet,mood\na,good\nb,bad\nc,bad\nd,good\n", "a,good\n", "train.csv:1: the only row "
         "with label 'mood', so it looks like a header; name its columns"),
        ("tweet,stars\na,1.0\nb,1.0\n", "a,1.0\n", "train.csv:1: the only row with label 'stars'"),
        ('a,x\nb,"y\nz"\n', "", r"train.csv:2: label 'y\nz' looks like a text"),
        (f"a,x\nb,{'y' * 101}\n", "", "looks like a text; expected text,label"),
        (f"2,c,y\n{'1' * 5000},b,x\n", "", "looks like a text"),
        (f"2,c,y\n{'1' * 50},b,x\n", "", "of a row of three columns is not a whole number"),
        ("text,label\n", "", "train.csv: no rows after the header"),
        ("\n\n", "", "train.csv is empty"),
        ("a,x\nb,x\n", "a,x\n", "only one class, x; expected two or more"),
        ("a,x\n ,y\n", "a,x\n", "the train split has no text of class y"),
        ("a,x\nb,y\n", " ,x\n", "the test split has no text with a token"),
        ('a,x\n"b,y\n', "", "train.csv:2: not CSV (unexpected end of data)"),
        (b"a,x\nb\xff,y\n", "", "train.csv:2: byte 2 of the line, 0xff, is not UTF-8"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_csv_file_is_one_line(tmp_path, train, test, expected):
    test = write(tmp_path, test, "test.csv")
    assert expected in error_of(write(tmp_path, train), test=test)


def damaged_gz():
    content = bytearray(gzip.compress(b"some text,x\nother text,y\n" * 50, 9))
    content[12:20] = bytes(8)
    return "train.csv.gz", bytes(content)


def damaged_zip(method):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as bundle:
        bundle.writestr("a", "some text,x\nother text,y\n" * 50)
    content = bytearray(packed.getvalue())
    content[45:60] = b"\xff" * 15
    return "train.zip", bytes(content)


@pytest.mark.parametrize(
    "damaged",
    [damaged_gz(), damaged_zip(zipfile.ZIP_DEFLATED), damaged_zip(zipfile.ZIP_LZMA)],
    ids=["gz", "zip", "zip with LZMA"],
)
def test_a_packed_file_that_is_damaged_is_one_line(tmp_path, damaged):
    name, content = damaged
    (tmp_path / name).write_bytes(content)
    assert "cannot be read (" in error_of(str(tmp_path / name), test=write(tmp_path, "a,x\n"))


def test_many_classes_are_not_all_listed(tmp_path):
    train = "".join(f"a,{i}\n" for i in range(1000))
    message = error_of(write(tmp_path, train), test=write(tmp_path, "a,1000\n", "test.csv"))
    assert "1000 classes: 0, 1, 2" in message
    assert message.endswith("18, 19, ....")


def test_the_files_that_a_source_needs_are_said(tmp_path):
    file = write(tmp_path, "a,x\nb,y\n")
    assert "no test split; expected another CSV file by --config.data.test=FILE" in error_of(file)
    assert "no file or folder gone.csv; looked at" in error_of("gone.csv", test=file)
    assert "no file or folder gone.csv; looked at" in error_of(file, test="gone.csv")
    assert "planted has its own splits" in error_of("planted", test=file)


def test_real_ag_news_in_two_columns_and_three_is_of_the_same_classes(real_data):
    folder = real_data / "ag_news"
    small = [str(folder / f"small_{split}.csv") for split in ("train", "dev", "test")]
    two = read_labelled_text(small[0], valid=small[1], test=small[2])
    assert {k: len(v) for k, v in two.texts.items()} == {"train": 4000, "valid": 1000, "test": 1000}
    assert two.notes == (  # all of small_dev.csv is in small_train.csv
        "left out 1,000 of the train split's 5,000 texts: they are validation texts too.",
    )
    assert two.classes == ("0", "1", "2", "3")
    three = read_labelled_text(small[0], test=str(folder / "test.csv"))
    np.testing.assert_array_equal(np.bincount(three.labels["test"]), [1900] * 4)
    label_of = dict(zip(three.texts["test"], three.labels["test"], strict=True))
    for text, label in zip(two.texts["test"], two.labels["test"], strict=True):
        assert label_of[text] == label
    assert three.notes == ()


def test_validation_texts_are_not_trained_on_and_shared_test_texts_are_told(tmp_path):
    train = write(tmp_path, "a,x\nb,y\nc,x\nd,y\n")
    valid = write(tmp_path, "a,x\ne,y\nb,y\n", "valid.csv")
    test = write(tmp_path, "c,x\nf,y\ne,y\n", "test.csv")
    data = read_labelled_text(train, valid=valid, test=test)
    assert data.texts == {"train": ["c", "d"], "valid": ["a", "e", "b"], "test": ["c", "f", "e"]}
    np.testing.assert_array_equal(data.labels["train"], [0, 1])
    assert data.notes == (
        "left out 2 of the train split's 4 texts: they are validation texts too.",
        "kept 2 of the test split's 3 texts that are in the train or valid split too.",
    )
    assert "all 4 texts to train on are validation texts too" in error_of(
        train, valid=train, test=test
    )


@pytest.fixture(scope="module")
def planted():
    return read_labelled_text("planted")


def test_planted_reviews_are_as_many_as_said_and_the_same_again(planted):
    assert {k: len(v) for k, v in planted.texts.items()} == {"train": 4000, "test": 1000}
    assert planted.classes == ("neg", "pos")
    again = labelled_planted.planted_reviews()
    assert again["test"][0] == planted.texts["test"]
    first, second = (labelled_planted.planted_reviews(s, num_train=9, num_test=1) for s in (0, 1))
    assert first["train"][0] != second["train"][0]
    for split, share in (("train", 0.05), ("test", 0.08)):
        assert abs(planted.labels[split].mean() - 0.5) < share
    lengths = [sum(w != "not" for w in text.split()) for text in planted.texts["train"]]
    assert (min(lengths), max(lengths)) == (10, 60)


def net_counts(texts, words, negated):
    """How often each word comes, less (`negated` = -1) or also (1) after `not`; [n, words]."""
    ids = {word: i for i, word in enumerate(words)}
    rows = np.zeros((len(texts), len(ids)))
    for row, text in zip(rows, texts, strict=True):
        before = None
        for word in tokenize(text):
            if word in ids:
                row[ids[word]] += negated if before == "not" else 1
            before = word
    return rows


def test_planted_classes_can_be_told_from_the_standard_librarys_vectors(planted):
    vectors = stdlib_vectors(1000, 100)
    words = [word for word in count_words(planted.texts["train"]) if word != "not"]
    assert set(words) <= set(vectors.words)
    ids = {word: i for i, word in enumerate(vectors.words)}
    rows = vectors.rows[[ids[word] for word in words]]
    train, test = (net_counts(planted.texts[split], words, -1) @ rows for split in planted.texts)
    signs = 2 * planted.labels["train"] - 1
    weights = np.linalg.solve(train.T @ train + np.eye(rows.shape[1]), train.T @ signs)
    right = (test @ weights > 0) == (planted.labels["test"] == 1)
    assert right.mean() > 0.87  # with polarity at random it is 0.82


def test_planted_labels_are_the_sign_of_a_sum_that_negations_turn_around(planted):
    pairs = [pair for text in planted.texts["train"] for pair in itertools.pairwise(text.split())]
    words = sorted({word for before, word in pairs if before == "not"})
    assert len(words) == 50
    signs = 2 * planted.labels["train"] - 1
    counts = net_counts(planted.texts["train"], words, -1)
    polarity = np.sign(np.linalg.solve(counts.T @ counts + np.eye(len(words)), counts.T @ signs))
    truth = planted.labels["test"] == 1
    in_order, unordered = (
        (net_counts(planted.texts["test"], words, negated) @ polarity > 0) == truth
        for negated in (-1, 1)
    )
    assert in_order.mean() > 0.97  # a rare word's polarity may be guessed wrong
    assert unordered.mean() < in_order.mean() - 0.05
