"""The table of data sets: its rows, and where what it names lands."""

import dataclasses
import hashlib

import pytest
from downloads import packed, serving

from jaxcompress import InputError
from jaxcompress.data.download import sources
from jaxcompress.data.download.command import main
from jaxcompress.data.download.sources import find_data_set, known_data_sets
from jaxcompress.data.ratings.read import read_ratings
from jaxcompress.data.text.corpus import read_corpus
from jaxcompress.data.vectors.files import read_vectors


@pytest.fixture
def server():
    with serving() as some:
        yield some


VECTORS, TEXT = "a 1 2\nb 3 4\n", "a b\n"


@pytest.mark.parametrize(
    ("name", "path", "read", "content"),
    [
        ("glove.6B", "glove.6B.300d.txt", read_vectors, VECTORS),
        ("glove.42B.300d", "glove.42B.300d.txt", read_vectors, VECTORS),
        ("glove.840B.300d", "glove.840B.300d.txt", read_vectors, VECTORS),
        ("ptb", "ptb", read_corpus, TEXT),
        ("wikitext-2", "wikitext-2", read_corpus, TEXT),
        ("wikitext-103", "wikitext-103", read_corpus, TEXT),
        ("ml-100k", "ml-100k", read_ratings, "1\t2\t3\t4\n"),
        ("ml-1m", "ml-1m", read_ratings, "1::2::3::4\n"),
        ("ml-25m", "ml-25m", read_ratings, "userId,movieId,rating,timestamp\n1,2,3.0,4\n"),
        ("amazon:All_Beauty", "amazon", read_ratings, "1,2,5.0,7\n"),
    ],
    ids=lambda value: value if value in known_data_sets() else "",
)
def test_what_is_fetched_lands_where_its_reader_looks(
    server, monkeypatch, tmp_path, name, path, read, content
):
    """The table's own rows, their mirrors and hashes replaced."""
    monkeypatch.setenv("JAXCOMPRESS_DATA", str(tmp_path / "data"))
    row, files = known_data_sets()[name], []
    for file in row.files:
        body = packed((t, content) for t in file.unpacked) if file.unpacked else content.encode()
        server.files[file.name] = body
        digest = hashlib.sha256(body).hexdigest()
        mirrors = (server.url(file.name),)
        files.append(dataclasses.replace(file, mirrors=mirrors, sha256=digest))
    row = dataclasses.replace(row, files=tuple(files))
    monkeypatch.setattr(sources, "known_data_sets", lambda: {name: row})
    assert main([name]) == 0
    assert read(path).source == str(tmp_path / "data" / path)


def test_the_tables_hashes_of_penn_treebank_are_those_of_the_real_files(real_data):
    for file in known_data_sets()["ptb"].files:
        content = (real_data / file.name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file.size, file.sha256)


def test_the_tables_rows_are_well_formed():
    for row in known_data_sets().values():
        for file in row.files:
            assert all(mirror.startswith("https://") for mirror in file.mirrors)
            assert file.mirrors
            assert file.sha256 is None or len(bytes.fromhex(file.sha256)) == 32
            assert not file.unpacked or file.name.endswith((".zip", ".tar.gz"))


def test_an_unknown_name_lists_the_names_and_the_closest():
    with pytest.raises(InputError, match=r"no data set 'ml-2m'; .* ml-100k, ml-1m, .*mean ml-"):
        find_data_set("ml-2m")
    with pytest.raises(InputError, match=r"amazon comes by category; .*:All_Beauty, .*Games\.$"):
        find_data_set("amazon")
    with pytest.raises(InputError, match=r"Did you mean amazon:Magazine_Subscriptions\?"):
        find_data_set("amazon:magazine_subscription")
