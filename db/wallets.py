"""Wallets as they are, and as the ledger tells how they came to be so."""

from asyncpg import Record

from db.database import Tx
from db.models import Movement, Page, Wallet
from db.money import Money


async def balances(tx: Tx, player_id: int) -> list[Wallet]:
    rows = await tx.fetch(
        "SELECT currency, available_minor, bets_minor, withdrawals_minor, deposited_minor, withdrawn_minor, bet_minor,"
        " won_minor, lost_minor FROM users_balance WHERE user_id = $1 ORDER BY created_at, currency",
        player_id,
    )
    return [Wallet(row["currency"], *(Money(minor, row["currency"]) for minor in list(row)[1:])) for row in rows]


def _movement(row: Record) -> Movement:
    currency = row["currency"]
    return Movement(
        journal_id=row["transaction_id"],
        kind=row["transaction_type"],
        amount=Money(row["amount_minor"], currency),
        before=Money(row["before_minor"], currency),
        after=Money(row["after_minor"], currency),
        locked=Money(row["locked_minor"], currency),
        provider=row["provider"],
        entity_type=row["related_entity_type"],
        entity_id=row["related_entity_id"],
        at=row["created_at"],
    )


async def history(tx: Tx, player_id: int, *, before: int | None, after: int | None, limit: int) -> Page[Movement]:
    """A page by key, so that new movements never shift it. A journal that touches two wallets makes two movements."""
    backwards = after is None
    rows = await tx.fetch(
        f"""
        SELECT transaction_id, transaction_type, currency, amount_minor, before_minor, after_minor, locked_minor,
            provider, related_entity_type, related_entity_id, created_at
          FROM balance_transactions
          WHERE transaction_id IN (SELECT id FROM ledger_journal
            WHERE user_id = $1 AND id {"<" if backwards else ">"} $2
            ORDER BY id {"DESC" if backwards else "ASC"} LIMIT $3)
          ORDER BY transaction_id DESC, currency
        """,
        player_id,
        after if after is not None else before if before is not None else 2**63 - 1,
        limit + 1,
    )
    movements = [_movement(row) for row in rows]
    journals = sorted({movement.journal_id for movement in movements}, reverse=True)
    more = len(journals) > limit
    if more:  # read only to learn that there is another page
        extra = journals.pop() if backwards else journals.pop(0)
        movements = [movement for movement in movements if movement.journal_id != extra]
    if not journals:
        return Page([], older=None, newer=None)
    has_older = more or not backwards
    has_newer = before is not None if backwards else more
    return Page(movements, older=journals[-1] if has_older else None, newer=journals[0] if has_newer else None)
