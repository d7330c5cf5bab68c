"""GGUF files for tests: any header, with as few weights as they need."""

import struct
from pathlib import Path

LAYOUTS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9

LANGUAGE = {
    "general.architecture": "qwen3vl",
    "general.type": "model",
    "general.name": "Qwen3 VL 2B Instruct",
    "general.file_type": 15,
    "qwen3vl.block_count": 28,
    "qwen3vl.context_length": 262144,
    "qwen3vl.embedding_length": 2048,
    "qwen3vl.feed_forward_length": 6144,
    "qwen3vl.attention.head_count": 16,
    "qwen3vl.attention.head_count_kv": 8,
    "qwen3vl.attention.key_length": 128,
    "qwen3vl.attention.value_length": 128,
    "qwen3vl.n_deepstack_layers": 3,
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.tokens": ["a", "b", "c"],
    "tokenizer.chat_template": (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.content is string %}{{ m.content }}{% else %}"
        "{% for c in m.content %}{% if c.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}"
        "{{ c.text }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
    ),
}
"""What the file of a Qwen3-VL-2B says of itself."""

PROJECTOR = {
    "general.architecture": "clip",
    "general.type": "mmproj",
    "clip.has_vision_encoder": True,
    "clip.projector_type": "qwen3vl_merger",
    "clip.vision.projection_dim": 2048,
    "clip.vision.embedding_length": 1024,
    "clip.vision.feed_forward_length": 4096,
    "clip.vision.is_deepstack_layers": [k in (5, 11, 17) for k in range(24)],
}


def write(path, values, tensors=(("token_embd.weight", (64, 4), 8),), *, order="<", data=True):
    """A GGUF file. tensors: (name, dimensions, type), all of whose bytes are 0. data: False leaves them out."""
    out = bytearray(b"GGUF" + struct.pack(f"{order}IQQ", 3, len(tensors), len(values)))

    def text(value):
        raw = value if isinstance(value, bytes) else value.encode()
        out.extend(struct.pack(f"{order}Q", len(raw)) + raw)

    def kind_of(value):
        if isinstance(value, (str, bytes)):
            return STRING
        return 7 if isinstance(value, bool) else 6 if isinstance(value, float) else 4

    for key, value in values.items():
        text(key)
        if isinstance(value, list):
            kind = kind_of(value[0]) if value else 4
            out.extend(struct.pack(f"{order}IIQ", ARRAY, kind, len(value)))
        else:
            kind = kind_of(value)
            out.extend(struct.pack(f"{order}I", kind))
        for each in value if isinstance(value, list) else [value]:
            text(each) if kind == STRING else out.extend(struct.pack(order + LAYOUTS[kind], each))
    offset = 0
    for name, dimensions, kind in tensors:
        text(name)
        out.extend(struct.pack(f"{order}I{len(dimensions)}QIQ", len(dimensions), *dimensions, kind, offset))
        offset += 8 * 34  # one block of Q8_0 for 32 numbers
    out.extend(bytes(-len(out) % 32))
    with Path(path).open("wb") as file:
        file.write(out)
        if data and tensors:
            file.truncate(len(out) + offset)
    return Path(path)
