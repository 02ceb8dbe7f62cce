"""Money that needs a person: what fits no deposit, differences between two lists, refunds, disputes and debts."""

import secrets
from datetime import UTC, datetime

from aiogram import F, Router
from aiogram.filters import Command, CommandObject
from aiogram.fsm.context import FSMContext
from aiogram.types import CallbackQuery, Message, User

from db.models import OddItem, Page, ReturnedPayment
from db.money import InvalidAmount, Money
from handlers import filters
from handlers.admin import money_keyboards as keyboards
from handlers.admin.callbacks import (
    ConfirmRefund,
    CreditTo,
    Decision,
    GiveBack,
    GiveUpRefund,
    OpenItem,
    OpenOdd,
    OpenReturned,
    SettleDebt,
    SettleItem,
)
from handlers.screen import Screen
from handlers.states import Typing
from handlers.texts import Translate
from services.errors import NotAnAmount
from services.players import Players
from services.reconciliation import Card, Reconciliation
from services.returns import REPEATABLE, Refundable, Returns


def create_router() -> Router:
    router = Router(name="odd-money")
    router.message.register(newest, Command("money", ignore_case=True))
    router.callback_query.register(items, OpenOdd.filter(~F.debts))
    router.callback_query.register(debts, OpenOdd.filter(F.debts))
    router.callback_query.register(item, OpenItem.filter())
    router.callback_query.register(credit, SettleItem.filter(F.decision == Decision.CREDIT))
    router.callback_query.register(ask_player, SettleItem.filter(F.decision == Decision.CREDIT_OTHER))
    router.message.register(choose_player, filters.Answer(Typing.odd_player))
    router.callback_query.register(credit_to, CreditTo.filter())
    router.callback_query.register(ask_sure, SettleItem.filter((F.decision == Decision.SEND_BACK) & ~F.sure))
    router.callback_query.register(send_back, SettleItem.filter((F.decision == Decision.SEND_BACK) & F.sure))
    router.callback_query.register(close, SettleItem.filter(F.decision == Decision.CLOSE))
    router.callback_query.register(ask_note, SettleItem.filter(F.decision == Decision.CLOSE_NOTED))
    router.message.register(close_noted, filters.Answer(Typing.odd_note))
    router.callback_query.register(returned, OpenReturned.filter())
    router.callback_query.register(collect, SettleDebt.filter(~F.forgive))
    router.callback_query.register(ask_forgive, SettleDebt.filter(F.forgive & ~F.sure))
    router.callback_query.register(forgive, SettleDebt.filter(F.forgive & F.sure))
    router.callback_query.register(give_up, GiveUpRefund.filter())
    router.message.register(refund_named, Command("refund", ignore_case=True))
    router.callback_query.register(refund_pressed, GiveBack.filter())
    router.message.register(refund_typed, filters.Answer(Typing.refund_amount))
    router.callback_query.register(refund, ConfirmRefund.filter())
    return router


# ---- lists


async def newest(
    message: Message, screen: Screen, reconciliation: Reconciliation, returns: Returns, t: Translate
) -> None:
    await _show_items(screen, t, await reconciliation.items(), await returns.count_debts())


async def items(
    query: CallbackQuery,
    callback_data: OpenOdd,
    screen: Screen,
    reconciliation: Reconciliation,
    returns: Returns,
    t: Translate,
) -> None:
    if callback_data.below:
        screen.below()
    page = await reconciliation.items(after=callback_data.after, before=callback_data.before)
    await _show_items(screen, t, page, await returns.count_debts())


async def _show_items(screen: Screen, t: Translate, page: Page[OddItem], owing: int) -> None:
    lines = [
        t(
            "admin-item-line",
            id=item.id,
            at=item.created_at,
            provider=item.provider,
            problem=item.problem,
            amount=_money(item.provider_minor, item.currency) or _money(item.ledger_minor, item.currency) or "—",
        )
        for item in page.items
    ]
    text = "\n".join([t("admin-items"), "", *lines]) if lines else t("admin-items-none")
    await screen.show(text, keyboards.items(t, page, owing))


async def debts(
    query: CallbackQuery,
    callback_data: OpenOdd,
    screen: Screen,
    reconciliation: Reconciliation,
    returns: Returns,
    t: Translate,
) -> None:
    page = await returns.debts(after=callback_data.after, before=callback_data.before)
    lines = [
        t("admin-debt-line", id=row.id, at=row.created_at, player=row.player_id or 0, owed=row.owed, kind=row.kind)
        for row in page.items
    ]
    text = "\n".join([t("admin-debts"), "", *lines]) if lines else t("admin-debts-none")
    await screen.show(text, keyboards.debts(t, page, await reconciliation.count_open()))


# ---- one item


async def item(
    query: CallbackQuery, callback_data: OpenItem, screen: Screen, reconciliation: Reconciliation, t: Translate
) -> None:
    if callback_data.below:
        screen.below()
    await _show_item(screen, t, reconciliation, callback_data.item)


