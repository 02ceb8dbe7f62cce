"""What a player may set: so far the language."""

from aiogram import F, Router
from aiogram.filters import Command
from aiogram.types import CallbackQuery, Message

from db.models import Player
from handlers import keyboards, start
from handlers.callbacks import Open, Place, Speak
from handlers.screen import Screen
from handlers.texts import Texts, Translate
from services.players import Players


def create_router() -> Router:
    router = Router(name="settings")
    router.message.register(settings, Command("settings", ignore_case=True))
    router.callback_query.register(settings, Open.filter(F.place == Place.SETTINGS))
    router.callback_query.register(speak, Speak.filter())
    return router


async def settings(event: Message | CallbackQuery, screen: Screen, t: Translate) -> None:
    await screen.show(t("settings", language=t(f"language-{t.language}")), keyboards.settings(t))


async def speak(
    query: CallbackQuery, callback_data: Speak, screen: Screen, player: Player, players: Players, texts: Texts
) -> None:
    """The same screen, in the language chosen: the rules as long as they are not accepted."""
    player = await players.set_language(player, callback_data.language)
    t = texts.translator(player.language)
    if player.accepted_at is None:
        await start.show_rules(screen, t)
    else:
        await settings(query, screen, t)
