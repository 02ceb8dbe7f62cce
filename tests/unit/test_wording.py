"""Nobody reads from us that winning is sure or that betting feeds one: not in our texts, not in what admins write."""

from collections.abc import Iterator

import pytest
from fluent.syntax import ast
from fluent.syntax.visitor import Visitor

from db.models import Language
from services.errors import BannedWording
from services.wording import banned, refuse
from tests.unit.test_texts import SOURCES

BANNED = [
    ("Гарантируем проход", "гарантируем"),
    ("ГАРАНТИЯ", "гарантия"),
    ("проход 100%", "100%"),
    ("проход 100 %", "100 %"),
    ("проход 100\u00a0%", "100 %"),
    ("проход 100\u202f％", "100 %"),
    ("сто процентов", "сто процентов"),
    ("стопроцентный вариант", "стопроцентный"),
    ("Без риска", "без риска"),
    ("без\nвсякого  риска", "без всякого риска"),
    ("Безпроигрышная? Беспроигрышная!", "беспроигрышная"),
    ("верные ставки", "верные"),
    ("верный исход", "верный"),
    ("Это верняк!", "верняк"),
    ("вернейший", "вернейший"),
    ("Заработай", "заработай"),
    ("доход", "доход"),
    ("доходность", "доходность"),
    ("Ждём максимального выигрыша", "максимального выигрыша"),
    ("для еще больших выигрышей", "больших выигрышей"),
    ("большой выигрыш", "большой выигрыш"),
    ("пора отыграться", "отыграться"),
    ("отыграй вчерашнее", "отыграй"),
    ("успей до матча", "успей"),
    ("Успейте!", "успейте"),
    ("Точный прогноз", "точный прогноз"),
    ("guaranteed", "guaranteed"),
    ("We GUARANTEE it", "guarantee"),
    ("risk-free", "risk-free"),
    ("risk free", "risk free"),
    ("risk\u2011free", "risk-free"),
    ("sure bet", "sure bet"),
    ("a surebet", "surebet"),
    ("without any risk", "without any risk"),
    ("100 percent", "100 percent"),
    ("earn with us", "earn"),
    ("a steady income", "income"),
    ("win it back", "win it back"),
    ("win big", "win big"),
    ("hurry", "hurry"),
]
DISGUISED = [
    "гapантия",  # Latin a and p
    "ГAPAHTИЯ",  # Latin A, P, A, H and T
    "гаран\u00adтия",  # a soft hyphen
    "гар\u200bан\u2060тия",  # no width
    "га\u0301ра\u0301нтия",  # accents
    "ｇｕａｒａｎｔｅｅ",
    "guаrаntее",  # Cyrillic а and е
    "бeс\u200dпроигрышный",
    "вeрняк",
    "sure\u00a0bеt",
]
ALLOWED = [
    "вернуть деньги",
    "Верните билет",
    "всё верно",
    "матч вернулся",
    "проверен и уверен",
    "неверный формат",
    "Деньги доходят за день",
    "больше 2.5 голов, максимальный тотал",
    "выигрыш хозяев",
    "точный счёт 2:1",
    "играли 1100%",
    "0.100 %",
    "1 100 % — ROI за сезон",
    "Early, learn, earnest",
    "Liverpool win, risk of rain",
    "the winner is sure to play",
    "",
]


class Wordings(Visitor):
    """Every variant of every text, with its values left out."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def visit_Pattern(self, node: ast.Pattern) -> None:  # noqa: N802
        self.found.append(
            "".join(element.value if isinstance(element, ast.TextElement) else "{}" for element in node.elements)
        )
        self.generic_visit(node)


def wordings() -> Iterator[tuple[str, str]]:
    for language in Language:
        for entry in SOURCES[language].body:
            if isinstance(entry, ast.Message):
                found = Wordings()
                found.visit(entry)
                yield from ((f"{entry.id.name} in {language}", wording) for wording in found.found)


def test_no_text_of_ours_promises_plays_down_or_urges() -> None:
    assert [(where, list(banned(text))) for where, text in wordings() if list(banned(text))] == []


@pytest.mark.parametrize(("text", "phrase"), BANNED)
def test_what_promises_plays_down_or_urges_is_refused(text: str, phrase: str) -> None:
    with pytest.raises(BannedWording) as caught:
        refuse(f"ЦСКА – Зенит, {text}, Ajax")
    assert caught.value.phrase == phrase


@pytest.mark.parametrize("text", DISGUISED)
def test_a_disguise_does_not_help(text: str) -> None:
    with pytest.raises(BannedWording):
        refuse(text)


@pytest.mark.parametrize("text", ALLOWED)
def test_words_that_only_resemble_are_left_alone(text: str) -> None:
    refuse(text)


def test_every_word_that_must_go_is_named_once() -> None:
    with pytest.raises(BannedWording) as caught:
        refuse("Верняк! Гарантия, ВЕРНЯК, risk-free")
    assert caught.value.phrase == "верняк, гарантия, risk-free"
