"""The admins' rooms. Who is none gets past this door as if it were not there: an unknown command, a dead button."""

from aiogram import F, Router
from aiogram.filters import MagicData

from handlers.admin import books, corrections, methods, money, players, withdrawals

COMMANDS: tuple[str, ...] = ("withdrawals", "player", "money", "reconcile", "verify")
"""What Telegram's menu lists for admins, beside the players' commands."""

is_admin = MagicData(F.event_from_user.id.in_(F.admin_ids))


def create_router() -> Router:
    router = Router(name="admin")
    router.message.filter(is_admin)
    router.callback_query.filter(is_admin)
    router.include_routers(
        withdrawals.create_router(),
        methods.create_router(),
        players.create_router(),
        corrections.create_router(),
        money.create_router(),
        books.create_router(),
    )
    return router
