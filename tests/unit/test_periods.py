"""Periods: as people type them, as buttons carry them, and where they begin and end."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from services.errors import NotAPeriod
from services.periods import Named, Period, midnight

MOSCOW = ZoneInfo("Europe/Moscow")
TODAY = date(2026, 11, 20)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("01.11.2026–15.11.2026", "261101261115"),
        ("01.11.2026 - 15.11.2026", "261101261115"),
        ("1.11-15.11", "261101261115"),
        ("01.11.26 — 15.11.26", "261101261115"),
        ("  01/11/2026 по 15/11/2026 ", "261101261115"),
        ("15.11.2026–01.11.2026", "261101261115"),
        ("29.02.2024", "240229240229"),
        ("20.11", "261120261120"),
        ("28.12-03.01.2026", "251228260103"),
    ],
)
def test_own_dates_are_read_as_people_type_them(typed: str, code: str) -> None:
    assert Period.parse(typed, TODAY).code == code


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "вчера",
        "31.02.2026",
        "29.02.2026",
        "32.01.2026",
        "1.13.2026",
        "01.11.2026–",
        "01.11.1999",
        "01.11.2099",
        "2026-11-01",
        "01.11.2026 15.11.2026 20.11.2026",
        "٠١.١١.٢٠٢٦",
        "0" * 500,
        "1.1.1",
        "-1.11.2026",
    ],
)
def test_what_is_no_date_is_refused_with_an_example(typed: str) -> None:
    with pytest.raises(NotAPeriod) as refused:
        Period.parse(typed, TODAY)
    assert Period.parse(refused.value.example, TODAY).code == "261101261115"


@pytest.mark.parametrize(
    "code", ["", "x", "aa", "261131261201", "261115261101", "2611012611", "٢٦١١٠١٢٦١١١٥", "-61101261115"]
)
def test_what_is_no_period_cannot_come_from_a_button(code: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        Period(code)


def test_the_named_periods_begin_where_they_should() -> None:
    now = utc("2024-02-29 21:30:00")  # the first of March in Moscow
    assert {name: Period(name).bounds(now, MOSCOW) for name in Named} == {
        Named.ALL: (None, None),
        Named.TODAY: (utc("2024-02-29 21:00:00"), None),
        Named.WEEK: (utc("2024-02-23 21:00:00"), None),
        Named.THIRTY_DAYS: (utc("2024-01-31 21:00:00"), None),
        Named.MONTH: (utc("2024-02-29 21:00:00"), None),
        Named.LAST_MONTH: (utc("2024-01-31 21:00:00"), utc("2024-02-29 21:00:00")),
        Named.YEAR: (utc("2023-12-31 21:00:00"), None),
    }


def test_own_dates_are_whole_days_the_last_one_too() -> None:
    assert Period("261101261115").bounds(utc("2020-01-01"), MOSCOW) == (
        utc("2026-10-31 21:00:00"),
        utc("2026-11-15 21:00:00"),
    )


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("America/Santiago", date(2026, 9, 6), 23),  # midnight itself is skipped
        ("Africa/Cairo", date(2026, 10, 29), 25),  # and here it comes twice
        ("Europe/Moscow", date(2026, 2, 28), 24),
    ],
)
def test_days_on_which_clocks_are_changed_have_their_own_length(zone: str, day: date, hours: int) -> None:
    since, until = Period.of(day, day).bounds(utc("2026-01-01"), ZoneInfo(zone))
    assert since
    assert until
    assert (until - since).total_seconds() == hours * 3600
    assert midnight(day, ZoneInfo(zone)) == since
