"""Spoils what is sent, byte by byte and word by word; the same generator spoils it the same way."""

import re
from collections.abc import Callable, Sequence
from random import Random

Mutator = Callable[[Random, bytes], bytes]

_WORD = re.compile(rb'"(?:[^"\\]|\\.)*"|-?[0-9]+(?:\.[0-9]+)?|true|false|null|[A-Za-z0-9_.-]+')
_MEMBER = re.compile(rb'"[^"\\]*"\s*:\s*(?:"(?:[^"\\]|\\.)*"|-?[0-9.]+|true|false|null)')
_RUBBISH = (
    *(
        b"\0",
        b"\xff",
        b"\xc0\x80",
        b"\xed\xa0\x80",
        b"\xef\xbb\xbf",
        b"\\u0000",
        b"\\ud800",
        b"\\",
        b'"',
        b"%00",
        b"%FF",
    ),
    *(b"&", b"=", b";", b"+", b"\r\n\r\n", b"{", b"}", b"[", b"]", b",", b"/*", b"'", b"<!--", b"\xe2\x80\xae", b"\t"),
)
_VALUES = (
    *(b"null", b"true", b"{}", b"[]", b'""', b'"\\u0000"', b'"\\udfff"', b"0", b"-0", b"-1", b"1", b"0.1", b"1e2"),
    *(b"-1e-400", b"-62135596801"),
    *(b"1e400", b"NaN", b"-Infinity", b"9" * 400, b"9" * 5000, b"0x10", b"007", b"2147483648", b"9223372036854775808"),
    *('"٣٤"'.encode(), '"５０００"'.encode(), '"½"'.encode(), b'"' + b"A" * 70_000 + b'"', b'"' + b"9" * 300 + b'"'),
    *(b'"2026-02-30T25:61:61Z"', b'"0001-01-01T00:00:00+23:59"', b'"9999-12-31T23:59:59-23:59"', b"253402300800"),
    *(b'"succeeded"', b'"paid"', b'"usd"', b'"RUB"', b'"XXX"', b'"1500.00"', b'"1500.001"'),
    *(b'"1,500.00"', b'" 1500.00"', b'"\'; --"'),
)  # fmt: skip


def mutated(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """`others`: where a word, or the second half, may come from."""
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        how = random.choice(_MUTATORS + (_splice,) * 3)
        data = how(random, data) if how is not _splice else _splice(random, data, random.choice(others))
    return data


def _span(random: Random, data: bytes) -> tuple[int, int]:
    begins = random.randrange(len(data) + 1)
    return begins, min(len(data), begins + random.choice((1, 2, 8, 64, 1024)))


def _flip(random: Random, data: bytes) -> bytes:
    at = random.randrange(max(1, len(data)))
    return data[:at] + bytes(byte ^ 1 << random.randrange(8) for byte in data[at : at + 1]) + data[at + 1 :]


def _cut(random: Random, data: bytes) -> bytes:
    begins, ends = _span(random, data)
    return data[:begins] + data[ends:]


def _truncate(random: Random, data: bytes) -> bytes:
    return data[: random.randrange(len(data) + 1)]


def _double(random: Random, data: bytes) -> bytes:
    begins, ends = _span(random, data)
    return data[:ends] + data[begins:ends] * random.choice((1, 2, 50)) + data[ends:]


def _insert(random: Random, data: bytes) -> bytes:
    at = random.randrange(len(data) + 1)
    return data[:at] + random.choice(_RUBBISH) * random.choice((1, 1, 3, 1000)) + data[at:]


def _nest(random: Random, data: bytes) -> bytes:
    deep = random.choice((1, 20, 900, 20_000))
    opens, closes = random.choice(((b"[", b"]"), (b'{"a":', b"}")))
    return _at_a_word(random, data, lambda word: opens * deep + word + closes * deep)


def _value(random: Random, data: bytes) -> bytes:
    return _at_a_word(random, data, lambda _: random.choice(_VALUES))


def _digits(random: Random, data: bytes) -> bytes:
    """Digits that Python reads as a number, and nobody else."""
    other = "٠١٢٣٤٥٦٧٨٩".encode()
    return _at_a_word(
        random, data, lambda word: re.sub(rb"[0-9]", lambda d: other[int(d[0]) * 2 : int(d[0]) * 2 + 2], word)
    )


def _contradict(random: Random, data: bytes) -> bytes:
    """A member twice, the second time with another value."""
    members = list(_MEMBER.finditer(data))
    if not members:
        return data
    member = random.choice(members)
    again = member[0].partition(b":")[0] + b":" + random.choice(_VALUES)
    return data[: member.end()] + b"," + again + data[member.end() :]


def _wide(_random: Random, data: bytes) -> bytes:
    return data.decode("latin-1").encode("utf-16")


def _at_a_word(random: Random, data: bytes, becomes: Callable[[bytes], bytes]) -> bytes:
    words = list(_WORD.finditer(data))
    if not words:
        return becomes(data)
    word = random.choice(words)
    return data[: word.start()] + becomes(word[0]) + data[word.end() :]


def _splice(random: Random, data: bytes, other: bytes = b"") -> bytes:
    words = _WORD.findall(other)
    if words and random.random() < 0.9:
        return _at_a_word(random, data, lambda _: random.choice(words))
    return data[: random.randrange(len(data) + 1)] + other[random.randrange(len(other) + 1) :]


_MUTATORS: tuple[Mutator, ...] = (
    *(_flip, _cut, _truncate, _double, _insert, _nest, _digits, _contradict, _wide),
    *(_value,) * 5,  # what is still JSON gets furthest
    _contradict,
)
