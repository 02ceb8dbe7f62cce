"""Wallets: what a player has, and every movement that made it so."""

from dataclasses import dataclass

from db import wallets
from db.database import Database
from db.models import Movement, Page, Player, Wallet

PAGE = 8


@dataclass(frozen=True, slots=True)
class Wallets:
    database: Database

    async def balances(self, player: Player) -> list[Wallet]:
        """The player's wallets by currency; none before the first deposit was asked for."""
        async with self.database.connection() as tx:
            return await wallets.balances(tx, player.id)

    async def history(self, player: Player, *, before: int | None = None, after: int | None = None) -> Page[Movement]:
        """A page of movements in all currencies, newest first: the newest, or those before or after a journal's id."""
        async with self.database.connection() as tx:
            return await wallets.history(tx, player.id, before=before, after=after, limit=PAGE)
