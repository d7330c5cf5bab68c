"""The built-in model: its shape, its tokenizer, and a forward pass for many questions about one image.

The weights live in transformers' Qwen3VLForConditionalGeneration, so a checkpoint is an ordinary one.
Training does not call its forward pass: it computes the image prefix once and lets every question attend
to that prefix and to itself only, each at the positions that it would have alone. `tools/check_packed.py`
compares the two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F
from questions import GIVEN, Question, every_text
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen3VLConfig, Qwen3VLForConditionalGeneration

PATCH, MERGE = 8, 2
CELL = PATCH * MERGE  # pixels per image token
# Pairs of a head's 32 that turn with time, row and column. With these, no pair is left over: llama.cpp gives what lies
# beyond three times a section to a fourth, which text does not set, where transformers gives it to time.
SECTIONS = (11, 11, 10)
MAX_TOKENS, MIN_TOKENS = 96, 8  # image tokens that larger and smaller images are brought to
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>",
           "<|video_pad|>")
# Qwen 2's pattern, which llama.cpp knows as the pre-tokenizer "qwen2".
PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
           r"|\s*[\r\n]+|\s+(?!\S)|\s+")
CHAT_TEMPLATE = (
    "{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' }}"
    "{%- if message.content is string %}{{- message.content }}{%- else %}{%- for part in message.content %}"
    "{%- if part.type == 'image' or 'image' in part or 'image_url' in part %}"
    "{{- '<|vision_start|><|image_pad|><|vision_end|>' }}"
    "{%- elif 'text' in part %}{{- part.text }}{%- endif %}{%- endfor %}{%- endif %}"
    "{{- '<|im_end|>\\n' }}{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)
BEFORE_IMAGE = "<|im_start|>user\n<|vision_start|>"
AFTER_PROMPT = "<|im_end|>\n<|im_start|>assistant\n"


def bare_tokenizer(model: models.BPE) -> Tokenizer:
    tok = Tokenizer(model)
    tok.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERN), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tok.decoder = decoders.ByteLevel()
    return tok


def as_fast(tok: Tokenizer) -> PreTrainedTokenizerFast:
    fast = PreTrainedTokenizerFast(tokenizer_object=tok, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    fast.chat_template = CHAT_TEMPLATE
    return fast


def train_tokenizer(captions: list[str], vocabulary: int = 1024) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer trained on captions and prompts."""
    tok = bare_tokenizer(models.BPE())
    texts = [*every_text() * 3, *captions, "user\n", "assistant\n", "system\n"]
    trainer = trainers.BpeTrainer(vocab_size=vocabulary - len(SPECIAL), show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tok.train_from_iterator(texts, trainer)
    while tok.get_vocab_size() < vocabulary - len(SPECIAL):  # the corpus may have too few pairs
        tok.add_tokens([AddedToken(f"<|unused_{tok.get_vocab_size()}|>", normalized=False)])
    tok.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in SPECIAL])
    return as_fast(tok)


def add_waves(table: torch.Tensor, amplitude: float = 0.5) -> None:
    """Waves along x and y in 16 channels of a learned position embedding (side * side, width), in place.

    Panels look alike wherever they stand, so the vision tower learns positions from hardly any gradient: without this,
    image tokens told their column with a cross-entropy of 2.2 of 3.2 nats after 4,000 steps.
    """
    side = math.isqrt(table.shape[0])
    y, x = torch.meshgrid(torch.linspace(0, 1, side), torch.linspace(0, 1, side), indexing="ij")
    waves = [2 * x - 1, 2 * y - 1]
    for k in (1, 2, 3, 4):
        waves += [torch.sin(2 * math.pi * k * x), torch.cos(2 * math.pi * k * x)]
    for k in (1, 2):
        waves += [torch.sin(2 * math.pi * k * y), torch.cos(2 * math.pi * k * y)]
    waves += [torch.sin(math.pi * x), torch.sin(math.pi * y)]
    for j, wave in enumerate(waves):
        table[:, 8 * j] += amplitude * wave.reshape(-1)


