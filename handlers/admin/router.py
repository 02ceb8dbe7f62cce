"""The admins' rooms. Who may not enter passes the door as if it were not there: a command unknown, a dead button.

Who may do what stands in services/staff.py; the doors are here, and only here. handlers/commands.py lists the commands.
"""

from aiogram import F, Router
from aiogram.filters import MagicData

from handlers.admin import (
    books,
    broadcasts,
    casinos,
    corrections,
    desk,
    insights,
    letters,
    methods,
    money,
    players,
    signals,
    staff,
    withdrawals,
)
from handlers.index import IndexedRouter
from services.staff import Right


def create_router() -> Router:
    router = IndexedRouter(name="admin")
    for observer in router.observers.values():
        observer.filter(MagicData(F.rights))  # a player passes all rooms at once
    router.include_routers(
        *_room(Right.DESK, desk.create_router()),
        *_room(Right.HEALTH, desk.create_health_router()),
        *_room(Right.STAFF, staff.create_router(), desk.create_house_router()),
        *_room(Right.LETTERS, letters.create_router()),
        *_room(Right.PAY, withdrawals.create_router(), methods.create_router()),
        *_room(Right.PLAYERS, players.create_router()),
        *_room(Right.CASINO, casinos.create_router()),
        *_room(Right.SIGNALS, signals.create_router()),
        *_room(Right.MONEY, corrections.create_router(), money.create_router(), books.create_router()),
        *_room(Right.BROADCAST, broadcasts.create_router()),
        *_room(Right.STATS, insights.create_router()),
    )
    return router


def _room(right: Right, *routers: Router) -> tuple[Router, ...]:
    """Puts a lock on everything that comes to these routers."""
    for router in routers:
        for observer in router.observers.values():
            if observer.handlers or router.sub_routers:  # for most kinds of update a room has nothing
                observer.filter(MagicData(F.rights.contains(right)))
    return routers
