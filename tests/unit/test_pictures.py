"""Pictures: the size of a phone, in both languages, of any past."""

import struct
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

from db.models import Day, Language
from db.money import Money
from handlers import pictures
from handlers.pictures import Labels, Month, draw
from handlers.texts import Texts
from services.wallets import Course

TEXTS = Texts(timezone=ZoneInfo("Europe/Moscow"), default=Language.RU)
LABELS = Labels("Баланс, USD", "Остаток", "Ввод и вывод", "ввод", "вывод", "движений не было")


def size(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    return width, height


@pytest.mark.parametrize(
    ("days", "months"),
    [
        ([(date(2026, 11, 20), 0.0), (date(2026, 11, 20), 0.0)], [Month("ноя\n2026", 0, 0)]),
        ([(date(2026, 11, 1), 5.0), (date(2026, 11, 20), 7.5)], [Month("ноя\n2026", 7.5, 0)]),
        (
            [(date(2025, 12, 1) + timedelta(days=day), 9e12 - day) for day in range(355)],
            [Month(f"м{number}", 1e12, -5e11) for number in range(12)],
        ),
    ],
)
def test_any_past_can_be_drawn_for_a_phone(days: list[tuple[date, float]], months: list[Month]) -> None:
    png = draw(LABELS, days, months)
    assert size(png) == (1080, 1350)
    assert len(png) < 1_000_000


@pytest.mark.parametrize("language", Language)
async def test_a_course_is_drawn_in_both_languages(language: Language) -> None:
    def usd(minor: int) -> Money:
        return Money(minor, "USD")

    days = [Day(date(2026, month, 3), usd(month * 100_00), usd(200_00), usd(100_00)) for month in range(1, 12)]
    course = Course(date(2025, 12, 1), date(2026, 11, 20), usd(50_00), days)
    assert size(await pictures.course(course, TEXTS.translator(language))) == (1080, 1350)
