"""Signals as players see them: the checklist that opens them, then page by page with the whole record."""

from aiogram import F, Router
from aiogram.filters import Command
from aiogram.types import (
    CallbackQuery,
    ChatMemberAdministrator,
    ChatMemberMember,
    ChatMemberOwner,
    ChatMemberRestricted,
    ChatMemberUnion,
    ChatMemberUpdated,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    Message,
)

from db.models import Player, Signal
from handlers.callbacks import Open, Place, TurnSignals
from handlers.keyboards import button, rows
from handlers.screen import Screen
from handlers.texts import Translate
from services.signals import Gate, Listed, Signals, arguments, record_arguments


def create_router() -> Router:
    router = Router(name="signals")
    router.message.register(signals_page, Command("signals", ignore_case=True))
    router.callback_query.register(signals_page, Open.filter(F.place == Place.SIGNALS))
    router.callback_query.register(turn, TurnSignals.filter())
    return router


def create_channel_router() -> Router:
    """What Telegram says of the channel's members; it comes from the channel and not from a private chat."""
    router = Router(name="channel")
    router.chat_member.register(moved)
    return router


async def moved(update: ChatMemberUpdated, signals: Signals) -> None:
    member = update.new_chat_member
    await signals.moved(update.chat.id, member.user.id, member=is_member(member))


def is_member(member: ChatMemberUnion) -> bool:
    """https://core.telegram.org/bots/api#chatmember"""
    if isinstance(member, ChatMemberRestricted):
        return member.is_member
    return isinstance(member, ChatMemberOwner | ChatMemberAdministrator | ChatMemberMember)


async def signals_page(
    event: Message | CallbackQuery, screen: Screen, player: Player, signals: Signals, t: Translate
) -> None:
    await _show(screen, t, await signals.visit(player))


async def turn(
    query: CallbackQuery, callback_data: TurnSignals, screen: Screen, player: Player, signals: Signals, t: Translate
) -> None:
    await _show(screen, t, await signals.visit(player, before=callback_data.before, after=callback_data.after))


async def _show(screen: Screen, t: Translate, found: Gate | Listed) -> None:
    if isinstance(found, Gate):
        await screen.show(_checklist(t, found), _steps(t, found))
    else:
        lines = [line(t, signal) for signal in found.page.items] or [t("signals-none")]
        blocks = [t("signals"), *lines, t("signal-record", **record_arguments(found.record)), t("signal-footer")]
        await screen.show("\n\n".join(blocks), _pages(t, found))


def line(t: Translate, signal: Signal) -> str:
    """A signal and what became of it."""
    state = signal.result or ("started" if signal.started else "open")
    withdrawn = "yes" if signal.withdrawn_at else "no"
    return t("signal-line", **arguments(signal.draft), state=state, withdrawn=withdrawn)


def _checklist(t: Translate, gate: Gate) -> str:
    casino = ", ".join(gate.casinos)
    steps = [
        t("signals-step-account", done=_word(gate.access.linked), casino=casino),
        t("signals-step-deposit", done=_word(gate.access.deposited), casino=casino),
    ]
    if gate.channel:
        steps.append(t("signals-step-channel", done=_word(gate.access.member)))
    blocks = [t("signals-closed"), "\n".join(steps)]
    if gate.unsure:
        blocks.append(t("signals-unsure"))
    return "\n\n".join([*blocks, t("signal-footer")])


def _word(done: bool) -> str:
    return "yes" if done else "no"


def _steps(t: Translate, gate: Gate) -> InlineKeyboardMarkup:
    """A button for each step that is missing, and one to look again."""
    casino = ", ".join(gate.casinos)
    account = [button(t("button-step-account", title=casino), Open(place=Place.CASINO))]
    deposit = [button(t("button-step-deposit", title=casino), Open(place=Place.CASINO))]
    return rows(
        [] if gate.access.linked else account,
        [] if gate.access.deposited else deposit,
        [InlineKeyboardButton(text=t("button-step-channel"), url=gate.link)] if gate.link else [],
        [button(t("button-check-again"), Open(place=Place.SIGNALS))],
        [button(t("button-menu"), Open(place=Place.MENU))],
    )


def _pages(t: Translate, listed: Listed) -> InlineKeyboardMarkup:
    turns = []
    if listed.page.newer is not None:
        turns.append(button(t("button-newer"), TurnSignals(after=listed.page.newer)))
    if listed.page.older is not None:
        turns.append(button(t("button-older"), TurnSignals(before=listed.page.older)))
    return rows(turns, [button(t("button-menu"), Open(place=Place.MENU))])


def to_signals(t: Translate) -> InlineKeyboardMarkup:
    """Under what was told about a signal, which stays as it is."""
    return rows(
        [
            button(t("button-signals"), Open(place=Place.SIGNALS, below=True)),
            button(t("button-menu"), Open(place=Place.MENU, below=True)),
        ]
    )
