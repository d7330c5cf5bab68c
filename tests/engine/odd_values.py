"""Odd values in every call of the engine: python odd_values.py SEED. Each gives an error or a result."""

import random
import sys

import numpy as np
from lookhere import _engine as engine
from lookhere.loading import builtin

MOST = 2**31 - 1
INTS = [-MOST - 1, -257, -1, 0, 1, 2, 3, 16, 63, 64, 65, 255, 256, 257, 4096, 2**16, 2**22 + 1, MOST, 2**31, 2**70]
SMALL = [-1, 0, 1, 2, 3, 7, 16, 63, 64, 65, 255, 256, 257, 700]
FLOATS = [0.0, 1.0, -1.0, 1e-38, 1e-45, 0.5, 1e38, 1e39, 1e308, float("inf"), float("-inf"), float("nan"), 1e4]
SHAPES = [(1, 1), (1, 2), (1, 200), (200, 1), (2, 399), (1, 7), (31, 33), (32, 32), (3, 600), (600, 3), (0, 5), (5, 0)]
TEXTS = ["", "\0", "x" * 5000, "<|im_start|>" * 40, "\ud7ff", "é\n" * 90]


class Caught(Exception):
    """An assertion of ggml was reached: it was caught, but too late."""


class Odd:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.one = self.rng.choice
        self.results = self.errors = 0
        self.files = [str(path) for path in builtin.builtin_files()]
        self.model = engine.Model(self.files[0])

    def some(self, values, most=6):
        return [self.one(values) for _ in range(self.rng.randrange(most))]

    def tried(self, call, *args, **options):
        try:
            result = call(*args, **options)
        except (engine.EngineError, TypeError, ValueError, OverflowError, IndexError) as error:
            if "check of its own" in str(error) or "GGML_ASSERT" in str(error):
                raise Caught(f"{call} {args} {options}: {error}") from error
            self.errors += 1
            return None
        self.results += 1
        return result

    def vocabulary(self):
        model = self.model
        for _ in range(40):
            for call in (model.piece, model.special_piece, model.is_end):
                self.tried(call, self.one(INTS))
            self.tried(model.tokenize, self.one(TEXTS), parse_special=self.one([True, False]))

    def projectors(self):
        for _ in range(6):
            threads, least, most = self.one([1, 1, 2, 0, -1, 513]), self.one(INTS), self.one(INTS)
            made = self.tried(
                engine.Projector, self.files[1], self.model, threads=threads, min_tokens=least, max_tokens=most
            )
            if made is None or least > 128:  # slow
                continue
            for height, width in self.rng.sample(SHAPES, 5):
                measured = self.tried(made.measure, width, height)
                image = self.tried(made.encode, np.zeros((height, width, 3), np.uint8))
                assert (measured is None) == (image is None), (height, width)
                if image is not None:
                    grids = sum(part.tokens for part in image.parts if part.grid)
                    assert measured == (grids, image.tokens), (height, width)
            for _ in range(5):
                self.tried(made.measure, self.one(INTS), self.one(INTS))

    def images(self):
        made = engine.Projector(self.files[1], self.model, threads=1, max_tokens=32)
        return [made.encode(np.full((*shape, 3), 9, np.uint8)) for shape in [(1, 1), (1, 200), (64, 64)]]

    def session(self):
        one = self.one
        return self.tried(
            engine.Session, self.model, context=one([*SMALL, -MOST, MOST]), threads=one([1, 1, 1, 2, 0, -1, 513]),
            batch=one([*SMALL, MOST, 2**22]), sequences=one([1, 1, 2, 3, 32, 256, 257, 0]),
            flash_attention=one(["auto", "on", "off", "x"]), kv_type=one(["f16", "f32", "bf16", "q8_0", "q4_0", "x"]),
            grouped=one([True, False]),
        )  # fmt: skip

    def tokens(self):
        odd = [*range(0, 400, 7), -1, self.model.vocabulary_size, MOST, -MOST]
        return self.some(self.one([odd, range(300), range(300)]), 80)

    def spans(self, bias):
        made = [self.tried(engine.Span, self.one(SMALL), 2, 2, bias) for _ in range(self.rng.randrange(3))]
        return [each for each in made if each is not None]

    def fill(self, session, images, sequence):
        step = self.rng.randrange(7)
        if step <= 1:
            text = self.tokens()
            outputs = sorted(self.some(range(-1, len(text) + 1)))
            self.tried(session.decode, text, sequence=sequence, outputs=outputs)
        elif step == 2:
            self.tried(session.decode_image, self.one(images), sequence=sequence)
        elif step == 3:
            self.tried(session.truncate, self.one(SMALL), sequence)
        elif step == 4:
            self.tried(session.share, sequence, self.one([0, 1, 2]), self.one(SMALL))
        elif step == 5:
            sequences = self.one([self.some([0, 1, 2]), range(3)])
            pieces = [(each, self.some([0, 1, 2, 300], 4), self.one([True, False])) for each in sequences]
            self.tried(session.decode_texts, pieces)
        else:
            sequences = self.one([self.some([0, 1, 2]), range(3)])
            pieces = [(each, self.one(images), *(self.one([0, 1, 2, 3, 8, -1, MOST]) for _ in range(3))) for each in sequences]
            self.tried(session.decode_images, pieces)

    def push(self, session, sequence):
        one, layers = self.one, [0, 1, self.model.layers - 1, self.model.layers, -1, MOST]
        heads = [0, 1, self.model.heads, -1]
        self.tried(session.set_heads, [(one(layers), one(heads)) for _ in range(self.rng.randrange(4))], one(INTS))
        self.tried(session.set_heads, [(one(layers[:3]), one(heads[:2]))], sequence)
        self.tried(
            session.steer, self.spans(np.array([[one(FLOATS)] * 2] * 2).astype(np.float32)), sequence=sequence,
            prompt_end=one(INTS), prompt_bias=one(FLOATS), generated_bias=one(FLOATS), first_query=one(INTS),
            sharpness=one(FLOATS), kind=one(["bias", "target_share", "within_image", "x"]), share=one(FLOATS),
        )  # fmt: skip
        self.tried(session.set_probe, self.some(self.one([layers, layers[:3]]), 4))
        self.tried(session.set_probe_spans, self.spans(None), sequence)

    def read(self, session, sequence):
        one = self.one
        self.tried(session.logits, one(INTS))
        self.tried(session.attention, one(SMALL), steered=one([True, False]))
        sampler = self.tried(
            engine.Sampler, temperature=one(FLOATS), top_k=one(INTS), top_p=one(FLOATS), min_p=one(FLOATS),
            seed=one(INTS), repeat_penalty=one(FLOATS), repeat_last=one(INTS),
        )  # fmt: skip
        if sampler is not None:
            self.tried(sampler.sample, session, one([-1, 0, 1]))
        for reading in (session.position, session.used, session.unsteer):
            self.tried(reading, one([0, sequence]))
        self.tried(lambda: session.room)

    def sessions(self):
        images = self.images()
        for _ in range(20):
            session = self.session()
            if session is None:
                continue
            for _ in range(8):
                sequence = self.one([0, 0, 0, 1, 2, *INTS])
                self.push(session, sequence)
                for _ in range(3):
                    self.fill(session, images, self.one([0, sequence]))
                self.read(session, sequence)
            session.close()


def main(seed):
    np.seterr(over="ignore")
    odd = Odd(seed)
    odd.vocabulary()
    odd.projectors()
    odd.sessions()
    assert min(odd.results, odd.errors) > 100, (odd.results, odd.errors)
    print("survived")


if __name__ == "__main__":
    main(int(sys.argv[1]))
