"""Paying out: from which wallet, to where, how much, and the question before it is asked for."""

import secrets
from collections.abc import Sequence

from aiogram import F, Router
from aiogram.enums import ButtonStyle
from aiogram.filters import Command
from aiogram.fsm.context import FSMContext
from aiogram.types import CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, Message

from db.models import MethodKind, Player, Wallet, Withdrawal, WithdrawalMethod
from db.money import Money
from handlers import filters, keyboards
from handlers import methods as payees
from handlers.callbacks import (
    Open,
    Place,
    Withdraw,
    WithdrawAmount,
    WithdrawComment,
    WithdrawFrom,
    WithdrawTo,
    WithdrawType,
)
from handlers.screen import Screen
from handlers.states import Typing
from handlers.texts import Translate
from services.methods import Methods
from services.withdrawals import USUAL_HOURS, Quote, Withdrawals


def create_router() -> Router:
    router = Router(name="withdrawals")
    router.message.register(begin, Command("withdraw", ignore_case=True))
    router.callback_query.register(begin, Open.filter(F.place == Place.WITHDRAW))
    router.callback_query.register(where, WithdrawFrom.filter())
    router.callback_query.register(how_much, WithdrawTo.filter())
    router.callback_query.register(ask_amount, WithdrawType.filter())
    router.message.register(amount_typed, filters.Answer(Typing.withdrawal_amount))
    router.callback_query.register(ask_sure, WithdrawAmount.filter())
    router.callback_query.register(ask_comment, WithdrawComment.filter())
    router.message.register(comment_typed, filters.Answer(Typing.withdrawal_comment))
    router.callback_query.register(withdraw, Withdraw.filter())
    return router


async def begin(
    event: Message | CallbackQuery,
    screen: Screen,
    player: Player,
    withdrawals: Withdrawals,
    methods: Methods,
    t: Translate,
) -> None:
    wallets, waiting = await withdrawals.wallets(player), await withdrawals.open(player)
    head = [t("withdraw-open"), *_waiting(t, waiting), ""] if waiting else []
    if not wallets:
        await screen.show("\n".join([*head, t("withdraw-nothing")]), keyboards.to_menu(t))
    elif len(wallets) == 1:
        await _where(screen, t, player, withdrawals, methods, wallets[0].currency, head)
    else:
        await screen.show("\n".join([*head, t("withdraw-wallets")]), _wallets(t, wallets))


def _waiting(t: Translate, waiting: Sequence[Withdrawal]) -> list[str]:
    return [
        t("withdraw-open-line", id=each.id, amount=each.amount, method=each.method, status=each.status)
        for each in waiting
    ]


async def where(
    query: CallbackQuery,
    callback_data: WithdrawFrom,
    screen: Screen,
    player: Player,
    withdrawals: Withdrawals,
    methods: Methods,
    t: Translate,
) -> None:
    await _where(screen, t, player, withdrawals, methods, callback_data.currency, [])


async def _where(
    screen: Screen,
    t: Translate,
    player: Player,
    withdrawals: Withdrawals,
    methods: Methods,
    currency: str,
    head: Sequence[str],
) -> None:
    usable = await withdrawals.usable_methods(player, currency)
    if usable:
        text = t("withdraw-methods", currency=currency)
    else:
        mine = payees.lines(t, await methods.mine(player))
        text = "\n".join([t("withdraw-no-method", currency=currency), *mine])
    await screen.show("\n".join([*head, text]), _methods(t, usable, currency))


async def how_much(
    query: CallbackQuery,
    callback_data: WithdrawTo,
    screen: Screen,
    player: Player,
    withdrawals: Withdrawals,
    t: Translate,
) -> None:
    method, quote = await withdrawals.quote(player, callback_data.method, callback_data.currency)
    await screen.show(_quoted(t, "withdraw-amounts", method, quote), _amounts(t, method, quote))


async def ask_amount(
    query: CallbackQuery,
    callback_data: WithdrawType,
    screen: Screen,
    state: FSMContext,
    player: Player,
    withdrawals: Withdrawals,
    t: Translate,
) -> None:
    method, quote = await withdrawals.quote(player, callback_data.method, callback_data.currency)
    await state.set_state(Typing.withdrawal_amount)
    await state.set_data({"method": method.id, "currency": callback_data.currency})
    await screen.show(_quoted(t, "withdraw-type-amount", method, quote), keyboards.cancel(t))


def _quoted(t: Translate, text_id: str, method: WithdrawalMethod, quote: Quote) -> str:
    return t(
        text_id if quote.possible else "withdraw-too-little",
        method=method.masked,
        currency=quote.minimum.currency,
        available=quote.available,
        minimum=quote.minimum,
        maximum=quote.maximum,
        left=quote.left,
    )


async def amount_typed(
    message: Message, screen: Screen, state: FSMContext, player: Player, withdrawals: Withdrawals, t: Translate
) -> None:
    asked = await state.get_data()
    _, quote = await withdrawals.quote(player, asked["method"], asked["currency"])
    amount = withdrawals.parse(quote, message.text or "")
    await _ask_sure(screen, t, player, withdrawals, asked["method"], amount)
    await state.clear()


