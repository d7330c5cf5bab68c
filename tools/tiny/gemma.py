"""Gemma 3's kind: image tokens that see one another, five layers with a sliding window and one without."""

from __future__ import annotations

import torch
from families.gemma import as_on_the_hub
from families.kit import Kit
from families.sizes import HALF
from families.templates import turns
from shape import HEAD, IMAGE, SIDE, TOWER_WIDTH, text, tower
from smolvlm import pooled
from torch import Tensor
from torch.nn import functional as F
from transformers import Gemma3Config, Gemma3ForConditionalGeneration
from words import Words

PATCH = 8
LAYERS = 6
WINDOW = 48
"""Tokens. An answer's layers with the window see the lower rows of the image, which show every panel, not the upper."""


class Gemma3:
    """name: of the family in tools/families. size: pixels of a strip. frozen: whether the tower stays as it is."""

    name, size, frozen, bidirectional, window = "gemma3", (SIDE, SIDE), False, True, WINDOW
    read_widths = (TOWER_WIDTH * 4, TOWER_WIDTH)

    def __init__(self) -> None:
        self.side = SIDE // PATCH // 2
        count = self.side**2
        template = turns("<start_of_turn>{role}\n", "<end_of_turn>\n", "<start_of_image>", "<start_of_turn>model\n",
                         roles="'model' if message.role == 'assistant' else 'user'", start="<bos>")  # fmt: skip
        special = ("<start_of_turn>", "<start_of_image>", "<end_of_image>", "<image_soft_token>")
        self.words = Words("llama", special, ("user", "model"), template, bos="<bos>", eos="<end_of_turn>",
                           add_bos=True)  # fmt: skip
        id_of = self.words.id
        self.model = Gemma3ForConditionalGeneration(Gemma3Config(
            text_config=text(self.words, LAYERS, query_pre_attn_scalar=HEAD, sliding_window=WINDOW),
            vision_config={"model_type": "siglip_vision_model", "vision_use_head": False, **tower(PATCH)},
            mm_tokens_per_image=count, boi_token_index=id_of("<start_of_image>"),
            eoi_token_index=id_of("<end_of_image>"), image_token_index=id_of("<image_soft_token>"),
        ))  # fmt: skip
        self.tower = self.model.model.vision_tower
        self.connector = self.model.model.multi_modal_projector
        torch.nn.init.normal_(self.connector.mm_input_projection_weight, std=0.1)
        self.language = self.model.model.language_model
        self.places = self.tower.embeddings.position_embedding.weight
        self.cells = (torch.arange(count),)
        self.views = ((0, 0, SIDE, SIDE),)
        self.before = [*self.words.tokens("<bos><start_of_turn>user\n\n\n<start_of_image>"), *[IMAGE] * count,
                       *self.words.tokens("<end_of_image>\n\n")]  # fmt: skip
        self.after = self.words.tokens("<end_of_turn>\n<start_of_turn>model\n")
        self.end = id_of("<end_of_turn>")

    def see(self, pixels: Tensor) -> Tensor:
        """(n, side, side, 3) uint8 -> (n, patches, width) what the tower says."""
        return self.tower((pixels.float() / 127.5 - 1).permute(0, 3, 1, 2)).last_hidden_state

    def connect(self, seen: Tensor) -> Tensor:
        """(n, patches, width) -> (n, tokens, hidden): what the language model gets."""
        return self.connector(seen)

    def read(self, seen: Tensor) -> tuple[Tensor, ...]:
        """What the classifiers read of the tokens: patches joined as SmolVLM does, and pooled as here."""
        side = 2 * self.side
        joined = seen.unflatten(1, (side, side)).unflatten(2, (self.side, 2)).unflatten(1, (self.side, 2))
        return joined.permute(0, 1, 3, 2, 4, 5).flatten(3).flatten(1, 2), pooled(seen)

    def logits(self, hidden: Tensor) -> Tensor:
        return F.linear(hidden, self.language.embed_tokens.weight)

    def write(self, kit: Kit) -> None:
        """The pair."""
        preprocessor = {"image_seq_length": self.side**2, "size": {"height": SIDE, "width": SIDE}, **HALF}
        kit.write(self.model, self.words.vocabulary, preprocessor, edit=as_on_the_hub, options=("--outtype", "q8_0"))
