"""Pictures of how the business goes: who came and how far, what moved, what became of registrations, week by week.

Words are looked up before the thread begins that draws; what is drawn are plain numbers.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from db.models import Attendance, Cohort, Conversion
from handlers.pictures import (
    BLUE,
    GREEN,
    GREY,
    INK,
    NORMAL,
    ORANGE,
    PURPLE,
    SMALL,
    along_days,
    dress,
    heading,
    legend,
    nothing,
    png,
    sheet,
    short,
)
from handlers.texts import Translate
from services.insights import CasinoFigures, Overview, Takings
from services.statistics import whole_percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = (BLUE, ORANGE, GREEN, PURPLE)
_CURRENCIES = 4
"""Panels that a picture has room for; as many as there are currencies."""
_PROGRAMMES = len(_COLOURS)
_DOTTED = 31
"""Of so many days each has a dot."""
_WHOLE = 1000
"""From here on the fraction of an amount only takes room."""


@dataclass(frozen=True, slots=True)
class Bars:
    """One colour of a chart: a value for each of its places; None where it has none to show."""

    name: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Line:
    """A value for each day."""

    name: str
    values: Sequence[int]


async def overview(overview: Overview, days: Sequence[Attendance], t: Translate) -> bytes:
    """The four counters as a funnel, and each day's new and active players."""
    counters = overview.counters
    steps = [
        (t.plain("admin-insights-counter", counter="users"), counters.users),
        (t.plain("admin-insights-counter", counter="subscribed"), counters.subscribed),
        (t.plain("admin-insights-counter", counter="deposited"), counters.deposited),
        (t.plain("admin-insights-counter", counter="signals"), counters.signals_open),
    ]
    if not overview.channel:
        del steps[1]
    return await asyncio.to_thread(
        _draw_overview,
        t.plain("button-insight", insight="overview"),
        t.plain("admin-picture-steps"),
        steps,
        t.plain("admin-picture-days"),
        [
            Line(t.plain("admin-picture-active"), [day.active for day in days]),
            Line(t.plain("admin-picture-new"), [day.new for day in days]),
        ],
        [day.day for day in days],
        t.plain("admin-picture-nobody"),
    )


def _draw_overview(
    title: str,
    steps_title: str,
    steps: Sequence[tuple[str, int]],
    days_title: str,
    lines: Sequence[Line],
    days: Sequence[date],
    empty: str,
) -> bytes:
    figure = sheet(title)
    halves = figure.add_gridspec(2, 1, height_ratios=(1, 1.15))  # each as wide as its own labels allow
    upper, lower = (figure.add_subfigure(halves[half]).subplots() for half in range(2))
    heading(upper, steps_title)
    _across(upper, [name for name, _ in steps], [Bars("", [count for _, count in steps])])
    heading(lower, days_title)
    if any(any(line.values) for line in lines):
        _by_day(lower, lines, days)
    else:
        lower.set_axis_off()
        nothing(lower, empty)
    return png(figure)


def _by_day(axes: "Axes", lines: Sequence[Line], days: Sequence[date]) -> None:
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

    places = along_days(axes, days) if len(days) > 1 else [0.0]
    few = len(days) <= _DOTTED
    for line, colour, dot in zip(lines, _COLOURS, "os", strict=False):
        axes.plot(
            places,
            line.values,
            color=colour,
            linewidth=4 if few else 2,
            marker=dot if few else "",
            markersize=9,
            label=line.name,
            clip_on=False,
        )
    if len(days) == 1:
        axes.set_xticks(places, [f"{days[0]:%d.%m}"])
    axes.set_ylim(bottom=0, top=max(max(line.values) for line in lines) * 1.12)
    legend(axes)
    dress(axes)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))


async def takings(takings: Takings, period: str, t: Translate) -> bytes:
    """What came in and went out through each provider, a panel for each currency."""
    moved: dict[str, dict[str, dict[str, float]]] = {}
    for one in takings.turnover:
        if one.count:
            names = moved.setdefault(one.total.currency, {})
            names.setdefault(one.provider, {})[one.kind] = float(one.total.major)
    panels = [
        (
            currency,
            [t.plain("admin-insights-provider", provider=provider) for provider in names],
            [
                Bars(t.plain("admin-picture-deposits"), [sums.get("deposit") for sums in names.values()]),
                Bars(t.plain("admin-picture-withdrawals"), [sums.get("withdrawal") for sums in names.values()]),
            ],
        )
        for currency, names in list(moved.items())[:_CURRENCIES]
    ]
    title = f"{t.plain('button-insight', insight='money')}: {period}"
    return await asyncio.to_thread(_draw_panels, title, panels, t.plain("picture-nothing"))


