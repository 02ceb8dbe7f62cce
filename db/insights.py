"""Insights: who came, who paid, what casinos reported, week by week; and what somebody should look into.

Days and weeks are those of a time zone, by its name; bounds of a period are `since` and, no more in it, `until`.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from asyncpg import Record

from db.database import Tx, present
from db.models import (
    Alert,
    Attendance,
    CasinoEventKind,
    CasinoTurnover,
    Cohort,
    Conversion,
    Counters,
    Headcount,
    ReturnTurnover,
    Rhythm,
    Turnover,
)
from db.money import CasinoMoney, Money
from db.signals import COUNTED_DEPOSIT, IN_CHANNEL, MEMBER

_SINCE, _UNTIL = "coalesce($1::timestamptz, '-infinity')", "coalesce($2::timestamptz, 'infinity')"
# Counted of what casinos report: what makes sense and is of one of our players.
_COUNTED = "problem IS NULL AND user_id IS NOT NULL AND kind IN ('registration', 'deposit', 'withdrawal', 'win')"


async def counters(tx: Tx, *, channel: bool) -> Counters:
    """`channel`: there is one that has to be joined."""
    row = await tx.fetchrow(
        f"""
        SELECT (SELECT count(*) FROM users) AS users,
            (SELECT count(*) FROM users u WHERE {IN_CHANNEL}) AS subscribed,
            count(*) FILTER (WHERE {MEMBER.format(channel="$1")}) AS signals_open, count(*) AS deposited
          FROM (SELECT DISTINCT e.user_id AS id FROM casino_event e WHERE {COUNTED_DEPOSIT}) u
        """,
        channel,
    )
    return Counters(**present(row))


async def headcount(tx: Tx, days: int, *, today: date, since: datetime, before: datetime) -> Headcount:
    """Of the last `days` days, today among them, which begin at `since`, and of as many that begin at `before`."""
    row = await tx.fetchrow(
        """
        SELECT (SELECT count(*) FROM users WHERE created_at >= $3) AS new,
            (SELECT count(*) FROM users WHERE created_at >= $4 AND created_at < $3) AS new_before,
            (SELECT count(DISTINCT user_id) FROM activity WHERE day > $1::date - $2::int) AS active,
            (SELECT count(DISTINCT user_id) FROM activity
              WHERE day > $1::date - 2 * $2::int AND day <= $1::date - $2::int) AS active_before
        """,
        today,
        days,
        since,
        before,
    )
    return Headcount(days=days, **present(row))


async def attendance(tx: Tx, first: date, last: date, *, since: datetime, zone: str) -> list[Attendance]:
    """Of each day from the first, which begins at `since`, to the last."""
    rows = await tx.fetch(
        """
        WITH came AS (SELECT (created_at AT TIME ZONE $4)::date AS day, count(*) AS players FROM users
            WHERE created_at >= $3 GROUP BY 1),
          wrote AS (SELECT day, count(*) AS players FROM activity WHERE day BETWEEN $1 AND $2 GROUP BY 1)
        SELECT d.day::date AS day, coalesce(c.players, 0) AS new, coalesce(w.players, 0) AS active
          FROM generate_series($1::date, $2::date, interval '1 day') AS d (day)
            LEFT JOIN came c ON c.day = d.day::date LEFT JOIN wrote w ON w.day = d.day::date
          ORDER BY 1
        """,
        first,
        last,
        since,
        zone,
    )
    return [Attendance(**row) for row in rows]


async def turnover(tx: Tx, since: datetime | None, until: datetime | None) -> list[Turnover]:
    rows = await tx.fetch(
        f"""
        WITH done AS (
          SELECT operation_type, provider, currency, count(*) AS count, sum(received_minor)::bigint AS minor
            FROM wallet_operations WHERE completed_at >= {_SINCE} AND completed_at < {_UNTIL} GROUP BY 1, 2, 3
        ), asked AS (
          SELECT operation_type, provider, currency, count(*) AS ended,
              count(*) FILTER (WHERE status = 'completed') AS succeeded
            FROM wallet_operations WHERE created_at >= {_SINCE} AND created_at < {_UNTIL}
              AND status IN ('completed', 'failed', 'cancelled', 'expired') GROUP BY 1, 2, 3
        )
        SELECT operation_type AS kind, provider, currency, coalesce(count, 0) AS count, coalesce(minor, 0) AS minor,
            coalesce(ended, 0) AS ended, coalesce(succeeded, 0) AS succeeded
          FROM done FULL JOIN asked USING (operation_type, provider, currency)
          ORDER BY 1, 2, 3
        """,
        since,
        until,
    )
    return [
        Turnover(
            row["kind"],
            row["provider"],
            row["count"],
            Money(row["minor"], row["currency"]),
            row["ended"],
            row["succeeded"],
        )
        for row in rows
    ]


async def returns(tx: Tx, since: datetime | None, until: datetime | None) -> list[ReturnTurnover]:
    rows = await tx.fetch(
        f"""
        SELECT kind, provider, currency, count(*) AS count, sum(amount_minor)::bigint AS minor FROM returned_payment
          WHERE state = 'booked' AND occurred_at >= {_SINCE} AND occurred_at < {_UNTIL}
          GROUP BY 1, 2, 3 ORDER BY 1 DESC, 2, 3
        """,
        since,
        until,
    )
    return [
        ReturnTurnover(row["kind"], row["provider"], row["count"], Money(row["minor"], row["currency"])) for row in rows
    ]


async def casino_turnover(tx: Tx, since: datetime | None, until: datetime | None) -> list[CasinoTurnover]:
    rows = await tx.fetch(
        f"""
        SELECT programme, kind, count(*) AS count, sum(amount) AS amount, currency FROM casino_event
          WHERE {_COUNTED} AND occurred_at >= {_SINCE} AND occurred_at < {_UNTIL}
          GROUP BY 1, 2, currency ORDER BY 1, 2, currency
        """,
        since,
        until,
    )
    return [
        CasinoTurnover(
            row["programme"],
            CasinoEventKind(row["kind"]),
            row["count"],
            None if row["amount"] is None else CasinoMoney(row["amount"], row["currency"]),
        )
        for row in rows
    ]


async def first_deposits(tx: Tx, since: datetime | None, until: datetime | None) -> dict[str, int]:
    """By programme, how many players' first deposit there was in the period."""
    rows = await tx.fetch(
        f"""
        SELECT paid.programme, count(DISTINCT paid.user_id) AS players
          FROM (SELECT e.programme, e.user_id FROM casino_event e
            WHERE {COUNTED_DEPOSIT} AND e.occurred_at >= {_SINCE} AND e.occurred_at < {_UNTIL}) paid
          WHERE NOT EXISTS (SELECT FROM casino_event e
            WHERE {COUNTED_DEPOSIT} AND e.user_id = paid.user_id AND e.programme = paid.programme
              AND e.occurred_at < $1)
          GROUP BY 1
        """,
        since,
        until,
    )
    return {row["programme"]: row["players"] for row in rows}


