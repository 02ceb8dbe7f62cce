"""Reconciliation: what providers' lists say, odd money, and differences until an admin settles them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from asyncpg import Record

from db import ledger
from db.database import Tx, present
from db.models import DayTotal, OddItem, Page, ProviderName, ReconRun, Settlement
from db.money import CURRENCIES, Money

T = TypeVar("T")

IN_SUSPENSE = ("unknown_payment", "amount_differs", "currency_differs", "paid_twice")
"""Problems of money that came and fits nothing; the others are differences between two lists."""

_ITEM = """\
  id, provider, provider_ref, problem, operation_id, journal_id, currency, provider_minor, ledger_minor, decision, note,
  resolved_by, created_at"""
_RUN = "id, provider, since, actor, seen, mended, differences, error, started_at, finished_at"


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of a provider's list."""

    kind: str
    """payment, refund or dispute"""
    ref: str
    payment_ref: str | None
    state: str
    amount: Money | None
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class Difference:
    """What a provider's list and the ledger disagree about."""

    ref: str
    problem: str
    kind: str
    currency: str | None
    provider_minor: int | None
    ledger_minor: int | None


def _item(row: Record) -> OddItem:
    return OddItem(
        id=row["id"],
        provider=ProviderName(row["provider"]),
        ref=row["provider_ref"],
        problem=row["problem"],
        operation_id=row["operation_id"],
        currency=row["currency"],
        provider_minor=row["provider_minor"],
        ledger_minor=row["ledger_minor"],
        has_money=row["journal_id"] is not None and row["problem"] in IN_SUSPENSE,
        settled=None if row["decision"] is None else Settlement(row["decision"]),
        note=row["note"],
        resolved_by=row["resolved_by"],
        created_at=row["created_at"],
    )


