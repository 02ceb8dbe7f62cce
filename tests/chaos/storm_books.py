"""What the storm's driver did and was told, and the proof that the books say the same: nothing lost, nothing twice."""

import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from db.database import Tx
from sandbox import Person, Sandbox
from sandbox.casino import Fired
from sandbox.deliveries import Attempt
from tests.chaos.house import findings

T = TypeVar("T")

CASINO = "1win"
PASSED_OVER = {"payment_intent.created", "charge.succeeded", "charge.failed"}
"""Events that a payment is not known by: answered, and nothing else."""
AFTERMATH = 12.0
"""Seconds after the database's return in which a 503 still belongs to its absence: that long a call may wait for it."""


@dataclass
class Wish:
    """A deposit that was asked for by a press; `ref` once its link was seen, or its charge was confirmed."""

    player: Person
    provider: str
    minor: int
    key: str
    """As the database keeps it."""
    ref: str | None = None


@dataclass
class Payout:
    """A withdrawal that was asked for, and an admin's decision about it."""

    player: Person
    minor: int
    key: str
    number: int | None = None
    decision: str | None = None
    """`completed`, `cancelled` or `failed`: what was begun."""
    decided: bool = False
    """And whether it was confirmed."""


@dataclass
class Notes:
    """Everything the driver did and everything it was answered."""

    wishes: dict[str, Wish] = field(default_factory=dict)
    payouts: dict[str, Payout] = field(default_factory=dict)
    files: dict[str, bool] = field(default_factory=dict)
    """Reports by their wish, and whether one came."""
    postbacks: deque[Fired] = field(default_factory=deque)
    broadcasts: list[str] = field(default_factory=list)
    deaf: set[int] = field(default_factory=set)
    """Who has blocked the bot."""
    statements: int = 0
    """How many of last month there must be."""
    opening: dict[tuple[int, str], int] = field(default_factory=dict)
    """What players had before it began, in minor units."""
    done: Counter[str] = field(default_factory=Counter)
    """What was acknowledged, by kind; each thing once."""
    answers: Counter[str] = field(default_factory=Counter)
    """How deliveries were answered."""
    repeats: int = 0
    """Deliveries of what had been acknowledged before, answered 200 again."""
    hostile: Counter[str] = field(default_factory=Counter)
    """Answers to forged deliveries."""
    struck: Counter[str] = field(default_factory=Counter)
    """Kills and other disturbances."""
    unexplained: int = 0
    """503 while the database was there."""
    away_503: int = 0
    lost_answers: int = 0
    """How many messages Telegram may have taken without saying so."""
    found: list[str] = field(default_factory=list)
    heard: set[tuple[str, str, str]] = field(default_factory=set)
    _away: int = 0
    _away_until: float = 0.0

    @property
    def operations(self) -> int:
        return self.done.total() + len(self.reported())

    def reported(self) -> list[Fired]:
        """Postbacks that were acknowledged."""
        return [fired for fired in self.postbacks if any(answer.status == 200 for answer in fired.answers)]

    @property
    def duplicates(self) -> int:
        accepted = sum(answer.status == 200 for fired in self.postbacks for answer in fired.answers)
        return self.repeats + accepted - len(self.reported())

    def hears(self, attempt: Attempt) -> None:
        self.answers[str(attempt.status or "no answer")] += 1
        if attempt.status is not None and attempt.status >= 500:
            self.failed(attempt.status, f"{attempt.provider} {attempt.event}")
        if attempt.status == 200 and attempt.provider != CASINO:
            about = attempt.provider, attempt.event, attempt.subject
            if about in self.heard:
                self.repeats += 1
            else:
                self.heard.add(about)
                if attempt.event not in PASSED_OVER:
                    self.done[f"{attempt.provider}: {attempt.event.partition('.')[0]} events"] += 1

    def failed(self, status: int, what: str) -> None:
        """503 means that the database is away; nothing else of the kind may be answered."""
        if status != 503:
            self.found.append(f"{what} was answered {status}")
        elif not self._away and time.monotonic() > self._away_until:
            self.unexplained += 1
        else:
            self.away_503 += 1

    @contextmanager
    def away(self) -> Iterator[None]:
        """The database is away, or some of its sessions."""
        self._away += 1
        try:
            yield
        finally:
            self._away -= 1
            self._away_until = max(self._away_until, time.monotonic() + AFTERMATH)


class Log(deque[Attempt]):
    """The list of the sandbox's deliveries, which tells the driver of each and forgets it soon."""

    def __init__(self, notes: Notes) -> None:
        super().__init__(maxlen=100)
        self.notes = notes

    def append(self, attempt: Attempt) -> None:
        self.notes.hears(attempt)
        super().append(attempt)