async def _show_item(screen: Screen, t: Translate, reconciliation: Reconciliation, item_id: int) -> None:
    card = await reconciliation.card(item_id)
    await screen.show("\n".join(_item_lines(t, card)), keyboards.item(t, card))


def _item_lines(t: Translate, card: Card) -> list[str]:
    item, operation = card.item, card.operation
    expected = operation.amount if operation and item.has_money else _money(item.ledger_minor, item.currency)
    lines = [
        t(
            "admin-item",
            id=item.id,
            provider=item.provider,
            problem=item.problem,
            payment=item.ref,
            at=item.created_at,
            received=_money(item.provider_minor, item.currency) or "—",
            expected=expected or "—",
        )
    ]
    if operation is not None:
        lines.append(
            t("admin-item-operation", operation=operation.id, player=operation.player_id, status=operation.status)
        )
    if card.in_suspense is not None:
        lines.append(t("admin-item-suspense", amount=card.in_suspense))
    lines += [_returned_line(t, row) for row in card.returned]
    if item.settled is not None:
        lines.append(t("admin-item-settled", status=item.settled, actor=item.resolved_by or "", note=item.note or "—"))
    return lines


def _returned_line(t: Translate, row: ReturnedPayment) -> str:
    return t(
        "admin-returned-line",
        id=row.id,
        kind=row.kind,
        amount=row.amount,
        status=row.provider_state,
        state=row.state,
    )


async def credit(
    query: CallbackQuery,
    callback_data: SettleItem,
    screen: Screen,
    event_from_user: User,
    reconciliation: Reconciliation,
    t: Translate,
) -> None:
    await reconciliation.credit(event_from_user.id, callback_data.item)
    await _show_item(screen, t, reconciliation, callback_data.item)


async def ask_player(
    query: CallbackQuery, callback_data: SettleItem, screen: Screen, state: FSMContext, t: Translate
) -> None:
    await state.set_state(Typing.odd_player)
    await state.set_data({"item": callback_data.item})
    await screen.show(t("admin-item-whose"), keyboards.cancel_item(t, callback_data.item))


async def choose_player(
    message: Message, screen: Screen, state: FSMContext, players: Players, reconciliation: Reconciliation, t: Translate
) -> None:
    asked = await state.get_data()
    hits = await players.find(message.text or "")
    card = await reconciliation.card(asked["item"])
    lines = [
        t(
            "admin-item-hit",
            player=hit.profile.player.id,
            name=hit.profile.name or "—",
            username=hit.profile.player.username or "—",
            telegram=hit.profile.player.telegram_id,
        )
        for hit in hits
    ]
    await state.clear()
    text = t("admin-item-credit-sure", id=card.item.id, amount=card.in_suspense or "—")
    await screen.show("\n".join([text, "", *lines]), keyboards.credit_to(t, card.item.id, hits))


async def credit_to(
    query: CallbackQuery,
    callback_data: CreditTo,
    screen: Screen,
    event_from_user: User,
    reconciliation: Reconciliation,
    t: Translate,
) -> None:
    await reconciliation.credit(event_from_user.id, callback_data.item, callback_data.player)
    await _show_item(screen, t, reconciliation, callback_data.item)


async def ask_sure(
    query: CallbackQuery, callback_data: SettleItem, screen: Screen, reconciliation: Reconciliation, t: Translate
) -> None:
    card = await reconciliation.card(callback_data.item)
    text = t("admin-item-send-back", id=card.item.id, amount=card.in_suspense or "—", provider=card.item.provider)
    await screen.show(text, keyboards.sure(t, card.item.id, callback_data.decision))


async def send_back(
    query: CallbackQuery,
    callback_data: SettleItem,
    screen: Screen,
    event_from_user: User,
    reconciliation: Reconciliation,
    t: Translate,
) -> None:
    row = await reconciliation.send_back(event_from_user.id, callback_data.item)
    await _show_returned(screen, t, row)


async def close(
    query: CallbackQuery,
    callback_data: SettleItem,
    screen: Screen,
    event_from_user: User,
    reconciliation: Reconciliation,
    t: Translate,
) -> None:
    await reconciliation.close(event_from_user.id, callback_data.item, t("admin-item-seen"))
    await _show_item(screen, t, reconciliation, callback_data.item)


async def ask_note(
    query: CallbackQuery, callback_data: SettleItem, screen: Screen, state: FSMContext, t: Translate
) -> None:
    await state.set_state(Typing.odd_note)
    await state.set_data({"item": callback_data.item})
    await screen.show(t("admin-item-why"), keyboards.cancel_item(t, callback_data.item))


async def close_noted(
    message: Message,
    screen: Screen,
    state: FSMContext,
    event_from_user: User,
    reconciliation: Reconciliation,
    t: Translate,
) -> None:
    item_id = (await state.get_data())["item"]
    await reconciliation.close(event_from_user.id, item_id, message.text or "")
    await state.clear()
    await _show_item(screen, t, reconciliation, item_id)