async def unclaimed(tx: Tx) -> dict[str, int]:
    """By programme, how many events make sense and wait for a player who is theirs."""
    rows = await tx.fetch(
        "SELECT programme, count(*) AS events FROM casino_event WHERE user_id IS NULL AND problem IS NULL GROUP BY 1"
    )
    return {row["programme"]: row["events"] for row in rows}


async def conversions(tx: Tx, since: datetime | None, until: datetime | None) -> list[Conversion]:
    """Of the accounts that were bound in the period; what they paid in may have come later."""
    rows = await tx.fetch(
        f"""
        SELECT a.programme, count(*) AS registered, count(d.deposits) AS deposited,
            count(*) FILTER (WHERE d.deposits > 1) AS repeated
          FROM casino_account a LEFT JOIN (
            SELECT e.programme, e.user_id, count(*) AS deposits FROM casino_event e
              WHERE {COUNTED_DEPOSIT} GROUP BY 1, 2
          ) d USING (programme, user_id)
          WHERE a.bound_at >= {_SINCE} AND a.bound_at < {_UNTIL}
          GROUP BY 1 ORDER BY 1
        """,
        since,
        until,
    )
    return [Conversion(**row) for row in rows]


# Who came, and when; and when somebody paid in. Each begins where the first week does.
_CAME = {
    False: "SELECT u.id AS user_id, u.created_at AS at FROM users u WHERE u.created_at >= $2",
    True: "SELECT a.user_id, min(a.bound_at) AS at FROM casino_account a GROUP BY 1 HAVING min(a.bound_at) >= $2",
}
_PAID = {
    False: "SELECT o.user_id, o.completed_at AS at FROM wallet_operations o"
    " WHERE o.operation_type = 'deposit' AND o.completed_at IS NOT NULL",
    True: f"SELECT e.user_id, e.occurred_at AS at FROM casino_event e WHERE {COUNTED_DEPOSIT}",
}


async def cohorts(
    tx: Tx, first: date, weeks: int, *, since: datetime, zone: str, registered: bool, casino: bool
) -> list[Cohort]:
    """Of so many weeks, the first of which begins on the Monday `first`, at `since`.

    `registered`: by the first account at a casino that was bound to them, else by their first word to the bot.
    `casino`: who paid in at a casino, else here. What was paid before they came (an account was bound late) counts in
    the first week.
    """
    rows = await tx.fetch(
        f"""
        WITH member AS MATERIALIZED (
          SELECT came.user_id, date_trunc('week', came.at AT TIME ZONE $1)::date AS week
            FROM ({_CAME[registered]}) came)
        SELECT m.week, NULL AS nth, count(*) AS players FROM member m GROUP BY 1
        UNION ALL
        SELECT m.week, greatest(0, (date_trunc('week', paid.at AT TIME ZONE $1)::date - m.week) / 7) AS nth,
            count(DISTINCT m.user_id)
          FROM member m JOIN ({_PAID[casino]}) paid USING (user_id) GROUP BY 1, 2
        """,
        zone,
        since,
    )
    counted = {(row["week"], row["nth"]): row["players"] for row in rows}
    begins = [first + timedelta(weeks=number) for number in range(weeks)]
    return [
        Cohort(week, counted.get((week, None), 0), [counted.get((week, nth), 0) for nth in range(weeks - number)])
        for number, week in enumerate(begins)
    ]


