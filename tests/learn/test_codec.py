"""Messages between processes: what goes in comes out, and what is no message is refused."""

from __future__ import annotations

import io
import json
import struct

import numpy as np
import pytest

from minidepth.learn import codec
from minidepth.learn.answers import MOST_LINES, trusted
from minidepth.learn.codec import Opaque, clean, receive, send


def sent(value):
    stream = io.BytesIO()
    send(stream, value)
    stream.seek(0)
    return receive(stream)


def raw(tree, arrays=(), body=b""):
    header = json.dumps({"tree": tree, "arrays": list(arrays)}).encode()
    return io.BytesIO(struct.pack("<QQ", len(header), len(body)) + header + body)


def test_values_arrive_as_they_were():
    value = {"a": [1, -(2**70), True, None, "x\0\n"], "b": (0.1, -0.0, float("inf")), "c": {"d": []}}
    assert sent(value) == value
    assert np.signbit(sent(-0.0)) and np.isnan(sent(float("nan")))
    assert type(sent((1,))) is tuple


@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", "i8", "u1", "?", ">f8"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 5), (2, 3, 4)])
def test_arrays_arrive_bit_for_bit(dtype, shape):
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    back = sent(array)
    assert type(back) is np.ndarray and back.dtype == array.dtype and back.shape == shape
    assert back.tobytes() == array.tobytes()
    back[...] = 1  # it is one's own


def test_views_and_numbers_of_numpy():
    array = np.arange(24.0).reshape(4, 6)
    assert np.array_equal(sent(array[::-2, ::3].T), array[::-2, ::3].T)
    number = sent(np.float32(0.1))
    assert type(number) is np.float32 and number == np.float32(0.1)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (object(), "a object"),
        (np.array([None]), "an array of object"),
        (1j * np.ones(2), "an array of complex128"),
        (range(3), "a range"),
        ({1: 2}, "a dict"),
        (io.BytesIO(), "a _io.BytesIO"),
    ],
)
def test_what_cannot_be_sent_arrives_as_what_it_was(value, text):
    assert isinstance(sent(value), Opaque) and repr(sent([value])[0]) == text


def test_a_message_that_is_too_long_is_refused_before_it_is_copied(monkeypatch):
    monkeypatch.setattr(codec, "MOST_BYTES", 1000)
    with pytest.raises(ValueError, match="at most 1,000 can be sent"):
        send(io.BytesIO(), np.broadcast_to(0.0, 10_000))
    with pytest.raises(ValueError, match="too long"):
        receive(io.BytesIO(struct.pack("<QQ", 10, 991)))


@pytest.mark.parametrize(
    "stream",
    [
        raw(["array", 0], [("O", [1])], b"\0" * 8),
        raw(["array", 0], [("V8", [1])], b"\0" * 8),
        raw(["array", 0], [("<f8", [2])], b"\0" * 8),
        raw(["array", 0], [("<f8", [-1])], b"\0" * 8),
        raw(["array", 0], [("<f8", [2**40, 2**40])], b"\0" * 8),
        raw(["array", 0], [("<f8", ["1"])], b"\0" * 8),
        raw(["array", 0], [("<f8,<f8", [1])], b"\0" * 16),
        raw(["array", 1]),
        raw(["array", "x"]),
        raw(["float", 3]),
        raw(["float", "zz"]),
        raw(["list", 3]),
        raw(["dict", [1]]),
        raw(["system", "ls"]),
        raw([]),
        raw(None, [[1]]),
        io.BytesIO(struct.pack("<QQ", 2, 0) + b"[]"),
        io.BytesIO(struct.pack("<QQ", 3, 0) + b"\xff\xff\xff"),
        io.BytesIO(struct.pack("<QQ", 200_000, 0) + b"[" * 200_000),
        io.BytesIO(struct.pack("<QQ", 10_000, 0) + b"1" * 10_000),
    ],
    ids=range(20),
)
def test_what_is_no_message_is_refused(stream):
    with pytest.raises(ValueError):
        receive(stream)


def test_a_process_that_is_gone():
    for raw_bytes in (b"", b"\1" * 15, struct.pack("<QQ", 5, 0) + b"12"):
        with pytest.raises(EOFError):
            receive(io.BytesIO(raw_bytes))


def test_texts_are_fit_for_a_terminal():
    assert clean("a\x1b[2J\r\ud800\u202eb\nc") == "a?[2J???b\nc"
    assert len(clean("x" * 10_000)) == codec.MOST_TEXT
    with pytest.raises(ValueError, match="a text was expected"):
        clean(3)


ANSWERS = [
    {"refused": "a"},
    {"read": True, "notices": ["a"], "fences": []},
    {"ready": True},
    {"missing": "f", "there": ["g"]},
    {"signature": "(x)"},
    {"raised": "E", "text": "t", "printed": "", "frames": ["line 1"]},
    {"value": [1], "changed": [0], "printed": "p"},
]


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_has_its_form_and_nothing_else(answer):
    assert trusted(answer) == answer
    assert trusted({**answer, "more": object}) == answer
    for name in answer:
        if name not in ("value", "ready", "read"):
            with pytest.raises(ValueError):
                trusted({**answer, name: 3.5})


def test_lists_of_texts_hold_nothing_else_and_have_an_end():
    with pytest.raises(ValueError):
        trusted({"missing": "f", "there": [3]})
    assert len(trusted({"missing": "f", "there": ["a"] * 10_000})["there"]) == MOST_LINES


@pytest.mark.parametrize("answer", [None, [], {}, {"value": 1}, {"value": 1, "changed": ["0"], "printed": ""}])
def test_what_is_no_answer(answer):
    with pytest.raises(ValueError):
        trusted(answer)
