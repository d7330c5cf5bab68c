"""Kit: what recipes make their pairs with. Checkpoints as on the hub, then the pinned source's own converter."""

from __future__ import annotations

import json
import runpy
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from .vocabulary import CUT, Vocabulary, read
from .weights import draw

Tensors = dict[str, Tensor]


class Kit:
    """out: the folder of the pair. llama: the unpacked pinned source, as a whole. name: of the model, in its file."""

    def __init__(self, out: Path, llama: Path, seed: int, name: str = "random weights") -> None:
        self.out, self.llama, self.seed, self.name = out, llama.resolve(), seed, name
        self.random = torch.manual_seed(seed)  # what transformers draws itself, too

    def vocabulary(
        self,
        source: str,
        special: tuple[str, ...],
        template: str,
        *,
        bos: str,
        eos: str,
        add_bos: bool = False,
        pre: str | None = None,
        keep: int | None = CUT,
    ) -> Vocabulary:
        """source: the middle of models/ggml-vocab-*.gguf. template: its text, or a file of models/templates."""
        file = self.llama / "models" / "templates" / template
        text = file.read_text() if template.endswith(".jinja") else template
        path = self.llama / "models" / f"ggml-vocab-{source}.gguf"
        return read(path, special, text, bos=bos, eos=eos, add_bos=add_bos, pre=pre, keep=keep)

    def model(self, model: nn.Module) -> nn.Module:
        """A transformers model with other weights: drawn ones."""
        draw(model.float(), self.seed)
        return model

    def matrix(self, *shape: int, gain: float = 1.0) -> Tensor:
        """A random tensor that keeps the size of what passes through it, times gain."""
        return torch.randn(shape, generator=self.random) * gain * torch.Size(shape[1:]).numel() ** -0.5

    def linear(self, name: str, to: int, of: int, gain: float = 1.0) -> Tensors:
        """A matrix and its bias, by their names."""
        return {f"{name}.weight": self.matrix(to, of, gain=gain), f"{name}.bias": torch.zeros(to)}

    def norm(self, name: str, size: int) -> Tensors:
        """Of a layer, with a bias."""
        return {f"{name}.weight": torch.ones(size), f"{name}.bias": torch.zeros(size)}

    def saved(self, model: nn.Module) -> tuple[dict[str, Any], Tensors]:
        """The config and the tensors that transformers saves, which has the hub's names."""
        with tempfile.TemporaryDirectory() as folder:
            model.save_pretrained(folder)
            path = Path(folder)
            return json.loads((path / "config.json").read_text()), load_file(path / "model.safetensors")

    def write(
        self,
        model: nn.Module | Tensors,
        vocabulary: Vocabulary,
        preprocessor: Mapping[str, Any],
        *,
        config: Mapping[str, Any] | None = None,
        edit: Callable[[dict[str, Any], Tensors], None] | None = None,
        projector: bool = True,
        options: tuple[str, ...] = (),
    ) -> None:
        """The pair, or the language model alone. options: more of the converter's, for the language model.

        model: of transformers, or tensors under the hub's names with their config. edit: changes the config and the
        tensors that transformers saved to what the hub has. preprocessor: the hub's preprocessor_config.json.
        """
        values, tensors = (dict(config or {}), model) if isinstance(model, dict) else self.saved(model)
        if edit:
            edit(values, tensors)
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            whole = {name: tensor.contiguous().clone() for name, tensor in tensors.items()}
            save_file(whole, folder / "model.safetensors")
            special = vocabulary.special
            known = {token: index for index, token in enumerate(vocabulary.tokens) if token not in special}
            for name, content in {
                "config.json": values,
                "preprocessor_config.json": dict(preprocessor),
                "tokenizer_config.json": {},
                # what the converter looks up here is numbers of tokens alone
                "tokenizer.json": {
                    "model": {"vocab": known},
                    "added_tokens": [{"id": k, "content": token} for token, k in special.items()],
                },
            }.items():
                (folder / name).write_text(json.dumps(content))
            self._convert(folder, "model.gguf", vocabulary, options)
            if projector:
                self._convert(folder, "mmproj.gguf", None)

    def _convert(
        self, checkpoint: Path, name: str, vocabulary: Vocabulary | None, options: tuple[str, ...] = ("--mmproj",)
    ) -> None:
        """One of the two files. vocabulary: None for the projector."""
        if str(self.llama) not in sys.path:
            sys.path.insert(0, str(self.llama))
        from conversion import base, get_model_class

        # the class must be known before it is changed; some hand the vocabulary to another one
        kind = base.ModelType.TEXT if vocabulary else base.ModelType.MMPROJ
        architecture = base.get_model_architecture(base.ModelBase.load_hparams(checkpoint, False), kind)
        get_model_class(architecture, mmproj=vocabulary is None)
        arguments = ["convert_hf_to_gguf.py", str(checkpoint), "--outfile", str(self.out / name), "--outtype", "f16",
                     "--model-name", self.name, *options]  # fmt: skip

        def own(self: Any) -> None:
            assert vocabulary
            vocabulary.add_to(self.gguf_writer)

        with ExitStack() as changed:
            changed.enter_context(mock.patch.object(sys, "argv", arguments))
            if vocabulary:
                for each in (base.TextModel, *_below(base.TextModel)):
                    changed.enter_context(mock.patch.object(each, "set_vocab", own))
            runpy.run_path(str(self.llama / "convert_hf_to_gguf.py"), run_name="__main__")


def siglip_as_on_the_hub(tensors: Tensors) -> None:
    """The tower's names, which transformers shortens."""
    for name in [name for name in tensors if "vision_tower." in name and ".vision_model." not in name]:
        tensors[name.replace("vision_tower.", "vision_tower.vision_model.")] = tensors.pop(name)


def _below(kind: type) -> Iterator[type]:
    """All subclasses."""
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)