# ---- refunds, disputes and debts


async def returned(
    query: CallbackQuery, callback_data: OpenReturned, screen: Screen, returns: Returns, t: Translate
) -> None:
    if callback_data.below:
        screen.below()
    await _show_returned(screen, t, await returns.get(callback_data.returned))


async def _show_returned(screen: Screen, t: Translate, row: ReturnedPayment) -> None:
    text = t(
        "admin-returned",
        id=row.id,
        kind=row.kind,
        provider=row.provider,
        payment=row.payment_ref,
        amount=row.amount,
        status=row.provider_state,
        state=row.state,
        at=row.occurred_at,
        operation=row.operation_id or 0,
        player=row.player_id or 0,
        taken=row.taken,
        owed=row.owed,
        forgiven=row.forgiven,
        suspended=row.suspended,
        actor=row.requested_by or "—",
    )
    stuck = row.provider_state == "requested" and datetime.now(UTC) - row.created_at > REPEATABLE
    await screen.show(text, keyboards.returned(t, row, stuck=stuck))


async def collect(
    query: CallbackQuery,
    callback_data: SettleDebt,
    screen: Screen,
    event_from_user: User,
    returns: Returns,
    t: Translate,
) -> None:
    row = await returns.collect(event_from_user.id, callback_data.returned, callback_data.owed)
    await _show_returned(screen, t, row)


async def ask_forgive(
    query: CallbackQuery, callback_data: SettleDebt, screen: Screen, returns: Returns, t: Translate
) -> None:
    row = await returns.get(callback_data.returned)
    text = t("admin-debt-forgive", id=row.id, owed=row.owed)
    await screen.show(text, keyboards.sure_forgive(t, row.id, callback_data.owed))


async def forgive(
    query: CallbackQuery,
    callback_data: SettleDebt,
    screen: Screen,
    event_from_user: User,
    returns: Returns,
    t: Translate,
) -> None:
    row = await returns.forgive(event_from_user.id, callback_data.returned, callback_data.owed)
    await _show_returned(screen, t, row)


async def give_up(
    query: CallbackQuery,
    callback_data: GiveUpRefund,
    screen: Screen,
    event_from_user: User,
    returns: Returns,
    t: Translate,
) -> None:
    await _show_returned(screen, t, await returns.give_up(event_from_user.id, callback_data.returned))


# ---- giving a player's deposit back


async def refund_named(
    message: Message, command: CommandObject, screen: Screen, state: FSMContext, returns: Returns, t: Translate
) -> None:
    number = (command.args or "").strip().lstrip("#№").strip()
    if not (number.isascii() and number.isdecimal() and len(number) <= 18):
        await screen.show(t("admin-refund-which"), keyboards.cancel(t))
        return
    await _ask_amount(screen, t, state, await returns.refundable(int(number)))


async def refund_pressed(
    query: CallbackQuery, callback_data: GiveBack, screen: Screen, state: FSMContext, returns: Returns, t: Translate
) -> None:
    await _ask_amount(screen, t, state, await returns.refundable(callback_data.operation))


async def _ask_amount(screen: Screen, t: Translate, state: FSMContext, refundable: Refundable) -> None:
    operation = refundable.operation
    await state.set_state(Typing.refund_amount)
    await state.set_data({"operation": operation.id, "currency": refundable.maximum.currency})
    text = t(
        "admin-refund-amount",
        operation=operation.id,
        player=operation.player_id,
        amount=operation.amount,
        provider=operation.provider,
        maximum=refundable.maximum,
    )
    nonce = secrets.token_urlsafe(6)
    await screen.show(text, keyboards.refund(t, operation.id, refundable.maximum, nonce))


async def refund_typed(message: Message, screen: Screen, state: FSMContext, returns: Returns, t: Translate) -> None:
    asked = await state.get_data()
    refundable = await returns.refundable(asked["operation"])
    try:
        amount = Money.parse(message.text or "", asked["currency"])
    except InvalidAmount as error:
        raise NotAnAmount(refundable.maximum) from error
    await state.clear()
    operation = refundable.operation
    text = t("admin-refund-sure", operation=operation.id, player=operation.player_id, amount=amount)
    await screen.show(text, keyboards.refund(t, operation.id, amount, secrets.token_urlsafe(6)))


async def refund(
    query: CallbackQuery,
    callback_data: ConfirmRefund,
    screen: Screen,
    event_from_user: User,
    returns: Returns,
    t: Translate,
) -> None:
    row = await returns.give_back(
        event_from_user.id,
        callback_data.operation,
        callback_data.minor,
        key=f"{callback_data.nonce}:{callback_data.minor}",
    )
    await _show_returned(screen, t, row)


def _money(minor: int | None, currency: str | None) -> Money | None:
    return None if minor is None or currency is None else Money(minor, currency)
