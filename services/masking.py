"""What a delivery or a message says, for the eyes of an admin: without secrets and without who it is about."""

import json
import re
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl

HIDDEN = "•••"
LONGEST_VALUE = 120
LONGEST_TEXT = 2400
"""A message has room for 4,096 characters, and more stands in it."""

_PRIVATE = frozenset(
    {
        *("secret", "token", "signature", "sign", "sig", "password", "passwd", "auth", "authorization", "key", "hash"),
        *("hmac", "cookie", "card", "pan", "number", "cvc", "cvv", "account", "iban", "bic", "email", "mail", "phone"),
        *("tel", "msisdn", "name", "surname", "firstname", "lastname", "fullname", "middlename", "username", "holder"),
        *("cardholder", "address", "street", "city", "zip", "postal", "passport", "birth", "inn", "snils", "ip"),
    }
)
"""A field is hidden with all that is in it when one of the words of its name is one of these."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
# Bounded, so that no text makes them walk it again and again.
_EMAIL = re.compile(r"[^\s@<>\"',;:]{1,64}@[^\s@<>\"',;:]{1,255}\.[^\s@<>\"',;:]{1,63}")
_DIGITS = re.compile(r"(?<![0-9])[0-9](?:[ -]?[0-9]){12,18}(?![0-9])")
_PHONE = re.compile(r"\+[0-9](?:[ ()-]{0,2}[0-9]){8,14}(?![0-9])")


def readable(body: bytes, secrets: Sequence[str]) -> str | None:
    """JSON or a form as indented JSON, masked and cut, in characters that can be shown. None: it is neither.

    `secrets`: values that must not be seen wherever they stand.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        try:
            value = dict(parse_qsl(text, keep_blank_values=True, strict_parsing=True, max_num_fields=200))
        except ValueError:
            return None
        if not value:
            return None
    return masked(value, secrets)


def masked(value: object, secrets: Sequence[str]) -> str:
    """The same of what was read already."""
    try:
        text = json.dumps(_clean(value, _any_of(secrets)), ensure_ascii=False, indent=1)
    except RecursionError:
        return HIDDEN
    shown = "".join(letter if letter.isprintable() or letter == "\n" else "\ufffd" for letter in text)
    return shown if len(shown) <= LONGEST_TEXT else f"{shown[:LONGEST_TEXT]}…"


def masked_fields(values: Mapping[str, str], secrets: Sequence[str]) -> dict[str, str]:
    """The same field by field."""
    hidden = _any_of(secrets)
    return {
        _text(name, hidden): HIDDEN if _private(name) and value else _text(value, hidden)
        for name, value in values.items()
    }


def _any_of(secrets: Sequence[str]) -> re.Pattern[str]:
    # The longest first: a secret inside another must not leave the rest of that one behind.
    return re.compile("|".join(map(re.escape, sorted(filter(None, secrets), key=len, reverse=True))) or r"(?!)")


def _clean(value: object, hidden: re.Pattern[str]) -> object:
    match value:
        case None | bool() | float():
            return value
        case int():
            return HIDDEN if _DIGITS.fullmatch(str(value)) and _luhn(str(value)) else value
        case Mapping():
            return {
                _text(str(name), hidden): HIDDEN
                if _private(str(name)) and item not in (None, "")
                else _clean(item, hidden)
                for name, item in value.items()
            }
        case list() | tuple():
            return [_clean(item, hidden) for item in value]
        case _:
            return _inside(str(value), hidden)


def _private(name: str) -> bool:
    return any(word.lower() in _PRIVATE for word in _WORD.findall(name))


def _inside(text: str, hidden: re.Pattern[str]) -> object:
    """A text; if it is JSON in itself, what it says."""
    if text[:1] in ("{", "["):
        try:
            return _clean(json.loads(text), hidden)
        except (ValueError, RecursionError):
            pass
    return _text(text, hidden)


def _text(text: str, hidden: re.Pattern[str]) -> str:
    text = _EMAIL.sub(HIDDEN, hidden.sub(HIDDEN, text))
    text = _PHONE.sub(HIDDEN, text)
    text = _DIGITS.sub(lambda found: HIDDEN if _luhn(found[0]) else found[0], text)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def _luhn(digits: str) -> bool:
    """Whether these could be the digits of a card."""
    numbers = [int(digit) for digit in reversed(digits) if digit.isdigit()]
    return sum(numbers[::2] + [sum(divmod(2 * number, 10)) for number in numbers[1::2]]) % 10 == 0
