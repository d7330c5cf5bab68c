"""One picture of a demo: the strip, under each panel the answer that looking there gave, and what controls gave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image as pillow
from PIL import ImageDraw, ImageFont

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

    Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

WIDTH = 1680  # pixels
MARGIN = 48
GUTTER = 14
PAPER, INK, SOFT, LINE, ACCENT, RIGHT, WRONG = (
    "#fbfaf7", "#1d1b26", "#6d6a78", "#e2dfd8", "#960f6e", "#1f7a4d", "#b3541e",
)  # fmt: skip


@dataclass(frozen=True)
class Look:
    """One answer and the heat map of the whole strip while it was given. right: None if that cannot be said."""

    answer: str
    heat: PillowImage
    right: bool | None = None


@dataclass(frozen=True)
class Control:
    """The same looks with other heads: what they are, and (answer, whether it is right) per panel."""

    name: str
    answers: Sequence[tuple[str, bool]]


@dataclass(frozen=True)
class Poster:
    """strip: the picture on top, cols panels wide. looks: one per panel. footer: a line of small print."""

    strip: PillowImage
    looks: Sequence[Look]
    controls: Sequence[Control]
    unsteered: Look
    question: str
    claim: str
    footer: str

    def draw(self) -> PillowImage:
        """RGB, 1680 pixels wide, as high as the texts need."""
        columns = len(self.looks)
        inner = WIDTH - 2 * MARGIN
        cell = (inner - GUTTER * (columns - 1)) / columns
        left = [MARGIN + k * (cell + GUTTER) for k in range(columns)]
        panel_width = self.strip.width / columns
        panel_height = round(cell * self.strip.height / panel_width)
        heat_height = round(cell * self.looks[0].heat.height / self.looks[0].heat.width)
        font, answer_font, small = _font(26), _font(25), _font(18)
        text_width = int(cell) - 8
        lines = [_wrap(look.answer, answer_font, text_width) for look in self.looks]
        answers_height = max(len(each) for each in lines) * 33

        page = pillow.new("RGB", (WIDTH, 2200), PAPER)
        draw = ImageDraw.Draw(page)
        y = MARGIN
        draw.text((MARGIN, y), "lookhere", font=_font(58), fill=INK)
        draw.text((MARGIN + _wide("lookhere", _font(58)) + 24, y + 29), self.claim, font=font, fill=SOFT)
        y += 92
        _said(draw, (MARGIN, y), "Asked every time", f"“{self.question}”", font)
        y += 56

        for k, look in enumerate(self.looks):
            panel = self.strip.crop((round(k * panel_width), 0, round((k + 1) * panel_width), self.strip.height))
            page.paste(panel.resize((round(cell), panel_height), pillow.Resampling.LANCZOS), (round(left[k]), y))
            draw.rectangle((left[k], y, left[k] + round(cell) - 1, y + panel_height - 1), outline=LINE)
            top = y + panel_height + 16
            draw.rectangle((left[k], top, left[k] + cell - 1, top + 3), fill=ACCENT)
            _label(draw, (left[k], top + 14), f"Looking at panel {k + 1}", small, look.right)
            for index, line in enumerate(lines[k]):
                draw.text((left[k], top + 44 + 33 * index), line, font=answer_font, fill=INK)
            heat = look.heat.resize((round(cell), heat_height), pillow.Resampling.LANCZOS)
            page.paste(heat, (round(left[k]), top + 60 + answers_height))
        y += panel_height + 16 + 60 + answers_height + heat_height + 10
        note = "Below each answer: where the model looks of its own accord meanwhile (natural gaze), over the strip."
        if any(look.right is not None for look in self.looks):
            note += " A tick: word for word what is drawn."
        draw.text((MARGIN, y), note, font=small, fill=SOFT)
        y += 48

        for control in self.controls:
            y = self._control(draw, control, left, cell, y)
        draw.line((MARGIN, y, WIDTH - MARGIN, y), fill=LINE, width=2)
        y += 20
        draw.text((MARGIN, y), "Nobody told it where to look", font=small, fill=SOFT)
        heat = self.unsteered.heat.resize((round(cell), heat_height), pillow.Resampling.LANCZOS)
        page.paste(heat, (MARGIN, y + 34))
        at = round(left[1]) if columns > 1 else MARGIN
        for index, line in enumerate(_wrap(self.unsteered.answer, answer_font, WIDTH - MARGIN - at)):
            draw.text((at, y + 34 + 33 * index), line, font=answer_font, fill=INK)
        y += 34 + max(heat_height, 40) + 30
        draw.text((MARGIN, y), self.footer, font=small, fill=SOFT)
        return page.crop((0, 0, WIDTH, y + 22 + MARGIN))

    @staticmethod
    def _control(draw: ImageDraw.ImageDraw, control: Control, left: Sequence[float], cell: float, y: int) -> int:
        """One row of small answers; where the next row begins."""
        small, font = _font(18), _font(19)
        draw.line((MARGIN, y, WIDTH - MARGIN, y), fill=LINE, width=2)
        count = sum(right for _, right in control.answers)
        draw.text((MARGIN, y + 16), f"{control.name}: {count} of {len(control.answers)}", font=small, fill=SOFT)
        lines = [_wrap(text, font, int(cell) - 30) for text, _ in control.answers]
        for k, (_, right) in enumerate(control.answers):
            _mark(draw, (left[k], y + 51), right)
            for index, line in enumerate(lines[k]):
                draw.text((left[k] + 24, y + 46 + 26 * index), line, font=font, fill=INK)
        return y + 46 + 26 * max(map(len, lines)) + 20


def _said(draw: ImageDraw.ImageDraw, at: tuple[int, int], label: str, text: str, font: Font) -> None:
    draw.text(at, label, font=font, fill=SOFT)
    draw.text((at[0] + _wide(label, font) + 14, at[1]), text, font=font, fill=INK)


def _label(draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, font: Font, right: bool | None) -> None:
    """A small label, and after it a tick or a cross."""
    draw.text(at, text, font=font, fill=SOFT)
    if right is not None:
        _mark(draw, (at[0] + _wide(text, font) + 10, at[1] + 4), right)


def _mark(draw: ImageDraw.ImageDraw, at: tuple[float, float], right: bool) -> None:
    x, y = at
    if right:
        draw.line(((x, y + 7), (x + 5, y + 12), (x + 14, y + 1)), fill=RIGHT, width=3, joint="curve")
    else:
        draw.line(((x, y + 1), (x + 11, y + 12)), fill=WRONG, width=3)
        draw.line(((x + 11, y + 1), (x, y + 12)), fill=WRONG, width=3)


def _font(size: int) -> Font:
    return ImageFont.load_default(size)


def _wide(text: str, font: Font) -> int:
    return round(font.getlength(text))


def _wrap(text: str, font: Font, width: int) -> list[str]:
    """Lines of at most width pixels, broken between words and inside words that are wider, five at most."""
    lines = [""]
    for word in _pieces(text.split() or ["(nothing)"], font, width):
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and _wide(longer, font) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    if len(lines) <= 5:
        return lines
    last = lines[4]
    while last and _wide(f"{last} …", font) > width:
        last = last[:-1].rstrip()
    return [*lines[:4], f"{last} …".strip()]


def _pieces(words: Sequence[str], font: Font, width: int) -> list[str]:
    """The words, those that are wider than a line cut up."""
    pieces = []
    for word in words:
        rest = word
        while _wide(rest, font) > width:
            cut = next(n for n in range(len(rest) - 1, 0, -1) if _wide(rest[:n], font) <= width or n == 1)
            pieces.append(rest[:cut])
            rest = rest[cut:]
        pieces.append(rest)
    return pieces
