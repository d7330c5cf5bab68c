"""What a projector makes of an image: numbers, and the same ones each time."""

from __future__ import annotations

import os

import numpy as np
import pytest
from spots import noise

SIZES = [(900, 300)] if os.environ.get("CI") else [(500, 500), (900, 300)]  # time


@pytest.mark.parametrize("size", SIZES)
def test_every_embedding_is_finite_and_the_same_each_time(family, size):
    pixels = noise(*size)
    before = family.projector.encode(pixels).embeddings()
    assert np.isfinite(before).all()
    for _ in range(2):
        family.projector.encode(noise(40, 40))  # what is left in memory is another image's
        assert np.array_equal(family.projector.encode(pixels).embeddings(), before)
