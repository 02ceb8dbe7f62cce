"""A ledger with a past: movements booked at times of long ago, thousands in a second, and every one of them sound."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from db.database import Database, Tx
from db.ledger import account_number
from db.models import Player

CURRENCIES = ("USD", "RUB", "EUR", "USDT")


@dataclass(frozen=True)
class Posting:
    key: str
    kind: str
    legs: Mapping[str, int]
    """By account, `available:USD` for the player's own."""
    at: datetime
    operation: int | None = None
    reverses: str | None = None
    description: str | None = None


@dataclass(frozen=True)
class Asked:
    id: int
    kind: str
    currency: str
    minor: int
    at: datetime
    status: str = "completed"
    ended: datetime | None = None
    comment: str | None = None


@dataclass
class Past:
    """What one player did, in order. Each verb answers nothing and moves the time on when told to."""

    player: Player
    at: datetime
    first_operation: int = 1000
    postings: list[Posting] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    bets: int = 0

    def deposit(self, minor: int, currency: str = "USD", at: datetime | None = None) -> int:
        at = at or self.at
        number = self._ask("deposit", currency, minor, at)
        legs = {f"available:{currency}": minor, f"provider:stripe:{currency}": -minor}
        key = f"deposit:stripe:pi_{self.player.id}_{number}"
        self.postings.append(Posting(key, "deposit", legs, at, number))
        return number

    def withdraw(
        self, minor: int, currency: str = "USD", *, paid: bool | None = True, comment: str | None = None
    ) -> int:
        """`paid`: True, False for rejected, None for still waiting."""
        status = {True: "completed", False: "cancelled", None: "review"}[paid]
        number = self._ask("withdrawal", currency, minor, self.at, status, comment)
        hold = {f"available:{currency}": -minor, f"withdrawals:{currency}": minor}
        self.postings.append(Posting(f"withdrawal:{number}:hold", "withdrawal_hold", hold, self.at, number))
        if paid is not None:
            kind, to = ("withdrawal_paid", "payout") if paid else ("withdrawal_release", "available")
            end = {f"withdrawals:{currency}": -minor, f"{to}:{currency}": minor}
            self.postings.append(Posting(f"withdrawal:{number}:end", kind, end, self.at, number))
        return number

    def bet(self, stake: int, payout: int | None, currency: str = "USD", *, open_: bool = False) -> int:
        """`payout`: 0 for a lost one, None for one that was given back."""
        self.bets += 1
        number = self.bets
        key = f"bet:{self.player.id}-{number}"
        placed = {f"available:{currency}": -stake, f"bets:{currency}": stake}
        self.postings.append(Posting(f"{key}:place", "bet_placed", placed, self.at))
        if not open_:
            self.settle(number, stake, payout, currency)
        return number

    def settle(self, number: int, stake: int, payout: int | None, currency: str = "USD") -> None:
        key = f"bet:{self.player.id}-{number}:settle"
        bets, available, house = f"bets:{currency}", f"available:{currency}", f"house:{currency}"
        if payout is None:
            self.postings.append(Posting(key, "bet_cancelled", {bets: -stake, available: stake}, self.at))
        elif payout == 0:
            self.postings.append(Posting(key, "bet_lost", {bets: -stake, house: stake}, self.at))
        else:
            legs = {bets: -stake, available: payout, house: stake - payout}
            legs = {account: amount for account, amount in legs.items() if amount}
            self.postings.append(Posting(key, "bet_won", legs, self.at))

    def take_back(self, key: str) -> None:
        """Reverses a movement exactly."""
        old = next(posting for posting in self.postings if posting.key == key)
        legs = {account: -amount for account, amount in old.legs.items()}
        self.postings.append(Posting(f"rev:{key}", "reversal", legs, self.at, reverses=key))

    def move(self, kind: str, minor: int, other: str, currency: str = "USD", description: str | None = None) -> None:
        """`minor` to the player from one of our accounts, or from the player when below zero."""
        legs = {f"available:{currency}": minor, f"{other}:{currency}": -minor}
        self.postings.append(
            Posting(f"{kind}:{self.player.id}-{len(self.postings)}", kind, legs, self.at, None, None, description)
        )

    def exchange(self, minor: int, currency: str, got: int, other: str) -> None:
        legs = {
            f"available:{currency}": -minor,
            f"fx:{currency}": minor,
            f"fx:{other}": -got,
            f"available:{other}": got,
        }
        self.postings.append(Posting(f"fx:{self.player.id}-{len(self.postings)}", "exchange", legs, self.at))

    def _ask(
        self, kind: str, currency: str, minor: int, at: datetime, status: str = "completed", comment: str | None = None
    ) -> int:
        number = self.first_operation + len(self.asked)
        ended = None if status == "review" else at
        self.asked.append(Asked(number, kind, currency, minor, at, status, ended, comment))
        return number

    async def book(self, database: Database) -> None:
        """Posts everything through ledger_post, and puts the operations and messages beside it that belong there."""
        async with database.owner() as owner, owner.transaction():
            await owner.execute("SET LOCAL statement_timeout = 0")
            for currency in sorted({leg.rpartition(":")[2] for posting in self.postings for leg in posting.legs}):
                await owner.execute("SELECT wallet_open($1, $2)", self.player.id, currency)
            await self._operations(owner)
            await self._post(owner)

    async def _operations(self, owner: Tx) -> None:
        await owner.execute("SET LOCAL session_replication_role = replica")  # they were born long ago
        method = await owner.fetchval(
            """
            INSERT INTO withdrawal_methods (user_id, withdrawal_type, destination, fingerprint, masked, usable_at,
                verification_status, verified_at)
              VALUES ($1, 'iban', '', sha256(convert_to($2, 'UTF8')), 'DE** **** 3000', now(), 'verified', now())
              RETURNING method_id
            """,
            self.player.id,
            f"past of {self.player.id}, {self.first_operation}",
        )
        await owner.execute(
            """
            INSERT INTO wallet_operations (operation_id, user_id, operation_type, provider, currency, exponent,
                amount_minor, received_minor, status, provider_ref, payment_ref, request_key, actor, created_at,
                completed_at, expires_at, withdrawal_method_id, comment)
              OVERRIDING SYSTEM VALUE
              SELECT a.id, $1::bigint, a.kind, CASE a.kind WHEN 'deposit' THEN 'stripe' ELSE 'manual' END, a.currency,
                  c.exponent, a.minor, CASE a.status WHEN 'completed' THEN a.minor END, a.status::operation_status,
                  CASE a.kind WHEN 'deposit' THEN 'cs_' || $1::bigint || '_' || a.id END,
                  CASE a.status WHEN 'completed' THEN
                    CASE a.kind WHEN 'deposit' THEN 'pi_' ELSE 'tr_' END || $1::bigint || '_' || a.id END,
                  'past-' || a.id, 'test', a.at, CASE a.status WHEN 'completed' THEN a.ended END,
                  CASE a.kind WHEN 'deposit' THEN a.at + interval '1 h' END,
                  CASE a.kind WHEN 'withdrawal' THEN $2::bigint END, a.comment
                FROM unnest($3::bigint[], $4::text[], $5::text[], $6::bigint[], $7::timestamptz[], $8::text[],
                    $9::timestamptz[], $10::text[]) AS a (id, kind, currency, minor, at, status, ended, comment)
                  JOIN currency c ON c.code = a.currency
            """,
            self.player.id,
            method,
            *(
                [getattr(one, name) for one in self.asked]
                for name in ("id", "kind", "currency", "minor", "at", "status", "ended", "comment")
            ),
        )
        await owner.execute(
            "INSERT INTO approval (operation_id, admin_id) SELECT number, 900 FROM unnest($1::bigint[]) AS number",
            [one.id for one in self.asked if (one.kind, one.status) == ("withdrawal", "completed")],
        )
        await owner.execute(
            """
            INSERT INTO audit_log (user_id, actor, action, status, amount_minor, currency, entity_type, entity_id,
                details)
              SELECT user_id, coalesce('admin:' || a.admin_id, o.actor), operation_type,
                  CASE WHEN a.admin_id IS NULL THEN status::text ELSE 'approved' END, amount_minor, currency,
                  'operation', operation_id, jsonb_build_object('provider', provider, 'payment', payment_ref)
                FROM wallet_operations o
                  CROSS JOIN LATERAL (SELECT admin_id FROM approval WHERE approval.operation_id = o.operation_id
                    UNION ALL SELECT NULL) a
                WHERE operation_id = ANY($1::bigint[]) ORDER BY operation_id, a.admin_id NULLS LAST
            """,
            [one.id for one in self.asked],
        )
        told = [
            f"deposit-credited:{one.id}" if one.kind == "deposit" else f"withdrawal-{one.status}:{one.id}"
            for one in self.asked
            if one.status != "review"
        ]
        await owner.execute(
            "INSERT INTO outbox (dedupe_key, chat_id, text_id, arguments, state)"
            " SELECT key, $2, 'menu', '{}', 'sent' FROM unnest($1::text[]) AS key",
            told,
            self.player.telegram_id,
        )
        await owner.execute("SET LOCAL session_replication_role = origin")
        await owner.execute(
            "SELECT setval(pg_get_serial_sequence('wallet_operations', 'operation_id'),"
            " greatest((SELECT coalesce(max(operation_id), 0) + 1 FROM wallet_operations), 1), false)"
        )

    async def _post(self, owner: Tx) -> None:
        """The clock of ledger_post is turned back for this transaction: what happened then was booked then."""
        definition: str = await owner.fetchval(
            "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = 'ledger_post'"
        )
        assert definition.count("clock_timestamp()") == 2
        await owner.execute(definition.replace("clock_timestamp()", "coalesce(p_effective_at, clock_timestamp())"))
        batch: list[list[object]] = []
        for posting in self.postings:
            if posting.reverses:  # what is reversed must have been posted by a statement before
                await self._batch(owner, batch)
                batch = []
            batch.append(self._row(posting))
        await self._batch(owner, batch)
        await owner.execute(definition)

    async def _batch(self, owner: Tx, rows: list[list[object]]) -> None:
        await owner.execute(
            """
            SELECT count(p.journal_id) FROM (
              SELECT n ->> 0 AS key, n ->> 1 AS kind, n -> 2 AS accounts, n -> 3 AS amounts,
                  (n ->> 4)::timestamptz AS at, (n ->> 5)::bigint AS operation, n ->> 6 AS reverses,
                  n ->> 7 AS description
                FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS x (n, nth)
                ORDER BY nth) r
              CROSS JOIN LATERAL ledger_post(r.key, r.kind,
                ARRAY(SELECT v::bigint FROM jsonb_array_elements_text(r.accounts) v),
                ARRAY(SELECT v::bigint FROM jsonb_array_elements_text(r.amounts) v), 'test',
                CASE WHEN r.operation IS NOT NULL THEN 'operation' END, r.operation, r.at, r.description, NULL,
                (SELECT j.id FROM ledger_journal j WHERE j.idempotency_key = r.reverses)) p
            """,
            rows,
            timeout=600,
        )

    def _row(self, posting: Posting) -> list[object]:
        legs = sorted((self._account(code), amount) for code, amount in posting.legs.items())
        return [
            posting.key,
            posting.kind,
            [account for account, _ in legs],
            [amount for _, amount in legs],
            posting.at.isoformat(),
            posting.operation,
            posting.reverses,
            posting.description,
        ]

    def _account(self, code: str) -> int:
        own = code.partition(":")[0] in ("available", "bets", "withdrawals")
        return account_number(f"player:{self.player.id}:{code}" if own else code)


