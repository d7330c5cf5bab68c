"""Judges replies and measures what stands beside accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .judging import SAME, Judge, jaccard
from .outcome import Pick
from .picture import Picture
from .reply import Record, Reply
from .view import View


class Examiner:
    """Makes records of replies. judges: the first one's picks count, the others stand beside it."""

    def __init__(self, judges: Sequence[Judge]) -> None:
        self.judges = tuple(judges)

    def judged(self, picture: Picture, replies: Sequence[Reply]) -> list[Record]:
        """What the judges say, and no more."""
        return [
            Record(reply.text, reply.target, picks, taken=reply.taken, area=reply.area, image_tokens=reply.image_tokens)
            for reply, picks in zip(replies, self.picks(picture, replies), strict=True)
        ]

    def measured(self, picture: Picture, replies: Sequence[Reply], prompt: str, limit: int) -> list[Record]:
        """Also the comparison with the unsteered answer to the same prompt, and the probability that the unsteered
        model gives to the reply's tokens after that prompt."""
        view = View(picture.scene, prompt)
        plain = picture.answer(view, limit).text
        nats = picture.log_probabilities(view, [reply.tokens for reply in replies])
        return [
            Record(
                reply.text, reply.target, picks, unchanged=jaccard(reply.text, plain) > SAME,
                nats=round(-said, 4), counted=len(reply.tokens),
                taken=None if reply.taken is None else round(reply.taken, 5), area=reply.area,
                image_tokens=reply.image_tokens,
            )
            for reply, picks, said in zip(replies, self.picks(picture, replies), nats, strict=True)
        ]  # fmt: skip

    def picks(self, picture: Picture, replies: Sequence[Reply]) -> list[Mapping[str, Pick]]:
        """By judge, one mapping per reply; judges that cannot tell are left out."""
        said: list[dict[str, Pick]] = [{} for _ in replies]
        for judge in self.judges:
            for picks, pick in zip(said, judge.picks(replies, picture.captions), strict=True):
                if pick is not None:
                    picks[judge.name] = pick
        return list(said)
