"""The help of commands with many options, in sections."""

from __future__ import annotations

import click

SECTIONS = {
    "Which images": ("images", "coco"),
    "Where to look": (
        "box",
        "point",
        "panel",
        "polygon",
        "mask",
        "paragraph",
        "span",
        "grid",
        "zoom",
        "schedule",
        "every",
        "panel_grid",
    ),
    "How to look": ("strength", "mode", "share", "queries"),
    "What to ask": ("prompt", "prompts", "max_tokens", "stop"),
    "How tokens are drawn": ("temperature", "top_k", "top_p", "min_p", "repeat_penalty", "seed"),
    "Who may ask, and for what": ("host", "port", "token", "hosts", "allow_url", "any_model_name", "allow"),
    "How much": ("together", "queue", "max_body", "pixels", "tokens", "seconds", "demo_limits"),
    "Which model": ("model", "mmproj", "heads", "context", "threads", "gpu_layers", "max_image_tokens", "fit"),
}
"""Names of options by the title that they stand under; all others stand under Output."""

_LAST = "Output"


GIVEN = "lookhere.given"
"""In a context's meta: the names of the options that were given, each as often as it was, in their order."""


class Sectioned(click.Command):
    """Lists its options under titles, and keeps the order in which they were given."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[GIVEN] = [each.name for each in self.make_parser(ctx).parse_args([*args])[2]]
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        title_of = {name: title for title, names in SECTIONS.items() for name in names}
        order = {name: place for place, name in enumerate(title_of)}
        found: dict[str, list[tuple[str, str]]] = {title: [] for title in (*SECTIONS, _LAST)}
        for param in sorted(self.get_params(ctx), key=lambda each: order.get(each.name or "", len(order))):
            record = None if isinstance(param, click.Argument) else param.get_help_record(ctx)
            if record is not None:
                found[title_of.get(param.name or "", _LAST)].append(record)
        for title, records in found.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)
