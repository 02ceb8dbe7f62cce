"""Wallets as they are, and as the ledger tells how they came to be so."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from asyncpg import Record

from db.database import Tx, present
from db.models import (
    Asked,
    Day,
    Movement,
    OperationStatus,
    Page,
    Request,
    Returned,
    Span,
    Step,
    Story,
    Summary,
    Wallet,
)
from db.money import CURRENCIES, Money

COUNTED = 1000
"""Nobody reads further, and to count on would cost what reading would."""

# What a player's payments in, payments out and bets are to the ledger. Every other kind is none of the three.
DEPOSITS = ("deposit", "suspense_released", "refund", "chargeback")
WITHDRAWALS = ("withdrawal_hold", "withdrawal_paid", "withdrawal_release")
BETS = ("bet_placed", "bet_won", "bet_lost", "bet_cancelled")

WAITING = ("created", "pending", "unknown", "review", "approved", "sending")
FAILED = ("failed", "cancelled", "expired")

_LAST = 2**63 - 1
_SUMMED = 100_000  # movements that one statement adds up: well within its time limit

# A card or a destination as a player may see it; of `o`, an operation, left joined with its `c` and `m`.
METHOD = (
    "coalesce(m.masked, CASE WHEN c.card_last4 IS NOT NULL THEN concat_ws(' ', c.card_brand, '••' || c.card_last4) END)"
)


@dataclass(frozen=True, slots=True)
class Selection:
    """What of a history is wanted. None: everything."""

    only: Sequence[str] | None = None
    """These kinds of movements."""
    without: Sequence[str] | None = None
    """All kinds but these."""
    provider: str | None = None
    currency: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    """Not in it any more."""


def accounts(player_id: int, currency: str) -> list[int]:
    """The three places of a wallet; see ledger_account in schema.sql."""
    return [wallet_number(player_id, currency) * 100 + place for place in (1, 2, 3)]


def wallet_number(player_id: int, currency: str) -> int:
    return player_id * 100 + CURRENCIES[currency].number


async def balances(tx: Tx, player_id: int) -> list[Wallet]:
    rows = await tx.fetch(
        "SELECT currency, available_minor, bets_minor, withdrawals_minor, deposited_minor, withdrawn_minor, bet_minor,"
        " won_minor, lost_minor FROM wallet WHERE user_id = $1 ORDER BY created_at, currency",
        player_id,
    )
    return [Wallet(row["currency"], *(Money(minor, row["currency"]) for minor in list(row)[1:])) for row in rows]


# History

_MOVEMENT = """transaction_id, transaction_type, currency, amount_minor, before_minor, after_minor, locked_minor,
    provider, related_entity_type, related_entity_id, created_at"""
_SELECTED = """
    FROM ledger_journal j
    WHERE j.user_id = $1
      AND ($2::text[] IS NULL OR j.kind::text = ANY ($2)) AND ($3::text[] IS NULL OR j.kind::text <> ALL ($3))
      AND ($4::timestamptz IS NULL OR j.created_at >= $4) AND ($5::timestamptz IS NULL OR j.created_at < $5)
      AND ($6::bigint[] IS NULL OR EXISTS (
        SELECT FROM ledger_entry e WHERE e.journal_id = j.id AND e.account_id = ANY ($6)))
      AND ($7::text IS NULL
        OR EXISTS (SELECT FROM wallet_operations o
          WHERE j.entity_type = 'operation' AND o.operation_id = j.entity_id AND o.provider = $7)
        OR EXISTS (SELECT FROM ledger_entry e JOIN ledger_account a ON a.id = e.account_id
          WHERE e.journal_id = j.id AND a.user_id IS NULL AND a.code = 'provider:' || $7 || ':' || a.currency))
