"""What a player pays from and is paid to: both lists, and the second one's screens."""

from collections.abc import Sequence
from datetime import UTC, datetime

from aiogram import F, Router
from aiogram.enums import ButtonStyle
from aiogram.filters import Command
from aiogram.fsm.context import FSMContext
from aiogram.types import CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, Message

from db.models import MethodKind, Network, Player, Verification, WithdrawalMethod
from handlers import cards as kept
from handlers import filters, keyboards
from handlers.callbacks import AddMethod, DefaultMethod, Open, OpenMethod, Place, RemoveMethod
from handlers.screen import Screen
from handlers.states import Typing
from handlers.texts import Translate, Value
from services.cards import Cards
from services.methods import Methods

_KINDS = (
    AddMethod(kind=MethodKind.RU_ACCOUNT),
    AddMethod(kind=MethodKind.IBAN),
    AddMethod(kind=MethodKind.CARD),
    *(AddMethod(kind=MethodKind.CRYPTO, network=network) for network in Network),
)


def create_router() -> Router:
    router = Router(name="methods")
    router.message.register(overview, Command("methods", ignore_case=True))
    router.callback_query.register(overview, Open.filter(F.place == Place.METHODS))
    router.callback_query.register(kinds, AddMethod.filter(F.kind.is_(None)))
    router.callback_query.register(ask, AddMethod.filter(F.kind))
    router.message.register(add, filters.Answer(Typing.method))
    router.callback_query.register(show, OpenMethod.filter())
    router.callback_query.register(make_default, DefaultMethod.filter())
    router.callback_query.register(ask_to_remove, RemoveMethod.filter(~F.sure))
    router.callback_query.register(remove, RemoveMethod.filter(F.sure))
    return router


async def overview(
    event: Message | CallbackQuery, screen: Screen, player: Player, cards: Cards, methods: Methods, t: Translate
) -> None:
    mine, payees = await cards.list(player), await methods.mine(player)
    paying = t("methods-cards", cards=kept.lines(t, mine)) if mine else t("methods-no-cards")
    paid = "\n".join([t("methods-payees"), *lines(t, payees)]) if payees else t("methods-no-payees")
    await screen.show(f"{paying}\n\n{paid}", keyboards.methods(t, mine, payees))


def lines(t: Translate, methods: Sequence[WithdrawalMethod]) -> list[str]:
    """The methods as a list, each with what it waits for."""
    return [t("method-line", **_facts(method)) for method in methods]


async def kinds(query: CallbackQuery, screen: Screen, t: Translate) -> None:
    await screen.show(t("method-kinds"), _choose_kind(t))


async def ask(query: CallbackQuery, callback_data: AddMethod, screen: Screen, state: FSMContext, t: Translate) -> None:
    await state.set_state(Typing.method)
    await state.set_data({"kind": callback_data.kind, "network": callback_data.network})
    await screen.show(t("method-type", kind=_what(callback_data.kind, callback_data.network)), keyboards.cancel(t))


async def add(
    message: Message, screen: Screen, state: FSMContext, player: Player, methods: Methods, t: Translate
) -> None:
    asked = await state.get_data()
    kind, network = MethodKind(asked["kind"]), asked["network"] and Network(asked["network"])
    method = await methods.add(player, kind, network, message.text or "")
    await _show(screen, t, method)
    await state.clear()


async def show(
    query: CallbackQuery, callback_data: OpenMethod, screen: Screen, player: Player, methods: Methods, t: Translate
) -> None:
    await _show(screen, t, await methods.own(player, callback_data.method))


async def make_default(
    query: CallbackQuery, callback_data: DefaultMethod, screen: Screen, player: Player, methods: Methods, t: Translate
) -> None:
    await _show(screen, t, await methods.make_default(player, callback_data.method))


async def ask_to_remove(
    query: CallbackQuery, callback_data: RemoveMethod, screen: Screen, player: Player, methods: Methods, t: Translate
) -> None:
    method = await methods.own(player, callback_data.method)
    await screen.show(t("method-remove", method=method.masked), _remove(t, method))


async def remove(
    query: CallbackQuery, callback_data: RemoveMethod, screen: Screen, player: Player, methods: Methods, t: Translate
) -> None:
    await methods.remove(player, callback_data.method)
    await screen.show(t("method-removed"), keyboards.to_methods(t))


async def _show(screen: Screen, t: Translate, method: WithdrawalMethod) -> None:
    await screen.show(t("method-screen", **_facts(method)), _method(t, method))


def _facts(method: WithdrawalMethod) -> dict[str, Value]:
    match method.verification:
        case Verification.PENDING:
            state = "pending"
        case Verification.REJECTED:
            state = "rejected"
        case Verification.VERIFIED:
            state = "cooling" if method.usable_at > datetime.now(UTC) else "ready"
    return {
        "kind": _what(method.kind, method.network),
        "method": method.masked,
        "state": state,
        "until": method.usable_at,
        "note": method.note or "—",
        "first": "yes" if method.is_default and state != "rejected" else "no",
        "currency": method.currency if method.currency and state != "rejected" else "any",
    }


def _what(kind: MethodKind | None, network: Network | None) -> str:
    """A kind as its texts know it; each network is one."""
    return str(network or kind)


# ---- the buttons


def _choose_kind(t: Translate) -> InlineKeyboardMarkup:
    offered = [keyboards.button(t("method-kind", kind=_what(kind.kind, kind.network)), kind) for kind in _KINDS]
    return keyboards.rows(
        *([each] for each in offered[:3]),
        offered[3:],
        [_back(t)],
    )


def _method(t: Translate, method: WithdrawalMethod) -> InlineKeyboardMarkup:
    first = [] if method.is_default else [keyboards.button(t("button-make-default"), DefaultMethod(method=method.id))]
    removing = keyboards.button(t("button-remove"), RemoveMethod(method=method.id), ButtonStyle.DANGER)
    ready = method.verification is Verification.VERIFIED
    going = [keyboards.button(t("button-withdraw"), Open(place=Place.WITHDRAW))] if ready else []
    return keyboards.rows(going, [*first, removing], [_back(t)])


def _remove(t: Translate, method: WithdrawalMethod) -> InlineKeyboardMarkup:
    sure = RemoveMethod(method=method.id, sure=True)
    return keyboards.rows(
        [keyboards.button(t("button-remove-sure"), sure, ButtonStyle.DANGER)],
        [keyboards.button(t("button-back"), OpenMethod(method=method.id))],
    )


def _back(t: Translate) -> InlineKeyboardButton:
    return keyboards.button(t("button-back"), Open(place=Place.METHODS))
