"""The Large Movie Review Dataset of Maas et al. (ACL 2011), as its archive or its folder.

Reviews are the files `aclImdb/{train,test}/{neg,pos}/NUMBER_RATING.txt`. Everything else in it is
passed over, such as the reviews without a label.
"""

import gzip
import re
import tarfile
import zlib
from pathlib import Path

from jaxcompress.data.paths import find_either, find_folder
from jaxcompress.data.text_files import decode
from jaxcompress.errors import InputError

FOLDER = "aclImdb"
ARCHIVE = "aclImdb_v1.tar.gz"
CLASSES = ("neg", "pos")

_SPLITS = ("train", "test")
_FETCH = "Fetch it with: jaxcompress download aclImdb"
_REVIEW = re.compile(r"(?:^|/)(train|test)/(neg|pos)/([^./][^/]*\.txt)$")

_Found = dict[tuple[str, str], dict[str, bytes]]  # by split and class, then by the file's name


def find_reviews(path: str) -> Path:
    """Finds the folder `path`, or else the archive aclImdb_v1.tar.gz beside it.

    Raises:
        InputError: if neither is there; it names the paths that were looked at.
    """
    try:
        return find_folder(path, "")
    except InputError:
        archive = str(Path(path).with_name(ARCHIVE))
        return find_either(archive, f"There is no folder {path} in these places either. {_FETCH}")


def read_reviews(place: Path) -> dict[str, tuple[list[str], list[int]]]:
    """Reads texts and labels by split; a label is the number of a class, in [0, 2).

    Texts are ordered by class and by the numbers of their files.

    Args:
        place: the folder, or the archive (.tar.gz), which is read through once and not unpacked.

    Raises:
        InputError: if the archive is damaged or cut short, a class has no files, or a text is not
            UTF-8: with the file.
    """
    found = _from_folder(place) if place.is_dir() else _from_archive(place)
    splits = {}
    for split in _SPLITS:
        texts, labels = splits[split] = ([], [])
        for label, name in enumerate(CLASSES):
            files = found.get((split, name), {})
            if not files:
                raise InputError(
                    f"{place}: class {name} is missing from the {split} split; expected files "
                    f"{FOLDER}/{split}/{name}/*.txt. {_FETCH}"
                )
            for file in sorted(files, key=_number):
                text = decode(files[file], f"{place}: {split}/{name}/{file}")
                texts.append(text.removeprefix("\ufeff"))
                labels.append(label)
    return splits


def _from_folder(folder: Path) -> _Found:
    found = {}
    for split in _SPLITS:
        for name in CLASSES:
            files = (folder / split / name).glob("[!.]*.txt")
            try:
                found[split, name] = {file.name: file.read_bytes() for file in files}
            except OSError as error:
                raise InputError(f"{folder}: cannot be read ({error}).") from None
    return found


def _from_archive(archive: Path) -> _Found:
    found, last = {}, "its start"
    try:
        with gzip.open(archive) as stream:
            with tarfile.open(fileobj=stream, mode="r|") as bundle:
                for member in bundle:
                    match = _REVIEW.search(member.name)
                    if match and member.isfile():
                        files = found.setdefault((match[1], match[2]), {})
                        files[match[3]] = bundle.extractfile(member).read()
                    last = member.name
            while stream.read(1 << 20):  # the checksum is at the end
                pass
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise InputError(
            f"{archive}: damaged or cut short after {last} ({error}); expected {ARCHIVE} as it is "
            f"distributed. {_FETCH}"
        ) from None
    return found


def _number(file: str) -> tuple[int, str]:
    """Ranks a file by the number that its name starts with, then by the name."""
    digits = re.match(r"[0-9]+", file)
    return int(digits[0]) if digits else -1, file
