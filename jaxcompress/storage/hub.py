"""Files of the Hugging Face Hub: `hf://ORG/NAME[@REVISION][/FILE]`, by way of `huggingface_hub`.

That library caches what it fetches, and reads `HF_ENDPOINT`, `HF_HOME`, `HF_TOKEN` and
`HF_HUB_OFFLINE` from the environment.
"""

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jaxcompress.errors import InputError

_SCHEME = "hf://"
_FORM = re.compile(r"hf://([^/@]+/[^/@]+)(?:@([^/]+))?(?:/(.+))?", re.DOTALL)


class HubPath(NamedTuple):
    """A place in a repository of the Hub.

    Attributes:
        repo: "ORG/NAME".
        revision: a branch, a tag or a commit; None: the main branch.
        file: a path in the repository; None: the whole of it.
    """

    repo: str
    revision: str | None
    file: str | None


def is_hub(path: str | os.PathLike) -> bool:
    """Tells whether a path is one of the Hub."""
    return os.fspath(path).startswith(_SCHEME)


def parse(path: str | os.PathLike) -> HubPath:
    """Takes a path of the Hub apart.

    >>> parse("hf://org/name@v1/sub/model.safetensors")
    HubPath(repo='org/name', revision='v1', file='sub/model.safetensors')
    >>> parse("hf://org/name")
    HubPath(repo='org/name', revision=None, file=None)

    Raises:
        InputError: if it is none.
    """
    found = _FORM.fullmatch(os.fspath(path).rstrip("/"))
    if found is None:
        raise InputError(f"{path}: expected hf://ORG/NAME, hf://ORG/NAME@REVISION or .../FILE.")
    return HubPath(*found.groups())


def fetch(path: str | os.PathLike, names: Sequence[str]) -> Path:
    """Fetches a file, or finds it in the cache.

    Args:
        path: of the Hub.
        names: of the files to look for, in this order, if the path names a repository alone.

    Raises:
        InputError: if `huggingface_hub` is not installed, there is no such file, it may not be
            read, or the Hub cannot be reached and the file is not in the cache.
    """
    hub, place = _library(), parse(path)
    names, cached = [place.file] if place.file else names, False
    with _one_line(os.fspath(path)):
        for name in names:
            try:
                found = hub.hf_hub_download(
                    place.repo, name, revision=place.revision, local_files_only=cached
                )
                return Path(found)
            except hub.errors.LocalEntryNotFoundError:
                cached = True  # it tried for long enough
                if name == names[-1]:
                    raise
            except hub.errors.EntryNotFoundError:
                pass
    listed = " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
    raise InputError(f"{path}: the repository has no {listed}.")


def upload(folder: Path, repo: str, *, message: str, private: bool, token: str | None) -> str:
    """Uploads the files of a folder in one commit; the repository is made if it is not there.

    A `README.md` that is there already stays.

    Returns:
        The address of the commit.

    Raises:
        InputError: if `huggingface_hub` is not installed, or the Hub refuses or cannot be reached.
    """
    hub = _library()
    parse(f"{_SCHEME}{repo}")
    with _one_line(f"{_SCHEME}{repo}"):
        api = hub.HfApi(token=token, library_name="jaxcompress")
        api.create_repo(repo, private=private, exist_ok=True)
        kept = ["README.md"] if api.file_exists(repo, "README.md") else None
        done = api.upload_folder(
            repo_id=repo, folder_path=folder, commit_message=message, ignore_patterns=kept
        )
    return str(done.commit_url)


def _library() -> Any:
    try:
        import huggingface_hub
        import huggingface_hub.errors
    except ImportError as error:
        raise InputError(
            f"huggingface_hub cannot be imported ({error}); install it: "
            'pip install "jaxcompress[hub]"'
        ) from None
    return huggingface_hub


@contextlib.contextmanager
def _one_line(source: str) -> Iterator[None]:
    """Makes an InputError of what the library raises, whose messages are of many lines."""
    errors = _library().errors
    try:
        yield
    except errors.GatedRepoError:
        reason = "its owner gives access to those who ask for it; ask on its page, then log in."
    except errors.RepositoryNotFoundError:
        reason = "no such repository, or a private one; check the name, or log in: hf auth login."
    except errors.RevisionNotFoundError:
        reason = "the repository has no such revision."
    except errors.LocalEntryNotFoundError:
        reason = "not in the cache, and the Hub cannot be reached (or HF_HUB_OFFLINE is set)."
    except errors.OfflineModeIsEnabled:
        reason = "HF_HUB_OFFLINE is set; unset it to reach the Hub."
    except (
        Exception
    ) as error:  # of whichever package reaches the Hub: no network, no right, no name
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        reason = f"{first.rstrip('.')}; check the name, the network and your token."
    else:
        return
    raise InputError(f"{source}: {reason}") from None
