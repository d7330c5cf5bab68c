"""The fake engine with gaze heads planted in it: a model that reads comics perfectly, and obeys those heads alone.

PLANTED heads look at the panel that a question names. With enough of them steered it describes the panel they are told
to look at; with more than half of all heads steered it says junk.
"""

import re
from functools import cache

import fake_engine as fake
import numpy as np
from lookhere import comics
from lookhere.lab import calibration
from lookhere.questions import ORDINALS
from lookhere.steering.head_set import HeadSet, ModelFacts

PLANTED = ((1, 0), (2, 3), (3, 1))
LAYERS, HEADS = 4, 4
GAZE = HeadSet(ModelFacts("Fake", "fake", LAYERS, HEADS), PLANTED, queries="answer")
NEEDED = 2
TAKEN = 1.25
"""So many times the natural mass is on the image once heads are steered."""
UNKNOWN = (("Something else entirely.",), ((0, 0, 16, 16),))
"""What it sees in an image that was changed."""
JUNK = "Fox fox fox."


class Planted:
    """What the fixture knows: captions by image, whether attention means anything, and heads of other kinds.

    others: by head, "image" (it looks at every other token, whatever is asked) or "localization" (at one patch, always
    the same). With any of them the gaze heads' look is scattered a little, as that of real ones is.

    words: a pattern whose group is a panel's number or its ordinal, ordinals: these, prompt: a question. With words the
    model was trained on these alone: asked otherwise it describes the first panel, wherever its heads look. constant:
    what it says of every picture, whatever is asked.
    """

    def __init__(self):
        self.strips = {}
        self.prefills = 0
        self.images = 0
        self.blind = False
        self.others = {}
        self.words, self.ordinals, self.prompt, self.constant = "", ORDINALS, "", ""

    def install(self, monkeypatch):
        generate_strip, generate_scene, planted = comics.generate_strip, comics.generate_scene, self

        def strip_of(*args, **options):
            strip = generate_strip(*args, **options)
            planted.strips[np.asarray(strip.image).tobytes()] = (strip.captions, strip.boxes)
            for caption, (x0, y0, x1, y1) in zip(strip.captions, strip.boxes, strict=True):
                panel = np.asarray(strip.image.crop((x0, y0, x1, y1)))
                planted.strips[panel.tobytes()] = ((caption,), ((0, 0, x1 - x0, y1 - y0),))
            return strip

        def scene_of(*args, **options):
            scene = generate_scene(*args, **options)
            labels, boxes = zip(*scene.objects, strict=True)
            planted.strips[np.asarray(scene.image).tobytes()] = (labels, boxes)
            return scene

        def encode(projector, pixels, cancel=None):
            planted.images += 1
            image = fake.EncodedImage(*pixels.shape[:2])
            image.known = planted.strips.get(pixels.tobytes(), UNKNOWN)
            return image

        decode_image = fake.Session.decode_image

        def decode_known(session, image, **options):
            known = session.__dict__.setdefault("images_by_sequence", {})
            known[options["sequence"]] = image.known
            decode_image(session, image, **options)

        decode_images = fake.Session.decode_images

        def decode_known_pieces(session, pieces, **options):
            known = session.__dict__.setdefault("images_by_sequence", {})
            known |= {sequence: image.known for sequence, image, *_ in pieces}
            decode_images(session, pieces, **options)

        decode, logits, fake_share = fake.Session.decode, fake.Session.logits, fake.Session.share

        def decode_rows(session, tokens, *, outputs=(), **options):
            session.rows, session.chosen = [], []
            for index, token in enumerate(tokens):
                decode(session, [token], outputs=[0] if index in outputs else [], **options)
                if index in outputs:
                    session.chosen.append(logits(session))
                if index in outputs and session.layers:
                    session.rows.append(planted.attention(session))

        def decode_texts(session, pieces, *, cancel=None):
            rows, chosen = [], []
            for sequence, tokens, output in pieces:
                outputs = [len(tokens) - 1] if output else []
                session.decode(tokens, sequence=sequence, outputs=outputs, cancel=cancel)
                rows, chosen = rows + session.rows, chosen + session.chosen
            session.rows, session.chosen = rows, chosen

        def share_known(session, source, target, position):
            known = session.__dict__.setdefault("images_by_sequence", {})
            known[target] = known.get(source)
            fake_share(session, source, target, position)

        def attention(session, row=-1, *, steered=False):
            mass = session.rows[row]
            return mass * TAKEN if steered and session.steering else mass

        def row(session):
            planted.prefills += session.cells[-1][1] < 256 and text_of(session).endswith("assistant\n")
            return planted.answer(session)

        monkeypatch.setattr(comics, "generate_strip", strip_of)
        monkeypatch.setattr(comics, "generate_scene", scene_of)
        monkeypatch.setattr(fake.Projector, "encode", encode)
        monkeypatch.setattr(fake.Session, "decode_image", decode_known)
        monkeypatch.setattr(fake.Session, "decode", decode_rows)
        monkeypatch.setattr(fake.Session, "decode_images", decode_known_pieces)
        monkeypatch.setattr(fake.Session, "decode_texts", decode_texts)
        monkeypatch.setattr(fake.Session, "share", share_known)
        monkeypatch.setattr(fake.Session, "_row", row)
        monkeypatch.setattr(fake.Session, "logits", lambda session, row=-1: session.chosen[row])
        monkeypatch.setattr(fake.Session, "attention", attention)
        monkeypatch.setattr(calibration, "STRENGTHS", (2.0, 5.0))
        return self

    def panel_tokens(self, session, k):
        """(image tokens,) 1 on the tokens of box k."""
        span, (_, boxes) = session.spans[0], known_of(session)
        return tokens_of(boxes[k], span.rows, span.cols)

    def attention(self, session):
        """(layers, heads, image tokens): a bias of place in every head, and the named panel in planted ones."""
        count = session.spans[0].rows * session.spans[0].cols if session.spans else 1
        mass = np.zeros((LAYERS, HEADS, count), np.float32)
        for layer in range(LAYERS):
            for head in range(HEADS):
                mass[layer, head] = bias_of_place(layer, head, count)
        named = self.place(text_of(session), known_of(session)[0]) if session.spans else None
        if named is not None and not self.blind:
            on_panel = self.panel_tokens(session, named)
            for layer, head in PLANTED:
                mass[layer, head] = 0.05 / count + 0.7 * on_panel / on_panel.sum()
        if self.others and session.spans:
            scattered, patch = looks(session.spans[0].rows, session.spans[0].cols)
            for layer, head in PLANTED:
                mass[layer, head] += 0.1 * scattered
            for (layer, head), kind in self.others.items():
                mass[layer, head] = 0.95 * scattered if kind == "image" else 0.9 * patch
        return mass[session.layers]

    def place(self, text, captions):
        """Which panel or object a question names, or the answer that is being said."""
        if not self.words:
            return asked_place(text, captions)
        prompt, _, said = text.rpartition("assistant\n")
        panel = self.panel(prompt)
        fitting = [k for k, caption in enumerate(captions) if said and caption.startswith(said)]
        return fitting[0] if panel is None and len(fitting) == 1 else panel

    def panel(self, prompt):
        """Which panel a question names, in words that the model knows."""
        if not self.words:
            return asked_panel(prompt)
        found = re.search(self.words, prompt)
        return None if found is None else int(found[1]) - 1 if found[1].isdigit() else self.ordinals.index(found[1])

    def answer(self, session):
        captions, boxes = known_of(session)
        text = text_of(session)
        prompt, done = text[: text.rindex("assistant\n")], text[text.rindex("assistant\n") + len("assistant\n") :]
        steering = session.steering
        steered = steering and session.heads and session.cells[-1][0] >= steering["first_query"]
        named = self.panel(prompt)
        steered = steered and (not self.words or self.prompt in prompt)
        if self.constant:
            answer = self.constant
        elif "in order" in prompt and "point" not in prompt:
            answer = "\n".join(captions)
        elif steered and len(session.heads) > LAYERS * HEADS // 2:
            answer = JUNK
        elif steered and len(set(session.heads) & set(PLANTED)) >= NEEDED:
            pushed = steering["spans"][0].bias.ravel() > 0
            panels = np.stack([self.panel_tokens(session, k) for k in range(len(boxes))])
            target = captions[int(np.argmax(panels @ pushed / panels.sum(axis=1)))]
            answer = told(done, captions, target) if "point you" in prompt else target
        else:
            answer = captions[min(named or 0, len(captions) - 1)]
        return answer.encode(), done.encode()


