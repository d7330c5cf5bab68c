"""What the type checker is told of the engine (_engine.pyi), and what Python repeats of it, is what the engine has."""

import ast
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import lookhere
import pytest
from harness import engine

STUB = (Path(lookhere.__file__).parent / "_engine.pyi").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Parameter:
    name: str
    keyword_only: bool
    default: str | None

    def __str__(self) -> str:
        default = "" if self.default is None else f" = {self.default}"
        return ("keyword " if self.keyword_only else "") + self.name + default


Surface = dict[str, str]
"""What each public name is, as one line that can be compared: "Model.piece" -> "method (self, token)"."""


def literal(node: ast.expr) -> str:
    """1, 1.0 and True stay apart."""
    try:
        return repr(ast.literal_eval(node))
    except ValueError:
        return ast.unparse(node)


def signature(function: ast.FunctionDef) -> str:
    of = function.args
    places = [*of.posonlyargs, *of.args]
    defaults = [None] * (len(places) - len(of.defaults)) + of.defaults
    parameters = [
        Parameter(arg.arg, keyword_only, None if default is None else literal(default))
        for keyword_only, args, values in ((False, places, defaults), (True, of.kwonlyargs, of.kw_defaults))
        for arg, default in zip(args, values, strict=True)
    ]
    rest = [f"*{arg.arg}" for arg in (of.vararg, of.kwarg) if arg is not None]
    return f"({', '.join([*map(str, parameters), *rest])})"


def compared(name: str) -> bool:
    return name == "__init__" or not name.startswith("_")


def of_stub(text: str) -> Surface:
    found: Surface = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef) and compared(node.name):
            found[node.name] = f"function {signature(node)}"
        elif isinstance(node, ast.ClassDef) and compared(node.name):
            found[node.name] = f"class of {[ast.unparse(base) for base in node.bases]}"
            for member in node.body:
                if isinstance(member, ast.FunctionDef) and compared(member.name):
                    is_property = any(ast.unparse(decorator) == "property" for decorator in member.decorator_list)
                    found[f"{node.name}.{member.name}"] = "property" if is_property else f"method {signature(member)}"
                elif isinstance(member, ast.AnnAssign) and compared(ast.unparse(member.target)):
                    found[f"{node.name}.{ast.unparse(member.target)}"] = "attribute"
        elif isinstance(node, ast.AnnAssign) and compared(ast.unparse(node.target)):
            found[ast.unparse(node.target)] = "attribute"
    return found


def written_signature(function: object) -> str:
    """From the first line of the docstring, which pybind11 writes."""
    line = (function.__doc__ or "").partition("\n")[0]
    (parsed,) = ast.parse(f"def {line}: ...").body
    assert isinstance(parsed, ast.FunctionDef)
    return signature(parsed)


def of_module(module: ModuleType) -> Surface:
    found: Surface = {}
    for name, value in vars(module).items():
        if not compared(name):
            continue
        if isinstance(value, type):
            bases = [base.__name__ for base in value.__bases__ if base.__name__ != "pybind11_object"]
            found[name] = f"class of {bases}"
            for member, what in vars(value).items():
                if not compared(member) or (member == "__init__" and not what.__doc__.startswith("__init__(")):
                    continue  # the __init__ of a class that Python cannot make
                is_property = isinstance(what, property)
                found[f"{name}.{member}"] = "property" if is_property else f"method {written_signature(what)}"
        else:
            found[name] = f"function {written_signature(value)}" if callable(value) else "attribute"
    return found


def differences(stub: Surface, module: Surface) -> list[str]:
    return [
        f"{name}: the stub has {stub.get(name)}, the module {module.get(name)}"
        for name in sorted(stub.keys() | module.keys())
        if stub.get(name) != module.get(name)
    ]


def test_the_stub_is_the_module():
    stub = of_stub(STUB)
    assert {"Model", "Model.__init__", "Session.room", "Sampler.sample", "set_log"} <= stub.keys()
    assert differences(stub, of_module(engine)) == []


@pytest.mark.parametrize(
    ("right", "wrong", "reported"),
    [
        ("def special_piece(self", "def special_bit(self", ["Model.special_bit", "Model.special_piece"]),
        ("def sees_gpu(", "def sees_gpus(", ["sees_gpu", "sees_gpus"]),
        ("def sees_gpu(", "def _sees_gpu(", ["sees_gpu"]),
        ("def is_end(self, token: int)", "def is_end(self, tok: int)", ["Model.is_end"]),
        ("text: str, *, parse_special", "text: str, parse_special", ["Model.tokenize"]),
        ("gpu_layers: int = 0", "gpu_layers: int = 1", ["Model.__init__"]),
        ("gpu_layers: int = 0", "gpu_layers: int = False", ["Model.__init__"]),
        ("temperature: float = 0.0", "temperature: float", ["Sampler.__init__"]),
        ("pieces: Sequence[tuple[int, Sequence[int], bool]], *", "*", ["Session.decode_texts"]),
        ("    @property\n    def size_bytes", "    def size_bytes", ["Model.size_bytes"]),
        ("class Cancelled(EngineError)", "class Cancelled(LoadError)", ["Cancelled"]),
        ("class CancelFlag:\n", "class CancelFlag:\n    raised: bool\n", ["CancelFlag.raised"]),
        ("class TokenGrid:\n", "class TokenGrid:\n    def __init__(self) -> None: ...\n", ["TokenGrid.__init__"]),
    ],
)
def test_what_is_wrong_in_a_stub_is_reported(right, wrong, reported):
    assert STUB.count(right) == 1, "the stub has changed; change this test with it"
    found = differences(of_stub(STUB.replace(right, wrong)), of_module(engine))
    assert [line.partition(":")[0] for line in found] == reported


def test_the_limits_of_python_are_those_of_the_engine():
    from lookhere import limits

    most = engine.limits()
    assert most["context"] == limits.CONTEXT
    assert most["threads"] == limits.THREADS
    assert most["image_tokens"] == limits.IMAGE_TOKENS
    assert most["image_aspect"] == limits.IMAGE_ASPECT
