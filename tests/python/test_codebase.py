"""Promises about the package itself."""

import re
import subprocess
import sys
from pathlib import Path

import lookhere
import pytest
from lookhere import errors

PACKAGE = Path(lookhere.__file__).parent
REPOSITORY = Path(__file__).parents[2]
RAISED = [name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)]
ERRORS = [name for name in RAISED if not issubclass(getattr(errors, name), Warning)]


def test_importing_is_light():
    code = "import sys, lookhere; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    heavy = {"torch", "transformers", "PIL", "jinja2", "click", "rich", "urllib.request", "lookhere._engine"}
    heavy |= {"huggingface_hub", "lookhere.hub", "anyio", "asyncio"}
    assert not heavy & set(loaded)


@pytest.mark.parametrize("name", RAISED)
def test_every_error_is_public_and_has_a_line_in_the_docs(name):
    assert name in lookhere.__all__
    assert issubclass(getattr(lookhere, name), lookhere.LookhereError if name in ERRORS else UserWarning)
    lines = [
        line for line in (REPOSITORY / "docs/errors.md").read_text().splitlines() if line.startswith(f"| `{name}` |")
    ]
    assert len(lines) == 1


def test_only_named_errors_are_raised():
    """Each raise in the package names one of our errors, or passes one on."""
    allowed = {*ERRORS, "StopIteration", "jinja2.exceptions.TemplateError", "click.UsageError", "click.BadParameter"}
    allowed.add("AttributeError")  # what a module's __getattr__ has to raise
    allowed.add("StopAsyncIteration")
    # a ValueError there is turned into a named error, or not an app's
    private = {"environment.py", "gguf.py", "head_set.py", "text.py", "canvas.py"}
    # named by the caller; a wrong keyword; what the command line shows, and Ctrl-C there
    allowed |= {"error", "self.error", "TypeError", "click.ClickException", "click.Abort"}
    for path in PACKAGE.rglob("*.py"):
        for name in re.findall(r"^\s+raise ([\w.]+)", path.read_text(), re.MULTILINE):
            assert name in allowed or path.name in private, f"{path.name} raises {name}"


def test_typed():
    assert (PACKAGE / "py.typed").exists()


def test_files_stay_small():
    for path in PACKAGE.rglob("*.py"):
        assert len(path.read_text().splitlines()) <= 400, path