def _run(row: Record) -> ReconRun:
    return ReconRun(
        id=row["id"],
        provider=ProviderName(row["provider"]),
        since=row["since"],
        actor=row["actor"],
        seen=row["seen"],
        mended=row["mended"],
        differences=row["differences"],
        error=row["error"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
    )


async def open_item(
    tx: Tx,
    *,
    provider: ProviderName,
    payment_ref: str,
    problem: str,
    operation_id: int | None,
    journal_id: int | None,
    received: Money | None,
    expected: Money | None,
) -> int | None:
    """Opens the item of money that fits no operation. Answers its number; None when this payment already has it."""
    number: int | None = await tx.fetchval(
        """
        INSERT INTO recon_item (provider, provider_ref, problem, operation_id, journal_id,
            currency, provider_minor, ledger_minor)
          VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (provider, provider_ref, problem) DO NOTHING RETURNING id
        """,
        provider,
        payment_ref,
        problem,
        operation_id,
        journal_id,
        received.currency if received else None,
        received.minor if received else None,
        expected.minor if expected else None,
    )
    return number


async def has_item(tx: Tx, provider: ProviderName, payment_ref: str) -> bool:
    """Whether the money of this payment is kept apart, or was."""
    return bool(
        await tx.fetchval(
            "SELECT true FROM recon_item WHERE provider = $1 AND provider_ref = $2 AND problem = ANY($3) LIMIT 1",
            provider,
            payment_ref,
            list(IN_SUSPENSE),
        )
    )


async def get(tx: Tx, item_id: int) -> OddItem | None:
    row = await tx.fetchrow(f"SELECT {_ITEM} FROM recon_item WHERE id = $1", item_id)
    return None if row is None else _item(row)


async def lock(tx: Tx, item_id: int) -> OddItem | None:
    row = await tx.fetchrow(f"SELECT {_ITEM} FROM recon_item WHERE id = $1 FOR UPDATE", item_id)
    return None if row is None else _item(row)


async def lock_of_payment(tx: Tx, provider: ProviderName, payment_ref: str) -> OddItem | None:
    """The item of a payment's money in suspense, locked; None: it has none."""
    row = await tx.fetchrow(
        f"SELECT {_ITEM} FROM recon_item WHERE provider = $1 AND provider_ref = $2 AND problem = ANY($3) FOR UPDATE",
        provider,
        payment_ref,
        list(IN_SUSPENSE),
    )
    return None if row is None else _item(row)


async def settle(tx: Tx, item_id: int, decision: Settlement, *, actor: str, note: str | None = None) -> None:
    await tx.execute(
        """
        UPDATE recon_item SET state = 'resolved', decision = $2, resolved_by = $3, note = coalesce($4, note),
            resolved_at = now()
          WHERE id = $1 AND state = 'open'
        """,
        item_id,
        decision,
        actor,
        note,
    )


async def reopen(tx: Tx, item_id: int) -> None:
    """What was settled has come undone: its money lies in suspense again."""
    await tx.execute(
        "UPDATE recon_item SET state = 'open', decision = NULL, resolved_by = NULL, resolved_at = NULL WHERE id = $1",
        item_id,
    )


async def open_items(tx: Tx, *, after: int | None, before: int | None, size: int) -> Page[OddItem]:
    """Open items, oldest first: those after a number, or those before one, or the first."""
    rows = await tx.fetch(
        f"""
        SELECT {_ITEM} FROM recon_item
          WHERE state = 'open' AND ($1::bigint IS NULL OR id > $1) AND ($2::bigint IS NULL OR id < $2)
          ORDER BY CASE WHEN $2::bigint IS NULL THEN id ELSE -id END LIMIT $3
        """,
        after,
        before,
        size + 1,
    )
    items = [_item(row) for row in rows]
    return oldest_first(items, [item.id for item in items], after=after, before=before, size=size)


def oldest_first(
    found: Sequence[T], keys: Sequence[int], *, after: int | None, before: int | None, size: int
) -> Page[T]:
    """A page of a list that begins with its oldest, out of one row more than fits: `newer` turns on, `older` back."""
    more, backwards = len(found) > size, before is not None
    shown, shown_keys = list(found[:size]), list(keys[:size])
    if backwards:
        shown.reverse()
        shown_keys.reverse()
    if not shown:
        return Page([], None, None)
    return Page(
        shown,
        older=shown_keys[0] if (more if backwards else after is not None) else None,
        newer=shown_keys[-1] if backwards or more else None,
    )


async def count_open(tx: Tx) -> int:
    return int(await tx.fetchval("SELECT count(*) FROM recon_item WHERE state = 'open'"))


async def in_suspense(tx: Tx, provider: ProviderName, payment_ref: str) -> Money | None:
    """What of a payment lies in suspense now: what came, minus what was credited and what went back.

    None: nothing of it was ever there. Whoever decides by it holds the item's lock.
    """
    row = await tx.fetchrow(
        """
        SELECT a.currency, e.amount_minor
            + coalesce((SELECT sum(r.amount_minor) FROM ledger_journal k JOIN ledger_entry r ON r.journal_id = k.id
                WHERE k.idempotency_key >= $3 AND k.idempotency_key < $3 || ';' AND r.account_id = e.account_id), 0)
            - coalesce((SELECT sum(r.suspended_minor) FROM returned_payment r
                WHERE r.provider = $1 AND r.payment_ref = $2 AND r.state = 'booked'), 0) AS left_minor
          FROM ledger_journal j JOIN ledger_entry e ON e.journal_id = j.id JOIN ledger_account a ON a.id = e.account_id
          WHERE j.idempotency_key = $4 AND a.kind = 'suspense'
        """,
        provider,
        payment_ref,
        credit_key(provider, payment_ref),
        f"deposit:{provider}:{payment_ref}",
    )
    return None if row is None else Money(int(row["left_minor"]), row["currency"])


def credit_key(provider: ProviderName, payment_ref: str) -> str:
    """Begins the ledger's keys under which money of a payment leaves suspense for a player. The first time there is
    nothing after it; again, when money came back to suspense after a credit, `:2` and so on. `;` comes after `:`, so
    all of them are from this key up to, but not with, the same with a semicolon."""
    return f"suspense:{provider}:{payment_ref}:credit"


async def next_credit_key(tx: Tx, provider: ProviderName, payment_ref: str) -> tuple[str, bool]:
    """The key for what leaves suspense now, and whether it is the first time."""
    first = credit_key(provider, payment_ref)
    used = await tx.fetchval(
        "SELECT count(*) FROM ledger_journal WHERE idempotency_key >= $1 AND idempotency_key < $1 || ';'", first
    )
    return f"{first}:{used + 1}" if used else first, not used


async def complete_reviewed(tx: Tx, operation_id: int, received: Money, *, actor: str) -> None:
    """What came for a deposit in review is taken as it is."""
    await tx.execute(
        "UPDATE wallet_operations SET status = 'completed', received_minor = $2, completed_at = now(), actor = $3,"
        " reason = NULL WHERE operation_id = $1",
        operation_id,
        received.minor,
        actor,
    )


# ---- runs


async def begin_run(tx: Tx, provider: ProviderName, since: datetime, actor: str) -> ReconRun:
    row = await tx.fetchrow(
        f"INSERT INTO recon_run (provider, since, actor) VALUES ($1, $2, $3) RETURNING {_RUN}", provider, since, actor
    )
    return _run(present(row))


async def end_run(tx: Tx, run_id: int, *, seen: int, mended: int, differences: int, error: str | None) -> ReconRun:
    row = await tx.fetchrow(
        f"""
        UPDATE recon_run SET seen = $2, mended = $3, differences = $4, error = $5, finished_at = clock_timestamp()
          WHERE id = $1 RETURNING {_RUN}
        """,
        run_id,
        seen,
        mended,
        differences,
        error,
    )
    return _run(present(row))


async def runs(tx: Tx, limit: int) -> list[ReconRun]:
    """The last runs, newest first."""
    return [_run(row) for row in await tx.fetch(f"SELECT {_RUN} FROM recon_run ORDER BY id DESC LIMIT $1", limit)]


async def ran_lately(tx: Tx, provider: ProviderName, actor: str, since: datetime, pause: timedelta) -> bool:
    """Whether a run that looks at least as far back began less than `pause` ago; a minute more or less is the same."""
    return bool(
        await tx.fetchval(
            "SELECT true FROM recon_run WHERE provider = $1 AND actor = $2"
            " AND since <= $3::timestamptz + interval '5 min'"
            " AND started_at > now() - $4::interval LIMIT 1",
            provider,
            actor,
            since,
            pause,
        )
    )


# ---- lists


async def keep_listed(tx: Tx, provider: ProviderName, listed: Sequence[Listed]) -> None:
    """Remembers what a provider's list says now. Each line once."""
    await tx.execute(
        """
        INSERT INTO provider_transaction (provider, kind, provider_ref, payment_ref, state, currency, amount_minor,
            occurred_at, seen_at)
          SELECT $1, kind, ref, payment_ref, state, currency, amount, occurred_at, clock_timestamp()
            FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::timestamptz[])
              AS l (kind, ref, payment_ref, state, currency, amount, occurred_at) ORDER BY kind, ref
          ON CONFLICT (provider, kind, provider_ref) DO UPDATE SET state = excluded.state,
            payment_ref = coalesce(excluded.payment_ref, provider_transaction.payment_ref),
            currency = excluded.currency, amount_minor = excluded.amount_minor, occurred_at = excluded.occurred_at,
            seen_at = excluded.seen_at
        """,
        provider,
        [line.kind for line in listed],
        [line.ref for line in listed],
        [line.payment_ref for line in listed],
        [line.state for line in listed],
        [line.amount.currency if line.amount else None for line in listed],
        [line.amount.minor if line.amount else None for line in listed],
        [line.occurred_at for line in listed],
    )


async def disagreeing(tx: Tx, provider: ProviderName, kinds: Sequence[str], refs: Sequence[str]) -> list[Difference]:
    """Which of these lines, as they were last seen, are not in the ledger, or are there as something else.

    What has only just been booked is left alone where the list may be older than the booking.
    """
    rows = await tx.fetch(
        """
        SELECT t.provider_ref, t.kind, t.currency, t.amount_minor AS provider_minor, b.amount AS ledger_minor,
            CASE WHEN d.due AND NOT b.booked THEN 'missing_in_ledger' ELSE 'ledger_differs' END AS problem
          FROM unnest($2::text[], $3::text[]) AS n (kind, ref)
          JOIN provider_transaction t ON t.provider = $1 AND t.kind = n.kind AND t.provider_ref = n.ref
          CROSS JOIN LATERAL (SELECT CASE t.kind WHEN 'payment' THEN 'deposit' ELSE t.kind END || ':' || t.provider
            || ':' || t.provider_ref AS key) k
          LEFT JOIN ledger_journal j ON j.idempotency_key = k.key
          LEFT JOIN ledger_journal u ON u.idempotency_key = k.key || ':undo'
          LEFT JOIN LATERAL (SELECT a.currency, abs(e.amount_minor::bigint) AS amount
            FROM ledger_entry e JOIN ledger_account a ON a.id = e.account_id
            WHERE e.journal_id = j.id AND a.kind = 'provider') l ON true
          CROSS JOIN LATERAL (SELECT j.id IS NOT NULL AND u.id IS NULL AS booked,
            CASE WHEN u.id IS NULL THEN l.amount END AS amount) b
          CROSS JOIN LATERAL (SELECT CASE t.kind WHEN 'payment' THEN t.state = 'succeeded'
            WHEN 'refund' THEN t.state IN ('pending', 'succeeded') ELSE t.state IN ('open', 'lost') END AS due) d
          WHERE CASE
              WHEN NOT d.due THEN b.booked AND (t.kind <> 'payment' AND t.state IN ('failed', 'won')
                OR j.created_at < t.seen_at - interval '15 min')
              WHEN u.id IS NOT NULL THEN u.created_at < t.seen_at - interval '15 min'
              WHEN NOT b.booked THEN t.amount_minor IS NOT NULL OR NOT EXISTS (SELECT FROM recon_item i
                WHERE i.provider = t.provider AND i.provider_ref = t.provider_ref AND i.problem = ANY($4))
              ELSE (l.currency, l.amount) IS DISTINCT FROM (t.currency, t.amount_minor) END
        """,
        provider,
        list(kinds),
        list(refs),
        list(IN_SUSPENSE),
    )
    return [
        Difference(
            row["provider_ref"],
            row["problem"],
            row["kind"],
            row["currency"],
            row["provider_minor"],
            row["ledger_minor"],
        )
        for row in rows
    ]


async def unlisted(
    tx: Tx,
    provider: ProviderName,
    *,
    journals: tuple[int, int],
    since: datetime,
    seen_after: datetime,
    settled_before: datetime,
) -> list[Difference]:
    """What the ledger booked about a provider's payments and returns, and the provider's list did not name; among the
    journals from one number up to another."""
    rows = await tx.fetch(
        """
        SELECT k.kind, k.ref, y.code AS currency, abs(e.amount_minor::bigint) AS ledger_minor
          FROM ledger_entry e JOIN ledger_journal j ON j.id = e.journal_id
          JOIN currency y ON y.number = ledger_currency(e.account_id)
          CROSS JOIN LATERAL (SELECT split_part(j.idempotency_key, ':', 1) AS word) w
          CROSS JOIN LATERAL (SELECT CASE w.word WHEN 'deposit' THEN 'payment' ELSE w.word END AS kind,
            substr(j.idempotency_key, length(w.word) + length($1) + 3) AS ref) k
          WHERE e.account_id = ANY($2) AND e.wallet_seq IS NULL AND e.journal_id >= $3 AND e.journal_id < $7
            AND w.word IN ('deposit', 'refund', 'dispute') AND k.ref NOT LIKE '%:undo'
            AND j.effective_at >= $4 AND j.created_at < $6
            AND NOT EXISTS (SELECT FROM provider_transaction t WHERE t.provider = $1 AND t.kind = k.kind
              AND t.provider_ref = k.ref AND (t.seen_at >= $5 OR t.kind = 'dispute'))
            AND NOT EXISTS (SELECT FROM ledger_journal u WHERE u.idempotency_key = j.idempotency_key || ':undo')
            AND (k.kind <> 'dispute' OR j.effective_at >= $4::timestamptz + interval '1 day')
          ORDER BY j.id
        """,
        provider,
        _accounts(provider),
        journals[0],
        since,
        seen_after,
        settled_before,
        journals[1],
    )
    return [
        Difference(row["ref"], "missing_at_provider", row["kind"], row["currency"], None, row["ledger_minor"])
        for row in rows
    ]


def _accounts(provider: ProviderName) -> list[int]:
    return [ledger.account_number(f"provider:{provider}:{currency}") for currency in CURRENCIES]


async def journals_since(tx: Tx, moment: datetime) -> tuple[int, int]:
    """The numbers of the journals made since a moment: the first, and one more than the last.

    Found by halving: numbers grow with time, and time has no index.
    """
    low = 0
    high = end = int(await tx.fetchval("SELECT coalesce(max(id), 0) + 1 FROM ledger_journal"))
    while low < high:
        middle = (low + high) // 2
        row = await tx.fetchrow("SELECT id, created_at FROM ledger_journal WHERE id >= $1 ORDER BY id LIMIT 1", middle)
        if row is None or row["created_at"] >= moment:
            high = middle
        else:
            low = int(row["id"]) + 1
    return low, end


async def open_difference(tx: Tx, provider: ProviderName, difference: Difference) -> int | None:
    """Opens the item of a difference. None when it has one: an admin's decision stands, a mended one opens again."""
    number: int | None = await tx.fetchval(
        """
            INSERT INTO recon_item AS i (provider, provider_ref, problem, operation_id, currency, provider_minor,
                ledger_minor)
              SELECT $1, $2, $3, (SELECT operation_id FROM wallet_operations
                  WHERE provider = $1 AND (payment_ref = $2 OR provider_ref = $2) LIMIT 1), $4, $5, $6
              ON CONFLICT (provider, provider_ref, problem) DO UPDATE SET state = 'open', decision = NULL,
                  resolved_by = NULL, resolved_at = NULL, provider_minor = excluded.provider_minor,
                  ledger_minor = excluded.ledger_minor
                WHERE i.decision = 'mended'
              RETURNING id
            """,
        provider,
        difference.ref,
        difference.problem,
        difference.currency,
        difference.provider_minor,
        difference.ledger_minor,
    )
    return number


async def open_differences(tx: Tx, provider: ProviderName) -> list[tuple[OddItem, str | None]]:
    """The open differences of a provider, each with the kind of line it is about; None: the list never named it."""
    rows = await tx.fetch(
        f"""
        SELECT {_ITEM}, (SELECT t.kind FROM provider_transaction t
            WHERE t.provider = i.provider AND t.provider_ref = i.provider_ref LIMIT 1) AS kind
          FROM recon_item i WHERE state = 'open' AND provider = $1 AND NOT problem = ANY($2) ORDER BY id
        """,
        provider,
        list(IN_SUSPENSE),
    )
    return [(_item(row), row["kind"]) for row in rows]


async def daily_totals(tx: Tx, provider: ProviderName, since: datetime) -> list[DayTotal]:
    """By day (of UTC) and currency, what the provider's list says and what the ledger says; newest first."""
    rows = await tx.fetch(
        """
        WITH listed AS (
          SELECT kind, provider_ref AS ref, currency, occurred_at AS at,
                 CASE kind WHEN 'payment' THEN amount_minor ELSE -amount_minor END AS amount
            FROM provider_transaction
            WHERE provider = $1 AND occurred_at >= $4::timestamptz - interval '1 day' AND currency IS NOT NULL
              AND CASE kind WHEN 'payment' THEN state = 'succeeded' WHEN 'refund' THEN state IN ('pending', 'succeeded')
                ELSE state IN ('open', 'lost') END
        ), booked AS (
          SELECT CASE w.word WHEN 'deposit' THEN 'payment' ELSE w.word END AS kind,
                 substr(j.idempotency_key, length(w.word) + length($1) + 3) AS ref, y.code AS currency,
                 j.effective_at AS at, -e.amount_minor::bigint AS amount
            FROM ledger_entry e JOIN ledger_journal j ON j.id = e.journal_id
            JOIN currency y ON y.number = ledger_currency(e.account_id)
            CROSS JOIN LATERAL (SELECT split_part(j.idempotency_key, ':', 1) AS word) w
            WHERE e.account_id = ANY($2) AND e.wallet_seq IS NULL AND e.journal_id >= $3
              AND w.word IN ('deposit', 'refund', 'dispute') AND j.idempotency_key NOT LIKE '%:undo'
              AND NOT EXISTS (SELECT FROM ledger_journal u WHERE u.idempotency_key = j.idempotency_key || ':undo')
        )
        SELECT (coalesce(l.at, b.at) AT TIME ZONE 'UTC')::date AS day, coalesce(l.currency, b.currency) AS currency,
               count(l.ref) AS listed, coalesce(sum(l.amount), 0)::bigint AS listed_sum,
               count(b.ref) AS booked, coalesce(sum(b.amount), 0)::bigint AS booked_sum
          FROM listed l FULL JOIN booked b ON b.kind = l.kind AND b.ref = l.ref AND b.currency = l.currency
          WHERE coalesce(l.at, b.at) >= $4
          GROUP BY 1, 2 ORDER BY 1 DESC, 2
        """,
        provider,
        _accounts(provider),
        (await journals_since(tx, since))[0],
        since,
    )
    return [
        DayTotal(
            day=row["day"],
            provider=provider,
            currency=row["currency"],
            listed=row["listed"],
            listed_sum=Money(row["listed_sum"], row["currency"]),
            booked=row["booked"],
            booked_sum=Money(row["booked_sum"], row["currency"]),
        )
        for row in rows
    ]