@cache
def tokens_of(box, rows, cols):
    """(image tokens,) 1 on the tokens of a box."""
    x0, y0, x1, y1 = (round(value / fake.PATCH) for value in box)
    tokens = np.zeros((rows, cols), np.float32)
    tokens[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)] = 1
    return tokens.ravel()


@cache
def bias_of_place(layer, head, count):
    """(image tokens,) what a head prefers, whatever it is asked."""
    where = np.random.default_rng([layer, head]).random(count)
    return 0.6 * where / where.sum()


@cache
def looks(rows, cols):
    """Two (image tokens,) of sum 1: single tokens that do not touch; and one patch, in the first corner."""
    scattered, patch = np.zeros((2, rows, cols), np.float32)
    scattered[::2, ::2] = 1
    patch[:2, :2] = 1
    return scattered.ravel() / scattered.sum(), patch.ravel() / patch.sum()


def told(done, captions, target):
    """What an endless narration says next: the caption that is under way, else the target's."""
    whole, _, part = done.rpartition("\n")
    going = [caption for caption in captions if part and (caption + "\n").startswith(part)]
    if part and target not in going:
        target = going[0]
    return (whole + "\n" if whole else "") + target + "\n" + captions[0]


def known_of(session):
    """Captions and boxes of the image in the sequence that was decoded last."""
    return session.images_by_sequence[session.last]


def text_of(session):
    """All text in the cache; what is known of it is kept, cells only come and go at the end."""
    kept = getattr(session, "text", (0, None, b""))
    count = len(session.cells)
    if not (0 < kept[0] <= count and session.cells[kept[0] - 1] is kept[1]):
        kept = (0, None, b"")
    text = kept[2] + bytes(cell[1] for cell in session.cells[kept[0] :] if cell[1] is not None and cell[1] < 256)
    session.text = (count, session.cells[-1] if count else None, text)
    return text.decode(errors="replace")


def asked_place(text, captions):
    """Which panel or object a question names, or the answer to the question about a box; None if there is none."""
    panel = asked_panel(text)
    if panel is not None:
        return panel
    prompt, _, said = text.rpartition("assistant\n")
    named = re.search(r"Describe the (.+?)\. Answer briefly", prompt)
    fitting = [k for k, caption in enumerate(captions)
               if (named and named[1].lower() == caption.rstrip(".").lower())
               or ("main object" in prompt and said and caption.startswith(said))]  # fmt: skip
    return fitting[0] if len(fitting) == 1 else None


def asked_panel(text):
    found = re.search(r"(?:in|only at) the (\w+) panel", text)
    return ORDINALS.index(found[1]) if found else None