"""


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


def _given(player_id: int, selection: Selection) -> tuple[object, ...]:
    return (
        player_id,
        selection.only,
        selection.without,
        selection.since,
        selection.until,
        accounts(player_id, selection.currency) if selection.currency else None,
        selection.provider,
    )


async def history(
    tx: Tx, player_id: int, selection: Selection, *, before: int | None, after: int | None, limit: int
) -> Page[Movement]:
    """A page by key, so that new movements never shift it. A journal that touches two wallets makes two movements."""
    backwards = after is None
    rows = await tx.fetch(
        f"""
        SELECT {_MOVEMENT} FROM balance_transactions
          WHERE transaction_id IN (SELECT j.id {_SELECTED} AND j.id {"<" if backwards else ">"} $8
              ORDER BY j.id {"DESC" if backwards else "ASC"} LIMIT $9)
            AND ($10::text IS NULL OR currency = $10)
          ORDER BY transaction_id DESC, currency
        """,
        *_given(player_id, selection),
        after if after is not None else before if before is not None else _LAST,
        limit + 1,
        selection.currency,
    )
    movements = [_movement(row) for row in rows]
    keys = sorted({movement.journal_id for movement in movements}, reverse=True)
    kept, older, newer = _cut(keys, before=before, after=after, limit=limit)
    return Page([movement for movement in movements if movement.journal_id in kept], older=older, newer=newer)


async def count(tx: Tx, player_id: int, selection: Selection) -> int:
    """How many movements there are, counted up to COUNTED."""
    found = await tx.fetchval(
        f"SELECT count(*) FROM (SELECT 1 {_SELECTED} LIMIT {COUNTED}) AS found", *_given(player_id, selection)
    )
    return int(found)


async def asked(
    tx: Tx,
    player_id: int,
    selection: Selection,
    kinds: Sequence[str],
    statuses: Sequence[str],
    *,
    before: int | None,
    after: int | None,
    limit: int,
) -> Page[Asked]:
    """Operations of these kinds and statuses, newest first, by key like the history."""
    backwards = after is None
    rows = await tx.fetch(
        f"""
        SELECT operation_id, operation_type, provider, currency, amount_minor, status::text, reason, created_at
          FROM wallet_operations
          WHERE user_id = $1 AND operation_type = ANY ($2) AND status::text = ANY ($3)
            AND ($4::text IS NULL OR provider = $4) AND ($5::text IS NULL OR currency = $5)
            AND ($6::timestamptz IS NULL OR created_at >= $6) AND ($7::timestamptz IS NULL OR created_at < $7)
            AND operation_id {"<" if backwards else ">"} $8
          ORDER BY operation_id {"DESC" if backwards else "ASC"} LIMIT $9
        """,
        player_id,
        kinds,
        statuses,
        selection.provider,
        selection.currency,
        selection.since,
        selection.until,
        after if after is not None else before if before is not None else _LAST,
        limit + 1,
    )
    found = sorted((_asked(row) for row in rows), key=lambda one: -one.id)
    kept, older, newer = _cut([one.id for one in found], before=before, after=after, limit=limit)
    return Page([one for one in found if one.id in kept], older=older, newer=newer)


def _asked(row: Record) -> Asked:
    return Asked(
        row["operation_id"],
        row["operation_type"],
        row["provider"],
        Money(row["amount_minor"], row["currency"]),
        OperationStatus(row["status"]),
        row["reason"],
        row["created_at"],
    )


def _cut(
    keys: Sequence[int], *, before: int | None, after: int | None, limit: int
) -> tuple[set[int], int | None, int | None]:
    """Of keys in falling order, one more than wanted when there is another page: those of this one, and the ways on."""
    backwards = after is None
    more = len(keys) > limit
    kept = (keys[:limit] if backwards else keys[-limit:]) if more else keys
    if not kept:
        return set(), None, None
    has_older = more if backwards else True
    has_newer = before is not None if backwards else more
    return set(kept), kept[-1] if has_older else None, kept[0] if has_newer else None


# Stories

_REQUEST = f"""
    SELECT o.operation_id, o.operation_type, o.provider, o.currency, o.amount_minor, o.received_minor, o.status::text,
        coalesce(o.payment_ref, o.provider_ref) AS reference, {METHOD} AS method, o.reason, o.comment, o.note,
        o.created_at, o.completed_at
      FROM wallet_operations o
        LEFT JOIN payment_methods c ON c.method_id = o.payment_method_id
        LEFT JOIN withdrawal_methods m ON m.method_id = o.withdrawal_method_id
      WHERE o.operation_id = $1 AND o.user_id = $2
