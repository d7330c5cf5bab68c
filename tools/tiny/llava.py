"""LLaVA-1.5's kind: CLIP's tower on a square, two matrices, a Llama with one position per image token."""

from __future__ import annotations

import torch
from families.kit import Kit
from families.llava import as_llama, projector
from families.sizes import CLIP
from families.templates import turns
from shape import IMAGE, SIDE, TOWER_LAYERS, TOWER_WIDTH, text, tower
from torch import Tensor
from torch.nn import functional as F
from transformers import LlavaConfig, LlavaForConditionalGeneration
from words import Words

PATCH = 16
LAYERS = 5


class Llava:
    """name: of the family in tools/families. size: pixels of a strip. frozen: whether the tower stays as it is."""

    name, size, frozen, bidirectional, window = "llava-1.5", (SIDE, SIDE), False, False, None
    read_widths = (TOWER_WIDTH,)

    def __init__(self) -> None:
        template = turns("{role}: ", " ", "<image>\n", "ASSISTANT:", roles="message.role.upper()")
        self.words = Words("llama", ("<image>", "<pad>"), ("USER: ", "ASSISTANT:", " ASSISTANT:"), template,
                           bos="<s>", eos="</s>", add_bos=True)  # fmt: skip
        id_of = self.words.id
        self.model = LlavaForConditionalGeneration(LlavaConfig(
            text_config={"model_type": "llama", **text(self.words, LAYERS)},
            vision_config={"model_type": "clip_vision_model", "hidden_act": "quick_gelu",
                           **tower(PATCH, num_hidden_layers=TOWER_LAYERS + 1)},
            image_token_index=id_of("<image>"), tie_word_embeddings=True,
        ))  # fmt: skip
        self.tower = self.model.model.vision_tower
        self.connector = self.model.model.multi_modal_projector
        self.language = self.model.model.language_model
        self.places = self._embeddings().position_embedding.weight
        side = SIDE // PATCH
        # as llama.cpp does it: the class token stands last, and the first row is left out
        self.cells = (torch.tensor([*range(1, side * side), -1]),)
        self.views = ((0, 0, SIDE, SIDE),)
        self.before = [id_of("<s>"), *self.words.tokens("USER: "), *[IMAGE] * side * side, *self.words.tokens("\n")]
        self.after = self.words.tokens(" ASSISTANT:")
        self.end = id_of("</s>")
        self.side = side

    def _embeddings(self) -> torch.nn.Module:
        return getattr(self.tower, "vision_model", self.tower).embeddings

    def see(self, pixels: Tensor) -> Tensor:
        """(n, side, side, 3) uint8 of one view -> (n, tokens, width) what the tower says."""
        inside = getattr(self.tower, "vision_model", self.tower)
        mean, std = (torch.tensor(CLIP[f"image_{each}"]) for each in ("mean", "std"))
        x = ((pixels.float() / 255 - mean) / std).permute(0, 3, 1, 2)
        patches = inside.embeddings.patch_embedding(x).flatten(2).transpose(1, 2)
        own = inside.embeddings.class_embedding.expand(len(x), 1, -1)
        x = torch.cat([patches, own], 1) + inside.embeddings.position_embedding.weight
        x = inside.pre_layrnorm(x)
        for layer in inside.encoder.layers[:TOWER_LAYERS]:
            out = layer(x, attention_mask=None)
            x = out[0] if isinstance(out, tuple) else out
        return x[:, 1:]

    def connect(self, seen: Tensor) -> Tensor:
        """(n, tokens, width) -> (n, tokens, hidden): what the language model gets."""
        return self.connector(seen)

    def read(self, seen: Tensor) -> tuple[Tensor, ...]:
        """What the classifiers read of a view's tokens."""
        return (seen,)

    def logits(self, hidden: Tensor) -> Tensor:
        return F.linear(hidden, self.language.embed_tokens.weight)

    def write(self, kit: Kit) -> None:
        """The pair."""
        kit.write(self.model, self.words.vocabulary, CLIP, projector=False, edit=as_llama,
                  options=("--outtype", "q8_0"))  # fmt: skip
        projector(kit, self.model)
