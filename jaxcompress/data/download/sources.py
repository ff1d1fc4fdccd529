"""The data sets that can be downloaded: where they come from, where they land, on what terms.

Hashes are those that TensorFlow Datasets (MovieLens), torchtext (GloVe) and Hugging Face datasets
(WikiText, IMDB) publish; Penn Treebank's are of files with the MD5 that torchtext publishes. For
Amazon's ratings no hash is known.
"""

import dataclasses
import difflib
import textwrap

from jaxcompress.errors import InputError

_RESEARCH = "research use"


@dataclasses.dataclass(frozen=True)
class File:
    """A file that is fetched.

    Attributes:
        name: path of the file, under the folder of the data.
        mirrors: addresses of the same bytes, in the order in which they are tried.
        sha256: the hash of the file; None: not known.
        size: bytes; None: not known.
        unpacked: paths that an archive must hold, under the folder of the data; their top folders
            are unpacked whole, and the archive is removed. Empty: the file stays as it is.
    """

    name: str
    mirrors: tuple[str, ...]
    sha256: str | None = None
    size: int | None = None
    unpacked: tuple[str, ...] = ()

    @property
    def targets(self) -> tuple[str, ...]:
        """Lists the paths that are there when it has come, under the folder of the data."""
        return self.unpacked or (self.name,)


@dataclasses.dataclass(frozen=True)
class DataSet:
    """What a user asks for by a name.

    Attributes:
        name: what the user asks for.
        description: what it is, in a few words.
        lands: where it lies then, under the folder of the data; several paths in a shell's braces.
        terms: on what terms it is given.
        files: what is fetched.
    """

    name: str
    description: str
    lands: str
    terms: str
    files: tuple[File, ...]


def _glove(name: str, description: str, sha256: str, size: int, *vectors: str) -> DataSet:
    archive = f"{name}.zip"
    mirrors = (
        f"https://nlp.stanford.edu/data/{archive}",
        f"https://downloads.cs.stanford.edu/nlp/data/{archive}",
        f"https://huggingface.co/stanfordnlp/glove/resolve/main/{archive}",
    )
    lands = vectors[0] if len(vectors) == 1 else "glove.6B.{50,100,200,300}d.txt"
    file = File(archive, mirrors, sha256, size, vectors)
    return DataSet(name, description, lands, "PDDL", (file,))


def _wikitext(name: str, description: str, sha256: str, size: int) -> DataSet:
    archive = f"{name}-v1.zip"
    mirrors = (
        f"https://wikitext.smerity.com/{archive}",
        f"https://s3.amazonaws.com/research.metamind.io/wikitext/{archive}",
    )
    splits = tuple(f"{name}/wiki.{split}.tokens" for split in ("train", "valid", "test"))
    lands = f"{name}/wiki.{{train,valid,test}}.tokens"
    file = File(archive, mirrors, sha256, size, splits)
    return DataSet(name, description, lands, "CC BY-SA", (file,))


def _movielens(name: str, description: str, sha256: str, size: int, ratings: str) -> DataSet:
    archive = f"{name}.zip"
    mirrors = (f"https://files.grouplens.org/datasets/movielens/{archive}",)
    lands = f"{name}/{ratings}"
    file = File(archive, mirrors, sha256, size, (lands,))
    return DataSet(name, description, lands, f"GroupLens's, {_RESEARCH}", (file,))


def _ptb(split: str, sha256: str, size: int) -> File:
    file = f"ptb.{split}.txt"
    mirrors = tuple(
        f"https://raw.githubusercontent.com/{owner}/lstm/master/data/{file}"
        for owner in ("wojzaremba", "tomsercu")
    )
    return File(f"ptb/{file}", mirrors, sha256, size)


