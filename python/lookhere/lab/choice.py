"""Forced choice: the caption that the model itself finds most probable, given how it was asked."""

from __future__ import annotations

from collections.abc import Sequence

from .fluency import log_probabilities
from .outcome import Pick
from .reply import Reply


class Choice:
    """The caption with the largest log-probability per token as an answer to the same view; the text is not read.

    It never says none or junk, so that chance is 1 in as many as there are captions.
    """

    name = "choice"

    def picks(self, replies: Sequence[Reply], captions: Sequence[str]) -> list[Pick | None]:
        """One per reply; None for a part of a longer answer. Replies to the same view share one choice."""
        known: dict[object, Pick] = {}
        picks: list[Pick | None] = []
        for reply in replies:
            if reply.view is None or not captions:
                picks.append(None)
                continue
            if reply.view not in known:
                native = reply.view.scene.model.native
                tokens = [native.tokenize(caption, parse_special=False) for caption in captions]
                nats = log_probabilities(reply.view, tokens)
                means = [each / max(len(said), 1) for each, said in zip(nats, tokens, strict=True)]
                known[reply.view] = means.index(max(means))
            picks.append(known[reply.view])
        return picks
