"""An admin corrects a balance: currency, amount with its sign, reason, confirmation; above a limit another agrees."""

import secrets

from aiogram import F, Router
from aiogram.fsm.context import FSMContext
from aiogram.types import CallbackQuery, Message, User

from db.models import Adjustment, AdjustmentStatus
from db.money import Money
from handlers import filters
from handlers.admin import keyboards
from handlers.admin.callbacks import ConfirmCorrection, Correct, DecideCorrection, OpenCorrections
from handlers.screen import Screen
from handlers.states import Typing
from handlers.texts import Translate, signed
from services.adjustments import Adjustments


def create_router() -> Router:
    router = Router(name="admin-corrections")
    router.callback_query.register(currencies, Correct.filter(F.currency.is_(None)))
    router.callback_query.register(ask_amount, Correct.filter(F.currency))
    router.message.register(ask_reason, filters.Answer(Typing.admin_amount))
    router.message.register(ask_sure, filters.Answer(Typing.admin_reason))
    router.callback_query.register(propose, ConfirmCorrection.filter())
    router.callback_query.register(waiting, OpenCorrections.filter())
    router.callback_query.register(agree, DecideCorrection.filter(F.agree))
    router.callback_query.register(decline, DecideCorrection.filter(~F.agree))
    return router


async def currencies(query: CallbackQuery, callback_data: Correct, screen: Screen, t: Translate) -> None:
    text = t("admin-correction-currency", player=callback_data.player)
    await screen.show(text, keyboards.currencies(t, callback_data.player))


async def ask_amount(
    query: CallbackQuery, callback_data: Correct, screen: Screen, state: FSMContext, t: Translate
) -> None:
    await state.set_state(Typing.admin_amount)
    await state.set_data({"player": callback_data.player, "currency": callback_data.currency})
    text = t("admin-correction-amount", player=callback_data.player, currency=callback_data.currency or "")
    await screen.show(text, keyboards.cancel(t, callback_data.player))


async def ask_reason(
    message: Message, screen: Screen, state: FSMContext, adjustments: Adjustments, t: Translate
) -> None:
    asked = await state.get_data()
    amount = adjustments.parse(asked["currency"], message.text or "")
    await state.set_data({**asked, "minor": amount.minor})
    await state.set_state(Typing.admin_reason)
    text = t("admin-correction-reason", player=asked["player"], amount=signed(amount))
    await screen.show(text, keyboards.cancel(t, asked["player"]))


async def ask_sure(message: Message, screen: Screen, state: FSMContext, adjustments: Adjustments, t: Translate) -> None:
    """Nothing more is typed, so there is no state; what was typed stays in its data for the button with the nonce."""
    asked = await state.get_data()
    amount = Money(asked["minor"], asked["currency"])
    draft = await adjustments.draft(asked["player"], amount, message.text or "")
    nonce = secrets.token_urlsafe(6)
    await state.set_data({**asked, "reason": draft.reason, "nonce": nonce})
    await state.set_state(None)
    text = t(
        "admin-correction-sure",
        player=asked["player"],
        amount=signed(amount),
        note=draft.reason,
        available=draft.available,
        after=draft.after,
        admins=2 if draft.needs_second else 1,
    )
    await screen.show(text, keyboards.confirm(t, asked["player"], nonce))


async def propose(
    query: CallbackQuery,
    callback_data: ConfirmCorrection,
    screen: Screen,
    state: FSMContext,
    event_from_user: User,
    adjustments: Adjustments,
    t: Translate,
) -> None:
    asked = await state.get_data()
    if asked.get("nonce") != callback_data.nonce:
        await screen.toast(t("stale-button"), alert=True)
        return
    proposed = await adjustments.propose(
        event_from_user.id,
        asked["player"],
        Money(asked["minor"], asked["currency"]),
        reason=asked["reason"],
        request_key=callback_data.nonce,
    )
    await _show(screen, t, proposed, event_from_user.id)


async def waiting(
    query: CallbackQuery, screen: Screen, event_from_user: User, adjustments: Adjustments, t: Translate
) -> None:
    proposed = await adjustments.waiting()
    lines = [line(t, adjustment) for adjustment in proposed] or [t("admin-corrections-none")]
    text = "\n\n".join([t("admin-corrections"), *lines])
    await screen.show(text, keyboards.corrections(t, proposed, event_from_user.id))


async def agree(
    query: CallbackQuery,
    callback_data: DecideCorrection,
    screen: Screen,
    event_from_user: User,
    adjustments: Adjustments,
    t: Translate,
) -> None:
    decided = await adjustments.agree(event_from_user.id, callback_data.adjustment)
    await _show(screen, t, decided, event_from_user.id)


async def decline(
    query: CallbackQuery,
    callback_data: DecideCorrection,
    screen: Screen,
    event_from_user: User,
    adjustments: Adjustments,
    t: Translate,
) -> None:
    decided = await adjustments.decline(event_from_user.id, callback_data.adjustment)
    await _show(screen, t, decided, event_from_user.id)


async def _show(screen: Screen, t: Translate, adjustment: Adjustment, admin: int) -> None:
    """How it stands now."""
    text = t(
        "admin-correction-now",
        id=adjustment.id,
        player=adjustment.player_id,
        amount=signed(adjustment.amount),
        note=adjustment.reason,
        status=adjustment.status,
    )
    if adjustment.status is AdjustmentStatus.PROPOSED:
        own = adjustment.proposed_by == admin
        await screen.show(text, keyboards.decide(t, adjustment.id, adjustment.player_id, own=own))
    else:
        await screen.show(text, keyboards.to_player(t, adjustment.player_id))


def line(t: Translate, adjustment: Adjustment) -> str:
    return t(
        "admin-correction",
        id=adjustment.id,
        player=adjustment.player_id,
        amount=signed(adjustment.amount),
        note=adjustment.reason,
        admin=adjustment.proposed_by,
    )
