"""Every movement of a player's money: filtered, page by page, each with its story; and what they come to."""

from collections.abc import Sequence
from dataclasses import replace

from aiogram import F, Router
from aiogram.filters import Command
from aiogram.fsm.context import FSMContext
from aiogram.types import CallbackQuery, Message

from db.models import Asked, Movement, OperationStatus, Player, Request, Story
from handlers import filters, keyboards, pictures, reports
from handlers.callbacks import (
    AskDates,
    Count,
    DatesFor,
    Narrow,
    Open,
    Picture,
    Place,
    Tell,
    Turn,
    unpack_filter,
)
from handlers.screen import Screen
from handlers.states import Typing
from handlers.texts import Translate, rate, signed
from services.periods import Period
from services.statistics import Statistics
from services.wallets import COUNTED, Filter, Found, Status, Wallets


def create_router() -> Router:
    router = Router(name="history")
    router.message.register(newest, Command("history", ignore_case=True))
    router.callback_query.register(newest, Open.filter(F.place == Place.HISTORY))
    router.callback_query.register(turn, Turn.filter())
    router.callback_query.register(narrow, Narrow.filter())
    router.callback_query.register(tell, Tell.filter())
    router.callback_query.register(ask_dates, AskDates.filter())
    router.message.register(dates_typed, filters.Answer(Typing.dates))
    router.callback_query.register(count, Count.filter())
    router.callback_query.register(picture, Picture.filter())
    return router


async def newest(
    event: Message | CallbackQuery, screen: Screen, player: Player, wallets: Wallets, t: Translate
) -> None:
    await _list(screen, player, wallets, t, Filter())


async def turn(
    query: CallbackQuery, callback_data: Turn, screen: Screen, player: Player, wallets: Wallets, t: Translate
) -> None:
    wanted = unpack_filter(callback_data.code)
    found = await wallets.history(player, wanted, before=callback_data.before, after=callback_data.after)
    text = _page(t, wanted, found) if found.page.items else t("history-page-empty")
    await screen.show(text, keyboards.history(t, wanted, found.page))


async def narrow(
    query: CallbackQuery, callback_data: Narrow, screen: Screen, player: Player, wallets: Wallets, t: Translate
) -> None:
    currencies = [wallet.currency for wallet in await wallets.balances(player)]
    await screen.show(t("history-filters"), keyboards.filters(t, unpack_filter(callback_data.code), currencies))


async def tell(
    query: CallbackQuery, callback_data: Tell, screen: Screen, player: Player, wallets: Wallets, t: Translate
) -> None:
    story = await wallets.story(player, unpack_filter(callback_data.code).status, callback_data.key)
    back = Turn(code=callback_data.code, before=callback_data.before)
    await screen.show(_story(t, story), keyboards.story(t, back))


async def ask_dates(
    query: CallbackQuery, callback_data: AskDates, screen: Screen, state: FSMContext, t: Translate
) -> None:
    await state.set_state(Typing.dates)
    await state.set_data({"purpose": callback_data.purpose, "filter": callback_data.code})
    await screen.show(t("history-type-dates"), keyboards.cancel(t))


async def dates_typed(
    message: Message, screen: Screen, state: FSMContext, player: Player, wallets: Wallets, t: Translate
) -> None:
    asked = await state.get_data()
    period = wallets.period(message.text or "")
    await state.clear()
    match DatesFor(asked["purpose"]):
        case DatesFor.HISTORY:
            wanted = unpack_filter(asked["filter"])
            await _list(screen, player, wallets, t, replace(wanted, period=period))
        case DatesFor.STATISTICS:
            await _count(screen, player, wallets, t, period)
        case DatesFor.EXPORT:
            await reports.show_formats(screen, t, period)


async def count(
    query: CallbackQuery, callback_data: Count, screen: Screen, player: Player, wallets: Wallets, t: Translate
) -> None:
    await _count(screen, player, wallets, t, Period(callback_data.period))


async def picture(
    query: CallbackQuery, callback_data: Picture, screen: Screen, player: Player, wallets: Wallets, t: Translate
) -> None:
    currency = callback_data.currency
    course = await wallets.course(player, currency)
    currencies = [wallet.currency for wallet in await wallets.balances(player)]
    drawn = await pictures.course(course, t)
    await screen.photo(drawn, t("picture-caption", currency=currency), keyboards.picture(t, currency, currencies))


async def _list(screen: Screen, player: Player, wallets: Wallets, t: Translate, wanted: Filter) -> None:
    found = await wallets.history(player, wanted)
    await screen.show(_page(t, wanted, found), keyboards.history(t, wanted, found.page))


async def _count(screen: Screen, player: Player, wallets: Wallets, t: Translate, period: Period) -> None:
    found = await wallets.statistics(player, period)
    heading = t("statistics", period=reports.period_name(t, period))
    text = "\n\n".join(
        [heading, *(_statistics(t, one) for one in found)] if found else [heading, t("statistics-empty")]
    )
    await screen.show(text, keyboards.statistics(t, period, [one.currency for one in found]))


# A page


def _page(t: Translate, wanted: Filter, found: Found) -> str:
    items: Sequence[Movement | Asked] = found.page.items
    if not items:
        return t("history-empty") if wanted == Filter() else t("history-nothing", filter=_filter(t, wanted))
    lines = [f"{number}. {_line(t, item)}" for number, item in enumerate(items, start=1)]
    head = [t("history")]
    if wanted != Filter():
        head.append(_filter(t, wanted))
    if found.total is not None and found.total > len(items):
        head.append(t("history-total", count=found.total, more=int(found.total >= COUNTED)))
    return "\n".join([*head, "", *lines])


