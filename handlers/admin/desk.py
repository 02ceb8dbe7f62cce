"""The desk: one panel with what waits in each room, the state of things, and the sign at the door of the house."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from aiogram import F, Router
from aiogram.enums import ButtonStyle
from aiogram.filters import Command
from aiogram.filters.callback_data import CallbackData
from aiogram.types import CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, Message, User

from db.models import Waiting
from handlers.admin.callbacks import (
    FindPlayer,
    Maintenance,
    OpenBooks,
    OpenBroadcasts,
    OpenCasino,
    OpenCorrections,
    OpenDeliveries,
    OpenDesk,
    OpenHealth,
    OpenInsights,
    OpenMessages,
    OpenNewMethods,
    OpenOdd,
    OpenQueue,
    OpenSignals,
    OpenStaff,
    Prove,
)
from handlers.admin.insights import alert_lines
from handlers.callbacks import Open, Place
from handlers.keyboards import button, rows, to_desk
from handlers.screen import Screen
from handlers.texts import Translate
from services.desk import Desk
from services.health import LATELY_DAYS, Health
from services.insights import Insights
from services.staff import Right


@dataclass(frozen=True, slots=True)
class _Room:
    label: str
    """A text's id."""
    right: Right
    opens: CallbackData
    waiting: Callable[[Waiting], int] | None = None
    """How much in it waits for somebody."""


_ROOMS = (
    _Room("button-desk-withdrawals", Right.PAY, OpenQueue(), lambda waiting: waiting.withdrawals),
    _Room("button-desk-methods", Right.PAY, OpenNewMethods(), lambda waiting: waiting.methods),
    _Room("button-desk-odd", Right.MONEY, OpenOdd(), lambda waiting: waiting.items),
    _Room("button-desk-debts", Right.MONEY, OpenOdd(debts=True), lambda waiting: waiting.debts),
    _Room("button-desk-corrections", Right.MONEY, OpenCorrections(), lambda waiting: waiting.corrections),
    _Room("button-desk-books", Right.MONEY, OpenBooks(), lambda waiting: waiting.differences),
    _Room("button-desk-verify", Right.MONEY, Prove()),
    _Room("button-desk-players", Right.PLAYERS, FindPlayer()),
    _Room("button-desk-casino", Right.CASINO, OpenCasino(), lambda waiting: waiting.reports),
    _Room("button-desk-signals", Right.SIGNALS, OpenSignals(), lambda waiting: waiting.signals),
    _Room("button-desk-broadcasts", Right.BROADCAST, OpenBroadcasts(), lambda waiting: waiting.broadcasts),
    _Room("button-desk-statistics", Right.STATS, OpenInsights()),
    _Room("button-desk-deliveries", Right.LETTERS, OpenDeliveries(), lambda waiting: waiting.deliveries),
    _Room("button-desk-messages", Right.LETTERS, OpenMessages(), lambda waiting: waiting.messages),
    _Room("button-desk-health", Right.HEALTH, OpenHealth(), lambda waiting: waiting.alerts),
    _Room("button-desk-staff", Right.STAFF, OpenStaff()),
)


def create_router() -> Router:
    router = Router(name="desk")
    router.message.register(panel, Command("admin", ignore_case=True))
    router.callback_query.register(open_panel, OpenDesk.filter())
    return router


def create_health_router() -> Router:
    router = Router(name="desk-health")
    router.callback_query.register(checkup, OpenHealth.filter())
    return router


def create_house_router() -> Router:
    router = Router(name="desk-house")
    router.callback_query.register(ask_sure, Maintenance.filter(~F.sure))
    router.callback_query.register(close, Maintenance.filter(F.close & F.sure))
    router.callback_query.register(reopen, Maintenance.filter(~F.close & F.sure))
    return router


async def panel(message: Message, screen: Screen, rights: frozenset[Right], desk: Desk, t: Translate) -> None:
    await _show(screen, t, rights, await desk.waiting())


