"""What Telegram's own menu lists: the players' commands, and beside them what a role may do."""

from collections.abc import Mapping
from contextlib import suppress

from aiogram import Bot
from aiogram.exceptions import TelegramAPIError
from aiogram.types import BotCommand, BotCommandScopeChat

from handlers.texts import Translate
from services.staff import Right

COMMANDS = (
    *("menu", "balance", "deposit", "withdraw", "methods", "history", "export", "settings", "help", "paysupport"),
)
CASINO_COMMANDS = ("signals",)
"""Listed when there is a casino whose players are ours."""
ADMIN_COMMANDS: Mapping[str, Right] = {
    "admin": Right.DESK,
    "withdrawals": Right.PAY,
    "player": Right.PLAYERS,
    "money": Right.MONEY,
    "reconcile": Right.MONEY,
    "verify": Right.MONEY,
    "stats": Right.STATS,
    "casino": Right.CASINO,
    "inbox": Right.LETTERS,
    "signal": Right.SIGNALS,
    "broadcast": Right.BROADCAST,
}


def commands(t: Translate, rights: frozenset[Right] = frozenset(), *, casinos: bool) -> list[BotCommand]:
    """The menu of a chat, in its language."""
    return [
        BotCommand(command=command, description=t(f"command-{command}"))
        for command in (*COMMANDS, *(CASINO_COMMANDS if casinos else ()), *admin_commands(rights))
    ]


async def list_commands(bot: Bot, telegram_id: int, t: Translate, rights: frozenset[Right], *, casinos: bool) -> None:
    """Tells Telegram what one chat's menu lists. A menu that is not shown is no reason to stop."""
    scope = BotCommandScopeChat(chat_id=telegram_id)
    with suppress(TelegramAPIError):
        if rights:
            await bot.set_my_commands(commands(t, rights, casinos=casinos), scope=scope)
        else:
            await bot.delete_my_commands(scope=scope)


def admin_commands(rights: frozenset[Right]) -> list[str]:
    return [command for command, right in ADMIN_COMMANDS.items() if right in rights]
