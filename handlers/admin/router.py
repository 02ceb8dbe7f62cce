"""The admins' rooms. Who is none gets past this door as if it were not there: an unknown command, a dead button."""

from aiogram import F, Router
from aiogram.filters import MagicData

COMMANDS = ()
"""What Telegram's menu lists for admins, beside the players' commands."""

is_admin = MagicData(F.event_from_user.id.in_(F.admin_ids))


def create_router() -> Router:
    router = Router(name="admin")
    router.message.filter(is_admin)
    router.callback_query.filter(is_admin)
    router.include_routers()
    return router
