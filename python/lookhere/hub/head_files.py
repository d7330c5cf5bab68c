"""Head sets on Hugging Face: fetched into a folder of the user's, where loading finds them, and published."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ..atomic import replacing
from ..errors import HubError
from . import client
from .choice import HubFile
from .name import HubName
from .telling import say

LARGEST = 64 * 2**20
"""Bytes of a head set; a ranking of every head with its evidence has some hundred thousand."""
_MOST_FILES = 50


def head_folder() -> Path:
    """Where fetched head sets are kept: LOOKHERE_HEADS, or a folder for data of the user's."""
    if os.environ.get("LOOKHERE_HEADS"):
        return Path(os.environ["LOOKHERE_HEADS"])
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    elif os.name == "nt":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "lookhere" / "heads"


def download(name: HubName) -> list[Path]:
    """The JSON files of a repository, in huggingface_hub's cache; what they hold is not looked at. HubError."""
    if client.offline():
        raise HubError(client.of_offline(name.text))
    listing = client.list_files(name)
    files = [file for file in listing.files if _may_be_heads(file)]
    if not files:
        raise HubError(
            f"{name.repository} has no JSON file that could be a head set. Look at what there is: {name.page}."
        )
    found = []
    for file in files[:_MOST_FILES]:
        with client.told_as_ours(name, file.path):
            found.append(Path(client.api().hf_hub_download(name.repository, file.path, revision=listing.commit)))
    return found


def keep(name: HubName, file: Path) -> Path:
    """Copies a head set into the user's folder, under the name of its repository. HubError."""
    kept = head_folder() / f"{name.repository.replace('/', '--')}--{file.name}"
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with replacing(kept) as out:
            out.write(file.read_bytes())
    except OSError as error:
        raise HubError(
            f"{kept.parent} cannot be written ({error.strerror or error}). Set LOOKHERE_HEADS to a folder that can."
        ) from error
    return kept


def publish(file: Path, name: HubName, *, private: bool, card: str, message: str) -> str:
    """Uploads a head set, and makes the repository and its page if need be. -> its address. HubError.

    card: the page.
    """
    from huggingface_hub import get_token

    if client.offline():
        raise HubError("HF_HUB_OFFLINE is set, so that nothing is published. Unset it.")
    if not get_token():
        raise HubError(
            "Publishing needs a token with the right to write: make one on https://huggingface.co/settings/tokens, "
            "then hf auth login, or set HF_TOKEN."
        )
    api = client.api()
    with client.told_as_ours(name):
        api.create_repo(name.repository, private=private, exist_ok=True)
        listing = client.list_files(name)
        if "README.md" not in [each.path for each in listing.files]:
            api.upload_file(
                path_or_fileobj=card.encode(), path_in_repo="README.md", repo_id=name.repository, commit_message=message
            )
        api.upload_file(
            path_or_fileobj=os.fspath(file), path_in_repo=file.name, repo_id=name.repository, commit_message=message
        )
    address = f"{client.endpoint()}/{name.repository}"
    say(f"Published {file.name} in {address}.")
    return address


def _may_be_heads(file: HubFile) -> bool:
    return file.path.lower().endswith(".json") and file.size <= LARGEST
