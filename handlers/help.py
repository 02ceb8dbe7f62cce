"""What the bot can do, and how to reach a person."""

from aiogram import F, Router
from aiogram.filters import Command
from aiogram.types import CallbackQuery, Message

from handlers import keyboards
from handlers.callbacks import Open, Place
from handlers.commands import admin_commands
from handlers.screen import Screen
from handlers.texts import Translate
from services.staff import Right


def create_router() -> Router:
    router = Router(name="help")
    router.message.register(explain, Command("help", ignore_case=True))
    router.callback_query.register(explain, Open.filter(F.place == Place.HELP))
    router.message.register(pay_support, Command("paysupport", ignore_case=True))
    return router


async def explain(
    event: Message | CallbackQuery, screen: Screen, t: Translate, rights: frozenset[Right], admin_ids: tuple[int, ...]
) -> None:
    text = t("help", admin=_contact(admin_ids))
    lines = [f"/{command} — {t(f'command-{command}')}" for command in admin_commands(rights)]
    if lines:
        text = "\n".join([text, "", t("admin-help"), *lines])
    await screen.show(text, keyboards.to_menu(t))


async def pay_support(message: Message, screen: Screen, t: Translate, admin_ids: tuple[int, ...]) -> None:
    await screen.show(t("paysupport", admin=_contact(admin_ids)), keyboards.to_menu(t))


def _contact(admin_ids: tuple[int, ...]) -> int:
    """The admin whom players may write to; 0: nobody was named."""
    return admin_ids[0] if admin_ids else 0
