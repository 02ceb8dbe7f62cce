"""Pictures for admins: the size of a phone, in both languages, of any past and of none."""

import struct
from collections.abc import Sequence
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

from db.models import Attendance, Cohort, Conversion, Counters, Language, Turnover
from db.money import CURRENCIES, Money
from handlers.admin import pictures
from handlers.texts import Texts, Translate
from services.insights import CasinoFigures, Overview, Takings

TEXTS = Texts(timezone=ZoneInfo("Europe/Moscow"), default=Language.RU)
NOBODY = Conversion("1win", 0, 0, 0)
MONDAY = date(2026, 3, 2)


@pytest.fixture(params=Language)
def t(request: pytest.FixtureRequest) -> Translate:
    return TEXTS.translator(request.param)


def sane(png: bytes) -> bool:
    width, height = struct.unpack(">II", png[16:24])
    return png.startswith(b"\x89PNG\r\n\x1a\n") and (width, height) == (1080, 1350) and 10_000 < len(png) < 500_000


@pytest.mark.parametrize(
    ("counters", "days"),
    [
        (Counters(0, 0, 0, 0), [(0, 0)]),
        (Counters(1, 1, 1, 1), [(1, 1)]),
        (Counters(10**7, 10**6, 10**5, 1), [(day % 7 * 1000, day * 10**4) for day in range(366)]),
    ],
)
async def test_players_are_drawn_as_a_funnel_and_by_day(
    t: Translate, counters: Counters, days: Sequence[tuple[int, int]]
) -> None:
    attendance = [Attendance(MONDAY + timedelta(days=day), new, active) for day, (new, active) in enumerate(days)]
    for channel in (True, False):
        assert sane(await pictures.overview(Overview(counters, channel, [], []), attendance, t))


@pytest.mark.parametrize("minor", [0, 1, 9 * 10**18])
async def test_money_is_drawn_by_provider_in_each_currency(t: Translate, minor: int) -> None:
    turnover = [
        Turnover(kind, provider, int(minor > 0), Money(minor, currency), 1, 0)
        for currency in CURRENCIES
        for kind, provider in (("deposit", "stripe"), ("deposit", "yookassa"), ("withdrawal", "manual"))
    ]
    assert sane(await pictures.takings(Takings(turnover, []), "30 дней", t))


@pytest.mark.parametrize("programmes", [0, 1, 5])
async def test_conversion_is_drawn_for_each_programme(t: Translate, programmes: int) -> None:
    overall = Conversion("1win", 10**6, 10**5, 1)
    figures = [CasinoFigures(f"Casino {number}", [], 0, NOBODY, overall, 0) for number in range(programmes)]
    assert sane(await pictures.casinos(figures, "30 дней", t))


@pytest.mark.parametrize("size", [0, 1, 10**6])
async def test_cohorts_are_drawn_with_weeks_that_nobody_came_in(t: Translate, size: int) -> None:
    weeks = [
        Cohort(MONDAY + timedelta(weeks=week), size * (week % 3 > 0), [size * (week % 3 > 0)] * (8 - week))
        for week in range(8)
    ]
    assert sane(await pictures.cohorts(weeks, "По аккаунту в казино · Депозит в казино", t))