def new_model(tok: PreTrainedTokenizerFast, seed: int = 0) -> Qwen3VLForConditionalGeneration:
    torch.manual_seed(seed)
    ids = {s: tok.convert_tokens_to_ids(s) for s in SPECIAL}
    config = Qwen3VLConfig(
        text_config={
            "vocab_size": len(tok), "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 10,
            "num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 64, "max_position_embeddings": 4096,
            "rms_norm_eps": 1e-6, "tie_word_embeddings": True, "initializer_range": 0.03,
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": list(SECTIONS),
                                "mrope_interleaved": True},
            "bos_token_id": ids["<|endoftext|>"], "eos_token_id": ids["<|im_end|>"],
        },
        vision_config={
            "depth": 4, "hidden_size": 128, "intermediate_size": 512, "num_heads": 4, "patch_size": PATCH,
            "spatial_merge_size": MERGE, "temporal_patch_size": 2, "out_hidden_size": 256,
            "num_position_embeddings": 576, "deepstack_visual_indexes": [1], "initializer_range": 0.03,
        },
        image_token_id=ids["<|image_pad|>"], video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"], vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=True,
    )
    model = Qwen3VLForConditionalGeneration(config)
    model.tie_weights()
    with torch.no_grad():
        for module in (model.model.visual.merger, *model.model.visual.deepstack_merger_list):
            module.linear_fc1.weight.normal_(0, 0.04)
            module.linear_fc2.weight.normal_(0, 0.04)
        model.model.visual.patch_embed.proj.weight.normal_(0, 0.05)
        add_waves(model.model.visual.pos_embed.weight)
    return model


def save(model: Qwen3VLForConditionalGeneration, tok: PreTrainedTokenizerFast, folder: Path) -> None:
    """An ordinary checkpoint folder, with the preprocessor that the GGUF converter reads."""
    import json

    model.save_pretrained(folder)
    tok.save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    (folder / "preprocessor_config.json").write_text(json.dumps({
        "size": {"shortest_edge": MIN_TOKENS * CELL * CELL, "longest_edge": MAX_TOKENS * CELL * CELL},
        "min_pixels": MIN_TOKENS * CELL * CELL, "max_pixels": MAX_TOKENS * CELL * CELL,
        "patch_size": PATCH, "temporal_patch_size": 2, "merge_size": MERGE, "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3, "image_processor_type": "Qwen2VLImageProcessorFast",
        "processor_class": "Qwen3VLProcessor"}, indent=1))