def year(
    player: Player, operations: int, *, ends: datetime, seed: int = 1, currencies: Sequence[str] = CURRENCIES
) -> Past:
    """A year of everything, spread evenly with some noise, that never spends what is not there."""
    chance = random.Random(seed)
    begins = ends - timedelta(days=365)
    past = Past(player, begins)
    have = dict.fromkeys(currencies, 0)
    step = timedelta(days=365) / operations
    while len(past.postings) < operations:
        nth = len(past.postings)
        past.at = begins + step * nth + timedelta(seconds=chance.random() * step.total_seconds() / 2)
        currency = chance.choice(currencies)
        most = have[currency]
        if most < 1000 or chance.random() < 0.08:
            amount = chance.randint(100, 5_000_000)
            past.deposit(amount, currency)
            have[currency] += amount
            continue
        amount = chance.randint(1, max(1, most // 20))
        match chance.randrange(12):
            case 0:
                past.withdraw(amount, currency, comment=chance.choice((None, "=1+1", "на отпуск")))
                have[currency] -= amount
            case 1:
                past.withdraw(amount, currency, paid=False)
            case 2 | 3 | 4 | 5:
                past.bet(amount, 0, currency)
                have[currency] -= amount
            case 6 | 7 | 8:
                payout = amount + chance.randint(0, 2 * amount)
                past.bet(amount, payout, currency)
                have[currency] += payout - amount
            case 9:
                past.bet(amount, None, currency)
            case 10:
                past.move("bonus_added", amount, "bonus", currency, "@бонус")
                have[currency] += amount
            case 11:
                other = chance.choice([one for one in currencies if one != currency] or [currency])
                if other != currency:
                    got = chance.randint(1, amount)
                    past.exchange(amount, currency, got, other)
                    have[currency] -= amount
                    have[other] += got
    return past


def moment(text: str) -> datetime:
    """`2026-10-31 23:59:59` in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
