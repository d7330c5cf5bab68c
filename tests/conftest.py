"""What the whole test suite needs: nothing but the `test` extra. tests/reference also needs the `reference` extra."""

from importlib.util import find_spec

MISSING = [name for name in ("torch", "transformers") if find_spec(name) is None]
collect_ignore = ["reference"] if MISSING else []


def pytest_report_header() -> list[str]:
    return [f"tests/reference is left out: {' and '.join(MISSING)} not installed"] if MISSING else []