def patches(pixels: torch.Tensor) -> torch.Tensor:
    """(n, height, width, 3) uint8 -> (n, patches, 3 * 8 * 8), values -1..1, in merge-block order."""
    n, height, width, _ = pixels.shape
    x = pixels.float().div(127.5).sub(1)
    x = x.view(n, height // CELL, MERGE, PATCH, width // CELL, MERGE, PATCH, 3)
    return x.permute(0, 1, 4, 2, 5, 7, 3, 6).reshape(n, -1, 3 * PATCH * PATCH)


@dataclass
class Branches:
    """Questions of one padded length about n images, b per image.

    ids (n, b, length) token ids, padded at the end; targets (n, b, length): the id to predict at each
    place, -100 where nothing is asked; blind (n, b, length): places of the question before its last token;
    region (n, b, length): the region (panel or object, by number) that the next token tells, -1 where that is open.
    """

    ids: torch.Tensor
    targets: torch.Tensor
    blind: torch.Tensor
    region: torch.Tensor


def _turn(x: torch.Tensor) -> torch.Tensor:
    half = x.shape[-1] // 2
    return torch.cat((-x[..., half:], x[..., :half]), dim=-1)


class Packed:
    """Forward pass of a prefix (image) and of branches (questions) with shared image keys and values."""

    def __init__(self, model: Qwen3VLForConditionalGeneration, tok: PreTrainedTokenizerFast) -> None:
        self.model, self.tok = model, tok
        self.visual, self.text = model.model.visual, model.model.language_model
        self.before = tok(BEFORE_IMAGE, add_special_tokens=False).input_ids
        self.after_image = tok.convert_tokens_to_ids("<|vision_end|>")
        self.end = tok.convert_tokens_to_ids("<|im_end|>")
        self.after_prompt = tok(AFTER_PROMPT, add_special_tokens=False).input_ids
        self.pad = tok.convert_tokens_to_ids("<|endoftext|>")
        c = model.config.text_config
        self.heads, self.kv, self.dim = c.num_attention_heads, c.num_key_value_heads, c.head_dim
        self._tokens: dict[str, list[int]] = {}

    def tokens(self, text: str) -> list[int]:
        if text not in self._tokens:
            self._tokens[text] = self.tok(text, add_special_tokens=False).input_ids
        return self._tokens[text]

    def answer(self, q: Question) -> tuple[list[int], list[bool], list[int]]:
        """-> an answer's tokens, whether each is asked for, and the region that each tells."""
        ids: list[int] = []
        asked: list[bool] = []
        regions: list[int] = []

        def put(more: list[int], ask: bool, region: int) -> None:
            ids.extend(more)
            asked.extend([ask] * len(more))
            regions.extend([region] * len(more))

        region = -1
        for k, line in enumerate(q.answer.split("\n")):
            if k:
                put(self.tokens("\n"), True, region)
            if not line:
                continue
            region, first = q.regions[k], len(ids)
            for j, piece in enumerate(line.split(GIVEN)):
                put(self.tokens(piece) if piece else [], j % 2 == 0, region)
            if not q.known:
                regions[first] = -1
        if q.ends:
            put([self.end], True, region)
        return ids, asked, regions

    def branches(self, questions: list[list[Question]]) -> Branches:
        """questions[i][j] -> padded branches; every image has as many."""
        rows = [([*self.tokens(q.prompt), *self.after_prompt], *self.answer(q)) for per_image in questions for q in per_image]
        length = max(len(head) + len(body) for head, body, _, _ in rows) - 1
        ids = torch.full((len(rows), length), self.pad)
        targets = torch.full((len(rows), length), -100)
        blind = torch.zeros((len(rows), length), dtype=torch.bool)
        told = torch.full((len(rows), length), -1)
        for i, (head, body, asked, regions) in enumerate(rows):
            start, stop = len(head) - 1, len(head) + len(body) - 1
            ids[i, :stop] = torch.tensor([*head, *body[:-1]])
            targets[i, start:stop] = torch.where(torch.tensor(asked), torch.tensor(body), -100)
            told[i, start:stop] = torch.tensor(regions)
            blind[i, :start] = True
        n = len(questions)
        return Branches(*(x.view(n, -1, length) for x in (ids, targets, blind, told)))

    @lru_cache(maxsize=64)  # noqa: B019
    def grid(self, gh: int, gw: int):
        """Everything that depends on the patch grid (gh, gw) alone."""
        from transformers.models.qwen3_vl import modeling_qwen3_vl as m

        thw = torch.tensor([[1, gh, gw]])
        v = self.visual
        index, weight = m.get_vision_interpolation_indices_and_weights(
            thw, num_grid_per_side=v.num_grid_per_side, mode=v.interpolation_mode,
            align_corners=v.interpolation_align_corners, spatial_merge_size=MERGE, kwargs={})
        where = m.get_vision_position_ids(thw, MERGE, kwargs={})
        cos, sin = v.rotary_pos_emb(torch.zeros(1), where)
        h, w = gh // MERGE, gw // MERGE
        start = len(self.before)
        text = torch.arange(start)
        image = torch.stack((torch.full((h * w,), start), start + torch.arange(h * w) // w,
                             start + torch.arange(h * w) % w))
        after = start + max(h, w)
        prefix = torch.cat((text.expand(3, -1), image, torch.full((3, 1), after)), dim=1)
        return index, weight, cos, sin, self.rope(prefix), after + 1, start, h * w

    def rope(self, positions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """positions (3, tokens) -> cos, sin (tokens, 64)."""
        cos, sin = self.text.rotary_emb(torch.zeros(1), positions[:, None])
        return cos[0], sin[0]

    def see(self, x: torch.Tensor, gh: int, gw: int) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """(n, patches, 192) -> image embeddings (n, tokens, 256) and the DeepStack ones."""
        v = self.visual
        index, weight, cos, sin = self.grid(gh, gw)[:4]
        n, p, _ = x.shape
        proj = v.patch_embed.proj
        x = F.linear(x, proj.weight.sum(2).reshape(proj.weight.shape[0], -1), proj.bias)
        x = x + (v.pos_embed(index) * weight[:, :, None]).sum(1)
        deep = []
        for i, block in enumerate(v.blocks):
            a = block.attn
            qkv = a.qkv(block.norm1(x)).view(n, p, 3, a.num_heads, a.head_dim)
            q, k, val = qkv.unbind(2)
            c, s = cos[:, None], sin[:, None]
            q, k = q * c + _turn(q) * s, k * c + _turn(k) * s
            o = F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), val.transpose(1, 2))
            x = x + a.proj(o.transpose(1, 2).reshape(n, p, -1))
            x = x + block.mlp(block.norm2(x))
            if i in v.deepstack_visual_indexes:
                deep.append(v.deepstack_merger_list[v.deepstack_visual_indexes.index(i)](x).view(n, p // 4, -1))
        return v.merger(x).view(n, p // 4, -1), deep

    def hidden(self, pixels: torch.Tensor, groups: list[Branches], bias=None, record=None,
               blind: bool = False, half: list[torch.Tensor] | None = None) -> list[torch.Tensor]:
        """(n, height, width, 3) uint8 and branches -> per group final hidden states (n, b, length, 256).

        `bias[layer]` (heads, n, b, image tokens) is added to the scores of branch tokens over image tokens,
        one per group: bias[group][layer]. `record(group, layer, probabilities)` sees (n, heads, b, length,
        prefix + length). `blind`: the question's tokens before its last one do not see the image,
        nor do image tokens see each other, so that what an answer says can only be seen where it is. `half` gets
        the hidden states of the branches after half of the layers.
        """
        n, height, width, _ = pixels.shape
        gh, gw = height // PATCH, width // PATCH
        image, deep = self.see(patches(pixels), gh, gw)
        _, _, _, _, (pcos, psin), after, start, count = self.grid(gh, gw)
        embed = self.text.embed_tokens
        head = embed(torch.tensor(self.before)).expand(n, -1, -1)
        tail = embed(torch.tensor([self.after_image])).expand(n, -1, -1)
        prefix = torch.cat((head, image, tail), dim=1)
        p = prefix.shape[1]
        sizes = [n * p] + [g.ids.numel() for g in groups]
        d = prefix.shape[-1]
        x = torch.cat([prefix.reshape(-1, d), *[embed(g.ids).reshape(-1, d) for g in groups]])
        tables = [(pcos.repeat(n, 1), psin.repeat(n, 1))]
        masks = []
        for g in groups:
            length = g.ids.shape[2]
            cos, sin = self.rope((after + torch.arange(length)).expand(3, -1))
            tables.append((cos.repeat(n * g.ids.shape[1], 1), sin.repeat(n * g.ids.shape[1], 1)))
            masks.append(torch.full((length, length), float("-inf")).triu(1))
        cos = torch.cat([t[0] for t in tables])[:, None]
        sin = torch.cat([t[1] for t in tables])[:, None]
        h, kv, e = self.heads, self.kv, self.dim
        r = h // kv

        def parts(x: torch.Tensor) -> list[torch.Tensor]:
            return [part.view(n, *g.ids.shape[1:], d) for part, g in zip(x.split(sizes)[1:], groups, strict=True)]

        apart = None
        if blind:
            apart = torch.ones(p, p, dtype=torch.bool).tril()
            apart[:, start:start + count] &= torch.eye(p, dtype=torch.bool)[:, start:start + count]
        for i, layer in enumerate(self.text.layers):
            a = layer.self_attn
            y = layer.input_layernorm(x)
            q = a.q_norm(a.q_proj(y).view(-1, h, e))
            k = a.k_norm(a.k_proj(y).view(-1, kv, e))
            v = a.v_proj(y).view(-1, kv, e)
            q, k = (q * cos + _turn(q) * sin) * a.scaling, k * cos + _turn(k) * sin
            qs, ks, vs = q.split(sizes), k.split(sizes), v.split(sizes)
            qp = qs[0].view(n, p, h, e).transpose(1, 2)
            kp = ks[0].view(n, p, kv, e).transpose(1, 2)  # (n, kv, p, e)
            vp = vs[0].view(n, p, kv, e).transpose(1, 2)
            o = F.scaled_dot_product_attention(qp, kp.repeat_interleave(r, 1), vp.repeat_interleave(r, 1), scale=1.0,
                                               attn_mask=apart, is_causal=apart is None)
            outs = [o.transpose(1, 2).reshape(n * p, h * e)]
            for gi, g in enumerate(groups):
                b, length = g.ids.shape[1:]
                qg = qs[gi + 1].view(n, b, length, kv, r, e).permute(0, 3, 4, 1, 2, 5)  # n kv r b l e
                kg = ks[gi + 1].view(n, b, length, kv, e).permute(0, 3, 1, 2, 4)  # n kv b l e
                vg = vs[gi + 1].view(n, b, length, kv, e).permute(0, 3, 1, 2, 4)
                far = qg.reshape(n, kv, r * b * length, e) @ kp.transpose(2, 3)
                far = far.view(n, kv, r, b, length, p)
                if bias is not None and bias[gi].get(i) is not None:
                    extra = bias[gi][i].permute(1, 0, 2, 3).view(n, kv, r, b, 1, count)
                    far = torch.cat((far[..., :start], far[..., start:start + count] + extra,
                                     far[..., start + count:]), dim=-1)
                if blind:
                    unseen = torch.zeros(n, 1, 1, b, length, p, dtype=torch.bool)
                    unseen[..., start:start + count] = g.blind[:, None, None, :, :, None]
                    far = far.masked_fill(unseen, -1e9)
                near = torch.matmul(qg, kg[:, :, None].transpose(-1, -2)) + masks[gi]
                prob = torch.cat((far, near), dim=-1).softmax(-1)
                if record is not None:
                    record(gi, i, prob.reshape(n, h, b, length, p + length)[..., start:start + count])
                o = (prob[..., :p].reshape(n, kv, r * b * length, p) @ vp).view(n, kv, r, b, length, e)
                o = o + prob[..., p:] @ vg[:, :, None]
                outs.append(o.permute(0, 3, 4, 1, 2, 5).reshape(n * b * length, h * e))
            x = x + a.o_proj(torch.cat(outs))
            m = layer.mlp
            y = layer.post_attention_layernorm(x)
            x = x + m.down_proj(F.silu(m.gate_proj(y)) * m.up_proj(y))
            if i < len(deep):
                first = x[: sizes[0]].view(n, p, d)
                first = torch.cat((first[:, :start], first[:, start:start + count] + deep[i],
                                   first[:, start + count:]), dim=1)
                x = torch.cat((first.reshape(-1, d), x[sizes[0]:]))
            if half is not None and 2 * (i + 1) == len(self.text.layers):
                half += parts(x)
        return parts(x)

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        return F.linear(self.text.norm(hidden), self.text.embed_tokens.weight)
