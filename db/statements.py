"""Monthly statements: made from the ledger in one statement for all wallets, then only read."""

from collections.abc import Sequence
from datetime import datetime

from asyncpg import Record

from db.database import Tx
from db.models import Month, Statement
from db.money import Money
from db.wallets import summary

PATIENCE = 600
"""Seconds: all wallets' month at once takes longer than other statements."""

_READ = """
    SELECT s.statement_id, s.user_id, s.currency, s.year, s.month, s.first_seq, s.last_seq, s.generated_at,
        y.movements, s.opening_minor AS opening, y.deposited, y.returned, y.held, y.staked, y.won, y.other,
        s.closing_minor AS closing, y.withdrawn, y.turnover, y.lost, y.bets_won, y.bets_lost, y.bets_void
      FROM monthly_statements s JOIN wallet w ON w.user_id = s.user_id AND w.currency = s.currency
        CROSS JOIN LATERAL wallet_summary(w.id, s.first_seq, s.last_seq) y
"""


def _statement(row: Record) -> Statement:
    return Statement(
        id=row["statement_id"],
        player_id=row["user_id"],
        currency=row["currency"],
        year=row["year"],
        month=row["month"],
        summary=summary(row, row["currency"], row["first_seq"], row["last_seq"]),
        made_at=row["generated_at"],
    )


async def first_movement(tx: Tx) -> datetime | None:
    """When anything was booked for the first time."""
    booked: datetime | None = await tx.fetchval("SELECT created_at FROM ledger_journal ORDER BY id LIMIT 1")
    return booked


async def make(tx: Tx, years: Sequence[int], months: Sequence[int], ends: Sequence[datetime]) -> int:
    """Makes what is missing of these months, in order, for every wallet; answers how many. Harmless when repeated.

    A wallet's next statement begins after the last movement that is in one, so nothing is left out and nothing told
    twice, whichever months are asked for and whatever was booked late.
    """
    await tx.execute(f"SET LOCAL statement_timeout = '{PATIENCE}s'")
    await tx.execute("SELECT pg_advisory_xact_lock(hashtext('monthly_statements'))")
    made = await tx.execute(
        """
        INSERT INTO monthly_statements (user_id, currency, unit, year, month, first_seq, last_seq,
            opening_minor, closing_minor, deposits_minor, withdrawals_minor, bets_minor, turnover_minor, wins_minor,
            losses_minor, won_count, lost_count, void_count)
          SELECT r.user_id, r.currency, r.unit, r.year, r.month, r.first, r.last, y.opening, y.closing,
              y.deposited, y.withdrawn, -y.staked, y.turnover, y.won, y.lost, y.bets_won, y.bets_lost, y.bets_void
            FROM (
              SELECT w.id, w.user_id, w.currency, w.unit, m.year, m.month, e.last,
                  lag(e.last, 1, w.covered) OVER (PARTITION BY w.id ORDER BY m.ends) + 1 AS first
                FROM (
                  SELECT b.id, b.user_id, b.currency, y.unit, b.seq, coalesce(s.last_seq, 0) AS covered,
                      coalesce(s.year * 12 + s.month, 0) AS stated
                    FROM wallet b JOIN currency y ON y.code = b.currency
                      LEFT JOIN LATERAL (SELECT last_seq, year, month FROM monthly_statements
                        WHERE user_id = b.user_id AND currency = b.currency
                        ORDER BY year DESC, month DESC LIMIT 1) s ON true
                    WHERE b.seq > coalesce(s.last_seq, 0)) w
                  CROSS JOIN LATERAL (SELECT wallet_booked(w.id, w.covered + 1) AS at) begins
                  JOIN unnest($1::int[], $2::int[], $3::timestamptz[]) AS m (year, month, ends)
                    ON m.year * 12 + m.month > w.stated AND m.ends > begins.at
                  CROSS JOIN LATERAL (SELECT greatest(wallet_seq_before(w.id, m.ends), w.covered) AS last) e) r
              CROSS JOIN LATERAL wallet_summary(r.id, r.first, r.last) y
            WHERE r.last >= r.first
          ON CONFLICT DO NOTHING
        """,
        years,
        months,
        ends,
        timeout=PATIENCE,
    )
    return int(made.rpartition(" ")[2])


async def months(tx: Tx, player_id: int, *, before: int | None, limit: int) -> list[Month]:
    """A player's statements, the newest month first; `before`: only months before this one (year * 12 + month)."""
    rows = await tx.fetch(
        """
        SELECT statement_id, currency, year, month, closing_minor FROM monthly_statements
          WHERE user_id = $1 AND ($2::int IS NULL OR year * 12 + month < $2)
          ORDER BY year DESC, month DESC, currency LIMIT $3
        """,
        player_id,
        before,
        limit,
    )
    return [
        Month(
            row["statement_id"],
            row["currency"],
            row["year"],
            row["month"],
            Money(row["closing_minor"], row["currency"]),
        )
        for row in rows
    ]


async def get(tx: Tx, player_id: int, statement_id: int) -> Statement | None:
    row = await tx.fetchrow(f"{_READ} WHERE s.statement_id = $1 AND s.user_id = $2", statement_id, player_id)
    return None if row is None else _statement(row)
