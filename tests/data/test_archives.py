"""Archives that are not to be trusted: nothing comes of a bad one."""

import io
import tarfile
import zipfile

import pytest
from downloads import packed, tarred

from jaxcompress import InputError
from jaxcompress.data.download.archives import unpack


def link_in_a_zip():
    info = zipfile.ZipInfo("toy/link")
    info.external_attr = 0o120777 << 16
    return packed([("toy/a.txt", ""), (info, "/etc/passwd")])


def damaged_lzma():
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_LZMA) as bundle:
        bundle.writestr("toy/a.txt", "some text " * 100)
    return content.getvalue()[:55] + bytes(10) + content.getvalue()[65:]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("toy.zip", packed([("toy/a.txt", ""), ("../out", "")]), "'../out' leads out"),
        ("toy.zip", packed([("toy/a.txt", ""), ("toy/../../out", "")]), "leads out of the folder"),
        ("toy.zip", packed([("toy/a.txt", ""), ("/out", "")]), "'/out' leads out"),
        ("toy.zip", packed([("toy/a.txt", ""), ("..\\out", "")]), "leads out of the folder"),
        ("toy.zip", link_in_a_zip(), "'toy/link' is a link or a device"),
        ("toy.tar.gz", tarred(("toy/a.txt", "", ""), ("../out", "", "")), "'../out' leads out"),
        ("toy.tar.gz", tarred(("toy/a.txt", "", ""), ("/out", "", "")), "'/out' leads out"),
        ("toy.tar.gz", tarred(("toy/a.txt", "", ""), ("toy/l", tarfile.SYMTYPE, "../../out")),
         "outside the destination"),
        ("toy.tar.gz", tarred(("toy/a.txt", "", ""), ("toy/l", tarfile.SYMTYPE, "/etc/passwd")),
         "absolute path"),
        ("toy.tar.gz", tarred(("toy/a.txt", "", ""), ("toy/fifo", tarfile.FIFOTYPE, "")),
         "special file"),
        ("toy.zip", packed([("toy/a.txt", "some")])[:-30], "corrupt"),
        ("toy.zip", packed([("toy/a.txt", "some")]).replace(b"some", b"same", 1), "corrupt"),
        ("toy.tar.gz", tarred(("toy/a.txt", "some", ""))[:-20], "corrupt"),
        ("toy.tar.gz", b"nothing of the kind", "corrupt"),
        ("toy.zip", damaged_lzma(), "corrupt"),
        ("toy.zip", packed([("toy", ""), ("toy/a.txt", "")]), "corrupt"),
        ("toy.zip", packed([("toy/a.txt", ""), ("toy/" + 300 * "b", "")]), "corrupt"),
        ("toy.zip", packed([("other/a.txt", "")]), "holds no toy/a.txt"),
    ],
    ids=["zip up", "zip down and up", "zip root", "zip backslash", "zip link", "tar up", "tar root",
         "tar link up", "tar link to root", "tar device", "zip cut", "zip changed", "tar cut",
         "tar none", "zip with LZMA changed", "file and folder", "long name", "other content"],
)  # fmt: skip
def test_nothing_comes_of_a_bad_archive(tmp_path, name, content, message):
    archive = tmp_path / "data" / name
    archive.parent.mkdir()
    archive.write_bytes(content)
    with pytest.raises(InputError) as caught:
        unpack(archive, ["toy/a.txt"], archive.parent)
    error = str(caught.value)
    assert error.startswith(f"{archive}: ")
    assert message in error
    assert error.endswith("nothing was unpacked, and the archive was removed.")
    assert "\n" not in error
    assert [p.name for p in tmp_path.rglob("*")] == ["data"]


def test_what_a_killed_run_left_is_cleared(tmp_path):
    (tmp_path / ".toy.zip.unpacking" / "toy").mkdir(parents=True)
    (tmp_path / ".toy.zip.unpacking" / "toy" / "half").write_text("")
    (tmp_path / "toy.zip").write_bytes(packed([("toy/a.txt", "")]))
    unpack(tmp_path / "toy.zip", ["toy/a.txt"], tmp_path)
    assert [p.name for p in (tmp_path / "toy").iterdir()] == ["a.txt"]
    assert not (tmp_path / ".toy.zip.unpacking").exists()
