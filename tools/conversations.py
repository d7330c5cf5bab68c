"""How good the built-in model is at a second question about the same image, beside the same question asked first.

    python tools/conversations.py --strips 200

Strips of combinations that it was never trained on. Each panel is asked about alone, and as the second question of a
conversation whose first one was about another panel. Word for word; intervals are 95 %, bootstrap over strips.
"""

from __future__ import annotations

import argparse
from collections import defaultdict

import numpy as np
from lookhere import Panel, load
from lookhere.comics import generate_strip
from lookhere.questions import ordinal

PANELS = 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strips", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    right: dict[str, list[list[bool]]] = defaultdict(list)
    read, prompts = 0, 0
    with load() as model:
        for index in range(args.strips):
            strip = generate_strip(10_000_000 + 1000 * args.seed + index, split="held_out")
            scene = model.look(strip.image)
            found: dict[str, list[bool]] = defaultdict(list)
            for panel, caption in enumerate(strip.captions):
                before = (panel + 1 + index % (PANELS - 1)) % PANELS  # the panel that the first question is about
                here, there = Panel(panel + 1, PANELS), Panel(before + 1, PANELS)
                for name, first, second, first_at, second_at in (
                    ("steered", model.prompt, model.prompt, there, here),
                    ('unsteered, "the third panel"', ordinal(before, PANELS), ordinal(panel, PANELS), None, None),
                    ("steered, after an unsteered question", ordinal(before, PANELS), model.prompt, None, here),
                ):
                    said = scene.describe(first, at=first_at)
                    messages = [
                        {
                            "role": "user",
                            "content": [{"type": "image", "image": scene}, {"type": "text", "text": first}],
                        },
                        {"role": "assistant", "content": said.text},
                        {"role": "user", "content": second},
                    ]
                    answer = model.chat(messages, at=second_at)
                    read, prompts = read + answer.prompt_tokens - answer.cached_tokens, prompts + answer.prompt_tokens
                    found[f"{name}: asked first"].append(scene.describe(second, at=second_at).text == caption)
                    found[f"{name}: asked second"].append(answer.text == caption)
                    found[f"{name}: asked second, says the first answer again"].append(answer.text == said.text)
            for name, each in found.items():
                right[name].append(each)
    rng = np.random.default_rng(0)
    for name, each in right.items():
        means = np.array(each).mean(axis=1)
        drawn = means[rng.integers(0, len(means), (2000, len(means)))].mean(axis=1)
        low, high = np.percentile(drawn, [2.5, 97.5])
        print(f"| {name} | {means.mean():.1%} ({100 * low:.1f}-{100 * high:.1f}) |")
    print(f"tokens read of the second prompts: {read} of {prompts}, {read / prompts:.1%}")


if __name__ == "__main__":
    main()
