"""Hugging Face, through huggingface_hub: its settings, token and cache; its errors as ours.

huggingface_hub is imported where it is first needed: it takes a third of a second.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..checks import label, short
from ..errors import HubError
from .choice import HubFile

if TYPE_CHECKING:
    from huggingface_hub import HfApi

    from .name import HubName

WAIT = 20.0
"""Seconds for a server to begin an answer."""


@dataclass(frozen=True)
class Listing:
    """A repository's files at one commit. licence: as its card has it, '' where it has none."""

    files: tuple[HubFile, ...]
    commit: str
    licence: str = ""


def offline() -> bool:
    """Whether HF_HUB_OFFLINE forbids the network."""
    return bool(_constants().HF_HUB_OFFLINE)


def cache_folder() -> Path:
    """Where huggingface_hub keeps what it has fetched (HF_HUB_CACHE, HF_HOME)."""
    return Path(_constants().HF_HUB_CACHE)


def endpoint() -> str:
    """The address of the hub (HF_ENDPOINT)."""
    return str(_constants().ENDPOINT)


def api() -> HfApi:
    """huggingface_hub's own client."""
    from huggingface_hub import HfApi

    return HfApi(library_name="lookhere")


def list_files(name: HubName) -> Listing:
    """The files of a repository, their sizes and sha256. HubError."""
    with told_as_ours(name):
        info = api().model_info(name.repository, revision=name.revision, files_metadata=True, timeout=WAIT)
    files = tuple(
        HubFile(each.rfilename, each.size or 0, _sha256(each.lfs))
        for each in info.siblings or ()
        if each.rfilename.isprintable()
    )
    return Listing(files, info.sha or name.revision, _licence(info))


def _sha256(lfs: Any) -> str:
    """What a server says, if it can be one: it becomes the name of a file."""
    found = str(lfs.sha256) if lfs else ""
    return found if re.fullmatch(r"[0-9a-f]{64}", found) else ""


def _licence(info: Any) -> str:
    card = getattr(info, "card_data", None)
    for key in ("license_name", "license"):
        found = card.get(key) if card else None
        if isinstance(found, str) and found not in ("", "other"):
            return label(found, 60)
    tagged = [tag.partition(":")[2] for tag in info.tags or () if tag.startswith("license:")]
    return label(tagged[0], 60) if tagged else ""


def transport_errors() -> tuple[type[Exception], ...]:
    """What the HTTP library raises where a connection does not come about or breaks."""
    library = importlib.import_module(type(utils().get_session()).__module__.partition(".")[0])
    return (library.TransportError,)


@contextmanager
def told_as_ours(name: HubName, what: str = "") -> Iterator[None]:
    """Errors of huggingface_hub as a HubError that says what to do. what: the file, for the message."""
    from huggingface_hub import errors

    of = f"{what} of {name.repository}" if what else name.repository
    try:
        yield
    except errors.HFValidationError as error:
        raise HubError(
            f"{short(name.repository)} is no name of a repository on Hugging Face; expected owner/repo of letters, "
            "digits, '-', '_' and '.', 96 characters at most."
        ) from error
    except errors.GatedRepoError as error:
        raise HubError(
            f"{name.repository} is gated: its owner asks to accept terms first. Accept them on "
            f"https://huggingface.co/{name.repository} with your account, make a token on "
            "https://huggingface.co/settings/tokens, and log in with it: hf auth login, or set HF_TOKEN."
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise HubError(
            f"There is no file or folder {name.text!r} here, and no repository {name.repository} on {endpoint()}, or "
            f"it is private. Check the name{_token_hint()}. lookhere models lists models with short names."
        ) from error
    except errors.RevisionNotFoundError as error:
        raise HubError(f"{name.repository} has no revision {name.revision!r}; expected main or a commit.") from error
    except errors.EntryNotFoundError as error:
        raise HubError(f"There is no {of}. Look at what there is: {name.page}.") from error
    except errors.OfflineModeIsEnabled as error:
        raise HubError(of_offline(of)) from error
    except errors.HfHubHTTPError as error:
        raise HubError(_of_status(of, error)) from error
    except transport_errors() as error:
        raise HubError(
            f"{endpoint()} cannot be reached ({label(str(error), 120) or type(error).__name__}), and {of} is not "
            "on this machine, or not all of it. Check the connection and the proxy (HTTPS_PROXY), or give the path of "
            "a file."
        ) from error


def of_offline(what: str) -> str:
    """What to say of what would need the network that HF_HUB_OFFLINE forbids."""
    return (
        f"{what} is not on this machine, or not all of it, and HF_HUB_OFFLINE is set, so that nothing is fetched. "
        f"Unset it, or copy the files from another machine into {cache_folder()}, or give their path."
    )


def _of_status(of: str, error: Any) -> str:
    code = getattr(getattr(error, "response", None), "status_code", 0)
    if code in (401, 403):
        return (
            f"The hub refuses {of} ({code}): the token is missing, wrong or has no right to it. Log in with hf auth "
            "login, or set HF_TOKEN; a gated model's terms must be accepted on its page first."
        )
    if code == 429:
        return f"The hub answers {of} with 429, too many requests. Wait some minutes; with a token more are allowed."
    if code >= 500:
        return f"The hub cannot answer {of} now ({code}). Try again later."
    return f"The hub answers {of} with {code}: {label(str(error).strip().partition(chr(10))[0], 160)}."


def _token_hint() -> str:
    from huggingface_hub import get_token

    return "" if get_token() else "; for a private one log in: hf auth login, or set HF_TOKEN"


def utils() -> Any:
    """huggingface_hub.utils, which states no types for what it passes on."""
    from huggingface_hub import utils as found

    return found


def _constants() -> Any:
    from huggingface_hub import constants

    return constants
