"""The first meeting: age and rules, the language, the main menu."""

from collections.abc import Sequence

from aiogram import Bot, F, Router
from aiogram.enums import ChatMemberStatus
from aiogram.filters import Command, CommandObject, CommandStart
from aiogram.types import CallbackQuery, ChatMemberUpdated, Message, User

from db.models import Player
from handlers import filters, keyboards
from handlers.callbacks import Accept, Open, Place, is_paid
from handlers.commands import list_commands
from handlers.screen import Screen
from handlers.texts import Translate
from services.casinos import CasinoPlace, Casinos
from services.players import Players
from services.signals import Signals
from services.staff import Right


def create_router() -> Router:
    router = Router(name="start")
    router.message.register(start, CommandStart(ignore_case=True, magic=~is_paid))
    router.callback_query.register(accept, Accept.filter())
    router.callback_query.register(read_rules, Open.filter(F.place == Place.RULES))
    router.my_chat_member.register(membership, filters.private)
    return router


def create_gate() -> Router:
    """Takes everything a player asks for before accepting the rules; stands before the routers of money."""
    router = Router(name="gate")
    router.message.register(ask_first, filters.rules_not_accepted)
    router.callback_query.register(ask_first, filters.rules_not_accepted)
    return router


def create_menu_router() -> Router:
    router = Router(name="menu")
    router.message.register(menu, Command("menu", ignore_case=True))
    router.callback_query.register(menu, Open.filter(F.place == Place.MENU))
    return router


async def start(
    message: Message,
    command: CommandObject,
    event_from_user: User,
    screen: Screen,
    player: Player,
    players: Players,
    casinos: Casinos,
    signals: Signals,
    rights: frozenset[Right],
    bot: Bot,
    t: Translate,
) -> None:
    await players.start(player, command.args)
    if player.accepted_at is None:
        await show_rules(screen, t)
    else:
        await welcome(screen, t, event_from_user, await casinos.places(player), signals, rights)
    if rights:
        await list_commands(bot, event_from_user.id, t, rights, casinos=bool(signals.casinos))


async def accept(
    query: CallbackQuery,
    event_from_user: User,
    screen: Screen,
    player: Player,
    players: Players,
    casinos: Casinos,
    signals: Signals,
    rights: frozenset[Right],
    t: Translate,
) -> None:
    places = await casinos.places(await players.accept_rules(player))
    await welcome(screen, t, event_from_user, places, signals, rights)


async def welcome(
    screen: Screen,
    t: Translate,
    user: User,
    places: Sequence[CasinoPlace],
    signals: Signals,
    rights: frozenset[Right],
) -> None:
    keyboard = keyboards.menu(t, casinos=signals.casinos, staff=bool(rights), places=places)
    await screen.show(t("welcome", name=user.full_name), keyboard)


async def show_rules(screen: Screen, t: Translate) -> None:
    await screen.show(t("rules-short"), keyboards.rules(t))


async def ask_first(event: Message | CallbackQuery, screen: Screen, t: Translate) -> None:
    await screen.toast(t("rules-not-accepted"))
    await show_rules(screen, t)


async def read_rules(query: CallbackQuery, screen: Screen, player: Player, t: Translate) -> None:
    keyboard = keyboards.accept(t) if player.accepted_at is None else keyboards.to_menu(t)
    await screen.show(t("rules"), keyboard)


async def menu(
    event: Message | CallbackQuery, screen: Screen, signals: Signals, rights: frozenset[Right], t: Translate
) -> None:
    await screen.show(t("menu"), keyboards.menu(t, casinos=signals.casinos, staff=bool(rights)))


async def membership(update: ChatMemberUpdated, players: Players) -> None:
    """Telegram says that the player blocked or unblocked the bot."""
    await players.reachable(update.from_user.id, update.new_chat_member.status == ChatMemberStatus.MEMBER)