# What somebody should look into


def _alert(row: Record) -> Alert:
    return Alert(row["id"], row["kind"], row["subject"], row["since"])


async def open_alerts(tx: Tx) -> list[Alert]:
    rows = await tx.fetch("SELECT id, kind, subject, since FROM alert WHERE closed_at IS NULL ORDER BY id")
    return [_alert(row) for row in rows]


async def raise_alert(tx: Tx, kind: str, subject: str, since: datetime) -> int | None:
    """Opens an alert; None: it is open."""
    number: int | None = await tx.fetchval(
        "INSERT INTO alert (kind, subject, since) VALUES ($1, $2, $3)"
        " ON CONFLICT (kind, subject) WHERE closed_at IS NULL DO NOTHING RETURNING id",
        kind,
        subject,
        since,
    )
    return number


async def end_alert(tx: Tx, kind: str, subject: str) -> Alert | None:
    """Closes an alert; None: it was not open."""
    row = await tx.fetchrow(
        "UPDATE alert SET closed_at = now() WHERE kind = $1 AND subject = $2 AND closed_at IS NULL"
        " RETURNING id, kind, subject, since",
        kind,
        subject,
    )
    return None if row is None else _alert(row)


async def watched(tx: Tx, now: datetime, *, pause: timedelta) -> datetime:
    """Notes that somebody looks now; answers since when that was so without a longer pause."""
    since: datetime = await tx.fetchval(
        """
        UPDATE house SET watched_at = greatest(watched_at, $1),
            watched_since = CASE WHEN watched_at >= $1::timestamptz - $2::interval THEN watched_since ELSE $1 END
          RETURNING watched_since
        """,
        now,
        pause,
    )
    return since


async def heard(tx: Tx, source: str, since: datetime) -> datetime | None:
    """When a source was heard last after a moment; None: it was not. Bodies are kept for 90 days, and with them the
    index that this goes by."""
    last: datetime | None = await tx.fetchval(
        "SELECT max(received_at) FROM webhook_inbox WHERE provider = $1 AND received_at > $2 AND body <> ''",
        source,
        since,
    )
    return last


async def rhythm(tx: Tx, source: str, since: datetime) -> Rhythm:
    row = await tx.fetchrow(
        """
        SELECT count(*) AS deliveries, count(DISTINCT date_trunc('day', received_at)) AS days,
            min(received_at) AS first, max(received_at) AS last
          FROM webhook_inbox WHERE provider = $1 AND received_at > $2 AND body <> ''
        """,
        source,
        since,
    )
    return Rhythm(**present(row))


async def money_message_age(tx: Tx) -> float:
    """Age in seconds of the oldest message about money that is not sent; 0 when there is none."""
    return float(
        await tx.fetchval(
            "SELECT coalesce(extract(epoch FROM now() - min(created_at)), 0) FROM outbox"
            " WHERE state = 'queued' AND priority = 0"
        )
    )


async def deposited_within(
    tx: Tx, patience: timedelta, *, before: datetime, since: datetime, until: datetime
) -> list[tuple[str, Sequence[int]]]:
    """By programme: accounts bound from `since` until `until` and how many of them had a deposit within `patience`;
    then the same from `before` until `since`."""
    rows = await tx.fetch(
        f"""
        SELECT a.programme, count(*) FILTER (WHERE a.bound_at >= $2) AS bound,
            count(*) FILTER (WHERE a.bound_at >= $2 AND paid.soon) AS paid,
            count(*) FILTER (WHERE a.bound_at < $2) AS bound_before,
            count(*) FILTER (WHERE a.bound_at < $2 AND paid.soon) AS paid_before
          FROM casino_account a CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM casino_event e
            WHERE {COUNTED_DEPOSIT} AND e.user_id = a.user_id AND e.programme = a.programme
              AND e.occurred_at < a.bound_at + $4::interval) AS soon) paid
          WHERE a.bound_at >= $1 AND a.bound_at < $3
          GROUP BY 1 ORDER BY 1
        """,
        before,
        since,
        until,
        patience,
    )
    return [(row["programme"], (row["bound"], row["paid"], row["bound_before"], row["paid_before"])) for row in rows]
