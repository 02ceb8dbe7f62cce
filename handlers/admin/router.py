"""The admins' rooms. Who may not enter passes the door as if it were not there: a command unknown, a dead button.

Who may do what stands in services/staff.py; the doors are here, and only here.
"""

from collections.abc import Mapping

from aiogram import F, Router
from aiogram.filters import MagicData

from handlers.admin import books, corrections, methods, money, players, withdrawals
from services.staff import Right

COMMANDS: Mapping[str, Right] = {
    "withdrawals": Right.PAY,
    "player": Right.PLAYERS,
    "money": Right.MONEY,
    "reconcile": Right.MONEY,
    "verify": Right.MONEY,
}
"""What Telegram's menu lists for who has the right, beside the players' commands."""


def create_router() -> Router:
    router = Router(name="admin")
    router.include_routers(
        *_room(Right.PAY, withdrawals.create_router(), methods.create_router()),
        *_room(Right.PLAYERS, players.create_router()),
        *_room(Right.MONEY, corrections.create_router(), money.create_router(), books.create_router()),
    )
    return router


def _room(right: Right, *routers: Router) -> tuple[Router, ...]:
    for router in routers:
        router.message.filter(MagicData(F.rights.contains(right)))
        router.callback_query.filter(MagicData(F.rights.contains(right)))
    return routers