async def ask_sure(
    query: CallbackQuery,
    callback_data: WithdrawAmount,
    screen: Screen,
    player: Player,
    withdrawals: Withdrawals,
    t: Translate,
) -> None:
    await _ask_sure(screen, t, player, withdrawals, callback_data.method, callback_data.amount)


async def _ask_sure(
    screen: Screen,
    t: Translate,
    player: Player,
    withdrawals: Withdrawals,
    method_id: int,
    amount: Money,
    *,
    comment: str = "—",
    nonce: str | None = None,
) -> None:
    method = await withdrawals.preview(player, method_id, amount)
    text = t(
        "withdraw-confirm",
        amount=amount,
        method=method.masked,
        kind="crypto" if method.kind is MethodKind.CRYPTO else "money",
        comment=comment,
        hours=USUAL_HOURS,
    )
    await screen.show(text, _confirm(t, method.id, amount, nonce or secrets.token_urlsafe(6), commented=bool(nonce)))


async def ask_comment(
    query: CallbackQuery, callback_data: WithdrawComment, screen: Screen, state: FSMContext, t: Translate
) -> None:
    asked = callback_data
    await state.set_state(Typing.withdrawal_comment)
    await state.set_data({"method": asked.method, "currency": asked.currency, "minor": asked.minor})
    back = WithdrawAmount(currency=asked.currency, method=asked.method, minor=asked.minor)
    await screen.show(
        t("withdraw-type-comment"), keyboards.rows([keyboards.button(t("button-without-comment"), back)], [_cancel(t)])
    )


async def comment_typed(
    message: Message, screen: Screen, state: FSMContext, player: Player, withdrawals: Withdrawals, t: Translate
) -> None:
    """Nothing more is typed, so there is no state; the comment stays in its data for the button with the nonce."""
    asked = await state.get_data()
    comment, nonce = withdrawals.comment(message.text or ""), secrets.token_urlsafe(6)
    amount = Money(asked["minor"], asked["currency"])
    await _ask_sure(screen, t, player, withdrawals, asked["method"], amount, comment=comment, nonce=nonce)
    await state.set_data({"comment": comment, "nonce": nonce})
    await state.set_state(None)


async def withdraw(
    query: CallbackQuery,
    callback_data: Withdraw,
    screen: Screen,
    state: FSMContext,
    player: Player,
    withdrawals: Withdrawals,
    t: Translate,
) -> None:
    typed = await state.get_data()
    comment = typed.get("comment") if typed.get("nonce") == callback_data.nonce else None
    asked = await withdrawals.request(
        player, callback_data.method, callback_data.amount, comment, request_key=callback_data.key
    )
    await screen.show(t("withdraw-done", id=asked.id, hours=USUAL_HOURS), keyboards.credited(t))
    await state.clear()


# ---- the buttons


def _wallets(t: Translate, wallets: Sequence[Wallet]) -> InlineKeyboardMarkup:
    return keyboards.rows(
        *([keyboards.button(str(wallet.available), WithdrawFrom(currency=wallet.currency))] for wallet in wallets),
        [_cancel(t)],
    )


def _methods(t: Translate, usable: Sequence[WithdrawalMethod], currency: str) -> InlineKeyboardMarkup:
    return keyboards.rows(
        *([keyboards.button(method.masked, WithdrawTo(currency=currency, method=method.id))] for method in usable),
        [keyboards.button(t("button-methods"), Open(place=Place.METHODS)), _cancel(t)],
    )


def _amounts(t: Translate, method: WithdrawalMethod, quote: Quote) -> InlineKeyboardMarkup:
    currency = quote.minimum.currency
    back = [keyboards.button(t("button-back"), WithdrawFrom(currency=currency)), _cancel(t)]
    if not quote.possible:
        return keyboards.rows(back)
    presets = [
        keyboards.button(
            t("button-withdraw-all", amount=amount) if amount == quote.available else str(amount),
            WithdrawAmount(currency=currency, method=method.id, minor=amount.minor),
        )
        for amount in quote.presets
    ]
    typed = keyboards.button(t("button-other-amount"), WithdrawType(currency=currency, method=method.id))
    return keyboards.rows(presets[:-1], presets[-1:], [typed], back)


def _confirm(t: Translate, method: int, amount: Money, nonce: str, *, commented: bool) -> InlineKeyboardMarkup:
    currency, minor = amount.currency, amount.minor
    sure = Withdraw(currency=currency, method=method, minor=minor, nonce=nonce)
    comment = t("button-other-comment" if commented else "button-comment")
    return keyboards.rows(
        [keyboards.button(t("button-withdraw-sure", amount=amount), sure, ButtonStyle.PRIMARY)],
        [keyboards.button(comment, WithdrawComment(currency=currency, method=method, minor=minor))],
        [keyboards.button(t("button-back"), WithdrawTo(currency=currency, method=method)), _cancel(t)],
    )


def _cancel(t: Translate) -> InlineKeyboardButton:
    return keyboards.button(t("button-cancel"), Open(place=Place.MENU))
