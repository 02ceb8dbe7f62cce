"""A broadcast as its players see it: the message exactly as the admin wrote it, and the way out of all others."""

from aiogram import Bot, Router
from aiogram.types import CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, Message, MessageEntity

from db.models import BroadcastText, Player
from handlers.callbacks import NoMoreNews
from handlers.keyboards import button, rows
from handlers.screen import Screen
from handlers.texts import Translate
from services.players import Players


def create_router() -> Router:
    router = Router(name="broadcasts")
    router.callback_query.register(no_more_news, NoMoreNews.filter())
    return router


async def no_more_news(query: CallbackQuery, screen: Screen, player: Player, players: Players, t: Translate) -> None:
    """Whoever presses it is meant; the message stays as it is."""
    await players.set_news(player, on=False)
    await screen.toast(t("news-off"), alert=True)


async def deliver(bot: Bot, chat_id: int, content: BroadcastText, t: Translate) -> Message:
    """Sends it. The formatting goes beside the text and not in it, so nothing the admin typed is read as markup."""
    entities = [MessageEntity.model_validate(entity) for entity in content.entities]
    if content.photo is None:
        return await bot.send_message(
            chat_id, content.text, entities=entities, parse_mode=None, reply_markup=_keyboard(t, content)
        )
    return await bot.send_photo(
        chat_id,
        content.photo,
        caption=content.text,
        caption_entities=entities,
        parse_mode=None,
        reply_markup=_keyboard(t, content),
    )


def _keyboard(t: Translate, content: BroadcastText) -> InlineKeyboardMarkup:
    own = [] if content.button is None else [InlineKeyboardButton(text=content.button[0], url=content.button[1])]
    return rows(own, [button(t("button-no-more-news"), NoMoreNews())])
