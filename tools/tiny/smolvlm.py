"""SmolVLM's kind: two square tiles and an overview, four patches to a token, a Llama with one position per token.

The tower is frozen: it has learned from its classifiers alone, and no gradient of the language model reaches it.
"""

from __future__ import annotations

import torch
from families.kit import Kit
from families.sizes import HALF
from families.smolvlm import as_on_the_hub
from families.templates import turns
from shape import IMAGE, SIDE, TOWER_WIDTH, text, tower
from torch import Tensor
from torch.nn import functional as F
from transformers import SmolVLMConfig, SmolVLMForConditionalGeneration
from words import Words

PATCH, SCALE = 8, 2
LAYERS = 5
TILES = 2


class SmolVLM:
    """name: of the family in tools/families. size: pixels of a strip. frozen: whether the tower stays as it is."""

    name, size, frozen, bidirectional, window = "smolvlm", (TILES * SIDE, SIDE), True, False, None
    read_widths = (TOWER_WIDTH * SCALE**2, TOWER_WIDTH)

    def __init__(self) -> None:
        tiles = tuple(f"<row_1_col_{col}>" for col in range(1, TILES + 1))
        template = turns("{role}: ", "<end_of_utterance>\n", "<image>", "Assistant:", roles="message.role.capitalize()",
                         start="<|im_start|>")  # fmt: skip
        special = ("<|im_end|>", "<fake_token_around_image>", "<image>", "<global-img>", *tiles)
        self.words = Words("gpt2", special, ("User: ", "User:", "Assistant:", "\n", "\n\n"), template,
                           bos="<|im_start|>", eos="<end_of_utterance>", add_bos=False, pre="smollm")  # fmt: skip
        id_of = self.words.id
        self.model = SmolVLMForConditionalGeneration(SmolVLMConfig(
            text_config={"model_type": "llama", **text(self.words, LAYERS)}, vision_config=tower(PATCH),
            image_token_id=id_of("<image>"), scale_factor=SCALE, tie_word_embeddings=True,
        ))  # fmt: skip
        self.tower = self.model.model.vision_model
        self.connector = self.model.model.connector
        self.language = self.model.model.text_model
        self.places = self.tower.embeddings.position_embedding.weight
        self.side = SIDE // PATCH // SCALE
        count = self.side**2
        self.cells = (torch.arange(count),) * (TILES + 1)
        width, height = self.size
        self.views = (*((k * SIDE, 0, (k + 1) * SIDE, height) for k in range(TILES)), (0, 0, width, height))
        edge = "<fake_token_around_image>"
        self.before = self.words.tokens("<|im_start|>User: ")
        for tile in tiles:
            self.before += [*self.words.tokens(edge + tile), *[IMAGE] * count]
        self.before += [*self.words.tokens(f"\n\n{edge}<global-img>"), *[IMAGE] * count, id_of(edge)]
        self.after = self.words.tokens("<end_of_utterance>\nAssistant:")
        self.end = id_of("<end_of_utterance>")

    def see(self, pixels: Tensor) -> Tensor:
        """(n, side, side, 3) uint8 of one view -> (n, patches, width) what the tower says."""
        return self.tower((pixels.float() / 127.5 - 1).permute(0, 3, 1, 2)).last_hidden_state

    def connect(self, seen: Tensor) -> Tensor:
        """(n, views * patches, width) -> (n, tokens, hidden): what the language model gets."""
        views = seen.unflatten(1, (len(self.views), -1)).flatten(0, 1)
        return self.connector(views).unflatten(0, (len(seen), -1)).flatten(1, 2)

    def read(self, seen: Tensor) -> tuple[Tensor, ...]:
        """What the classifiers read of a view's tokens: patches joined as here, and pooled as Gemma 3 does."""
        return self.connector.pixel_shuffle(seen, SCALE), pooled(seen)

    def logits(self, hidden: Tensor) -> Tensor:
        return F.linear(hidden, self.language.embed_tokens.weight)

    def write(self, kit: Kit) -> None:
        """The pair."""
        preprocessor = {"size": {"longest_edge": self.size[0]}, "max_image_size": {"longest_edge": SIDE}, **HALF}
        kit.write(self.model, self.words.vocabulary, preprocessor, edit=as_on_the_hub, options=("--outtype", "q8_0"))


def pooled(seen: Tensor) -> Tensor:
    """(n, patches, width) -> (n, tokens, width): the mean of four."""
    side = int(seen.shape[1] ** 0.5)
    grid = seen.transpose(1, 2).unflatten(2, (side, side))
    return F.avg_pool2d(grid, SCALE).flatten(2).transpose(1, 2)
