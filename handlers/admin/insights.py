"""How the business goes: players, money, casinos, cohorts; each as figures and as a picture."""

from collections.abc import Sequence
from datetime import UTC, datetime

from aiogram import F, Router
from aiogram.filters import Command
from aiogram.types import CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, Message

from db.models import Alert, CasinoEventKind, Cohort, Conversion, Headcount, Turnover
from handlers.admin import pictures
from handlers.admin.callbacks import Insight, OpenInsights
from handlers.callbacks import Open, Place
from handlers.keyboards import button, rows, to_desk
from handlers.screen import Screen
from handlers.texts import Translate, rate
from services.insights import CasinoFigures, Insights, Overview, Takings
from services.periods import Named, Period
from services.statistics import percent, whole_percent

_SPANS = {
    Insight.MONEY: (Named.TODAY, Named.WEEK, Named.THIRTY_DAYS, Named.ALL),
    Insight.CASINO: (Named.TODAY, Named.WEEK, Named.THIRTY_DAYS, Named.ALL),
}
"""What can be chosen under figures; those of players stand side by side."""
_DRAWN = {**_SPANS, Insight.OVERVIEW: (Named.WEEK, Named.THIRTY_DAYS, Named.YEAR)}
"""The same under pictures."""


def create_router() -> Router:
    router = Router(name="admin-insights")
    router.message.register(stats, Command("stats", ignore_case=True))
    router.callback_query.register(draw, OpenInsights.filter(F.picture))
    router.callback_query.register(open_insights, OpenInsights.filter())
    return router


async def stats(message: Message, screen: Screen, insights: Insights, t: Translate) -> None:
    await _show(screen, insights, t, OpenInsights())


async def open_insights(
    query: CallbackQuery, callback_data: OpenInsights, screen: Screen, insights: Insights, t: Translate
) -> None:
    if callback_data.below:
        screen.below()
    await _show(screen, insights, t, callback_data)


async def draw(
    query: CallbackQuery, callback_data: OpenInsights, screen: Screen, insights: Insights, t: Translate
) -> None:
    now, period = datetime.now(UTC), Period(callback_data.span)
    caption = t("button-insight", insight=callback_data.insight.name.lower())
    match callback_data.insight:
        case Insight.OVERVIEW:
            drawn = await pictures.overview(await insights.overview(now), await insights.attendance(period, now), t)
        case Insight.MONEY:
            drawn = await pictures.takings(await insights.takings(period, now), _name(t, period), t)
        case Insight.CASINO:
            drawn = await pictures.casinos(await insights.casinos(period, now), _name(t, period), t)
        case Insight.COHORTS:
            caption = _cohorts_name(t, callback_data)
            drawn = await pictures.cohorts(await _cohorts(insights, callback_data, now), caption, t)
    await screen.photo(drawn, caption, _keyboard(t, callback_data))


async def _show(screen: Screen, insights: Insights, t: Translate, asked: OpenInsights) -> None:
    now, period = datetime.now(UTC), Period(asked.span)
    match asked.insight:
        case Insight.OVERVIEW:
            text = _overview(t, insights, await insights.overview(now))
        case Insight.MONEY:
            text = _takings(t, period, await insights.takings(period, now))
        case Insight.CASINO:
            text = _casinos(t, period, await insights.casinos(period, now))
        case Insight.COHORTS:
            text = _table(t, asked, await _cohorts(insights, asked, now))
    await screen.show(text, _keyboard(t, asked))


async def _cohorts(insights: Insights, asked: OpenInsights, now: datetime) -> Sequence[Cohort]:
    return await insights.cohorts(now, registered=asked.registered, casino=asked.at_casino)


def _keyboard(t: Translate, asked: OpenInsights) -> InlineKeyboardMarkup:
    """The other figures, what can be chosen of these, and the way from figures to their picture or back."""

    def choice(label: str, **other: object) -> InlineKeyboardButton:
        wanted = asked.model_copy(update={"below": False, **other})
        chosen = wanted == asked.model_copy(update={"below": False})
        return button(t("button-chosen", label=label) if chosen else label, wanted)

    spans = (_DRAWN if asked.picture else _SPANS).get(asked.insight, ())
    pages = [choice(t("button-insight", insight=page.name.lower()), insight=page) for page in Insight]
    cohorts = [
        [
            choice(t("button-cohort", by="joined"), registered=False),
            choice(t("button-cohort", by="registered"), registered=True),
        ],
        [
            choice(t("button-cohort", by="casino"), at_casino=True),
            choice(t("button-cohort", by="here"), at_casino=False),
        ],
    ]
    other = OpenInsights(
        insight=asked.insight,
        span=asked.span,
        registered=asked.registered,
        at_casino=asked.at_casino,
        picture=not asked.picture,
        below=asked.picture,
    )
    periods = [choice(t("period", period=Period(span).name), span=span) for span in spans]
    return rows(
        periods[:2],
        periods[2:],
        *(cohorts if asked.insight is Insight.COHORTS else ()),
        [button(t("button-figures" if asked.picture else "button-draw"), other)],
        pages[:2],
        pages[2:],
        [to_desk(t, below=asked.picture), button(t("button-menu"), Open(place=Place.MENU, below=asked.picture))],
    )


def opens_below(t: Translate, insight: Insight) -> InlineKeyboardMarkup:
    """Under a message that stays as it is."""
    return rows([button(t("button-desk-statistics"), OpenInsights(insight=insight, below=True))])


def _name(t: Translate, period: Period) -> str:
    return t("period", period=period.name)


# Players