async def casinos(figures: Sequence[CasinoFigures], period: str, t: Translate) -> bytes:
    """How many of the players linked in a period paid in, and how many again; and of all players."""
    steps = [t.plain("admin-picture-step", step=step) for step in ("registered", "deposited", "repeated")]
    shown = figures[:_PROGRAMMES]
    panels = [
        (name, steps, [Bars(one.title, _steps(conversion)) for one, conversion in found])
        for name, found in (
            (t.plain("admin-picture-linked"), [(one, one.linked) for one in shown]),
            (t.plain("admin-picture-overall"), [(one, one.overall) for one in shown]),
        )
    ]
    title = f"{t.plain('button-insight', insight='casino')}: {period}"
    return await asyncio.to_thread(_draw_panels, title, panels, t.plain("admin-picture-nobody"))


def _steps(conversion: Conversion) -> list[float]:
    return [conversion.registered, conversion.deposited, conversion.repeated]


def _draw_panels(title: str, panels: Sequence[tuple[str, Sequence[str], Sequence[Bars]]], empty: str) -> bytes:
    figure = sheet(title)
    charts = figure.subplots(len(panels) or 1, 1, squeeze=False)[:, 0]
    if not panels:
        charts[0].set_axis_off()
        nothing(charts[0], empty)
    named = None
    for axes, (name, places, bars) in zip(charts, panels, strict=False):
        heading(axes, name)
        if any(any(one.values) for one in bars):
            _across(axes, places, bars)
            named = axes
        else:
            axes.set_axis_off()
            nothing(axes, empty)
    if named is not None:  # below, because beside a heading there is no room for long names
        whose = named.get_legend_handles_labels()
        figure.legend(*whose, loc="outside lower center", ncols=2, fontsize=SMALL, frameon=False)
    return png(figure)


def _across(axes: "Axes", places: Sequence[str], bars: Sequence[Bars]) -> None:
    """Bars from left to right, each with its value at its end: long names fit before them."""
    height = 0.78 / len(bars)
    for number, (one, colour) in enumerate(zip(bars, _COLOURS, strict=False)):
        at = [place + (number - (len(bars) - 1) / 2) * height for place in range(len(places))]
        lengths = [value or 0.0 for value in one.values]
        drawn = axes.barh(at, lengths, height * 0.94, color=colour, label=one.name)
        values = ["" if value is None else short(value if value < _WHOLE else round(value)) for value in one.values]
        axes.bar_label(drawn, values, padding=8, fontsize=SMALL, color=INK)
    middle, half = (len(places) - 1) / 2, max(len(places), 2) / 2
    axes.set_yticks(range(len(places)), places)
    axes.set_ylim(middle + half, middle - half)
    axes.set_xlim(0, max(value or 0.0 for one in bars for value in one.values) * 1.4 or 1)
    axes.tick_params(labelsize=SMALL, colors=INK, length=0, pad=10)
    axes.xaxis.set_visible(False)
    for side in ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)
    axes.spines["left"].set_color("#c4c8d0")


async def cohorts(weeks: Sequence[Cohort], name: str, t: Translate) -> bytes:
    """The share of each week's players who paid in, in that week and in those after it; `name`: who and where."""
    return await asyncio.to_thread(
        _draw_cohorts,
        t.plain("button-insight", insight="cohorts"),
        f"{name}, %",
        t.plain("admin-picture-weeks-after"),
        t.plain("admin-picture-nobody"),
        weeks,
    )


def _draw_cohorts(title: str, rows: str, columns: str, empty: str, weeks: Sequence[Cohort]) -> bytes:
    figure = sheet(title)
    axes = figure.subplots()
    heading(axes, rows)
    if not any(week.size for week in weeks):
        axes.set_axis_off()
        nothing(axes, empty)
        return png(figure)
    shares = [[whole_percent(paid, week.size) for paid in week.deposited] for week in weeks]
    wide = max(map(len, shares))
    most = max((share for row in shares for share in row if share is not None), default=0) or 1
    grid = [[float("nan") if share is None else share for share in row] for row in shares]
    blank = [[float("nan")] * (wide - len(row)) for row in shares]
    axes.imshow(
        [row + rest for row, rest in zip(grid, blank, strict=True)],
        cmap="Blues",
        vmin=0,
        vmax=most * 1.15,
        aspect="auto",
    )
    for y, row in enumerate(shares):
        for x, share in enumerate(row):
            if share is not None:
                ink = "white" if share > most * 0.6 else INK
                axes.text(x, y, str(share), ha="center", va="center", fontsize=NORMAL, color=ink)
    axes.set_yticks(range(len(weeks)), [f"{week.week:%d.%m} · {week.size}" for week in weeks])
    axes.set_xticks(range(wide), [str(number) for number in range(wide)])
    axes.set_xlabel(columns, fontsize=SMALL, color=GREY, labelpad=14)
    axes.tick_params(labelsize=SMALL, colors=INK, length=0, pad=10)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return png(figure)
