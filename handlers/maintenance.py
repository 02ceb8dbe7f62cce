"""The house closed for maintenance: players are asked to come back later, whatever they say or press."""

from aiogram import Router
from aiogram.fsm.context import FSMContext
from aiogram.types import CallbackQuery, Message

from handlers import filters
from handlers.screen import Screen
from handlers.texts import Translate


def create_gate() -> Router:
    """Stands before all other routers of the chat."""
    router = Router(name="maintenance")
    router.message.register(come_later, filters.turned_away)
    router.callback_query.register(ask_later, filters.turned_away)
    return router


async def come_later(message: Message, screen: Screen, state: FSMContext, t: Translate) -> None:
    """What was being typed will be asked anew: what is typed after the break may be meant otherwise."""
    await state.clear()
    await screen.show(t("maintenance"))


async def ask_later(query: CallbackQuery, screen: Screen, t: Translate) -> None:
    await screen.toast(t("maintenance"), alert=True)
