"""Players: who writes to us, in which language, and whether they took the rules."""

import re
from dataclasses import dataclass

from db import players
from db.database import Database
from db.models import Language, Player

_LINK = re.compile(r"[A-Za-z0-9_-]{1,64}")  # https://core.telegram.org/bots/features#deep-linking


@dataclass(frozen=True, slots=True)
class Players:
    database: Database
    default_language: Language

    async def meet(self, telegram_id: int, *, username: str | None, name: str, language_code: str | None) -> Player:
        """The player behind a Telegram account, known from now on. The language is Telegram's at first, then chosen."""
        spoken = (language_code or "").partition("-")[0].lower()
        language = Language(spoken) if spoken in set(Language) else self.default_language
        async with self.database.connection() as tx:
            return await players.meet(tx, telegram_id, username and username[:64], name[:128], language)

    async def start(self, player: Player, link: str | None) -> None:
        """Keeps the deep link of the first /start."""
        if link and _LINK.fullmatch(link):
            async with self.database.connection() as tx:
                await players.keep_start_link(tx, player.id, link)

    async def accept_rules(self, player: Player) -> Player:
        """The player says: I am 18 or older and take the rules. The first time counts."""
        async with self.database.connection() as tx:
            return await players.accept_rules(tx, player.id)

    async def set_language(self, player: Player, language: Language) -> Player:
        async with self.database.connection() as tx:
            return await players.set_language(tx, player.id, language)

    async def reachable(self, telegram_id: int, reachable: bool) -> None:
        """Telegram says that the player blocked or unblocked the bot."""
        async with self.database.connection() as tx:
            await players.mark_blocked(tx, telegram_id, blocked=not reachable)
