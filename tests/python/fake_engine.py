"""A stand-in for ``lookhere._engine``: no weights, bytes as tokens, and an answer that names the token it looks at.

It follows ``_engine.pyi`` and refuses what that does not allow, so that tests of the package need no compiled engine.
Unsteered it says "nothing in particular"; steered it says "row R, column C …" for the token with the largest bias, and
with several images first which one that is.
"""

import json
import types
from pathlib import Path

import numpy as np

SPECIAL = ["<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|image_pad|>", "<|vision_end|>"]
VOCABULARY = 256 + len(SPECIAL)
END = 257
PATCH = 16
UNSTEERED = "nothing in particular"
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}<|im_end|>\n"
    "{% else %}{% for content in message['content'] %}"
    "{% if content['type'] == 'image' or 'image' in content or 'image_url' in content %}"
    "<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def steered_text(row, col):
    return f"row {row}, column {col} … é"


class EngineError(RuntimeError):
    pass


class LoadError(EngineError):
    pass


class Cancelled(EngineError):
    pass


class CancelFlag:
    def __init__(self):
        self._set = False

    def set(self):
        self._set = True

    def clear(self):
        self._set = False

    def is_set(self):
        return self._set


def write_gguf(path, architecture="fake", **facts):
    """A GGUF header that the package's own reader accepts; facts are what the fake model reads from it."""
    entries = {
        "general.architecture": architecture,
        "general.name": facts.pop("name", "Fake"),
        "fake": json.dumps(facts),
    }
    data = b"GGUF" + (3).to_bytes(4, "little") + (0).to_bytes(8, "little") + len(entries).to_bytes(8, "little")
    for key, value in entries.items():
        for number, text in ((None, key), (8, value)):
            if number is not None:
                data += number.to_bytes(4, "little")
            data += len(text.encode()).to_bytes(8, "little") + text.encode()
    Path(path).write_bytes(data)
    return path


def read_facts(path):
    data = Path(path).read_bytes()
    return json.loads(data[data.index(b"{") :])


class Model:
    def __init__(self, path, *, gpu_layers=0, mmap=False):
        facts = read_facts(path)
        if facts.get("broken"):
            raise LoadError("tensor 'blk.0.attn_q.weight' is missing")
        self.path = path
        self.architecture = "fake"
        self.description = "fake 0B"
        self.layers = facts.get("layers", 4)
        self.heads = facts.get("heads", 2)
        self.heads_kv = 1
        self.attention_layers = facts.get("attention_layers", list(range(self.layers)))
        self.recurrent = "attention_layers" in facts  # then a sequence is cut only where a checkpoint was made
        self.state_bytes = 64 if self.recurrent else 0
        self.embedding_size = facts.get("width", 8)
        self.vocabulary_size = VOCABULARY
        self.context_train = facts.get("context", 4096)
        self.size_bytes = 1
        self.parameters = 0
        self.metadata = {"general.name": facts.get("name", "Fake")}
        self.chat_template = facts.get("template", TEMPLATE)
        self.bos_token = -1
        self.add_bos = False
        self.eos_token = END
        self.closed = False

    def close(self):
        self.closed = True

    def tokenize(self, text, *, parse_special):
        tokens = []
        while text:
            special = next((s for s in SPECIAL if parse_special and text.startswith(s)), None)
            if special:
                tokens.append(256 + SPECIAL.index(special))
                text = text[len(special) :]
            else:
                tokens.extend(text[0].encode())
                text = text[1:]
        return tokens

    def piece(self, token):
        return bytes([token]) if token < 256 else b""

    def special_piece(self, token):
        return bytes([token]) if token < 256 else SPECIAL[token - 256].encode()

    def is_end(self, token):
        return token == END


