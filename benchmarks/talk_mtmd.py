"""llama.cpp's own multimodal program, for `talk.py`: PROGRAM MODEL MMPROJ PIXELS THREADS FLASH TOKENS."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time

from PIL import Image
from serve import serve
from talk_lookhere import picture

READY = b"\n> "
"""The program asks for the next line."""
PROMPT = "Describe the scene."


class MultimodalProgram:
    """Answers have as many tokens as it was started for, for the end of an answer is ignored."""

    def __init__(
        self, program: str, model: str, mmproj: str, pixels: int, threads: int, flash: str, tokens: int
    ) -> None:
        self.tokens = tokens
        self.image = tempfile.NamedTemporaryFile(suffix=".png")  # noqa: SIM115 (it lives as long as the program)
        Image.fromarray(picture(pixels)).save(self.image.name)
        options = {
            "--model": model, "--mmproj": mmproj, "--ctx-size": 4096, "--threads": threads, "--flash-attn": flash,
            "--temp": 0, "--predict": tokens,
        }  # fmt: skip
        words = [str(word) for pair in options.items() for word in pair]
        self.program = subprocess.Popen(
            [program, *words, "--ignore-eos", "--no-warmup"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._until_ready()

    def talk(self) -> float:
        """Seconds per token of an answer about the image, which is read first; the first token apart."""
        for line in ("/clear", f"/image {self.image.name}"):
            self._say(line)
            self._until_ready()
        self._say(PROMPT)
        first, last = self._until_ready()
        return (last - first) / self.tokens  # after its last token it decodes once more

    def _say(self, line: str) -> None:
        assert self.program.stdin is not None
        self.program.stdin.write(line.encode() + b"\n")
        self.program.stdin.flush()

    def _until_ready(self) -> tuple[float, float]:
        """When the first words came, and when the program asked for the next line."""
        assert self.program.stdout is not None
        told, first = b"", 0.0
        while not told.endswith(READY):
            piece = os.read(self.program.stdout.fileno(), 2**16)
            if not piece:
                raise SystemExit(f"the program ended with {self.program.wait()} after {told[-200:]!r}")
            told += piece
            if not first and told.partition(PROMPT.encode())[2].strip():  # it repeats what it was told
                first = time.perf_counter()
        return first, time.perf_counter()


if __name__ == "__main__":
    program, model, mmproj, pixels, threads, flash, tokens = sys.argv[1:]
    serve(lambda: MultimodalProgram(program, model, mmproj, int(pixels), int(threads), flash, int(tokens)))
