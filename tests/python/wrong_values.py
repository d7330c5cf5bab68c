"""Anything at all: what a caller may give where a function wants something else."""

import datetime
import decimal
import enum
import fractions
import io
import itertools
import pathlib

import lookhere
import numpy as np
from hypothesis import strategies as st
from lookhere import (
    Box,
    CancelFlag,
    Gaze,
    HeadSet,
    ImagePart,
    Mask,
    Message,
    OnImage,
    Panel,
    Point,
    Polygon,
    Push,
    Weighted,
)
from lookhere.steering.head_set import ModelFacts

STRIP = np.full((32, 96, 3), 200, np.uint8)


class Hostile:
    """An object that refuses everything that one may ask of it."""

    def __getattr__(self, name):
        raise RuntimeError("no")

    def _no(self, *_):
        raise RuntimeError("no")

    __repr__ = __str__ = __len__ = __iter__ = __float__ = __int__ = __index__ = __fspath__ = __eq__ = __array__ = _no
    __hash__ = object.__hash__


class Colour(enum.Enum):
    RED = 1


POINT = Point(1, 1)


class ReadForever(BaseException):
    """Not an Exception, which might be caught."""


def endless():
    yield from itertools.repeat(POINT, 10**6)
    raise ReadForever


numbers = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from([0, 1, -1, 2**31, 2**63, 2**64, 10**400, -(10**400), 1e-38, 5e-324, 1e308, True, False]),
    st.fractions(),
    st.decimals(),
    st.complex_numbers(),
    st.sampled_from([kind(value) for kind in (np.int8, np.uint8, np.int16, np.uint64, np.float16, np.longdouble)
                     for value in (0, 1, 100)]),
    st.sampled_from([np.float32("nan"), np.float16("inf"), np.longdouble("1e4000"), np.bool_(True), np.complex64(1),
                     np.datetime64("2020-01-01"), np.timedelta64(1, "s"), fractions.Fraction(10**400),
                     decimal.Decimal("sNaN"), decimal.Decimal("1e400")]),
)  # fmt: skip
texts = st.one_of(
    st.text(st.characters(), max_size=20),
    st.sampled_from(
        ["", "\0", "a\0b", "\ud800", "all", "free", "x" * 5_000, "http://[", "data:,", "file://", "%s{}", "."]
    ),
)
arrays = st.sampled_from(
    [
        np.array(5), np.array(None), np.array([]), np.array([1, 2, 3, 4]), np.zeros((2, 3)), np.ones((32, 96), bool),
        np.full((2, 6), np.nan, np.float32), np.zeros((0, 6), np.float32), np.array([["a", "b"]]), STRIP,
        np.zeros((2, 6), object), np.ma.masked, np.zeros((2, 2, 2, 2, 2)), np.full((2, 6), np.inf),
    ]
)  # fmt: skip
things = st.sampled_from(
    [
        Box(0, 0, 48, 32), Box.relative(0, 0, 0.5, 1), Point(5, 5), Panel(2, 6), Polygon([(0, 0), (9, 0), (0, 9)]),
        Mask(np.ones((32, 96))), Mask(np.ones((2, 2))), Weighted(Point(1, 1), 0.5), OnImage(Point(1, 1), 9),
        OnImage(Point(1, 1), 1), Box(0, 0, 10**6, 10**6), Push(), Gaze(), CancelFlag, Box, HeadSet, lookhere, object(),
        Colour.RED, datetime.datetime(2020, 1, 1), pathlib.Path("nowhere"), pathlib.Path(), io.BytesIO(b"x"),
        io.StringIO("x"), NotImplemented, Ellipsis, len, range(3), ModelFacts("Fake", "fake", 4, 2),
        Message("user", ("What?",)), Message("system", ("What?",)), ImagePart(5), ImagePart(STRIP), ImagePart(None),
        HeadSet(ModelFacts("Fake", "fake", 99, 99), ((98, 0),)), {"role": "user", "content": [[]]},
        [{"role": "user", "content": "What?"}], [{"role": "user", "content": None}], [{"role": [], "content": "x"}],
        ((1, 0), (3, 1)), ((1, 0), (1, 0)),
        ((1,),), [(True, 0)], [(1.0, 0)], [(10**400, 0)], [(-1, 0)], [(99, 99)],
    ]
)  # fmt: skip
plain = st.one_of(st.none(), numbers, texts, st.binary(max_size=20), arrays, things, st.builds(Hostile))
nested = st.recursive(
    plain,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.text(max_size=5), inner, max_size=3),
        st.sets(st.integers() | st.text(max_size=3), max_size=3),
    ),
    max_leaves=6,
)  # fmt: skip
values = st.one_of(plain, nested, st.builds(endless), st.builds(iter, st.lists(plain, max_size=3)))
