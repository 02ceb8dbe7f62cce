"""Paying in: provider, amount, link, and how it ended."""

import secrets
from collections.abc import Sequence

from aiogram import F, Router
from aiogram.filters import Command, CommandObject, CommandStart
from aiogram.fsm.context import FSMContext
from aiogram.types import CallbackQuery, Message

from db.models import OPEN, Operation, OperationStatus, PaymentMethod, Player, ProviderName
from db.money import Money
from handlers import filters, keyboards
from handlers.callbacks import (
    PAID,
    Charge,
    Check,
    Choose,
    Confirm,
    Leave,
    Open,
    Pay,
    Place,
    Type,
    is_paid,
)
from handlers.screen import Screen
from handlers.states import Typing
from handlers.texts import Translate, card_name
from services.cards import Cards
from services.deposits import Deposits


def create_router() -> Router:
    router = Router(name="deposits")
    router.message.register(providers, Command("deposit", ignore_case=True))
    router.callback_query.register(providers, Open.filter(F.place == Place.DEPOSIT))
    router.callback_query.register(amounts, Choose.filter())
    router.callback_query.register(ask_amount, Type.filter())
    router.message.register(pay_typed, filters.Answer(Typing.amount))
    router.callback_query.register(pay_pressed, Pay.filter())
    router.callback_query.register(confirm, Confirm.filter())
    router.callback_query.register(charge, Charge.filter())
    router.callback_query.register(check, Check.filter())
    router.callback_query.register(leave, Leave.filter())
    router.message.register(come_back, CommandStart(ignore_case=True, magic=is_paid))
    return router


async def providers(event: Message | CallbackQuery, screen: Screen, deposits: Deposits, t: Translate) -> None:
    if offers := deposits.offers():
        await screen.show(t("deposit-providers"), keyboards.providers(t, offers))
    else:
        await screen.show(t("deposit-none"), keyboards.to_menu(t))


async def amounts(
    query: CallbackQuery,
    callback_data: Choose,
    screen: Screen,
    player: Player,
    deposits: Deposits,
    cards: Cards,
    t: Translate,
) -> None:
    offer = deposits.offer(callback_data.provider, callback_data.currency)
    kept = await cards.usable_at(player, offer.provider)
    chosen = _chosen(kept, callback_data.card)
    keep = callback_data.keep and chosen is None
    text = [
        t(
            "deposit-amounts",
            provider=offer.label,
            currency=offer.currency,
            minimum=offer.minimum,
            maximum=offer.maximum,
        )
    ]
    if chosen is not None:
        text.append(t("deposit-by-card", card=card_name(t, chosen)))
    elif keep:
        text.append(t("deposit-keeps-card", provider=offer.label))
    nonce = secrets.token_urlsafe(6)
    keyboard = keyboards.amounts(t, offer, deposits.offers(), kept, chosen, keep=keep, nonce=nonce)
    await screen.show("\n\n".join(text), keyboard)


def _chosen(kept: Sequence[PaymentMethod], card: int | None) -> PaymentMethod | None:
    """The kept card that is to pay: the one pressed, or the default before anything was; None: a new one."""
    if card is None:
        return kept[0] if kept and kept[0].is_default else None
    return next((method for method in kept if method.id == card), None)


async def ask_amount(
    query: CallbackQuery,
    callback_data: Type,
    screen: Screen,
    state: FSMContext,
    deposits: Deposits,
    t: Translate,
) -> None:
    offer = deposits.offer(callback_data.provider, callback_data.currency)
    await state.set_state(Typing.amount)
    await state.set_data(
        {
            "provider": offer.provider,
            "currency": offer.currency,
            "keep": callback_data.keep,
            "card": callback_data.card or 0,
        }
    )
    text = t(
        "deposit-type-amount",
        provider=offer.label,
        currency=offer.currency,
        minimum=offer.minimum,
        maximum=offer.maximum,
    )
    await screen.show(text, keyboards.cancel(t))


async def pay_typed(
    message: Message,
    screen: Screen,
    state: FSMContext,
    player: Player,
    deposits: Deposits,
    cards: Cards,
    t: Translate,
    return_url: str,
) -> None:
    asked = await state.get_data()
    provider = ProviderName(asked["provider"])
    amount = deposits.parse(provider, asked["currency"], message.text or "")
    if asked.get("card"):
        await _confirm(screen, t, await cards.usable(player, asked["card"]), amount, secrets.token_urlsafe(6))
    else:
        key = f"{message.chat.id}:{message.message_id}"
        keep = bool(asked.get("keep"))
        await _pay(screen, player, deposits, t, provider, amount, key, return_url, keep=keep)
    await state.clear()


async def pay_pressed(
    query: CallbackQuery,
    callback_data: Pay,
    screen: Screen,
    player: Player,
    deposits: Deposits,
    t: Translate,
    return_url: str,
) -> None:
    # The amount belongs to the key: two different buttons of one keyboard are two wishes.
    key = f"{callback_data.nonce}:{callback_data.minor}"
    provider, amount = callback_data.provider, callback_data.amount
    await _pay(screen, player, deposits, t, provider, amount, key, return_url, keep=callback_data.keep)


