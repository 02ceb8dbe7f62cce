"""The books: proving them, and comparing them with the providers' lists."""

import time
from contextlib import suppress
from datetime import timedelta

from aiogram import Router
from aiogram.exceptions import TelegramAPIError
from aiogram.filters import Command
from aiogram.types import CallbackQuery, Message, User

from db.models import DayTotal, ReconRun
from handlers.admin import money_keyboards as keyboards
from handlers.admin.callbacks import OpenBooks, Prove, Reconcile
from handlers.screen import Screen
from handlers.texts import Translate
from services.bookkeeping import Bookkeeping
from services.reconciliation import Reconciliation

_FINDINGS = 5
_TOTALS = 16
# Telegram counts edits of a message too.
_EDIT_SECONDS = 2.0


def create_router() -> Router:
    router = Router(name="admin-books")
    router.message.register(verify, Command("verify", ignore_case=True))
    router.message.register(books, Command("reconcile", ignore_case=True))
    router.callback_query.register(verify, Prove.filter())
    router.callback_query.register(open_books, OpenBooks.filter())
    router.callback_query.register(reconcile, Reconcile.filter())
    return router


async def verify(event: Message | CallbackQuery, screen: Screen, bookkeeping: Bookkeeping, t: Translate) -> None:
    await screen.show(t("admin-verify-running"))
    findings = await bookkeeping.verify()
    head = await bookkeeping.head()
    lines = [
        t("admin-verify", count=len(findings), seq=head.seq, hash=head.hash.hex(), journals=head.journals),
        *(t("admin-verify-finding", rule=one.rule, detail=one.detail) for one in findings[:_FINDINGS]),
    ]
    await screen.show("\n".join(lines), keyboards.to_books(t))


async def books(message: Message, screen: Screen, reconciliation: Reconciliation, t: Translate) -> None:
    await _show(screen, t, reconciliation)


async def open_books(
    query: CallbackQuery, callback_data: OpenBooks, screen: Screen, reconciliation: Reconciliation, t: Translate
) -> None:
    if callback_data.below:
        screen.below()
    await _show(screen, t, reconciliation)


async def _show(screen: Screen, t: Translate, reconciliation: Reconciliation) -> None:
    runs, totals = await reconciliation.runs(), await reconciliation.totals()
    lines = [t("admin-books"), "", *(_run(t, run) for run in runs)]
    if totals:
        lines += ["", t("admin-totals"), *(_total(t, total) for total in totals[:_TOTALS])]
    await screen.show("\n".join(lines), keyboards.books(t, reconciliation.providers))


def _run(t: Translate, run: ReconRun) -> str:
    word = "failed" if run.error else "running" if run.finished_at is None else "done"
    return t(
        "admin-run",
        at=run.started_at,
        provider=run.provider,
        since=run.since,
        seen=run.seen,
        mended=run.mended,
        count=run.differences,
        state=word,
        error=run.error or "—",
    )


def _total(t: Translate, total: DayTotal) -> str:
    same = (total.listed, total.listed_sum) == (total.booked, total.booked_sum)
    return t(
        "admin-total" if same else "admin-total-differs",
        day=total.day.strftime("%d.%m"),
        provider=total.provider,
        count=total.listed,
        amount=total.listed_sum,
        booked=total.booked,
        balance=total.booked_sum,
    )


async def reconcile(
    query: CallbackQuery,
    callback_data: Reconcile,
    screen: Screen,
    event_from_user: User,
    reconciliation: Reconciliation,
    t: Translate,
) -> None:
    shown_at = 0.0

    async def progress(seen: int) -> None:
        nonlocal shown_at
        if time.monotonic() - shown_at >= _EDIT_SECONDS:
            shown_at = time.monotonic()
            with suppress(TelegramAPIError):  # what it shows is worth less than what it does
                await screen.show(t("admin-reconcile-running", provider=callback_data.provider, seen=seen))

    await progress(0)
    run = await reconciliation.by_admin(
        event_from_user.id, callback_data.provider, timedelta(days=callback_data.days), progress
    )
    await screen.show(_run(t, run), keyboards.to_books(t))
