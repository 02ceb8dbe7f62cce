"""What a player may set: the language, and what the bot writes about by itself."""

from aiogram import Bot, F, Router
from aiogram.filters import Command
from aiogram.types import CallbackQuery, Message

from db.models import Player
from handlers import keyboards, start
from handlers.callbacks import News, Open, Place, SignalNews, Speak
from handlers.commands import list_commands
from handlers.screen import Screen
from handlers.texts import Texts, Translate
from services.players import Players
from services.signals import Signals
from services.staff import Right


def create_router() -> Router:
    router = Router(name="settings")
    router.message.register(settings, Command("settings", ignore_case=True))
    router.callback_query.register(settings, Open.filter(F.place == Place.SETTINGS))
    router.callback_query.register(speak, Speak.filter())
    router.callback_query.register(news, News.filter())
    router.callback_query.register(signal_news, SignalNews.filter())
    return router


async def settings(
    event: Message | CallbackQuery, screen: Screen, player: Player, signals: Signals, t: Translate
) -> None:
    await _show(screen, t, player, signals)


async def speak(
    query: CallbackQuery,
    callback_data: Speak,
    screen: Screen,
    player: Player,
    players: Players,
    signals: Signals,
    rights: frozenset[Right],
    bot: Bot,
    texts: Texts,
) -> None:
    """The same screen, in the language chosen: the rules as long as they are not accepted."""
    player = await players.set_language(player, callback_data.language)
    t = texts.translator(player.language)
    if player.accepted_at is None:
        await start.show_rules(screen, t)
    else:
        await _show(screen, t, player, signals)
    if rights:
        await list_commands(bot, player.telegram_id, t, rights, casinos=bool(signals.casinos))


async def news(
    query: CallbackQuery,
    callback_data: News,
    screen: Screen,
    player: Player,
    players: Players,
    signals: Signals,
    t: Translate,
) -> None:
    await _show(screen, t, await players.set_news(player, on=callback_data.on), signals)


async def signal_news(
    query: CallbackQuery,
    callback_data: SignalNews,
    screen: Screen,
    player: Player,
    players: Players,
    signals: Signals,
    t: Translate,
) -> None:
    await _show(screen, t, await players.set_signals(player, on=callback_data.on), signals)


async def _show(screen: Screen, t: Translate, player: Player, signals: Signals) -> None:
    text = t("settings", language=t(f"language-{t.language}"))
    await screen.show(text, keyboards.settings(t, player, casinos=signals.casinos))