async def _pay(
    screen: Screen,
    player: Player,
    deposits: Deposits,
    t: Translate,
    provider: ProviderName,
    amount: Money,
    request_key: str,
    return_url: str,
    *,
    keep: bool,
) -> None:
    await screen.show(t("deposit-creating", provider=provider, amount=amount))
    operation = await deposits.start(
        player, provider, amount, request_key=request_key, return_url=return_url, keep_card=keep
    )
    await _follow(screen, player, deposits, t, operation)


async def confirm(
    query: CallbackQuery, callback_data: Confirm, screen: Screen, player: Player, cards: Cards, t: Translate
) -> None:
    card = await cards.usable(player, callback_data.card)
    await _confirm(screen, t, card, callback_data.amount, callback_data.nonce)


async def _confirm(screen: Screen, t: Translate, card: PaymentMethod, amount: Money, nonce: str) -> None:
    text = t("deposit-confirm", amount=amount, card=card_name(t, card), provider=card.provider)
    await screen.show(text, keyboards.charge(t, card, amount, nonce))


async def charge(
    query: CallbackQuery,
    callback_data: Charge,
    screen: Screen,
    player: Player,
    deposits: Deposits,
    cards: Cards,
    t: Translate,
    return_url: str,
) -> None:
    card = await cards.get(player, callback_data.card)
    amount = callback_data.amount
    await screen.show(t("deposit-charging", amount=amount, card=card_name(t, card)))
    operation = await deposits.start(
        player,
        card.provider,
        amount,
        request_key=f"{callback_data.nonce}:{callback_data.minor}:{card.id}",
        return_url=return_url,
        payment_method_id=card.id,
    )
    await _follow(screen, player, deposits, t, operation)


async def _follow(screen: Screen, player: Player, deposits: Deposits, t: Translate, operation: Operation) -> None:
    """Shows how it stands; the message will say how it ended."""
    message_id = await _show(screen, t, operation)
    by_card = operation.payment_method_id is not None
    if operation.status is OperationStatus.PENDING or (by_card and operation.status in OPEN):
        shown = operation.status
        operation = await deposits.shown(player, operation.id, message_id)
        if operation.status is not shown:  # moved on before we knew which message shows it
            await _show(screen, t, operation)


async def check(
    query: CallbackQuery,
    callback_data: Check,
    screen: Screen,
    player: Player,
    deposits: Deposits,
    t: Translate,
) -> None:
    operation = await deposits.check(player, callback_data.operation)
    if operation.status not in OPEN:
        await _show(screen, t, operation)
    elif operation.reason is None:
        await screen.toast(t("deposit-still-pending", provider=operation.provider), alert=True)
    else:
        await screen.toast(t("deposit-declined", provider=operation.provider, reason=operation.reason), alert=True)


async def come_back(
    message: Message, command: CommandObject, screen: Screen, player: Player, deposits: Deposits, t: Translate
) -> None:
    """From the payment page: what the page said is not a payment, so the provider is asked."""
    operation = await deposits.check(player, int((command.args or "").removeprefix(PAID)))
    if operation.status in OPEN:
        text = t("deposit-checking", provider=operation.provider, amount=operation.amount, id=operation.id)
        await screen.show(text, keyboards.check(t, operation.id))
    else:
        await screen.show(_ended(t, operation), keyboards.credited(t))


async def leave(query: CallbackQuery, callback_data: Leave, screen: Screen, t: Translate) -> None:
    await screen.show(t("deposit-left"), keyboards.check(t, callback_data.operation))


async def _show(screen: Screen, t: Translate, operation: Operation) -> int:
    """Where a deposit stands and what can be done about it. How it ended, the outbox says in these words."""
    if operation.status not in OPEN:
        return await screen.show(_ended(t, operation))
    if operation.payment_method_id is not None:
        return await _show_charge(screen, t, operation)
    if operation.pay_url is None:
        text = t("deposit-unanswered", provider=operation.provider, amount=operation.amount, id=operation.id)
        return await screen.show(text, keyboards.to_menu(t, below=True))
    text = t(
        "deposit-link",
        provider=operation.provider,
        amount=operation.amount,
        until=operation.expires_at,
        id=operation.id,
    )
    return await screen.show(text, keyboards.pay(t, operation.amount, operation.pay_url, operation.id))


async def _show_charge(screen: Screen, t: Translate, operation: Operation) -> int:
    """A charge of a kept card that has not ended, or that the bank wants confirmed on a page."""
    text_id = "deposit-charge-pending" if operation.pay_url is None else "deposit-bank-asks"
    text = t(text_id, provider=operation.provider, amount=operation.amount, id=operation.id)
    if operation.pay_url is None:
        return await screen.show(text, keyboards.check(t, operation.id))
    return await screen.show(text, keyboards.pay(t, operation.amount, operation.pay_url, operation.id))


def _ended(t: Translate, operation: Operation) -> str:
    text_id = {
        OperationStatus.COMPLETED: "deposit-closed-paid",
        OperationStatus.REVIEW: "deposit-closed-review",
    }.get(operation.status, "deposit-closed-failed")
    return t(
        text_id,
        provider=operation.provider,
        amount=operation.amount,
        reason=operation.reason or "other",
        id=operation.id,
    )
