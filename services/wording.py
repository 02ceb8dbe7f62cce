"""Wording: what nobody may read from us. No promise of winnings, nothing that hides the risk, nothing that urges.

The stems follow the law on advertising (38-FZ art. 27) and the code for tipsters (ASA). They are looked for in every
text of ours by a test, and in what admins write before it is published. Numbers of statistics are not meant.
"""

import re
import unicodedata
from collections.abc import Iterator

from services.errors import BannedWording

_RUSSIAN = (
    r"\bгарант\w*",
    r"(?<![\d.,])(?<!\d )100 ?%",
    r"\b(?:100|сто) процент\w*",
    r"\bстопроцентн\w*",
    r"\bбез (?:\w+го )?риска\b",
    r"\bбезрисков\w*",
    r"\bбеспроигрышн\w*",
    r"\bверн(?:ый|ая|ое|ые|ого|ому|ым|ом|ой|ую|ых|ыми|як\w*|ейш\w*)\b",
    r"\bзаработ\w*",
    r"\bдоход(?!ит|ят|ил|чив)\w*",
    r"\bмаксимальн\w* выигрыш\w*",
    r"\bбольш\w* выигрыш\w*",
    r"\bотыгра\w*",
    r"\bуспей\w*",
    r"\bточн\w+ прогноз\w*",
)
_ENGLISH = (
    r"\bguarant\w*",
    r"\b(?:100|hundred) per ?cent\b",
    r"\brisk[ -]?free\b",
    r"\b(?:no|zero|without)(?: any)? risks?\b",
    r"\bsure(?:[ -]fire)?[ -]?(?:bets?|things?|wins?|winners?)\b",
    r"\bearn(?:s|ed|ing|ings)?\b",
    r"\bincomes?\b",
    r"\bmax(?:imum|imal)? (?:win|winnings?|wins)\b",
    r"\b(?:big|bigger|biggest|huge) (?:win|wins|winnings)\b",
    r"\bwin (?:big|more)\b",
    r"\bwin (?:it |your money |everything )?back\b",
    r"\bhurry\b",
    r"\b(?:exact|accurate) (?:prediction|forecast|tip)s?\b",
)
# A word typed half in one alphabet and half in the other is one word: letters that look alike are one letter.
_LATIN, _CYRILLIC = "abcehkmoptxyisj", "авсенкмортхуіѕј"
_DASH = re.compile("[\u2010-\u2015\u2212]")
_READINGS = (
    (str.maketrans(_LATIN, _CYRILLIC), re.compile("|".join(_RUSSIAN))),
    (str.maketrans(_CYRILLIC, _LATIN), re.compile("|".join(_ENGLISH))),
)


def refuse(text: str) -> None:
    """Raises BannedWording, with every word that must go, when a text promises, plays down or urges."""
    if found := list(dict.fromkeys(banned(text))):
        raise BannedWording(", ".join(found))


def banned(text: str) -> Iterator[str]:
    """The words of a text that nobody may read from us, as they are understood: in small letters, in one alphabet,
    without what cannot be seen."""
    plain = unicodedata.normalize("NFKC", text)  # wide letters and odd spaces become ordinary ones
    plain = "".join(letter for letter in plain if unicodedata.category(letter) not in {"Cf", "Mn"})
    plain = " ".join(_DASH.sub("-", plain).casefold().replace("ё", "е").split())
    for alphabet, phrases in _READINGS:
        for match in phrases.finditer(plain.translate(alphabet)):
            yield match[0]
