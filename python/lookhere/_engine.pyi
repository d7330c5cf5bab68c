"""The compiled engine: numbers in, numbers out. It knows tokens, positions and biases, not regions.

Every object belongs to one thread at a time; calls that compute release the GIL. Positions count as llama.cpp counts
them: a text token takes one, an image of a M-RoPE model takes max(rows, cols).
"""

from collections.abc import Callable, Sequence
from typing import Literal, final

import numpy as np
from numpy.typing import NDArray

class EngineError(RuntimeError):
    """llama.cpp could not do it; the message says what."""

class LoadError(EngineError):
    """A model file, a projector file or a context could not be made."""

class Cancelled(EngineError):
    """The cancel flag was raised; what was decoded before the last whole ubatch is still in the KV cache."""

@final
class CancelFlag:
    """A flag that one thread raises and the computing thread honours."""
    def __init__(self) -> None: ...
    def set(self) -> None: ...
    def clear(self) -> None: ...
    def is_set(self) -> bool: ...

@final
class Model:
    """The language model of a GGUF file."""
    def __init__(self, path: str, *, gpu_layers: int = 0, mmap: bool = False) -> None: ...
    def close(self) -> None: ...
    @property
    def path(self) -> str: ...
    @property
    def architecture(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def layers(self) -> int: ...
    @property
    def heads(self) -> int: ...
    @property
    def heads_kv(self) -> int: ...
    @property
    def attention_layers(self) -> list[int]:
        """Ascending: the layers that have heads, all but the recurrent ones of a hybrid model."""
    @property
    def recurrent(self) -> bool:
        """Whether some or all layers are: then a sequence can be cut only where Session.resumable says."""
    @property
    def state_bytes(self) -> int:
        """Bytes of the state that its recurrent layers keep for a sequence."""
    @property
    def embedding_size(self) -> int:
        """Width of the rows that a projector must deliver (DeepStack included)."""
    @property
    def vocabulary_size(self) -> int: ...
    @property
    def context_train(self) -> int: ...
    @property
    def size_bytes(self) -> int: ...
    @property
    def parameters(self) -> int: ...
    @property
    def metadata(self) -> dict[str, str]: ...
    @property
    def chat_template(self) -> str | None: ...
    @property
    def bos_token(self) -> int:
        """-1 where the model has none."""
    @property
    def add_bos(self) -> bool: ...
    @property
    def eos_token(self) -> int: ...
    def tokenize(self, text: str, *, parse_special: bool) -> list[int]: ...
    def piece(self, token: int) -> bytes:
        """The token's text; special tokens give b''."""
    def special_piece(self, token: int) -> bytes:
        """The token's text, special tokens written out."""
    def is_end(self, token: int) -> bool:
        """True for the tokens that end an answer."""

@final
class TokenGrid:
    """rows x cols language-model tokens and the rectangle of the image, in its pixels, that they cover (it exceeds
    the image where the projector pads)."""
    @property
    def rows(self) -> int: ...
    @property
    def cols(self) -> int: ...
    @property
    def x0(self) -> float: ...
    @property
    def y0(self) -> float: ...
    @property
    def x1(self) -> float: ...
    @property
    def y1(self) -> float: ...

@final
class Part:
    """A run of an encoded image in the order in which it is decoded: text tokens around it, or one token grid."""
    @property
    def kind(self) -> str:
        """'text' or 'image'."""
    @property
    def tokens(self) -> int: ...
    @property
    def positions(self) -> int: ...
    @property
    def causal(self) -> bool:
        """False where its tokens attend to one another in both directions."""
    @property
    def text(self) -> list[int]:
        """The tokens of a text part, none of an image."""
    @property
    def grid(self) -> TokenGrid | None: ...
    @property
    def cells(self) -> NDArray[np.int32] | None:
        """(tokens,) row * cols + col of the cell of the grid that each token shows, -1 for none (a row break). None
        where token i shows cell i, and with M-RoPE all share one position."""

@final
class EncodedImage:
    """What a projector made of an image. Read only; may be decoded any number of times."""
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def parts(self) -> list[Part]: ...
    @property
    def tokens(self) -> int:
        """All tokens, text around the image included."""
    @property
    def positions(self) -> int: ...
    @property
    def nbytes(self) -> int: ...
    def embeddings(self) -> NDArray[np.float32]:
        """(image tokens, embedding_size) of all image parts; a copy."""

@final
class Projector:
    """The vision encoder and projector of an mmproj GGUF file, made for one model."""
    def __init__(
        self,
        path: str,
        model: Model,
        *,
        threads: int,
        min_tokens: int = 0,
        max_tokens: int = 0,
        flash_attention: bool = True,
        gpu: bool = False,
    ) -> None:
        """min_tokens, max_tokens: image tokens, 0 for the file's own limits."""
    def close(self) -> None: ...
    @property
    def kind(self) -> str:
        """Projector type as the file names it, for instance 'qwen3vl_merger'."""
    def encode(self, pixels: NDArray[np.uint8], cancel: CancelFlag | None = None) -> EncodedImage:
        """pixels (height, width, 3), RGB, C-contiguous."""
    def measure(self, width: int, height: int) -> tuple[int, int]:
        """(tokens of the image, all tokens with the text around it) of an image of this size, which is not encoded."""
    @property
    def address(self) -> int:
        """Of the mtmd_context, for use with the same libraries through ctypes."""

@final
class Span:
    """An image part in the KV cache. bias: (rows, cols) float32 nats, weights 0..1 where attention is moved, or None
    where only the probe reads it."""
    def __init__(
        self,
        position: int,
        rows: int,
        cols: int,
        bias: NDArray[np.float32] | None = None,
        cells: NDArray[np.int32] | None = None,
    ) -> None:
        """position: of the part's first token. cells: as Part.cells."""
    @property
    def position(self) -> int: ...
    @property
    def rows(self) -> int: ...
    @property
    def cols(self) -> int: ...

@final
class Session:
    """A KV cache and what is needed to fill it."""
    def __init__(
        self,
        model: Model,
        *,
        context: int,
        threads: int,
        batch: int = 512,
        sequences: int = 1,
        flash_attention: str = "auto",
        kv_type: str = "f16",
        grouped: bool = True,
    ) -> None:
        """flash_attention: auto | on | off. kv_type: f32 | f16 | bf16 | q8_0 | q4_0. grouped: where the model is on the
        CPU and flash attention on, decode with the kernel that reads K and V once per group of heads."""
    def close(self) -> None: ...
    @property
    def context(self) -> int:
        """Tokens that the KV cache can hold: what was asked for, rounded up to a multiple of 256."""
    @property
    def graphs_reused(self) -> int: ...
    @property
    def compute_bytes(self) -> int:
        """Bytes of the buffers that are computed in, beside the KV cache; more once shares are told or layers read."""
    @property
    def grouped(self) -> bool:
        """Whether the grouped attention kernel is in use."""
    def position(self, sequence: int = 0) -> int:
        """The next position."""
    def used(self, sequence: int = 0) -> int:
        """Tokens held for the sequence."""
    @property
    def room(self) -> int:
        """Tokens that still fit; what sequences share is held once."""
    def clear(self) -> None:
        """Empties the cache; steering and probe stay."""
    def truncate(self, position: int, sequence: int = 0) -> None:
        """Removes all tokens at or after the position; EngineError if it lies inside an image."""
    def decode(
        self,
        tokens: Sequence[int],
        *,
        sequence: int = 0,
        outputs: Sequence[int] = (),
        cancel: CancelFlag | None = None,
    ) -> None:
        """Appends text tokens. outputs: indices into tokens whose logits and attention are wanted, ascending; rows of
        logits() and attention() follow that order."""
    def share(self, source: int, target: int, position: int) -> None:
        """Makes the target hold what the source holds before the position, which is then held once; EngineError if it
        lies inside an image."""
    def resumable(self, position: int, sequence: int = 0) -> int:
        """The last position up to this one where the sequence can be truncated and shared. With recurrent layers: its
        end, where checkpoint() was called, and 0; without, every position that lies inside no image."""
    def checkpoint(self, sequence: int = 0) -> None:
        """Keeps the state of the recurrent layers where the sequence ends now; nothing where the model has none."""
    @property
    def checkpoint_bytes(self) -> int:
        """Bytes of all states that are kept so."""
    def decode_image(self, image: EncodedImage, *, sequence: int = 0, cancel: CancelFlag | None = None) -> None:
        """Appends an image with the text tokens around it; leaves no outputs. Removed whole if cancelled."""
    def decode_texts(
        self, pieces: Sequence[tuple[int, Sequence[int], bool]], *, cancel: CancelFlag | None = None
    ) -> None:
        """Appends text to several sequences, computed as one batch. pieces: (sequence, tokens, output); where output
        is true, logits() and attention() have a row for the last token, in the order of the pieces; 16 at most. All
        or nothing."""
    def decode_images(
        self, pieces: Sequence[tuple[int, EncodedImage, int, int, int]], *, cancel: CancelFlag | None = None
    ) -> None:
        """Appends pieces of images to several sequences, computed as one batch; leaves no outputs. pieces: (sequence,
        image, part, start, count): tokens start to start + count of an image part. The next piece of a sequence goes
        on where the last one ended; until the part is whole the sequence takes nothing else. All or nothing."""
    def logits(self, row: int = -1) -> NDArray[np.float32]:
        """(vocabulary_size,) of an output row; a copy."""
    def set_heads(self, heads: Sequence[tuple[int, int]], sequence: int = 0) -> None:
        """(layer, head) pairs that are steered for the sequence; none: nothing is. EngineError names what the model
        lacks."""
    def steer(
        self,
        spans: Sequence[Span],
        *,
        sequence: int = 0,
        prompt_end: int = 0,
        prompt_bias: float = 0.0,
        generated_bias: float = 0.0,
        first_query: int = 0,
        sharpness: float = 1.0,
        kind: Literal["bias", "target_share", "within_image"] = "bias",
        share: float = 1.0,
    ) -> None:
        """From the next decode on; rows from position first_query on are steered, sharpness scales their own scores.
        Kind bias: keys in no span get prompt_bias before position prompt_end and generated_bias from it on, in nats.
        Others: spans hold weights 0..1, and attention is moved to the tokens with a weight until they have the share
        of all attention, or of that on the spans."""
    def unsteer(self, sequence: int = 0) -> None: ...
    def set_probe(self, layers: Sequence[int]) -> None: ...
    def set_probe_spans(self, spans: Sequence[Span], sequence: int = 0) -> None: ...
    def attention(self, row: int = -1, *, steered: bool = False) -> NDArray[np.float32]:
        """(probed layers, heads, cells) of an output row, post-softmax mass; layers in the order of set_probe, cells of
        the grids in the order of set_probe_spans. steered=False: as if the bias were off (natural)."""
    @property
    def address(self) -> int:
        """Of the llama_context, for use with the same libraries through ctypes."""

@final
class Sampler:
    """Draws tokens from logits."""
    def __init__(
        self,
        *,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 1.0,
        min_p: float = 0.0,
        seed: int = 0,
        repeat_penalty: float = 1.0,
        repeat_last: int = 64,
    ) -> None:
        """temperature 0 is greedy, seeds are 0 to 2**32 - 2. top_k 0, top_p 1, min_p 0, repeat_penalty 1 are off."""
    def sample(self, session: Session, row: int = -1) -> int:
        """Draws a token from an output row's logits and remembers it for the penalty."""
    def sample_from(self, logits: NDArray[np.float32]) -> int:
        """As sample, from logits (vocabulary_size,) that are given."""
    def reset(self) -> None: ...

def end() -> None:
    """For the last exit handler: stops what other threads compute, and they do not come back."""

def set_log(callback: Callable[[int, str], None] | None, level: int = 30) -> None:
    """Forwards llama.cpp's messages of at least this level (numbers of the logging module) as (level, text)."""

def build_info() -> dict[str, str]:
    """llama.cpp commit and patch revision, compiler, CPU features in use, devices."""

def limits() -> dict[str, int]:
    """The most of each that the engine takes: context, threads, sequences, image_pixels, image_aspect, image_tokens and
    batch_rows (output rows of one batch whose attention is kept)."""

def sees_gpu() -> bool:
    """Whether this build and this machine have a GPU for a model's layers."""
