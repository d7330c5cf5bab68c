"""Lets the tools import lookhere's pure Python modules from the source tree, without a build."""

from __future__ import annotations

import sys
import types
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "python" / "lookhere"

if "lookhere" not in sys.modules:
    _package = types.ModuleType("lookhere")
    _package.__path__ = [str(SOURCE)]
    sys.modules["lookhere"] = _package
