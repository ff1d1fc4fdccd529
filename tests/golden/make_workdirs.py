"""Makes `workdirs.tar.gz`: small runs of the four mains, half done and finished, by commit d3ac491.

`python tests/golden/make_workdirs.py` was run once, in a checkout of that commit. A later release
must go on with these runs and open what they exported, so the archive is not made anew with the
code: run this again only to add a method, and say in CHANGELOG.md which commit made it.

For each METHOD the archive has `METHOD/half` (a workdir whose last checkpoint is gone),
`METHOD/export` (what the finished run exported) and `METHOD/summary.json` (its figures); for dccl
also `dccl/finished/artefact`, the codes as orbax keeps them.
"""

import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

sys.path[:0] = map(str, Path(__file__).parents[1:3])
import helpers  # noqa: E402 -- not installed, but two folders up

_SEEDED = {"ant": helpers.make_ratings, "sentiment": helpers.make_reviews,
           "tying": helpers.make_text, "dccl": helpers.make_table}  # fmt: skip
_COMMANDS = {"ant": helpers.ratings_command, "sentiment": helpers.sentiment_command,
             "tying": helpers.text_command, "dccl": helpers.command}  # fmt: skip
_LAST = "00000060"  # the step of the checkpoint that a half-done run does not have yet


def make(folder: Path, method: str) -> None:
    """Runs a method to its end and keeps its results apart from what it can go on from."""
    data, half = folder / "data" / method, folder / method / "half"
    data.mkdir(parents=True)
    made = _SEEDED[method](data).relative_to(folder)  # so that no path of a machine is kept
    arguments = _COMMANDS[method](made, half.relative_to(folder))
    environment = helpers.environment(PYTHONPATH=str(helpers.ROOT))
    subprocess.run(arguments, cwd=folder, env=environment, check=True)
    shutil.move(half / "summary.json", folder / method)
    if (half / "export").is_dir():
        shutil.move(half / "export", folder / method)
    if (half / "artefact").is_dir():
        shutil.move(half / "artefact", folder / method / "finished" / "artefact")
    shutil.rmtree(half / "checkpoints" / _LAST)
    for other in ("tensorboard", "curves.png", ".lock"):
        shutil.rmtree(half / other, ignore_errors=True)
        (half / other).unlink(missing_ok=True)
    for marker in (folder / method).rglob("commit_success.txt"):
        marker.write_text("")  # it names a path; that it is there is what counts


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "configs").symlink_to(helpers.ROOT / "configs")
        for name in _COMMANDS:
            make(Path(folder), name)
        with tarfile.open(Path(__file__).with_name("workdirs.tar.gz"), "w:gz") as archive:
            for name in sorted(_COMMANDS):
                archive.add(Path(folder) / name, name, filter=_anonymous)