_FIXED = (
    _glove(
        "glove.6B",
        "GloVe of Wikipedia and Gigaword, 400,000 words",
        "617afb2fe6cbd085c235baf7a465b96f4112bd7f7ccb2b2cbd649fed9cbcf2fb",
        862_182_613,
        *(f"glove.6B.{dim}d.txt" for dim in (50, 100, 200, 300)),
    ),
    _glove(
        "glove.42B.300d",
        "GloVe of Common Crawl, 1.9 million words",
        "03d5d7fa28e58762ace4b85fb71fe86a345ef0b5ff39f5390c14869da0fc1970",
        1_877_800_501,
        "glove.42B.300d.txt",
    ),
    _glove(
        "glove.840B.300d",
        "GloVe of Common Crawl, 2.2 million words, cased",
        "c06db255e65095393609f19a4cfca20bf3a71e20cc53e892aafa490347e3849f",
        2_176_768_927,
        "glove.840B.300d.txt",
    ),
    DataSet(
        "ptb",
        "Penn Treebank as Mikolov prepared it",
        "ptb/ptb.{train,valid,test}.txt",
        f"of LDC data, {_RESEARCH}",
        (
            _ptb(
                "train",
                "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf",
                5_101_618,
            ),
            _ptb(
                "valid",
                "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2",
                399_782,
            ),
            _ptb(
                "test",
                "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0",
                449_945,
            ),
        ),
    ),
    _wikitext(
        "wikitext-2",
        "Wikipedia, 2 million tokens",
        "92675f1d63015c1c8b51f1656a52d5bdbc33aafa60cc47a218a66e7ee817488c",
        4_475_746,
    ),
    _wikitext(
        "wikitext-103",
        "Wikipedia, 103 million tokens",
        "242ba0f20b329cfdf1ccc61e9e9e5b59becf189db7f7a81cd2a0e2fc31539590",
        190_229_076,
    ),
    _movielens(
        "ml-100k",
        "MovieLens, 100,000 ratings",
        "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
        4_924_029,
        "u.data",
    ),
    _movielens(
        "ml-1m",
        "MovieLens, 1 million ratings",
        "a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
        5_917_549,
        "ratings.dat",
    ),
    _movielens(
        "ml-25m",
        "MovieLens, 25 million ratings",
        "8b21cfb7eb1706b4ec0aac894368d90acf26ebdfb6aced3ebd4ad5bd1eb9c6aa",
        261_978_986,
        "ratings.csv",
    ),
    DataSet(
        "aclImdb",
        "50,000 labelled film reviews of IMDB",
        "aclImdb/{train,test}",
        _RESEARCH,
        (
            File(
                "aclImdb_v1.tar.gz",
                (
                    "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
                    "https://bj.bcebos.com/dataset/imdb%2FaclImdb_v1.tar.gz",
                ),
                "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe",
                84_125_825,
                ("aclImdb/train", "aclImdb/test"),
            ),
        ),
    ),
)


_CATEGORIES = (
    "AMAZON_FASHION", "All_Beauty", "Appliances", "Arts_Crafts_and_Sewing", "Automotive", "Books",
    "CDs_and_Vinyl", "Cell_Phones_and_Accessories", "Clothing_Shoes_and_Jewelry", "Digital_Music",
    "Electronics", "Gift_Cards", "Grocery_and_Gourmet_Food", "Home_and_Kitchen",
    "Industrial_and_Scientific", "Kindle_Store", "Luxury_Beauty", "Magazine_Subscriptions",
    "Movies_and_TV", "Musical_Instruments", "Office_Products", "Patio_Lawn_and_Garden",
    "Pet_Supplies", "Prime_Pantry", "Software", "Sports_and_Outdoors",
    "Tools_and_Home_Improvement", "Toys_and_Games", "Video_Games",
)  # fmt: skip


def _amazon(category: str) -> DataSet:
    hosts = (
        "mcauleylab.ucsd.edu/public_datasets/data",
        "datarepo.eng.ucsd.edu/mcauley_group/data",
        "jmcauley.ucsd.edu/data",
    )
    lands = f"amazon/{category}.csv"
    mirrors = tuple(f"https://{h}/amazon_v2/categoryFilesSmall/{category}.csv" for h in hosts)
    description = "ratings of Amazon's reviews of 2018, one category"
    return DataSet(f"amazon:{category}", description, lands, _RESEARCH, (File(lands, mirrors),))


def known_data_sets() -> dict[str, DataSet]:
    """Lists the data sets by name; each category of Amazon's ratings is one."""
    return {some.name: some for some in (*_FIXED, *map(_amazon, _CATEGORIES))}


def find_data_set(name: str) -> DataSet:
    """Finds a data set by its name.

    Raises:
        InputError: if there is none; it lists the names, and suggests the closest one.
    """
    there = known_data_sets()
    if name in there:
        return there[name]
    if name.split(":")[0] == "amazon":
        head, names = "amazon comes by category", [f"amazon:{c}" for c in _CATEGORIES]
    else:
        head, names = f"no data set {name!r}", [*(s.name for s in _FIXED), "amazon:CATEGORY"]
    lower = {other.lower(): other for other in there}
    close = difflib.get_close_matches(name.lower(), lower, n=1)
    guess = f" Did you mean {lower[close[0]]}?" if close and name != "amazon" else ""
    raise InputError(f"{head}; expected one of {', '.join(names)}.{guess}")


def list_data_sets() -> str:
    """Lays out name, size, place and terms of all data sets in columns, for people to read."""
    rows = [("name", "size, MB", "lands as", "terms")]
    for some in (*_FIXED, _amazon("CATEGORY")):
        sizes = [file.size for file in some.files]
        size = "?" if None in sizes else f"{sum(sizes) / 1e6:,.1f}"
        rows.append((some.name, size, some.lands, some.terms))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = (
        "  ".join(
            cell.rjust(width) if i == 1 else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
    categories = textwrap.wrap(f"CATEGORY is one of {', '.join(_CATEGORIES)}.", 100)
    return "\n".join([*lines, *categories])
