"""What the whole test suite needs: nothing but the `test` extra. tests/reference also needs the `reference` extra."""

import os
import signal
from importlib.util import find_spec

import pytest
from hypothesis import HealthCheck, settings

# A busy or emulated machine is not a failure. CI=1 draws the same values each time; without it, new ones are tried.
settings.register_profile(
    "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=bool(os.environ.get("CI"))
)
settings.load_profile("patient")

MISSING = [name for name in ("torch", "transformers") if find_spec(name) is None]
collect_ignore = ["reference"] if MISSING else []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--gpu", action="store_true", help="whole models on the GPU: tests/engine and the built-in model")
    parser.addoption("--network", action="store_true", help="also what downloads from the real network")


def pytest_configure() -> None:
    """Ctrl-C means what it does at a terminal, for programs that tests start too: a shell's ``pytest &`` ignores it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--network"):
        for item in items:
            if item.get_closest_marker("network"):
                item.add_marker(pytest.mark.skip(reason="it downloads from the real network, with --network alone"))


@pytest.fixture(scope="session")
def gpu_layers(request: pytest.FixtureRequest) -> int:
    """0, or all layers with `--gpu`; then a build or a machine without a GPU fails."""
    if not request.config.getoption("--gpu"):
        return 0
    from lookhere import _engine

    if not _engine.sees_gpu():
        pytest.fail(f"--gpu was given, and llama.cpp sees no GPU, only {_engine.build_info()['devices']}")
    return 999


def pytest_report_header() -> list[str]:
    return [f"tests/reference is left out: {' and '.join(MISSING)} not installed"] if MISSING else []
