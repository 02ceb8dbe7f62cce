"""Periods: how people say them, how they travel in a button, and where they begin and end in a time zone."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from services.errors import NotAPeriod

_OWN = re.compile(r"[0-9]{12}")
_DATE = r"([0-9]{1,2})[.\/]([0-9]{1,2})(?:[.\/]([0-9]{4}|[0-9]{2}))?"
_TYPED = re.compile(rf"\s*{_DATE}\s*(?:(?:[-–—]|\.\.\.?|…|по|to)?\s*{_DATE})?\s*")


class Named(StrEnum):
    ALL = "a"
    TODAY = "d"
    WEEK = "w"
    THIRTY_DAYS = "t"
    MONTH = "m"
    LAST_MONTH = "l"
    YEAR = "y"


@dataclass(frozen=True, slots=True)
class Period:
    """A letter for the named ones; for own dates twelve digits, the first day and the last: 261101261115."""

    code: str = Named.ALL

    def __post_init__(self) -> None:
        """Raises ValueError for a code that is no period."""
        if self.code not in set(Named):
            first, last = _own(self.code)
            if last < first:
                raise ValueError("a period that ends before it begins")

    @classmethod
    def of(cls, first: date, last: date) -> "Period":
        """Both days are in it."""
        return cls(f"{first:%y%m%d}{last:%y%m%d}")

    @classmethod
    def parse(cls, text: str, today: date) -> "Period":
        """Reads own dates as typed: `01.11.2026–15.11.2026`, `1.11 - 15.11`, `20.11.2026`. Raises NotAPeriod."""
        example = f"01.{today:%m.%Y}–15.{today:%m.%Y}"
        typed = _TYPED.fullmatch(text) if len(text) <= 60 else None
        if typed is None:
            raise NotAPeriod(example)
        day, month, year, last_day, last_month, last_year = typed.groups()
        try:
            first = _date(day, month, year or last_year, today)
            last = first if last_day is None else _date(last_day, last_month, last_year or year, today)
        except ValueError:
            raise NotAPeriod(example) from None
        if year is None and first > last:  # 28.12–03.01: the year turns in between
            first = first.replace(year=first.year - 1, day=min(first.day, 28) if first.month == 2 else first.day)
        return cls.of(min(first, last), max(first, last))

    @property
    def name(self) -> str:
        """Of a named one: `today`, `thirty_days`."""
        return Named(self.code).name.lower()

    @property
    def own(self) -> tuple[date, date] | None:
        """The first and the last day of own dates."""
        return None if self.code in set(Named) else _own(self.code)

    def days(self, today: date) -> tuple[date | None, date | None]:
        """The first day, and the first day after it; None: no end on that side."""
        match self.code:
            case Named.ALL:
                return None, None
            case Named.TODAY:
                return today, None
            case Named.WEEK:
                return today - timedelta(days=6), None
            case Named.THIRTY_DAYS:
                return today - timedelta(days=29), None
            case Named.MONTH:
                return today.replace(day=1), None
            case Named.LAST_MONTH:
                this = today.replace(day=1)
                return (this - timedelta(days=1)).replace(day=1), this
            case Named.YEAR:
                return today.replace(month=1, day=1), None
            case _:
                first, last = _own(self.code)
                return first, last + timedelta(days=1)

    def bounds(self, now: datetime, zone: ZoneInfo) -> tuple[datetime | None, datetime | None]:
        """From, and until but not with. Days are `zone`'s: 23 or 25 hours long when its clocks are changed."""
        since, until = self.days(now.astimezone(zone).date())
        return None if since is None else midnight(since, zone), None if until is None else midnight(until, zone)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """When a day begins. Where clocks skip midnight, that is the moment they do."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def month_begins(year: int, month: int, zone: ZoneInfo) -> datetime:
    return midnight(date(year, month, 1), zone)


def next_month(year: int, month: int) -> tuple[int, int]:
    return (year + 1, 1) if month == 12 else (year, month + 1)


def _own(code: str) -> tuple[date, date]:
    if not _OWN.fullmatch(code):
        raise ValueError("not a period")
    first, last = (date(2000 + int(part[:2]), int(part[2:4]), int(part[4:])) for part in (code[:6], code[6:]))
    return first, last


def _date(day: str, month: str, year: str | None, today: date) -> date:
    number = today.year if year is None else int(year) + (2000 if len(year) == 2 else 0)
    if not 2000 <= number <= 2098:  # two digits in a button, and a day after it
        raise ValueError("beyond what a button can carry")
    return date(number, int(month), int(day))
