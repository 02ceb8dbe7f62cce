"""Reports: what was asked for, and its lines as the ledger has them."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from asyncpg import Record

from db.database import Tx, present
from db.ledger import Head
from db.models import Language, Line, Report, ReportFormat, Span
from db.money import Money
from db.wallets import BETS, METHOD, accounts, wallet_number

_COLUMNS = """r.report_id, r.user_id, u.telegram_id, r.name, r.format, r.language, r.operations, r.bets, r.statistics,
    r.since, r.until, r.statement_id, r.currencies, r.first_seqs, r.last_seqs, r.sealed_seq, r.sealed_hash,
    r.created_at, r.expires_at"""


def _report(row: Record) -> Report:
    return Report(
        id=row["report_id"],
        player_id=row["user_id"],
        chat_id=row["telegram_id"],
        name=row["name"],
        format=ReportFormat(row["format"]),
        language=Language(row["language"]),
        operations=row["operations"],
        bets=row["bets"],
        statistics=row["statistics"],
        since=row["since"],
        until=row["until"],
        statement_id=row["statement_id"],
        spans=[
            Span(currency, first, last)
            for currency, first, last in zip(row["currencies"], row["first_seqs"], row["last_seqs"], strict=True)
        ],
        sealed_seq=row["sealed_seq"],
        sealed_hash=row["sealed_hash"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
    )


async def add(
    tx: Tx,
    player_id: int,
    *,
    request_key: str,
    format: ReportFormat,  # noqa: A002  what it is called everywhere
    language: Language,
    include: tuple[bool, bool, bool],
    since: datetime | None,
    until: datetime | None,
    statement_id: int | None,
    spans: Sequence[Span],
    head: Head,
    lifetime: timedelta,
) -> tuple[Report, bool]:
    """Writes down what is asked for; asked again under the same key, it answers the first one and False."""
    made = await tx.fetchval(
        """
        INSERT INTO report (user_id, request_key, format, language, operations, bets, statistics, since, until,
            statement_id, name, currencies, first_seqs, last_seqs, sealed_seq, sealed_hash, expires_at)
          SELECT u.id, $2, $3, $4, $5, $6, $7, $8::timestamptz, coalesce($9::timestamptz, now()), $10, u.name,
              $11, $12, $13, $14, $15, now() + $16::interval
            FROM users u WHERE u.id = $1
          ON CONFLICT (user_id, request_key) DO NOTHING RETURNING report_id
        """,
        player_id,
        request_key,
        format,
        language,
        *include,
        since,
        until,
        statement_id,
        [span.currency for span in spans],
        [span.first for span in spans],
        [span.last for span in spans],
        head.seq,
        head.hash,
        lifetime,
    )
    row = present(
        await tx.fetchrow(
            f"SELECT {_COLUMNS} FROM report r JOIN users u ON u.id = r.user_id"
            " WHERE r.user_id = $1 AND r.request_key = $2",
            player_id,
            request_key,
        )
    )
    return _report(row), made is not None


async def known(tx: Tx, player_id: int, request_key: str) -> bool:
    return bool(
        await tx.fetchval(
            "SELECT EXISTS (SELECT FROM report WHERE user_id = $1 AND request_key = $2)", player_id, request_key
        )
    )


async def get(tx: Tx, report_id: int) -> tuple[Report, bool] | None:
    """A report, and whether its link has expired."""
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS}, r.expires_at <= now() AS expired FROM report r JOIN users u ON u.id = r.user_id"
        " WHERE r.report_id = $1",
        report_id,
    )
    return None if row is None else (_report(row), row["expired"])


async def asked_since(tx: Tx, player_id: int, age: timedelta) -> int:
    """How many the player has asked for in this time; counted under a lock, so that twins see each other."""
    await tx.execute("SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE", player_id)
    return int(
        await tx.fetchval(
            "SELECT count(*) FROM report WHERE user_id = $1 AND created_at > now() - $2::interval", player_id, age
        )
    )


async def held(tx: Tx, player_id: int, span: Span) -> tuple[Money, Money]:
    """What lay in bets and in withdrawals when the range ended."""
    _, bets, withdrawals = accounts(player_id, span.currency)
    row = present(
        await tx.fetchrow(
            """
            SELECT coalesce((SELECT balance_after FROM ledger_entry WHERE account_id = $1 AND wallet_seq <= $3
                ORDER BY wallet_seq DESC LIMIT 1), 0)::bigint AS bets,
              coalesce((SELECT balance_after FROM ledger_entry WHERE account_id = $2 AND wallet_seq <= $3
                ORDER BY wallet_seq DESC LIMIT 1), 0)::bigint AS withdrawals
            """,
            bets,
            withdrawals,
            span.last,
        )
    )
    return Money(row["bets"], span.currency), Money(row["withdrawals"], span.currency)


# What a movement refers to: the payment, or what was given back of it.
_REFERENCE = """coalesce(
    CASE WHEN split_part(j.idempotency_key, ':', 1) IN ('refund', 'dispute')
      THEN split_part(j.idempotency_key, ':', 3) END,
    o.payment_ref, j.metadata ->> 'payment_intent', j.metadata ->> 'payment')"""
_LINES = """
    FROM wallet_lines($1::bigint, $2::bigint, $3::bigint) l JOIN ledger_journal j ON j.id = l.journal_id
      LEFT JOIN wallet_operations o ON j.entity_type = 'operation' AND o.operation_id = j.entity_id
      LEFT JOIN adjustment a ON j.entity_type = 'adjustment' AND a.id = j.entity_id
