"""An admin verifies where players want to be paid."""

from collections.abc import Sequence

from aiogram import F, Router
from aiogram.enums import ButtonStyle
from aiogram.fsm.context import FSMContext
from aiogram.types import CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, Message, User

from db.models import Verification, WithdrawalMethod
from handlers import filters
from handlers.admin.callbacks import DecideMethod, MethodStep, OpenNewMethod, OpenNewMethods, OpenPlayer, OpenQueue
from handlers.admin.withdrawals import destination_lines
from handlers.keyboards import button, rows, to_desk
from handlers.screen import Screen
from handlers.states import Typing
from handlers.texts import Translate
from services.methods import Methods, Waiting


def create_router() -> Router:
    router = Router(name="admin-methods")
    router.callback_query.register(page, OpenNewMethods.filter())
    router.callback_query.register(card, OpenNewMethod.filter())
    router.callback_query.register(verify, DecideMethod.filter(F.step == MethodStep.VERIFY))
    router.callback_query.register(ask_reason, DecideMethod.filter(F.step == MethodStep.REJECT))
    router.callback_query.register(destination, DecideMethod.filter(F.step == MethodStep.DESTINATION))
    router.message.register(reject, filters.Answer(Typing.admin_method))
    return router


async def page(
    query: CallbackQuery, callback_data: OpenNewMethods, screen: Screen, methods: Methods, t: Translate
) -> None:
    waiting = await methods.waiting(callback_data.after or 0)
    lines = [
        t("admin-methods-line", id=method.id, method=method.masked, player=method.player_id, at=method.created_at)
        for method in waiting.methods
    ] or [t("admin-methods-none")]
    await screen.show("\n".join([t("admin-methods", count=waiting.count), *lines]), _page(t, waiting))


async def card(
    query: CallbackQuery, callback_data: OpenNewMethod, screen: Screen, methods: Methods, t: Translate
) -> None:
    if callback_data.below:
        screen.below()
    await _card(screen, t, methods, await methods.get(callback_data.method))


async def _card(screen: Screen, t: Translate, methods: Methods, method: WithdrawalMethod) -> None:
    sharers = await methods.sharers(method.id)
    text = t(
        "admin-method",
        id=method.id,
        kind=str(method.network or method.kind),
        method=method.masked,
        player=method.player_id,
        telegram=method.chat_id,
        at=method.created_at,
        until=method.usable_at,
        status=method.verification if method.is_active else "removed",
        note=method.note or "—",
        sharers=", ".join(f"№ {player}" for player in sharers) or "—",
    )
    await screen.show(text, _decisions(t, method, sharers))


async def verify(
    query: CallbackQuery,
    callback_data: DecideMethod,
    screen: Screen,
    event_from_user: User,
    methods: Methods,
    t: Translate,
) -> None:
    await _card(screen, t, methods, await methods.verify(event_from_user.id, callback_data.method))


async def destination(
    query: CallbackQuery,
    callback_data: DecideMethod,
    screen: Screen,
    event_from_user: User,
    methods: Methods,
    t: Translate,
) -> None:
    fields = await methods.reveal(event_from_user.id, callback_data.method)
    head = t("admin-method-in-full", id=callback_data.method)
    await screen.show("\n".join([head, *destination_lines(t, fields)]), _revealed(t, callback_data.method))


async def ask_reason(
    query: CallbackQuery, callback_data: DecideMethod, screen: Screen, state: FSMContext, t: Translate
) -> None:
    await state.set_state(Typing.admin_method)
    await state.set_data({"method": callback_data.method})
    back = button(t("button-cancel"), OpenNewMethod(method=callback_data.method))
    await screen.show(t("admin-method-why", id=callback_data.method), rows([back]))


async def reject(
    message: Message, screen: Screen, state: FSMContext, event_from_user: User, methods: Methods, t: Translate
) -> None:
    asked = await state.get_data()
    await _card(screen, t, methods, await methods.reject(event_from_user.id, asked["method"], message.text or ""))
    await state.clear()


# ---- the buttons


def opens_below(t: Translate, method_id: int) -> InlineKeyboardMarkup:
    """Under a message that tells of a method."""
    return rows([button(t("button-open"), OpenNewMethod(method=method_id, below=True))])


def _page(t: Translate, waiting: Waiting) -> InlineKeyboardMarkup:
    more = [] if waiting.next is None else [button(t("button-next-page"), OpenNewMethods(after=waiting.next))]
    return rows(
        *([button(f"№ {each.id} · {each.masked}", OpenNewMethod(method=each.id))] for each in waiting.methods),
        more,
        [button(t("button-queue"), OpenQueue()), to_desk(t)],
    )


def _decisions(t: Translate, method: WithdrawalMethod, sharers: Sequence[int]) -> InlineKeyboardMarkup:
    open_still = method.is_active and method.verification is Verification.PENDING
    look = _step(t, "button-destination", method.id, MethodStep.DESTINATION, ButtonStyle.PRIMARY)
    return rows(
        *([[look], _verdict(t, method.id)] if open_still else []),
        [button(t("button-to-player"), OpenPlayer(player=method.player_id))],
        [button(f"№ {player}", OpenPlayer(player=player)) for player in sharers[:4]],
        [button(t("button-method-queue"), OpenNewMethods())],
    )


def _revealed(t: Translate, method_id: int) -> InlineKeyboardMarkup:
    """The destination stays in the chat no longer than it is looked at."""
    return rows(_verdict(t, method_id), [button(t("button-hide"), OpenNewMethod(method=method_id))])


def _verdict(t: Translate, method_id: int) -> list[InlineKeyboardButton]:
    return [
        _step(t, "button-verify", method_id, MethodStep.VERIFY, ButtonStyle.SUCCESS),
        _step(t, "button-reject", method_id, MethodStep.REJECT, ButtonStyle.DANGER),
    ]


def _step(t: Translate, text_id: str, method_id: int, step: MethodStep, style: ButtonStyle) -> InlineKeyboardButton:
    return button(t(text_id), DecideMethod(method=method_id, step=step), style)
