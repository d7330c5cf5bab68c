"""The shipped GGUF pair as a checkpoint to train on, with what quantization rounded away.

    python tools/restore.py python/lookhere/models CHECKPOINT

`tools/train.py DATA RUN --from CHECKPOINT --phase astray` goes on from there.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import gguf
from tokenizers import AddedToken, models
from transformers import PreTrainedTokenizerFast
from vlm import SPECIAL, as_fast, bare_tokenizer, save

TESTS = Path(__file__).resolve().parent.parent / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "reference")]
import checkpoint  # noqa: E402
import unquantized  # noqa: E402


def tokenizer(model: Path) -> PreTrainedTokenizerFast:
    fields = unquantized.fields(gguf.GGUFReader(model))
    names = list(fields["tokenizer.ggml.tokens"])  # type: ignore[call-overload]
    merges = [tuple(m.split(" ")) for m in fields["tokenizer.ggml.merges"]]  # type: ignore[attr-defined]
    extra = [n for n in names if n in SPECIAL or n.startswith("<|unused_")]
    tok = bare_tokenizer(models.BPE({n: i for i, n in enumerate(names) if n not in extra}, merges))
    for name in sorted(extra, key=names.index):
        tok.add_tokens([AddedToken(name, special=name in SPECIAL, normalized=False)])
    fast = as_fast(tok)
    assert [fast.convert_ids_to_tokens(i) for i in range(len(names))] == names
    return fast


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path, help="folder of model.gguf and mmproj.gguf")
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    model = args.models / "model.gguf"
    restored, tok = checkpoint.load(model, args.models / "mmproj.gguf"), tokenizer(model)
    # the converter takes them from here
    restored.config.text_config.bos_token_id = tok.convert_tokens_to_ids("<|endoftext|>")
    restored.config.text_config.eos_token_id = tok.eos_token_id
    save(restored, tok, args.out)


if __name__ == "__main__":
    main()