"""


async def story(tx: Tx, player_id: int, journal_id: int) -> Story | None:
    """Everything that is known of a movement; None when there is none, or it is another player's."""
    journal = await tx.fetchrow(
        """
        SELECT j.id, j.kind::text, j.entity_type, j.entity_id, j.effective_at, j.description, j.idempotency_key,
            coalesce(j.metadata ->> 'payment_intent', j.metadata ->> 'payment') AS payment
          FROM ledger_journal j WHERE j.id = $1 AND j.user_id = $2
        """,
        journal_id,
        player_id,
    )
    if journal is None:
        return None
    rows = await tx.fetch(
        f"SELECT {_MOVEMENT} FROM balance_transactions WHERE transaction_id = $1 ORDER BY currency", journal_id
    )
    returned = await tx.fetchrow(
        "SELECT operation_id, payment_ref, provider_ref FROM returned_payment"
        " WHERE user_id = $1 AND kind || ':' || provider || ':' || provider_ref = $2",
        player_id,
        journal["idempotency_key"].removesuffix(":undo"),
    )
    operation_id = journal["entity_id"] if journal["entity_type"] == "operation" else None
    if returned is not None:
        operation_id = returned["operation_id"]
    request = None if operation_id is None else await _request(tx, player_id, operation_id)
    return Story(
        kind=journal["kind"],
        journal_id=journal_id,
        movements=[_movement(row) for row in rows],
        happened_at=journal["effective_at"],
        reference=journal["payment"] if returned is None else returned["provider_ref"],
        description=journal["description"],
        request=request,
        steps=[] if request is None else await _steps(tx, player_id, request.id),
        returned=[] if request is None else await _returned(tx, player_id, request.id),
        adjustment=await _adjustment(tx, player_id, journal),
    )


async def story_asked(tx: Tx, player_id: int, operation_id: int) -> Story | None:
    """The same of an operation for which no money may have moved."""
    request = await _request(tx, player_id, operation_id)
    if request is None:
        return None
    return Story(
        kind=request.kind,
        journal_id=None,
        movements=[],
        happened_at=None,
        reference=None,
        description=None,
        request=request,
        steps=await _steps(tx, player_id, operation_id),
        returned=await _returned(tx, player_id, operation_id),
        adjustment=None,
    )


async def _request(tx: Tx, player_id: int, operation_id: int) -> Request | None:
    row = await tx.fetchrow(_REQUEST, operation_id, player_id)
    if row is None:
        return None
    currency, received = row["currency"], row["received_minor"]
    return Request(
        id=row["operation_id"],
        kind=row["operation_type"],
        provider=row["provider"],
        amount=Money(row["amount_minor"], currency),
        received=None if received is None else Money(received, currency),
        status=OperationStatus(row["status"]),
        reference=row["reference"],
        method=row["method"],
        reason=row["reason"],
        comment=row["comment"],
        note=row["note"],
        asked_at=row["created_at"],
        completed_at=row["completed_at"],
    )


async def _steps(tx: Tx, player_id: int, operation_id: int) -> list[Step]:
    rows = await tx.fetch(
        "SELECT transaction_type, currency, amount_minor, locked_minor, created_at FROM balance_transactions"
        " WHERE transaction_id IN (SELECT id FROM ledger_journal"
        " WHERE user_id = $1 AND entity_type = 'operation' AND entity_id = $2) ORDER BY transaction_id",
        player_id,
        operation_id,
    )
    return [
        Step(
            row["transaction_type"],
            Money(row["amount_minor"], row["currency"]),
            Money(row["locked_minor"], row["currency"]),
            row["created_at"],
        )
        for row in rows
    ]


async def _returned(tx: Tx, player_id: int, operation_id: int) -> list[Returned]:
    rows = await tx.fetch(
        "SELECT kind, currency, amount_minor, provider_ref, occurred_at FROM returned_payment"
        " WHERE user_id = $1 AND operation_id = $2 AND state = 'booked' ORDER BY id",
        player_id,
        operation_id,
    )
    return [
        Returned(row["kind"], Money(row["amount_minor"], row["currency"]), row["provider_ref"], row["occurred_at"])
        for row in rows
    ]


async def _adjustment(tx: Tx, player_id: int, journal: Record) -> str | None:
    if journal["entity_type"] != "adjustment":
        return None
    reason = await tx.fetchval(
        "SELECT reason FROM adjustment WHERE id = $1 AND user_id = $2", journal["entity_id"], player_id
    )
    return None if reason is None else str(reason)


# Sums

SUMMARY = """movements, opening, deposited, returned, held, staked, won, other, closing, withdrawn, turnover, lost,
    bets_won, bets_lost, bets_void"""