class Projector:
    def __init__(self, path, model, *, threads, min_tokens=0, max_tokens=0, flash_attention=True, gpu=False):
        if read_facts(path).get("width", 8) != model.embedding_size:
            raise LoadError(f"mismatch between text model (n_embd = {model.embedding_size}) and mmproj")
        self.encoded = 0
        self.closed = False

    kind = "fake_merger"

    def close(self):
        self.closed = True

    def encode(self, pixels, cancel=None):
        assert pixels.dtype == np.uint8
        assert pixels.ndim == 3
        assert pixels.flags.c_contiguous
        self.encoded += 1
        return EncodedImage(*pixels.shape[:2])

    def measure(self, width, height):
        tokens = EncodedImage(height, width).tokens
        return tokens - 2, tokens


class EncodedImage:
    """Padded to whole tokens, the padding shared between both sides."""

    def __init__(self, height, width):
        self.width, self.height = width, height
        rows, cols = -(-height // PATCH), -(-width // PATCH)
        x0, y0 = (width - cols * PATCH) / 2, (height - rows * PATCH) / 2
        grid = types.SimpleNamespace(rows=rows, cols=cols, x0=x0, y0=y0, x1=x0 + cols * PATCH, y1=y0 + rows * PATCH)
        before, after = (
            types.SimpleNamespace(
                kind="text", tokens=1, positions=1, grid=None, cells=None, causal=True, text=[256 + number]
            )
            for number in (2, 4)  # the vision tokens
        )
        image = types.SimpleNamespace(
            kind="image", tokens=rows * cols, positions=max(rows, cols), grid=grid, cells=None, causal=True, text=[]
        )
        self.parts = [before, image, after]
        self.tokens = rows * cols + 2
        self.positions = max(rows, cols) + 2
        self.nbytes = rows * cols * 8 * 4


class Span:
    def __init__(self, position, rows, cols, bias=None, cells=None):
        assert cells is None or (rows == 1 and list(cells) == list(range(cols)))  # of a text
        assert bias is None or (bias.shape == (rows, cols) and bias.dtype == np.float32 and np.isfinite(bias).all())
        self.position, self.rows, self.cols, self.bias = position, rows, cols, bias


class Session:
    made = 0

    def __init__(
        self, model, *, context, threads, batch=512, sequences=1, flash_attention="auto", kv_type="f16", grouped=True
    ):
        Session.made += 1
        self.grouped = True
        self.compute_bytes = 0
        self.model, self.context = model, context
        self.graphs_reused = self.compute_bytes = 0
        self.sequences = {i: [] for i in range(sequences)}  # of (position, token or None, tokens, positions)
        self.kept = {i: set() for i in range(sequences)}  # positions of checkpoints
        self._used = None
        self.steerings = dict.fromkeys(range(sequences))
        self.last = 0  # the sequence that was decoded last
        self.heads_of = {}  # by sequence
        self.layers = []
        self.probed = {}  # spans by sequence
        self.batch = batch
        self.batches = []  # (kind, sequences, tokens) of each
        self.begun = {}  # tokens of an unfinished image, by sequence
        self.decoded = 0
        self.images = 0
        self.closed = False
        self.row = None

    def close(self):
        self.closed = True

    def position(self, sequence=0):
        if not self.sequences[sequence]:
            return 0
        position, _, _, positions = self.sequences[sequence][-1]
        return position + positions

    def used(self, sequence=0):
        return sum(tokens for _, _, tokens, _ in self.sequences[sequence])

    def all_used(self):
        """What sequences share counts once. Counted again only after cells went, as that takes long."""
        if self._used is None:
            self._used = sum({id(cell): cell[2] for cells in self.sequences.values() for cell in cells}.values())
        return self._used

    def _append(self, sequence, position, token, tokens, positions):
        self.sequences[sequence].append((position, token, tokens, positions))
        if self._used is not None:
            self._used += tokens

    @property
    def room(self):
        return self.context - self.all_used()

    def resumable(self, position, sequence=0):
        end = self.position(sequence)
        if self.model.recurrent and (position < end or sequence in self.begun):
            return max((kept for kept in self.kept[sequence] if kept <= position), default=0)
        inside = [at for at, _, _, positions in self.sequences[sequence] if at < position < at + positions]
        return min([position, end, *inside])

    def checkpoint(self, sequence=0):
        if self.model.recurrent and sequence not in self.begun:
            self.kept[sequence].add(self.position(sequence))

    @property
    def checkpoint_bytes(self):
        return 64 * sum(map(len, self.kept.values()))

    def _cut(self, position, sequence):
        if self.resumable(position, sequence) != position:
            raise EngineError("inside an image, or no state was kept there")

    def share(self, source, target, position):
        self._cut(position, source)
        self.kept[target] = {kept for kept in self.kept[source] if kept <= position}
        self.sequences[target] = [cell for cell in self.sequences[source] if cell[0] < position]
        self._used = None
        self.begun.pop(target, None)

    def decode_texts(self, pieces, *, cancel=None):
        """All or nothing, as the engine's."""
        sequences = [sequence for sequence, _, _ in pieces]
        count = sum(len(tokens) for _, tokens, _ in pieces)
        assert len(set(sequences)) == len(sequences)
        assert all(tokens and sequence not in self.begun for sequence, tokens, _ in pieces)
        assert count <= self.batch
        assert sum(output for _, _, output in pieces) <= 16
        if self.room < count:
            raise EngineError("the context is full")
        if cancel is not None and cancel.is_set():
            raise Cancelled("cancelled")
        rows = []
        for sequence, tokens, output in pieces:
            self.decode(tokens, sequence=sequence, outputs=[len(tokens) - 1] if output else [])
            if output:
                rows.append((self.last, self.row))
        self.drawn = rows
        self.batches.append(("text", tuple(sequences), count))

    def decode_images(self, pieces, *, cancel=None):
        """All or nothing, as the engine's. An image counts once it is whole."""
        sequences = [sequence for sequence, *_ in pieces]
        count = sum(count for *_, count in pieces)
        assert len(set(sequences)) == len(sequences)
        assert count <= self.batch
        if self.room < count:
            raise EngineError("the context is full")
        if cancel is not None and cancel.is_set():
            raise Cancelled("cancelled")
        for sequence, image, number, start, tokens in pieces:
            part = image.parts[number]
            assert part.kind == "image"
            assert start == self.begun.get(sequence, 0)
            assert 0 < tokens <= part.tokens - start
            if start:
                self.sequences[sequence].pop()
                self._used = None
            whole = start + tokens == part.tokens
            positions = part.positions if whole else 0
            self._append(sequence, self.position(sequence), None, start + tokens, positions)
            self.begun.pop(sequence, None)
            if whole:
                self.images += 1
            else:
                self.begun[sequence] = start + tokens
        self.drawn = []
        self.batches.append(("image", tuple(sequences), count))

    @property
    def cells(self):
        return self.sequences[self.last]

    @property
    def steering(self):
        return self.steerings[self.last]

    @property
    def spans(self):
        return self.probed.get(self.last, [])

    def clear(self):
        self.sequences = {i: [] for i in self.sequences}
        self.kept = {i: set() for i in self.sequences}
        self._used = None

    def truncate(self, position, sequence=0):
        self._cut(position, sequence)
        self.kept[sequence] = {kept for kept in self.kept[sequence] if kept <= position}
        self.sequences[sequence] = [cell for cell in self.sequences[sequence] if cell[0] < position]
        self._used = None
        self.begun.pop(sequence, None)

    def decode(self, tokens, *, sequence=0, outputs=(), cancel=None):
        assert not self.closed
        assert tokens
        self.last = sequence
        if self.all_used() + len(tokens) > self.context:
            raise EngineError("the context is full")
        for token in tokens:
            if cancel is not None and cancel.is_set():
                raise Cancelled("cancelled")
            self._append(sequence, self.position(sequence), int(token), 1, 1)
            self.decoded += 1
        self.row = self._row() if len(outputs) else None
        self.drawn = [(sequence, self.row)]

    def decode_image(self, image, *, sequence=0, cancel=None):
        if cancel is not None and cancel.is_set():
            raise Cancelled("cancelled")
        self.images += 1
        self.last = sequence
        if self.all_used() + image.tokens > self.context:
            raise EngineError("the context is full")
        self._append(sequence, self.position(sequence), None, image.tokens, image.positions)

    def _row(self):
        """(the answer to be given, how far it is) as seen by the last query."""
        text = bytes(token for _, token, _, _ in self.cells if token is not None and token < 256)
        done = text[text.rindex(b"assistant\n") + len(b"assistant\n") :]
        steering = self.steering
        if not steering or not self.heads or self.cells[-1][0] < steering["first_query"]:
            return UNSTEERED.encode(), done
        spans = steering["spans"]
        best = max(range(len(spans)), key=lambda index: spans[index].bias.max())
        row, col = np.unravel_index(spans[best].bias.argmax(), spans[best].bias.shape)
        named = f"image {best + 1}, " if len(spans) > 1 else ""
        return (named + steered_text(row, col)).encode(), done

    def logits(self, row=-1):
        answer, done = self.drawn[row if len(self.drawn) > 1 else 0][1]
        token = answer[len(done)] if len(done) < len(answer) else END
        logits = np.zeros(VOCABULARY, np.float32)
        logits[token] = 10
        return logits

    def set_heads(self, heads, sequence=0):
        for layer, head in heads:
            if layer not in self.model.attention_layers or head >= self.model.heads:
                raise EngineError(f"no head {layer}, {head}")
        self.heads_of[sequence] = list(heads)

    @property
    def heads(self):
        return self.heads_of.get(self.last, [])

    def steer(
        self, spans, *, sequence=0, prompt_end=0, prompt_bias=0.0, generated_bias=0.0, first_query=0, sharpness=1.0,
        kind="bias", share=1.0,
    ):  # fmt: skip
        assert all(span.bias is not None for span in spans)
        self.steerings[sequence] = {
            "spans": list(spans), "prompt_end": prompt_end, "prompt_bias": prompt_bias,
            "generated_bias": generated_bias, "first_query": first_query, "sharpness": sharpness,
            "kind": kind, "share": share,
        }  # fmt: skip

    def unsteer(self, sequence=0):
        self.steerings[sequence] = None

    def set_probe(self, layers):
        assert set(layers) <= set(self.model.attention_layers)
        self.layers = list(layers)

    def set_probe_spans(self, spans, sequence=0):
        self.probed[sequence] = list(spans)

    def attention(self, row=-1, *, steered=False):
        self.last = self.drawn[row if len(self.drawn) > 1 else 0][0]
        tokens = sum(span.rows * span.cols for span in self.spans)
        mass = np.zeros((len(self.layers), self.model.heads, tokens), np.float32)
        for index, layer in enumerate(self.layers):
            for head in range(self.model.heads):
                mass[index, head, (layer + head) % tokens] = 0.5
        if steered and self.steering:
            bias = np.concatenate([span.bias.ravel() for span in self.steering["spans"]])
            mass[:] = np.exp(bias) / np.exp(bias).sum()
        return mass


class Sampler:
    def __init__(self, *, temperature=0.0, top_k=0, top_p=1.0, min_p=0.0, seed=0, repeat_penalty=1.0, repeat_last=64):
        self.options = {"temperature": temperature, "seed": seed}

    def sample(self, session, row=-1):
        return int(session.logits(row).argmax())

    def reset(self):
        pass


def set_log(callback, level=30):
    pass


def build_info():
    return {"llama.cpp": "fake", "patches": "0", "devices": "CPU (fake)"}


def sees_gpu():
    return False