def _overview(t: Translate, insights: Insights, found: Overview) -> str:
    counters = {
        "users": found.counters.users,
        "subscribed": found.counters.subscribed,
        "deposited": found.counters.deposited,
        "signals": found.counters.signals_open,
    }
    if not found.channel:
        del counters["subscribed"]
    parts = [
        "\n".join([t("admin-insights"), *(_counter(t, name, count) for name, count in counters.items())]),
        "\n".join([t("admin-insights-new"), *(_came(t, one) for one in found.headcounts)]),
        "\n".join([t("admin-insights-active"), *(_wrote(t, one) for one in found.headcounts)]),
    ]
    if found.alerts:
        parts.append("\n".join(alert_lines(t, insights, found.alerts)))
    return "\n\n".join(parts)


def _counter(t: Translate, name: str, count: int) -> str:
    return f"{t('admin-insights-counter', counter=name)}: <b>{count}</b>"


def _came(t: Translate, found: Headcount) -> str:
    return _change(t, found.days, found.new, found.new_before)


def _wrote(t: Translate, found: Headcount) -> str:
    return _change(t, found.days, found.active, found.active_before)


def _change(t: Translate, days: int, count: int, before: int) -> str:
    direction = "up" if count > before else "down" if count < before else "same"
    return t("admin-insights-change", days=days, count=count, direction=direction, before=before)


def alert_lines(t: Translate, insights: Insights, found: Sequence[Alert]) -> list[str]:
    """A heading, and what is wrong, of what, and since when."""
    lines = [
        t("admin-insights-alert", kind=one.kind, subject=insights.title(one.subject), at=one.since) for one in found
    ]
    return [t("admin-insights-alerts"), *lines]


# Money


def _takings(t: Translate, period: Period, found: Takings) -> str:
    parts = [t("admin-insights-money", period=_name(t, period))]
    for kind in ("deposit", "withdrawal"):
        lines = [_turnover(t, one) for one in found.turnover if one.kind == kind]
        if lines:
            parts.append("\n".join([t("admin-insights-flow", kind=kind), *lines]))
    if found.returned:
        lines = [
            t("admin-insights-returned", kind=one.kind, provider=one.provider, count=one.count, total=one.total)
            for one in found.returned
        ]
        parts.append("\n".join([t("admin-insights-flow", kind="return"), *lines]))
    if len(parts) == 1:
        parts.append(t("admin-insights-nothing"))
    return "\n\n".join(parts)


def _turnover(t: Translate, found: Turnover) -> str:
    return t(
        "admin-insights-turnover",
        provider=found.provider,
        currency=found.total.currency,
        count=found.count,
        total=found.total,
        average=str(found.total.average(found.count)) if found.count else "—",
        succeeded=found.succeeded,
        ended=found.ended,
        rate=rate(percent(found.succeeded, found.ended)),
    )


# Casinos


def _casinos(t: Translate, period: Period, found: Sequence[CasinoFigures]) -> str:
    heading = t("admin-insights-casino", period=_name(t, period))
    return "\n\n".join(
        [heading, *(_programme(t, one) for one in found)] if found else [heading, t("admin-insights-nothing")]
    )


def _programme(t: Translate, found: CasinoFigures) -> str:
    deposits = t(
        "admin-insights-deposits",
        count=found.count(CasinoEventKind.DEPOSIT),
        first=found.first,
        repeated=found.repeated,
    )
    lines = [
        t("admin-insights-programme", programme=found.title),
        t("admin-insights-event", kind="registration", count=found.count(CasinoEventKind.REGISTRATION)),
        deposits,
        *_sums(t, found, CasinoEventKind.DEPOSIT),
    ]
    for kind in (CasinoEventKind.WITHDRAWAL, CasinoEventKind.WIN):
        lines += [t("admin-insights-event", kind=kind, count=found.count(kind)), *_sums(t, found, kind)]
    if found.unclaimed:
        lines.append(t("admin-insights-unclaimed", count=found.unclaimed))
    return "\n".join([*lines, "", _conversion(t, "linked", found.linked), _conversion(t, "overall", found.overall)])


def _sums(t: Translate, found: CasinoFigures, kind: CasinoEventKind) -> list[str]:
    return [
        t("admin-insights-sum", total=str(one.total), count=one.count)
        for one in found.turnover
        if one.kind is kind and one.total is not None
    ]


def _conversion(t: Translate, of: str, found: Conversion) -> str:
    return t(
        "admin-insights-conversion",
        of=of,
        registered=found.registered,
        deposited=found.deposited,
        rate=rate(percent(found.deposited, found.registered)),
        repeated=found.repeated,
        again=rate(percent(found.repeated, found.deposited)),
    )


# Cohorts


def _cohorts_name(t: Translate, asked: OpenInsights) -> str:
    came = t("button-cohort", by="registered" if asked.registered else "joined")
    paid = t("button-cohort", by="casino" if asked.at_casino else "here")
    return t("admin-insights-cohorts-name", came=came, paid=paid)


def _table(t: Translate, asked: OpenInsights, weeks: Sequence[Cohort]) -> str:
    """When each week began, how many came in it, and how much of a hundred paid in it and in each week after it; every
    column as narrow as can be, for a phone."""
    heading = t("admin-insights-cohorts", name=_cohorts_name(t, asked))
    lines = [["", "", *(str(number) for number in range(len(weeks)))]]
    lines += [
        [f"{week.week:%d.%m}", str(week.size), *(_whole(paid, week.size) for paid in week.deposited)] for week in weeks
    ]
    widths = [max(len(line[column]) for line in lines if column < len(line)) for column in range(len(lines[0]))]
    aligned = [" ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=False)) for line in lines]
    table = "\n".join(t("admin-insights-row", row=line.rstrip()) for line in aligned)
    return "\n\n".join([heading, table])


def _whole(part: int, whole: int) -> str:
    share = whole_percent(part, whole)
    return "" if share is None else str(share)
