"""HTML for notebooks: it loads nothing, runs nothing, and reads well on light and dark grounds."""

from __future__ import annotations

from html import escape

TINTS = (0.0, 0.03, 0.06, 0.09, 0.12, 0.15, 0.18, 0.22, 0.27)
"""How deep a word's ground is, by how much of its gaze fell on the target; those of the page that ``serve`` shows."""
LIGHT, DARK = "200 64 14", "255 128 70"
"""The tint on a light and on a dark ground, as the page has it."""


def themed(name: str, light: str, dark: str) -> str:
    """CSS for a class: declarations for a light ground and for a dark one. Notebooks say which they have in words of
    their own: JupyterLab, VS Code, marimo, Colab; elsewhere the system tells."""
    lights = ('[data-jp-theme-light="true"]', ".vscode-light", ".light")
    darks = ('[data-jp-theme-light="false"]', ".vscode-dark", ".dark", '[theme="dark"]')
    return (
        f".{name}{{{light}}}@media(prefers-color-scheme:dark){{.{name}{{{dark}}}}}"
        f"{','.join(f'{each} .{name}' for each in lights)}{{{light}}}"
        f"{','.join(f'{each} .{name}' for each in darks)}{{{dark}}}"
    )


_STYLE = themed("lookhere", f"--lookhere-tint:{LIGHT}", f"--lookhere-tint:{DARK}")


def block(*parts: str) -> str:
    """Parts of HTML as one piece, which knows whether it lies on a dark ground."""
    return f'<div class="lookhere"><style>{_STYLE}</style>{"".join(parts)}</div>'


def small(text: str) -> str:
    """A line beside what is shown."""
    return f'<div><small style="opacity: 0.75">{escape(text)}</small></div>'


def prose(html: str) -> str:
    """Text as HTML, with its own line breaks."""
    return f'<div style="white-space: pre-wrap; font-size: 1.2em; line-height: 1.45; max-width: 44em">{html}</div>'


def tinted(text: str, share: float) -> str:
    """A word, the deeper tinted the larger the share is, 0 to 1. The space before it stays as it is."""
    word = text.lstrip()
    tint = TINTS[round(min(max(share, 0.0), 1.0) * (len(TINTS) - 1))]
    if not word or not tint:
        return escape(text)
    ground = f"border-radius: 0.2em; background: rgb(var(--lookhere-tint, {LIGHT}) / {tint:.2f})"
    return f'{escape(text[: -len(word)])}<span style="{ground}">{escape(word)}</span>'


def picture(source: str, what: str, style: str = "") -> str:
    """An image. source: a data URI. what: in words, for those who do not see it."""
    return f'<img src="{source}" alt="{escape(what)}" style="max-width: 100%; border-radius: 4px; {style}">'