"""


async def lines(tx: Tx, player_id: int, span: Span) -> list[Line]:
    """Every movement of the range, in order."""
    rows = await tx.fetch(
        f"SELECT l.seq, j.id, j.kind::text, l.available, l.available_after,"
        f" coalesce({_REFERENCE}, a.reason, j.description, '') AS reference, j.created_at {_LINES} ORDER BY l.seq",
        wallet_number(player_id, span.currency),
        span.first,
        span.last,
    )
    currency = span.currency
    return [
        Line(
            row["seq"],
            row["id"],
            row["kind"],
            Money(row["available"], currency),
            Money(row["available_after"], currency),
            row["reference"],
            row["created_at"],
        )
        for row in rows
    ]


async def csv(
    tx: Tx,
    player_id: int,
    span: Span,
    *,
    operations: bool,
    bets: bool,
    zone: str,
    kinds: Mapping[str, str],
) -> bytes:
    """These movements as lines of CSV in UTF-8, made by PostgreSQL; call it in a transaction. `kinds`: in words.

    Times are ISO 8601 with the zone's offset, amounts exact decimals. What anybody could have written is kept from
    being a formula.
    """
    made: list[bytes] = []

    async def take(data: bytes) -> None:
        made.append(data)

    await tx.execute("SELECT set_config('timezone', $1, true)", zone)
    await tx.copy_from_query(
        f"""
        SELECT j.id, {_iso("j.created_at")}, {_iso("j.effective_at")},
            csv_text(coalesce($7::jsonb ->> j.kind::text, j.kind::text)), j.kind, y.code,
            l.available * y.unit, (l.available_after - l.available) * y.unit, l.available_after * y.unit,
            l.bets * y.unit, l.withdrawals * y.unit,
            csv_text(coalesce(o.provider,
              CASE WHEN split_part(j.idempotency_key, ':', 1) IN ('refund', 'dispute')
                THEN split_part(j.idempotency_key, ':', 2) END)),
            csv_text({_REFERENCE}), j.entity_type, j.entity_id, csv_text({METHOD}),
            csv_text(coalesce(o.comment, j.description)), csv_text(coalesce(o.note, a.reason))
          {_LINES}
            LEFT JOIN payment_methods c ON c.method_id = o.payment_method_id
            LEFT JOIN withdrawal_methods m ON m.method_id = o.withdrawal_method_id
            JOIN currency y ON y.code = $8::text
          WHERE CASE WHEN j.kind::text = ANY ($4::text[]) THEN $5::boolean ELSE $6::boolean END
          ORDER BY l.seq
        """,
        wallet_number(player_id, span.currency),
        span.first,
        span.last,
        BETS,
        bets,
        operations,
        dict(kinds),
        span.currency,
        output=take,
        format="csv",
    )
    return b"".join(made)


def _iso(column: str) -> str:
    return f"""to_char({column}, 'YYYY-MM-DD"T"HH24:MI:SSTZH:TZM')"""
