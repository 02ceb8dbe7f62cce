"""The buttons under odd money, debts and the comparison of lists."""

from collections.abc import Iterable, Sequence

from aiogram.enums import ButtonStyle
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup

from db.models import OddItem, Page, ProviderName, ReturnedPayment, ReturnState
from db.money import Money
from handlers.admin.callbacks import (
    ConfirmRefund,
    CreditTo,
    Decision,
    GiveUpRefund,
    OpenBooks,
    OpenItem,
    OpenOdd,
    OpenReturned,
    Reconcile,
    SettleDebt,
    SettleItem,
)
from handlers.callbacks import Open, Place
from handlers.keyboards import button, rows, to_desk
from handlers.texts import Translate
from services.players import Found
from services.reconciliation import Card

_LABEL = 24
_HOURLY, _NIGHTLY = 3, 35


def items(t: Translate, page: Page[OddItem], debts: int) -> InlineKeyboardMarkup:
    opened = [button(f"№ {item.id}", OpenItem(item=item.id)) for item in page.items]
    other = [button(t("button-debts", count=debts), OpenOdd(debts=True))] if debts else []
    return rows(opened[:3], opened[3:], _turns(t, page, debts=False), other, [_books(t), to_desk(t)])


def debts(t: Translate, page: Page[ReturnedPayment], items_open: int) -> InlineKeyboardMarkup:
    opened = [button(f"№ {row.id}", OpenReturned(returned=row.id)) for row in page.items]
    other = [button(t("button-odd-money", count=items_open), OpenOdd())]
    return rows(opened[:3], opened[3:], _turns(t, page, debts=True), other, [to_desk(t)])


def _turns(t: Translate, page: Page[OddItem] | Page[ReturnedPayment], *, debts: bool) -> list[InlineKeyboardButton]:
    """Oldest first: what is newer is further on."""
    turns = []
    if page.older is not None:
        turns.append(button(t("button-back"), OpenOdd(debts=debts, before=page.older)))
    if page.newer is not None:
        turns.append(button(t("button-further"), OpenOdd(debts=debts, after=page.newer)))
    return turns


def item(t: Translate, card: Card) -> InlineKeyboardMarkup:
    def settle(text_id: str, decision: Decision, style: ButtonStyle | None = None) -> InlineKeyboardButton:
        return button(t(text_id), SettleItem(item=card.item.id, decision=decision), style)

    decisions: list[list[InlineKeyboardButton]] = []
    if card.item.settled is None and card.in_suspense:
        if card.operation is not None:
            decisions.append([settle("button-credit", Decision.CREDIT, ButtonStyle.SUCCESS)])
        decisions.append([settle("button-credit-other", Decision.CREDIT_OTHER)])
        decisions.append([settle("button-send-back", Decision.SEND_BACK, ButtonStyle.DANGER)])
    elif card.item.settled is None:
        decisions.append([settle("button-close", Decision.CLOSE, ButtonStyle.SUCCESS)])
        decisions.append([settle("button-close-noted", Decision.CLOSE_NOTED)])
    returned = [button(t("button-returned", id=row.id), OpenReturned(returned=row.id)) for row in card.returned[:2]]
    return rows(*decisions, returned, [_odd(t), to_desk(t)])


def sure(t: Translate, item_id: int, decision: Decision) -> InlineKeyboardMarkup:
    return rows(
        [button(t("button-send-back"), SettleItem(item=item_id, decision=decision, sure=True), ButtonStyle.DANGER)],
        [button(t("button-cancel"), OpenItem(item=item_id))],
    )


def cancel_item(t: Translate, item_id: int) -> InlineKeyboardMarkup:
    return rows([button(t("button-cancel"), OpenItem(item=item_id))])


def credit_to(t: Translate, item_id: int, hits: Sequence[Found]) -> InlineKeyboardMarkup:
    names = [(hit.profile.player.id, hit.profile.name) for hit in hits]
    return rows(
        *([button(f"№ {number} · {name[:_LABEL]}", CreditTo(item=item_id, player=number))] for number, name in names),
        [button(t("button-cancel"), OpenItem(item=item_id))],
    )


def returned(t: Translate, row: ReturnedPayment, *, stuck: bool) -> InlineKeyboardMarkup:
    decisions: list[list[InlineKeyboardButton]] = []
    if row.owed:
        if row.player_id is not None:
            collect = SettleDebt(returned=row.id, owed=row.owed.minor)
            decisions.append([button(t("button-collect"), collect, ButtonStyle.SUCCESS)])
        forgive = SettleDebt(returned=row.id, owed=row.owed.minor, forgive=True)
        decisions.append([button(t("button-forgive"), forgive, ButtonStyle.DANGER)])
    if stuck and row.state is ReturnState.NOTED:
        decisions.append([button(t("button-give-up-refund"), GiveUpRefund(returned=row.id), ButtonStyle.DANGER)])
    return rows(*decisions, [_odd(t), to_desk(t)])


def sure_forgive(t: Translate, returned_id: int, owed: int) -> InlineKeyboardMarkup:
    forgive = SettleDebt(returned=returned_id, owed=owed, forgive=True, sure=True)
    return rows(
        [button(t("button-forgive"), forgive, ButtonStyle.DANGER)],
        [button(t("button-cancel"), OpenReturned(returned=returned_id))],
    )


def refund(t: Translate, operation_id: int, amount: Money, nonce: str) -> InlineKeyboardMarkup:
    confirm = ConfirmRefund(operation=operation_id, minor=amount.minor, nonce=nonce)
    return rows([button(t("button-refund", amount=amount), confirm, ButtonStyle.DANGER)], [_cancel(t)])


def cancel(t: Translate) -> InlineKeyboardMarkup:
    return rows([_cancel(t)])


def books(t: Translate, providers: Iterable[ProviderName]) -> InlineKeyboardMarkup:
    runs = [
        [
            button(t("button-reconcile", provider=name, count=days), Reconcile(provider=name, days=days))
            for days in (_HOURLY, _NIGHTLY)
        ]
        for name in providers
    ]
    return rows(*runs, [_odd(t), to_desk(t)])


def to_books(t: Translate) -> InlineKeyboardMarkup:
    return rows([_books(t), _odd(t)], [to_desk(t)])


def item_below(t: Translate, item_id: int) -> InlineKeyboardMarkup:
    return rows([button(t("button-look"), OpenItem(item=item_id, below=True))])


def returned_below(t: Translate, returned_id: int) -> InlineKeyboardMarkup:
    return rows([button(t("button-look"), OpenReturned(returned=returned_id, below=True))])


def odd_below(t: Translate) -> InlineKeyboardMarkup:
    return rows([button(t("button-look"), OpenOdd(below=True))])


def books_below(t: Translate) -> InlineKeyboardMarkup:
    return rows([button(t("button-look"), OpenBooks(below=True))])


def _odd(t: Translate) -> InlineKeyboardButton:
    return button(t("button-odd-list"), OpenOdd())


def _books(t: Translate) -> InlineKeyboardButton:
    return button(t("button-books"), OpenBooks())


def _cancel(t: Translate) -> InlineKeyboardButton:
    return button(t("button-cancel"), Open(place=Place.MENU))
