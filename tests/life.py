"""Players with a past: who came when and wrote on which days, joined the channel, and did what at casinos."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from db.database import Database


class Life:
    """Writes what happened long ago, as it would have been written then. Players are named by their numbers."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.people = 0
        self.events = 0

    async def came(self, at: datetime, *, wrote: Sequence[date] = ()) -> int:
        """Somebody new; answers the player's number."""
        self.people += 1
        async with self.database.connection() as tx:
            number: int = await tx.fetchval(
                "INSERT INTO users (telegram_id, language, created_at) VALUES ($1, 'ru', $2) RETURNING id",
                5000 + self.people,
                at,
            )
            await tx.execute("INSERT INTO activity SELECT day, $2 FROM unnest($1::date[]) AS day", wrote, number)
        return number

    async def joined(self, player: int, *, member: bool = True) -> None:
        async with self.database.connection() as tx:
            await tx.execute("INSERT INTO channel_member (user_id, member) VALUES ($1, $2)", player, member)

    async def linked(self, player: int, at: datetime, programme: str = "1win") -> None:
        """An admin bound the player's account."""
        async with self.database.connection() as tx:
            await tx.execute(
                """
                WITH bound AS (INSERT INTO casino_account (programme, casino_id, user_id, bound_by, bound_at)
                  VALUES ($1, $2::bigint::text, $2, 'admin:900', $3) RETURNING *)
                INSERT INTO audit_log (user_id, actor, action, status, details)
                  SELECT user_id, bound_by, 'casino', 'bound',
                      jsonb_build_object('programme', programme, 'casino_id', casino_id) FROM bound
                """,
                programme,
                player,
                at,
            )

    async def reported(
        self,
        player: int | None,
        kind: str,
        at: datetime,
        amount: str | None = None,
        currency: str = "RUB",
        *,
        programme: str = "1win",
        problem: str | None = None,
    ) -> None:
        """By the player's own link; None: of somebody unknown."""
        self.events += 1
        async with self.database.connection() as tx:
            click = None if player is None else f"{player:014x}{len(programme):02x}"
            if click is not None:
                await tx.execute(
                    "INSERT INTO casino_click (click_id, programme, user_id) VALUES ($1, $2, $3)"
                    " ON CONFLICT DO NOTHING",
                    click,
                    programme,
                    player,
                )
            await tx.execute(
                """
                INSERT INTO casino_event (programme, kind, dedupe_key, weak, words, click_id, user_id, linked_at,
                    amount, currency, occurred_at, received_at, problem)
                  VALUES ($1, $2, $3, false, '{}', $4, $5::bigint, CASE WHEN $5 IS NOT NULL THEN $6::timestamptz END,
                    $7::numeric, CASE WHEN $7 IS NOT NULL THEN $8 END, $6, $6, $9)
                """,
                programme,
                kind,
                f"event-{self.events}",
                click,
                player,
                at,
                None if amount is None else Decimal(amount),
                currency,
                problem,
            )

    async def delivered(self, source: str, times: Sequence[datetime]) -> None:
        async with self.database.connection() as tx:
            await tx.execute(
                """
                INSERT INTO webhook_inbox (provider, event_id, event_type, rereads, headers, body, body_sha256,
                    verified_by, state, received_at)
                  SELECT $1, 'e' || t, 'x', false, '{}', 'x', '', 'test', 'done', t FROM unnest($2::timestamptz[]) AS t
                """,
                source,
                times,
            )