async def open_panel(
    query: CallbackQuery,
    callback_data: OpenDesk,
    screen: Screen,
    rights: frozenset[Right],
    desk: Desk,
    t: Translate,
) -> None:
    if callback_data.below:
        screen.below()
    await _show(screen, t, rights, await desk.waiting())


async def _show(screen: Screen, t: Translate, rights: frozenset[Right], waiting: Waiting) -> None:
    rooms = [room for room in _ROOMS if room.right in rights]
    counts = [room.waiting(waiting) if room.waiting else 0 for room in rooms]
    parts = [t("admin-desk", count=sum(counts))]
    if waiting.closed_at is not None:
        parts.append(t("admin-desk-closed", at=waiting.closed_at))
    await screen.show("\n\n".join(parts), _panel(t, rights, rooms, counts, closed=waiting.closed_at is not None))


def _panel(
    t: Translate, rights: frozenset[Right], rooms: list[_Room], counts: list[int], *, closed: bool
) -> InlineKeyboardMarkup:
    doors = [
        button(t("button-counted", label=t(room.label), count=count) if count else t(room.label), room.opens)
        for room, count in zip(rooms, counts, strict=True)
    ]
    sign = button(t("button-house-reopen" if closed else "button-house-close"), Maintenance(close=not closed))
    return rows(
        *_pairs(doors),
        [sign] if Right.STAFF in rights else [],
        [button(t("button-menu"), Open(place=Place.MENU))],
    )


def _pairs(buttons: list[InlineKeyboardButton]) -> list[list[InlineKeyboardButton]]:
    return [buttons[first : first + 2] for first in range(0, len(buttons), 2)]


# ---- how things run


async def checkup(query: CallbackQuery, screen: Screen, health: Health, insights: Insights, t: Translate) -> None:
    found, alerts = await health.checkup(), await insights.alerts()
    report, books = found.report, found.books
    lines = [
        t(
            "admin-health",
            telegram=report.telegram,
            inbox=round(report.inbox),
            outbox=round(report.outbox),
            jobs=round(report.jobs),
            hours=round((datetime.now(UTC) - health.since).total_seconds() // 3600),
        ),
        "",
        *(
            t(
                "admin-health-source",
                provider=one.source,
                at=one.delivered_at or "—",
                until=one.acted_at or "—",
                state="heard" if one.delivered_at else "silent",
                days=LATELY_DAYS,
            )
            for one in found.heard
        ),
        "",
        t(
            "admin-health-books",
            at=books.sealed_at or "—",
            count=books.unsealed,
            until=books.verified_at or "—",
            findings=books.findings or 0,
            jobs=books.dead_jobs,
        ),
    ]
    if alerts:
        lines += ["", *alert_lines(t, insights, alerts)]
    await screen.show("\n".join(lines), rows([button(t("button-refresh"), OpenHealth())], [to_desk(t)]))


# ---- the sign at the door


async def ask_sure(query: CallbackQuery, callback_data: Maintenance, screen: Screen, t: Translate) -> None:
    word = "close" if callback_data.close else "reopen"
    sure = Maintenance(close=callback_data.close, sure=True)
    style = ButtonStyle.DANGER if callback_data.close else ButtonStyle.SUCCESS
    await screen.show(
        t(f"admin-{word}-sure"),
        rows([button(t(f"button-house-{word}"), sure, style)], [button(t("button-cancel"), OpenDesk())]),
    )


async def close(
    query: CallbackQuery,
    callback_data: Maintenance,
    screen: Screen,
    event_from_user: User,
    rights: frozenset[Right],
    desk: Desk,
    t: Translate,
) -> None:
    await desk.close(event_from_user.id)
    await _show(screen, t, rights, await desk.waiting())


async def reopen(
    query: CallbackQuery,
    callback_data: Maintenance,
    screen: Screen,
    event_from_user: User,
    rights: frozenset[Right],
    desk: Desk,
    t: Translate,
) -> None:
    await desk.reopen(event_from_user.id)
    await _show(screen, t, rights, await desk.waiting())