@dataclass
class Proof:
    """Compares the driver's notes, the providers' own books and the database; what differs is found."""

    world: Sandbox
    notes: Notes
    books: Tx
    players: dict[int, int]
    """Numbers of players by their Telegram ids."""

    async def rests(self) -> bool:
        """Nothing waits to be done, and every payment has been heard of."""
        waits = await self.books.fetchval(
            "SELECT EXISTS (SELECT FROM webhook_inbox WHERE state = 'queued')"
            " OR EXISTS (SELECT FROM outbox WHERE state IN ('queued', 'held'))"
            " OR EXISTS (SELECT FROM job WHERE state = 'queued')"
            " OR EXISTS (SELECT FROM broadcast WHERE ended_at IS NULL)"
            " OR EXISTS (SELECT FROM returned_payment WHERE state = 'noted' AND next_check_at IS NOT NULL)"
        )
        booked = await self.books.fetchval("SELECT count(*) FROM ledger_journal WHERE idempotency_key LIKE 'deposit:%'")
        return not waits and booked >= len(self._paid())

    async def whole(self) -> list[str]:
        found = [f"verify: {one}" for one in await findings(self.books)]
        for part in (
            self._queues,
            self._deliveries,
            self._providers,
            self._payments,
            self._returns,
            self._wishes,
            self._payouts,
            self._wallets,
            self._casino,
            self._messages,
            self._reports,
            self._ticks,
        ):
            found += [f"{part.__name__.strip('_')}: {one}" for one in await part()]
        return found

    async def _queues(self) -> list[str]:
        rows = await self.books.fetch(
            "SELECT 'inbox ' || event_type || ' ' || state || ' ' || coalesce(last_error, '') AS what"
            " FROM webhook_inbox WHERE state NOT IN ('done', 'ignored')"
            " UNION ALL SELECT 'outbox ' || dedupe_key || ' ' || state || ' ' || coalesce(last_error, '') FROM outbox"
            " WHERE state <> 'sent' AND let_go_at IS NULL"
            " UNION ALL SELECT 'job ' || dedupe_key || ' ' || state FROM job WHERE state <> 'done'"
        )
        return [row["what"] for row in rows]

    async def _deliveries(self) -> list[str]:
        """Whatever was answered 200 is kept."""
        rows = await self.books.fetch(
            "SELECT provider, event_type, convert_from(body, 'UTF8')::jsonb #>> CASE provider"
            " WHEN 'stripe' THEN '{data,object,id}'::text[] ELSE '{object,id}' END AS subject FROM webhook_inbox"
            " WHERE provider IN ('stripe', 'yookassa')"
        )
        kept = {tuple(row) for row in rows}
        return [f"acknowledged and not kept: {lost}" for lost in self.notes.heard - kept]

    async def _providers(self) -> list[str]:
        rows = await self.books.fetch(
            "SELECT code, -sum(amount_minor)::bigint AS owed FROM ledger_entry JOIN ledger_account ON id = account_id"
            " WHERE kind = 'provider' GROUP BY code HAVING sum(amount_minor) <> 0"
        )
        owed = {row["code"]: row["owed"] for row in rows}
        kept = {
            f"provider:{name}:{currency}": minor
            for name, party in (("stripe", self.world.stripe), ("yookassa", self.world.yookassa))
            for currency, minor in party.taken().items()
            if minor
        }
        return [] if owed == kept else [f"providers owe {owed} and keep {kept}"]

    def _paid(self) -> dict[str, tuple[int, int | None, str]]:
        """Every payment the providers took: amount, its player, currency; by the key of its journal."""
        paid: dict[str, tuple[int, int | None, str]] = {}
        for ref, intent in self.world.stripe.intents.items():
            if intent["status"] == "succeeded":
                player = intent["metadata"].get("player_id")
                paid[f"deposit:stripe:{ref}"] = (
                    intent["amount_received"],
                    int(player) if player else None,
                    intent["currency"].upper(),
                )
        for ref, payment in self.world.yookassa.payments.items():
            if payment["status"] == "succeeded":
                player, amount = payment["metadata"].get("player_id"), payment["amount"]
                minor = int(amount["value"].replace(".", ""))
                paid[f"deposit:yookassa:{ref}"] = minor, int(player) if player else None, amount["currency"]
        return paid

    async def _payments(self) -> list[str]:
        """Each payment has one journal, of its amount, for its player or for suspense; no other is there."""
        rows = await self.books.fetch(
            "SELECT idempotency_key AS key, j.user_id, -amount_minor AS minor, a.currency FROM ledger_journal j"
            " JOIN ledger_entry ON journal_id = j.id JOIN ledger_account a ON a.id = account_id AND a.kind = 'provider'"
            " WHERE idempotency_key LIKE 'deposit:%'"
        )
        booked = {row["key"]: (row["minor"], row["user_id"], row["currency"]) for row in rows}
        return _differences(booked, self._paid(), "booked", "paid")

    def _returned(self) -> dict[str, tuple[int, str, str]]:
        """Refunds and disputes as the providers have them: amount, state, payment; by the journal's key."""
        back: dict[str, tuple[int, str, str]] = {}
        for ref, refund in self.world.stripe.refunds.items():
            state = "undone" if refund["status"] in ("failed", "canceled") else "booked"
            back[f"refund:stripe:{ref}"] = refund["amount"], state, refund["payment_intent"]
        for ref, dispute in self.world.stripe.disputes.items():
            state = "undone" if dispute["status"] == "won" else "booked"
            back[f"dispute:stripe:{ref}"] = dispute["amount"], state, dispute["payment_intent"]
        for ref, refund in self.world.yookassa.refunds.items():
            if refund["status"] == "succeeded":
                minor = int(refund["amount"]["value"].replace(".", ""))
                back[f"refund:yookassa:{ref}"] = minor, "booked", refund["payment_id"]
        return back

    async def _returns(self) -> list[str]:
        rows = await self.books.fetch(
            "SELECT kind || ':' || provider || ':' || provider_ref AS key, amount_minor, state, payment_ref"
            " FROM returned_payment"
        )
        noted = {row["key"]: (row["amount_minor"], row["state"], row["payment_ref"]) for row in rows}
        return _differences(noted, self._returned(), "noted", "given back")

    async def _wishes(self) -> list[str]:
        """A wish is one operation and one page, however often it was pressed; what was shown is there."""
        rows = await self.books.fetch(
            "SELECT request_key, telegram_id, amount_minor, public_id::text, provider_ref FROM wallet_operations"
            " JOIN users ON id = user_id WHERE operation_type = 'deposit' AND actor <> 'test'"
        )
        kept = {row["request_key"]: (row["telegram_id"], row["amount_minor"]) for row in rows}
        asked = {wish.key: (wish.player.id, wish.minor) for wish in self.notes.wishes.values()}
        shown = {wish.key for wish in self.notes.wishes.values() if wish.ref}
        found = [f"nobody asked for {key}" for key in kept.items() - asked.items()]
        found += [f"shown and not there: {key}" for key in shown - kept.keys()]
        found += ["a wish became two operations"] if len(kept) < len(rows) else []
        pages = Counter(
            [one["client_reference_id"] for one in self.world.stripe.sessions.values()]
            + [one["metadata"].get("operation_id") for one in self.world.yookassa.payments.values()]
        )
        pages.pop(None, None)
        found += [f"{count} pages for operation {page}" for page, count in pages.items() if count > 1]
        return found + [
            f"a page for no operation: {page}" for page in pages.keys() - {row["public_id"] for row in rows}
        ]

    async def _payouts(self) -> list[str]:
        rows = await self.books.fetch(
            "SELECT request_key, telegram_id, amount_minor, operation_id, status::text FROM wallet_operations"
            " JOIN users ON id = user_id WHERE operation_type = 'withdrawal'"
        )
        kept = {row["request_key"]: row for row in rows}
        asked = {payout.key: payout for payout in self.notes.payouts.values()}
        found = [f"nobody asked for withdrawal {key}" for key in kept.keys() - asked.keys()]
        for key, payout in asked.items():
            if (row := kept.get(key)) is None:
                found += [f"withdrawal {payout.number} is not there"] if payout.number else []
                continue
            if (row["telegram_id"], row["amount_minor"]) != (payout.player.id, payout.minor):
                found.append(f"withdrawal {row['operation_id']} is another one")
            decisions = {payout.decision} if payout.decided else {payout.decision, "review", "sending"}
            if row["status"] not in decisions:
                found.append(f"withdrawal {row['operation_id']} is {row['status']}, not {decisions}")
        return found

    async def _wallets(self) -> list[str]:
        """Each player has what came, less what went."""
        rows = await self.books.fetch(
            "SELECT user_id, currency, available_minor + withdrawals_minor - coalesce((SELECT sum(owed_minor)"
            " FROM returned_payment r WHERE r.user_id = b.user_id AND r.currency = b.currency), 0)::bigint AS minor"
            " FROM wallet b"
        )
        has = Counter({(row["user_id"], row["currency"]): row["minor"] for row in rows})
        due = Counter(self.notes.opening)
        paid = self._paid()
        for minor, player, currency in paid.values():
            if player is not None:
                due[player, currency] += minor
        for key, (minor, state, ref) in self._returned().items():
            _, player, currency = paid[f"deposit:{key.split(':')[1]}:{ref}"]
            if player is not None and state == "booked":
                due[player, currency] -= minor
        gone = await self.books.fetch(
            "SELECT request_key FROM wallet_operations WHERE operation_type = 'withdrawal' AND status = 'completed'"
        )
        ended = {row["request_key"] for row in gone}
        for payout in self.notes.payouts.values():
            if payout.key in ended:
                due[self.players[payout.player.id], "USD"] -= payout.minor
        return [
            f"player {key} has {has[key]}, and should have {due[key]}"
            for key in has.keys() | due.keys()
            if has[key] != due[key]
        ]

    async def _casino(self) -> list[str]:
        """Each thing that was reported is one event, of its player, of its amount."""
        rows = await self.books.fetch("SELECT kind, dedupe_key, casino_id, amount::text, problem FROM casino_event")
        kept = {row["dedupe_key"] for row in rows}
        found = [f"an odd event: {row['dedupe_key']} {row['problem']}" for row in rows if row["problem"]]
        submitted = {_casino_key(fired) for fired in self.notes.postbacks}
        found += [f"nobody reported {key}" for key in kept - submitted]
        return found + [f"reported and not there: {key}" for key in {*map(_casino_key, self.notes.reported())} - kept]

    async def _messages(self) -> list[str]:
        """Each piece of news about money came, and came again at most where an answer of Telegram's was lost."""
        rows = await self.books.fetch(
            "SELECT telegram_id, operation_id, operation_type, status::text FROM wallet_operations JOIN users"
            " ON id = user_id WHERE status IN ('completed', 'cancelled', 'failed') AND actor <> 'test'"
        )
        texts = {
            person.id: [message.text for message in person.shown] for person in self.world.telegram.people.values()
        }
        repeats, found = 0, []
        for row in rows:
            if row["telegram_id"] in self.notes.deaf:
                continue
            number = row["operation_id"]
            word, end = {
                ("deposit", "completed"): ("Зачислено", f": {number}"),
                ("withdrawal", "completed"): ("отправлены", f": {number}"),
            }.get((row["operation_type"], row["status"]), (f"№ {number} ", ""))
            told = sum(word in text and text.endswith(end) for text in texts[row["telegram_id"]])
            if not told:
                found.append(f"nobody told {row['telegram_id']} of {row['operation_type']} {number} ({row['status']})")
            repeats += max(told - 1, 0) if end else 0
        for words in self.notes.broadcasts:
            for person_id, seen in texts.items():
                copies = seen.count(words)
                if person_id in self.players and person_id not in self.notes.deaf:
                    repeats += max(copies - 1, 0)
                    found += [] if copies else [f"{person_id} did not get the broadcast {words}"]
                elif copies and person_id in self.notes.deaf:
                    found.append(f"{person_id} got a broadcast in spite of having blocked the bot")
        self.notes.struck["messages that came again"] = repeats
        allowed = 2 * self.notes.struck["kills"] + self.notes.lost_answers
        return found + ([f"{repeats} messages came again, {allowed} may"] if repeats > allowed else [])

    async def _reports(self) -> list[str]:
        """A report that was asked for is one row, and what came was asked for."""
        made = {row["request_key"] for row in await self.books.fetch("SELECT request_key FROM report")}
        found = [f"nobody asked for report {key}" for key in made - self.notes.files.keys()]
        return found + [
            f"report {key} came and is not there" for key, came in self.notes.files.items() if came and key not in made
        ]

    async def _ticks(self) -> list[str]:
        """What a period is due once came once, whatever number of processes saw that it was due."""
        row = await self.books.fetchrow(
            "SELECT (SELECT count(*) FROM job WHERE kind = 'head') AS due,"
            " (SELECT count(*) FROM audit_log WHERE action = 'ledger-head') AS heads,"
            " (SELECT count(*) FROM monthly_statements) AS statements"
        )
        assert row
        found = [] if row["due"] == row["heads"] else [f"{row['heads']} heads of the ledger, and {row['due']} were due"]
        if row["statements"] != self.notes.statements:
            found.append(f"{row['statements']} statements, and {self.notes.statements} were due")
        return found


def _casino_key(fired: Fired) -> str:
    values = fired.parameters
    match fired.event:
        case "registration":
            return f"registration:{values['user_id']}"
        case "first_deposit":
            return f"deposit:{values['transaction_id']}"
        case event:
            return f"{event}:{values['transaction_id']}"


def _differences(ours: dict[str, T], theirs: dict[str, T], our_word: str, their_word: str) -> list[str]:
    return [
        f"{key}: {our_word} {ours.get(key)}, {their_word} {theirs.get(key)}"
        for key in ours.keys() | theirs.keys()
        if ours.get(key) != theirs.get(key)
    ]