def _line(t: Translate, item: Movement | Asked) -> str:
    if isinstance(item, Movement) and not item.amount.minor and item.locked.minor < 0:
        # A payout or a lost bet: the money left the balance when it was set aside.
        return t("history-line-held", at=item.at, kind=item.kind, amount=-item.locked, after=item.after)
    if isinstance(item, Movement):
        return t(
            "history-line",
            at=item.at,
            kind=item.kind,
            provider=item.provider or "none",
            amount=signed(item.amount),
            after=item.after,
        )
    return t(
        "history-asked",
        at=item.at,
        kind=item.kind,
        provider=item.provider,
        amount=item.amount,
        status=item.status,
    )


def _filter(t: Translate, wanted: Filter) -> str:
    """What is let through, in words; what is not narrowed is not named."""
    parts = []
    if wanted.kind is not Filter().kind:
        parts.append(t("history-kind", kind=wanted.kind.name.lower()))
    if wanted.status is not Status.DONE:
        parts.append(t("history-status", status=wanted.status.name.lower()))
    if wanted.provider is not None:
        parts.append(t("provider", provider=wanted.provider))
    if wanted.currency is not None:
        parts.append(wanted.currency)
    if wanted.period != Period():
        parts.append(reports.period_name(t, wanted.period))
    return " · ".join(parts)


# A story


def _story(t: Translate, story: Story) -> str:
    parts = [_heading(t, story)]
    if story.request is not None:
        parts.append("\n".join(_request(t, story.request)))
    parts.extend("\n".join(_moved(t, movement)) for movement in story.movements)
    facts = []
    if story.happened_at is not None:
        facts.append(t("story-happened", at=story.happened_at))
    if story.movements:
        facts.append(t("story-booked", at=story.movements[0].at, id=story.journal_id or 0))
    if story.reference and (story.request is None or story.request.reference != story.reference):
        facts.append(t("story-reference", reference=story.reference))
    if story.adjustment:
        facts.append(t("story-adjustment", reason_given=story.adjustment))
    if story.description:
        facts.append(t("story-description", description=story.description))
    if facts:
        parts.append("\n".join(facts))
    if len(story.steps) > 1 or (story.steps and story.journal_id is None):
        steps = [
            t("story-step", at=step.at, kind=step.kind, provider="none", amount=signed(step.amount))
            for step in story.steps
        ]
        parts.append("\n".join([t("story-steps"), *steps]))
    if story.returned:
        returned = [t("story-returned", kind=one.kind, amount=one.amount, at=one.at) for one in story.returned]
        parts.append("\n".join(returned))
    return "\n\n".join(parts)


def _heading(t: Translate, story: Story) -> str:
    if story.journal_id is None:
        return t("story-asked", kind=story.kind)
    provider = next((movement.provider for movement in story.movements if movement.provider), "none")
    return t("story", kind=story.kind, provider=provider)


def _request(t: Translate, request: Request) -> list[str]:
    lines = [
        t("story-operation", kind=request.kind, id=request.id, amount=request.amount),
        t("story-status", status=request.status),
        t("story-asked-at", at=request.asked_at),
    ]
    if request.completed_at is not None:
        lines.append(t("story-completed-at", at=request.completed_at))
    if request.kind == "deposit":
        lines.append(t("story-provider", provider=request.provider))
    if request.received is not None and request.received != request.amount:
        lines.append(t("story-received", received=request.received))
    if request.method is not None:
        lines.append(t("story-method", kind=request.kind, method=request.method))
    if request.reference is not None:
        lines.append(t("story-reference", reference=request.reference))
    if request.reason is not None and request.status is not OperationStatus.COMPLETED:
        lines.append(t("story-reason", reason=request.reason))
    if request.comment:
        lines.append(t("story-comment", comment=request.comment))
    if request.note:
        lines.append(t("story-note", note=request.note))
    return lines


def _moved(t: Translate, movement: Movement) -> list[str]:
    lines = [
        t("story-amount", amount=signed(movement.amount)),
        t("story-balance", before=movement.before, after=movement.after),
    ]
    if movement.locked:
        lines.append(t("story-held", amount=signed(movement.locked)))
    return lines


# Statistics


def _statistics(t: Translate, found: Statistics) -> str:
    summary = found.summary
    lines = [
        t("statistics-wallet", currency=found.currency),
        _named(t("statistics-deposited"), str(summary.deposited)),
        _named(t("statistics-withdrawn"), str(summary.withdrawn)),
    ]
    if summary.returned:
        lines.append(_named(t("statistics-returned"), str(-summary.returned)))
    if found.pending_deposits:
        lines.append(_named(t("statistics-pending-deposits"), str(found.pending_deposits)))
    if found.pending_withdrawals:
        lines.append(_named(t("statistics-pending-withdrawals"), str(found.pending_withdrawals)))
    if found.placed or found.bets or summary.bets_void:
        counts = t("statistics-counts", won=summary.bets_won, lost=summary.bets_lost, void=summary.bets_void)
        lines += [
            _named(t("statistics-stakes"), str(found.placed)),
            _named(t("statistics-turnover"), str(summary.turnover)),
            _named(t("statistics-payouts"), str(summary.won)),
            _named(t("statistics-bets"), counts),
            _named(t("statistics-win-rate"), rate(found.win_rate)),
            _named(t("statistics-net"), signed(found.net)),
            _named(t("statistics-roi"), rate(found.roi)),
            _named(t("statistics-payback"), rate(found.payback)),
        ]
    return "\n".join(lines)


def _named(label: str, value: str) -> str:
    return f"{label}: {value}"
