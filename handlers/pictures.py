"""Pictures for the chat: values and labels in, a PNG out, large enough to be read on a phone. Here is the sheet they
are drawn on, and the course of a player's balance; what admins are shown is in handlers/admin/pictures.py.

matplotlib's own objects and no pyplot, which would keep every picture for ever; brought in when the first one is
drawn, because it is heavy. Colours are told apart by every kind of eye: https://jfly.uni-koeln.de/color/
"""

import asyncio
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from handlers.texts import Translate
from services.periods import next_month
from services.wallets import Course

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INCHES = (10.8, 13.5)  # at 100 dots: 1080 × 1350, the shape that fills a phone held upright
_DOTS = 100
INK, GREY, BLUE, ORANGE, GREEN, PURPLE = "#1b1d22", "#6b7280", "#0072b2", "#e69f00", "#009e73", "#cc79a7"
SMALL, NORMAL, LARGE = 19, 22, 30


@dataclass(frozen=True, slots=True)
class Labels:
    title: str
    balance: str
    flow: str
    came: str
    went: str
    nothing: str


@dataclass(frozen=True, slots=True)
class Month:
    label: str
    came: float
    went: float


async def course(course: Course, t: Translate) -> bytes:
    """How a balance went, and what came in and went out by month. Drawn in a thread."""
    currency = course.opening.currency
    labels = Labels(
        title=t.plain("picture-title", currency=currency),
        balance=t.plain("picture-balance"),
        flow=t.plain("picture-flow"),
        came=t.plain("picture-came"),
        went=t.plain("picture-went"),
        nothing=t.plain("picture-nothing"),
    )
    days = [(course.since, float(course.opening.major)), *((day.day, float(day.closing.major)) for day in course.days)]
    days.append((max(course.until, days[-1][0]), days[-1][1]))
    return await asyncio.to_thread(draw, labels, days, _months(course, t))


def _months(course: Course, t: Translate) -> list[Month]:
    months: list[Month] = []
    at = course.since.year, course.since.month
    while at <= (course.until.year, course.until.month):
        of_month = [day for day in course.days if (day.day.year, day.day.month) == at]
        label = t.plain("month-short", month=at[1])
        if at[1] == 1 or (not months and at[1] < 12):  # two years side by side would touch
            label = f"{label}\n{at[0]}"
        came, went = sum(float(day.came.major) for day in of_month), sum(float(day.went.major) for day in of_month)
        months.append(Month(label, came, went))
        at = next_month(*at)
    return months


def draw(labels: Labels, days: Sequence[tuple[date, float]], months: Sequence[Month]) -> bytes:
    """`days`: the balance at the end of each. Takes a second or two the first time."""
    figure = sheet(labels.title)
    upper, lower = figure.subplots(2, 1, height_ratios=(1.15, 1))
    _balance(upper, labels, days)
    _flow(lower, labels, months)
    return png(figure)


def sheet(title: str) -> "Figure":
    """An empty picture with its title."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415
    from matplotlib.layout_engine import ConstrainedLayoutEngine  # noqa: PLC0415

    layout = ConstrainedLayoutEngine(w_pad=0.25, h_pad=0.25, hspace=0.08)
    figure = Figure(figsize=_INCHES, dpi=_DOTS, facecolor="white", layout=layout)
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=LARGE, fontweight="bold", color=INK)
    return figure


def png(figure: "Figure") -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=_DOTS)
    return file.getvalue()


def _balance(axes: "Axes", labels: Labels, days: Sequence[tuple[date, float]]) -> None:
    heading(axes, labels.balance)
    dates, values = [day for day, _ in days], [value for _, value in days]
    if dates[0] == dates[-1]:  # one day alone is a point: begin it a day earlier
        dates, values = [dates[0] - timedelta(days=1), *dates], [values[0], *values]
    places = along_days(axes, dates)
    axes.step(places, values, where="post", color=BLUE, linewidth=4)
    axes.fill_between(places, values, step="post", color=BLUE, alpha=0.12)
    axes.set_ylim(bottom=0, top=max(values) * 1.12 or 1)
    dress(axes)


def _flow(axes: "Axes", labels: Labels, months: Sequence[Month]) -> None:
    heading(axes, labels.flow)
    places = range(len(months))
    axes.bar([place - 0.2 for place in places], [one.came for one in months], 0.38, color=BLUE, label=labels.came)
    axes.bar([place + 0.2 for place in places], [one.went for one in months], 0.38, color=ORANGE, label=labels.went)
    axes.set_xticks(list(places), [one.label for one in months])
    axes.set_xlim(-0.6, max(len(months), 4) - 0.4)
    if any(one.came < 0 or one.went < 0 for one in months):
        axes.axhline(0, color=GREY, linewidth=1.5)
    if not any(one.came or one.went for one in months):
        axes.set_ylim(0, 1)
        nothing(axes, labels.nothing)
    legend(axes)
    dress(axes)


def heading(axes: "Axes", text: str) -> None:
    axes.set_title(text, fontsize=NORMAL, color=GREY, loc="left", pad=14)


def legend(axes: "Axes") -> None:
    """Beside the heading, where no value can be behind it."""
    axes.legend(fontsize=SMALL, frameon=False, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, borderaxespad=0.2)


def nothing(axes: "Axes", text: str) -> None:
    """Says in the middle that there is nothing to be drawn."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", fontsize=NORMAL, color=GREY)


def along_days(axes: "Axes", days: Sequence[date]) -> list[float]:
    """Lets days run from left to right; answers where each is."""
    from matplotlib.dates import AutoDateLocator, DateFormatter, date2num  # noqa: PLC0415

    places = [float(date2num(day)) for day in days]  # type: ignore[no-untyped-call]
    axes.set_xlim(places[0], places[-1])
    form = "%d.%m" if places[-1] - places[0] <= 120 else "%m.%Y"
    axes.xaxis.set_major_locator(AutoDateLocator(minticks=2, maxticks=5))  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(DateFormatter(form))  # type: ignore[no-untyped-call]
    return places


def dress(axes: "Axes") -> None:
    """Values upwards, a quiet grid, no frame."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator  # noqa: PLC0415

    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    axes.tick_params(labelsize=SMALL, colors=INK, length=0, pad=10)
    axes.grid(axis="y", color="#e5e7eb", linewidth=1.5)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color("#c4c8d0")


def short(value: float) -> str:
    """`12 500`, `0.25`."""
    text = f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"
    return text.replace(",", "\N{NO-BREAK SPACE}")