def summary(row: Record, currency: str, first: int, last: int) -> Summary:
    """From the columns SUMMARY of `wallet_summary`."""

    def money(name: str) -> Money:
        return Money(row[name], currency)

    return Summary(
        currency=currency,
        first=first,
        last=last,
        movements=row["movements"],
        opening=money("opening"),
        deposited=money("deposited"),
        returned=money("returned"),
        held=money("held"),
        staked=money("staked"),
        won=money("won"),
        other=money("other"),
        closing=money("closing"),
        withdrawn=money("withdrawn"),
        turnover=money("turnover"),
        lost=money("lost"),
        bets_won=row["bets_won"],
        bets_lost=row["bets_lost"],
        bets_void=row["bets_void"],
    )


async def spans(tx: Tx, player_id: int, since: datetime | None, until: datetime | None) -> list[Span]:
    """The ranges of movements in a period, for each wallet in which money ever moved."""
    rows = await tx.fetch(
        """
        SELECT currency, CASE WHEN $2::timestamptz IS NULL THEN 0 ELSE wallet_seq_before(id, $2) END + 1 AS first,
            CASE WHEN $3::timestamptz IS NULL THEN seq ELSE wallet_seq_before(id, $3) END AS last
          FROM wallet WHERE user_id = $1 AND seq > 0 ORDER BY created_at, currency
        """,
        player_id,
        since,
        until,
    )
    return [Span(row["currency"], row["first"], row["last"]) for row in rows]


def parts(span: Span, size: int) -> list[Span]:
    """A range in pieces, each short enough for one statement; an empty range is one piece."""
    firsts = range(span.first, max(span.first, span.last) + 1, size)
    return [Span(span.currency, first, min(first + size - 1, span.last)) for first in firsts]


async def totals(tx: Tx, player_id: int, span: Span) -> Summary:
    """What a range comes to, however long it is."""
    row = await tx.fetchrow(
        f"SELECT {SUMMARY} FROM wallet_summary($1, $2, $3)",
        wallet_number(player_id, span.currency),
        span.first,
        span.last,
    )
    return summary(present(row), span.currency, span.first, span.last)


async def checkpoint(tx: Tx, limit: int) -> int:
    """Notes the sums of wallets that have moved a thousand times more, at most `limit`. Answers how many."""
    return int(await tx.fetchval("SELECT wallet_checkpoints($1)", limit))


async def pending(tx: Tx, player_id: int) -> dict[str, tuple[Money, Money]]:
    """By currency: what deposits and what withdrawals wait for."""
    rows = await tx.fetch(
        """
        SELECT currency, coalesce(sum(amount_minor) FILTER (WHERE operation_type = 'deposit'), 0)::bigint AS deposits,
            coalesce(sum(amount_minor) FILTER (WHERE operation_type = 'withdrawal'), 0)::bigint AS withdrawals
          FROM wallet_operations WHERE user_id = $1 AND status::text = ANY ($2) GROUP BY currency
        """,
        player_id,
        WAITING,
    )
    return {
        row["currency"]: (Money(row["deposits"], row["currency"]), Money(row["withdrawals"], row["currency"]))
        for row in rows
    }


async def days(tx: Tx, player_id: int, span: Span, zone: str) -> list[Day]:
    """The days of `zone` on which money moved, in a range of movements."""
    found: dict[date, Day] = {}
    for part in parts(span, _SUMMED):
        rows = await tx.fetch(
            """
            SELECT d.day, wallet_available($1, d.seq) AS closing, d.came, d.went FROM (
              SELECT (j.created_at AT TIME ZONE $4)::date AS day, max(l.seq) AS seq,
                  coalesce(sum(l.available) FILTER (
                    WHERE j.kind IN ('deposit', 'suspense_released', 'refund', 'chargeback')), 0)::bigint AS came,
                  coalesce(sum(-l.withdrawals) FILTER (WHERE j.kind = 'withdrawal_paid'), 0)::bigint AS went
                FROM wallet_lines($1, $2, $3) l JOIN ledger_journal j ON j.id = l.journal_id GROUP BY 1) d
            """,
            wallet_number(player_id, span.currency),
            part.first,
            part.last,
            zone,
        )
        for row in rows:
            closing, came, went = (Money(row[name], span.currency) for name in ("closing", "came", "went"))
            if (before := found.get(row["day"])) is not None:  # the day goes on in the next piece
                came, went = before.came + came, before.went + went
            found[row["day"]] = Day(row["day"], closing, came, went)
    return [found[day] for day in sorted(found)]


async def available(tx: Tx, player_id: int, currency: str, seq: int) -> Money:
    """What could be spent after a wallet's movement; 0 before the first."""
    found = await tx.fetchval("SELECT wallet_available($1, $2)", wallet_number(player_id, currency), seq)
    return Money(found, currency)
