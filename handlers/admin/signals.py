"""Signals as admins see them: writing one, taking it back, entering its result once."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from aiogram import F, Router
from aiogram.enums import ButtonStyle
from aiogram.filters import Command, StateFilter
from aiogram.fsm.context import FSMContext
from aiogram.types import CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, Message, User

from db.models import Signal, SignalDraft, SignalResult
from handlers import filters
from handlers.admin.callbacks import (
    NewSignal,
    OpenSignal,
    OpenSignals,
    PublishSignal,
    SettleSignal,
    SkipNote,
    WithdrawSignal,
)
from handlers.keyboards import button, rows, to_desk
from handlers.screen import Screen
from handlers.signals import line
from handlers.states import Typing
from handlers.texts import Translate
from services.signals import Listed, Signals, record_arguments


def create_router() -> Router:
    router = Router(name="admin-signals")
    router.message.register(ask_event, Command("signal", ignore_case=True))
    router.callback_query.register(ask_event, NewSignal.filter())
    router.message.register(ask_pick, filters.Answer(Typing.signal_event))
    router.message.register(ask_odds, filters.Answer(Typing.signal_pick))
    router.message.register(ask_start, filters.Answer(Typing.signal_odds))
    router.message.register(ask_note, filters.Answer(Typing.signal_start))
    router.message.register(typed_note, filters.Answer(Typing.signal_note))
    router.callback_query.register(no_note, SkipNote.filter(), StateFilter(Typing.signal_note))
    router.callback_query.register(publish, PublishSignal.filter())
    router.callback_query.register(listing, OpenSignals.filter())
    router.callback_query.register(one, OpenSignal.filter())
    router.callback_query.register(ask_withdraw, WithdrawSignal.filter(~F.sure))
    router.callback_query.register(withdraw, WithdrawSignal.filter(F.sure))
    router.callback_query.register(ask_settle, SettleSignal.filter(~F.sure))
    router.callback_query.register(settle, SettleSignal.filter(F.sure))
    return router


# Writing one: each answer is checked when it is typed, and kept in the state's data.


async def ask_event(event: Message | CallbackQuery, screen: Screen, state: FSMContext, t: Translate) -> None:
    await state.set_state(Typing.signal_event)
    await state.set_data({})
    await screen.show(t("admin-signal-event"), _cancel(t))


async def ask_pick(message: Message, screen: Screen, state: FSMContext, signals: Signals, t: Translate) -> None:
    await state.update_data(event=signals.event(message.text or ""))
    await state.set_state(Typing.signal_pick)
    await screen.show(t("admin-signal-pick"), _cancel(t))


async def ask_odds(message: Message, screen: Screen, state: FSMContext, signals: Signals, t: Translate) -> None:
    await state.update_data(pick=signals.pick(message.text or ""))
    await state.set_state(Typing.signal_odds)
    await screen.show(t("admin-signal-odds"), _cancel(t))


async def ask_start(message: Message, screen: Screen, state: FSMContext, signals: Signals, t: Translate) -> None:
    await state.update_data(odds=str(signals.odds(message.text or "")))
    await state.set_state(Typing.signal_start)
    now = datetime.now(UTC)
    text = t("admin-signal-start", zone=signals.timezone.key, at=now, example=signals.example(now))
    await screen.show(text, _cancel(t))


async def ask_note(message: Message, screen: Screen, state: FSMContext, signals: Signals, t: Translate) -> None:
    start = signals.start(message.text or "", datetime.now(UTC))
    await state.update_data(starts_at=start.isoformat())
    await state.set_state(Typing.signal_note)
    await screen.show(
        t("admin-signal-note"),
        rows([button(t("button-no-note"), SkipNote())], [button(t("button-cancel"), OpenSignals())]),
    )


async def typed_note(message: Message, screen: Screen, state: FSMContext, signals: Signals, t: Translate) -> None:
    await state.update_data(note=signals.note(message.text or ""))
    await _preview(screen, state, signals, t)


async def no_note(query: CallbackQuery, screen: Screen, state: FSMContext, signals: Signals, t: Translate) -> None:
    await _preview(screen, state, signals, t)


async def _preview(screen: Screen, state: FSMContext, signals: Signals, t: Translate) -> None:
    """Nothing more is typed, so there is no state; what was typed stays in its data for the button with the nonce."""
    nonce = secrets.token_urlsafe(6)
    written = await state.update_data(nonce=nonce)
    await state.set_state(None)
    shown = t("signal-published", **await signals.preview(_draft(written)))
    await screen.show(
        f"{t('admin-signal-preview')}\n\n{shown}",
        rows(
            [button(t("button-publish"), PublishSignal(nonce=nonce), ButtonStyle.PRIMARY)],
            [button(t("button-rewrite"), NewSignal()), button(t("button-cancel"), OpenSignals())],
        ),
    )


def _draft(written: Mapping[str, Any]) -> SignalDraft:
    return SignalDraft(
        event=written["event"],
        pick=written["pick"],
        odds=Decimal(written["odds"]),
        starts_at=datetime.fromisoformat(written["starts_at"]),
        note=written.get("note"),
    )


async def publish(
    query: CallbackQuery,
    callback_data: PublishSignal,
    screen: Screen,
    state: FSMContext,
    event_from_user: User,
    signals: Signals,
    t: Translate,
) -> None:
    written = await state.get_data()
    if written.get("nonce") != callback_data.nonce:
        await screen.toast(t("stale-button"), alert=True)
        return
    signal = await signals.publish(event_from_user.id, _draft(written), request_key=callback_data.nonce)
    await _show(screen, t, signals, signal.id)


# What was published


async def listing(
    query: CallbackQuery, callback_data: OpenSignals, screen: Screen, signals: Signals, t: Translate
) -> None:
    listed = await signals.for_desk(before=callback_data.before, after=callback_data.after)
    lines = [_numbered(t, signal) for signal in listed.page.items] or [t("signals-none")]
    title = t("admin-signals", count=await signals.count_without_result())
    blocks = [title, *lines, t("signal-record", **record_arguments(listed.record))]
    await screen.show("\n\n".join(blocks), _list(t, listed))


def _numbered(t: Translate, signal: Signal) -> str:
    return "\n".join([t("admin-signal-number", id=signal.id), line(t, signal)])


async def one(query: CallbackQuery, callback_data: OpenSignal, screen: Screen, signals: Signals, t: Translate) -> None:
    await _show(screen, t, signals, callback_data.signal)


async def _show(screen: Screen, t: Translate, signals: Signals, signal_id: int) -> None:
    signal, sent, waiting = await signals.one(signal_id)
    facts = t(
        "admin-signal-facts",
        admin=signal.published_by,
        at=signal.published_at,
        withdrawn=signal.withdrawn_at or "—",
        sent=sent,
        waiting=waiting,
    )
    await screen.show("\n\n".join([_numbered(t, signal), facts]), _deeds(t, signal))


async def ask_withdraw(
    query: CallbackQuery, callback_data: WithdrawSignal, screen: Screen, signals: Signals, t: Translate
) -> None:
    signal, _, _ = await signals.one(callback_data.signal)
    sure = button(t("button-withdraw-signal"), WithdrawSignal(signal=signal.id, sure=True), ButtonStyle.DANGER)
    await screen.show(
        "\n\n".join([_numbered(t, signal), t("admin-signal-withdraw-sure")]), rows([sure], [_back(t, signal.id)])
    )


async def withdraw(
    query: CallbackQuery,
    callback_data: WithdrawSignal,
    screen: Screen,
    event_from_user: User,
    signals: Signals,
    t: Translate,
) -> None:
    signal = await signals.withdraw(event_from_user.id, callback_data.signal)
    await _show(screen, t, signals, signal.id)


async def ask_settle(
    query: CallbackQuery, callback_data: SettleSignal, screen: Screen, signals: Signals, t: Translate
) -> None:
    signal, _, _ = await signals.one(callback_data.signal)
    chosen = SettleSignal(signal=signal.id, result=callback_data.result, sure=True)
    sure = button(t(f"button-result-{callback_data.result}"), chosen, ButtonStyle.PRIMARY)
    text = t("admin-signal-result-sure", result=callback_data.result)
    await screen.show("\n\n".join([_numbered(t, signal), text]), rows([sure], [_back(t, signal.id)]))


async def settle(
    query: CallbackQuery,
    callback_data: SettleSignal,
    screen: Screen,
    event_from_user: User,
    signals: Signals,
    t: Translate,
) -> None:
    signal = await signals.settle(event_from_user.id, callback_data.signal, callback_data.result)
    await _show(screen, t, signals, signal.id)


# Keyboards


def _cancel(t: Translate) -> InlineKeyboardMarkup:
    return rows([button(t("button-cancel"), OpenSignals())])


def _list(t: Translate, listed: Listed) -> InlineKeyboardMarkup:
    numbers = [button(f"№ {signal.id}", OpenSignal(signal=signal.id)) for signal in listed.page.items]
    turns = []
    if listed.page.newer is not None:
        turns.append(button(t("button-newer"), OpenSignals(after=listed.page.newer)))
    if listed.page.older is not None:
        turns.append(button(t("button-older"), OpenSignals(before=listed.page.older)))
    return rows(
        numbers,
        turns,
        [button(t("button-new-signal"), NewSignal()), to_desk(t)],
    )


def _deeds(t: Translate, signal: Signal) -> InlineKeyboardMarkup:
    """What can be done with it: taken back before the event, a result after its start, nothing after that."""
    results, taken_back = [], []
    if signal.result is None and signal.started:
        results = [
            button(t(f"button-result-{result}"), SettleSignal(signal=signal.id, result=result))
            for result in SignalResult
        ]
    if signal.withdrawn_at is None and not signal.started:
        taken_back = [button(t("button-withdraw-signal"), WithdrawSignal(signal=signal.id))]
    return rows(results, taken_back, [button(t("button-all-signals"), OpenSignals())])


def _back(t: Translate, signal_id: int) -> InlineKeyboardButton:
    return button(t("button-back"), OpenSignal(signal=signal_id))
