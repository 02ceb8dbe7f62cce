"""The shop as the model drives it: each call once, twice at once, or with the process dying in the middle of it."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from functools import cached_property
from itertools import count
from typing import Any, TypeVar

from asyncpg import DeadlockDetectedError
from hypothesis import note

from db.database import Database, Tx
from db.ledger import LedgerRefusal
from db.models import Player, ProviderName
from sandbox.deliveries import Notice
from sandbox.stripe import Stripe
from sandbox.yookassa import YooKassa
from services.errors import DomainError, TemporarilyUnavailable
from tests.model.books import Books, Deposit, Payment, Return
from tests.shop import Shop

T = TypeVar("T")
DEADLY = 0.15
"""How likely the process is to be told to die in a call; many calls end before it does."""
_DISPUTES = {
    "needs_response": "open",
    "warning_needs_response": "inquiry",
    "won": "won",
    "warning_closed": "won",
    "lost": "lost",
}
# What the product does not listen to.
_DULL = ("charge.succeeded", "charge.failed", "customer.created", "payment_intent.created")
_REFUNDS = {"pending": "pending", "succeeded": "succeeded", "failed": "failed", "canceled": "failed"}


class Died(BaseException):
    """The process is gone; what it had not committed is gone with it. Nobody can catch that."""


class Mortal(Database):
    """A database whose program dies on the way to a commit, or right after it."""

    commits_left: int | None = None
    """None: it lives. 0: the next commit is the last, `before` or after which it dies."""
    before = False

    @cached_property
    def death(self) -> asyncio.Event:
        return asyncio.Event()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Tx]:
        async with super().connection() as tx:
            async with tx.transaction():
                yield tx
                if self.before and self.commits_left == 0:
                    self._dies()
            self._committed()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Tx]:
        async with super().connection() as tx:
            yield tx
        self._committed()

    def _committed(self) -> None:
        if self.commits_left is not None:
            if self.commits_left == 0:
                self._dies()
            self.commits_left -= 1

    def _dies(self) -> None:
        self.death.set()
        raise Died


class Town:
    """Real services before the sandbox's providers, and beside them the books of the model."""

    def __init__(self, shop: Shop, *, twins: bool) -> None:
        self.shop, self.twins = shop, twins
        self.books = Books()
        self.players: list[Player] = []
        self.notices: list[Notice] = []
        """What the providers have to say and nobody has heard yet, oldest first."""
        self.heard: list[Notice] = []
        self.chance: random.Random | None = None
        """Of the process to die in a call; None: it does not."""
        self._listened: dict[object, int] = {}
        self._keys = count(1)

    def key(self) -> str:
        """One that was never used."""
        return f"key-{next(self._keys)}"

    def who(self, player_id: int) -> Player:
        return next(player for player in self.players if player.id == player_id)

    async def joins(self) -> None:
        """Somebody who can be paid."""
        player = await self.shop.player(1001 + len(self.players))
        self.players.append(player)
        await self.shop.payee(player)

    @property
    def mortal(self) -> Mortal:
        assert isinstance(self.shop.database, Mortal)
        return self.shop.database

    def outside(self, provider: str) -> Stripe | YooKassa:
        return self.shop.world.stripe if provider == "stripe" else self.shop.world.yookassa

    # ---- one step

    async def does(
        self, call: Callable[[], Awaitable[T]], refusal: str | None = None, *, again: str | None = None
    ) -> T | None:
        """Makes a call in this town's way. `refusal`: what it is to be refused with. `again`: with what a repetition
        of a call that was not refused is; None: it answers the same."""
        answers: list[T | Exception | None]
        if self.twins:
            answers = [*await asyncio.gather(_answer(call), _answer(call))]
        else:
            answers = [await self._once(call, again if refusal is None else None)]
        names = sorted(_name(answer) for answer in answers)
        if refusal is not None:
            assert names == [refusal] * len(answers)
            return None
        assert names == sorted(["", again or ""][: len(answers)]), names
        good = [answer for answer in answers if not isinstance(answer, Exception)]
        assert len({getattr(answer, "id", None) for answer in good}) <= 1
        return good[0] if good else None

    async def _once(self, call: Callable[[], Awaitable[T]], again: str | None) -> T | Exception | None:
        if self.chance is not None and self.chance.random() < DEADLY:
            self.mortal.commits_left, self.mortal.before = self.chance.randrange(4), self.chance.random() < 0.5
        others = asyncio.all_tasks()
        doing, death = asyncio.create_task(_answer(call)), asyncio.create_task(self.mortal.death.wait())
        await asyncio.wait((doing, death), return_when=asyncio.FIRST_COMPLETED)
        died = self.mortal.death.is_set()
        # It dies with everything that it had under way.
        ending = {task for task in asyncio.all_tasks() - others if not _is_outside(task)} if died else {death}
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        self.mortal.commits_left = None
        if not died:
            return doing.result()
        note("the process died, and another one does it again")
        self.mortal.death.clear()
        answer = await _answer(call)
        await self._starts_again()
        return None if again is not None and _name(answer) == again else answer

    async def _starts_again(self) -> None:
        """What a new process finds left over by the one that died."""
        async with self.shop.database.connection() as tx:
            await tx.execute("UPDATE webhook_inbox SET run_at = now(), lease = NULL WHERE state = 'queued'")
            await tx.execute(
                "UPDATE returned_payment SET next_check_at = CASE provider_state WHEN 'requested' THEN now()"
                " ELSE now() + interval '1 hour' END WHERE next_check_at IS NOT NULL"
            )
        await self.shop.works(1)
        await self.shop.returns.tick()
        await self.shop.withdrawals.resume()

    # ---- what providers say

    def listens(self) -> None:
        """Takes up what the providers have had to say since the last time."""
        for stand_in in (self.shop.world.stripe, self.shop.world.yookassa):
            already = self._listened.get(stand_in, 0)
            self.notices += [notice for notice in stand_in._notices[already:] if notice.event not in _DULL]
            self._listened[stand_in] = len(stand_in._notices)

    async def delivers(self, notices: Sequence[Notice], copies: int = 1) -> None:
        """One after the other, each worked on before the next comes."""
        for notice in notices:

            async def arrives(notice: Notice = notice) -> None:
                await self.shop.receives(ProviderName(notice.provider), [notice.raw] * copies)
                await self.shop.works(1)

            await self.does(arrives)
            if notice not in self.heard:  # a repeated one is only counted
                self._hears(notice)
                self.notices.remove(notice)
                self.heard.append(notice)

    def _hears(self, notice: Notice) -> None:
        body = json.loads(notice.body)
        if notice.provider == "stripe":
            self._hears_stripe(notice.event, body["data"]["object"])
        else:
            self._hears_yookassa(notice.event, body["object"]["id"])

    def _hears_stripe(self, event: str, thing: dict[str, Any]) -> None:
        books = self.books
        match event.split("."):
            case ["checkout", "session", "completed"] if thing["payment_status"] == "paid":
                books.hears_paid(self.payment("stripe", thing["payment_intent"]))
            case ["payment_intent", "succeeded"]:
                books.hears_paid(self.payment("stripe", thing["id"]))
            case ["checkout", "session", "expired"]:
                books.hears_end(self.deposit("stripe", thing["id"]), "expired")
            case ["refund", _]:
                self._hears_refund(self.payment("stripe", thing["payment_intent"]), thing)
            case ["charge", "refunded"]:  # how much in all: which refunds is asked for, newest first
                payment = self.payment("stripe", thing["payment_intent"])
                for refund in reversed(self.shop.world.stripe.refunds.values()):
                    if refund["payment_intent"] == payment.ref:
                        self._hears_refund(payment, refund)
            case ["charge", "dispute", _]:
                payment = self.payment("stripe", thing["payment_intent"])
                books.hears_return("dispute", payment, thing["id"], thing["amount"], _DISPUTES[thing["status"]])
            case _:
                pass

    def _hears_yookassa(self, event: str, ref: str) -> None:
        """Nothing in a notice is believed: how it is now is asked for."""
        if event.startswith("payment."):
            self.hears_now("yookassa", ref)
        elif event.startswith("refund."):
            refund = self.shop.world.yookassa.refunds[ref]
            self._hears_refund(self.payment("yookassa", refund["payment_id"]), refund)

    def hears_now(self, provider: str, ref: str) -> None:
        """What the provider answers when it is asked for a page or a payment."""
        if provider == "yookassa":
            raw = self.shop.world.yookassa.payments[ref]
            if raw["status"] == "succeeded":
                self.books.hears_paid(self.payment(provider, ref))
            elif raw["status"] == "canceled":
                late = raw["cancellation_details"]["reason"] == "expired_on_confirmation"
                self.books.hears_end(self.deposit(provider, ref), "expired" if late else "failed")
            return
        session = self.shop.world.stripe.sessions[ref]
        if session["payment_status"] == "paid":
            self.books.hears_paid(self.payment(provider, session["payment_intent"]))
        elif session["status"] == "expired":
            self.books.hears_end(self.deposit(provider, ref), "expired")

    def _hears_refund(self, payment: Payment, refund: dict[str, Any]) -> None:
        minor = refund["amount"] if payment.provider == "stripe" else _hundredths(refund["amount"]["value"])
        self.books.hears_return("refund", payment, refund["id"], minor, _REFUNDS[refund["status"]])

    def hears_of(self, row: Return) -> None:
        """A refund was asked about."""
        assert row.ref is not None
        stand_in = self.outside(row.payment.provider)
        self._hears_refund(row.payment, stand_in.refunds[row.ref])

    def asked_for(self, row: Return, public_id: str) -> None:
        """What became of a refund that we asked for: the provider's books tell."""
        for refund in self.outside(row.payment.provider).refunds.values():
            if refund.get("metadata", {}).get("refund_id") == public_id:
                self.books.answered(row, refund["id"], _REFUNDS[refund["status"]])
                return
        self.books.refused(row)

    def refunds_take_time(self, slowly: bool) -> None:
        """How a refund that we ask for begins."""
        state = "pending" if slowly else "succeeded"
        self.shop.world.stripe.refund_state = self.shop.world.yookassa.refund_state = state

    def left(self, provider: str, ref: str) -> int:
        """What of a payment its provider would still refund."""
        stripe, yookassa = self.shop.world.stripe, self.shop.world.yookassa
        if provider == "yookassa":
            payment = yookassa.payments[ref]
            # What was paid in another currency, against the shop's rules, is not refunded through the API.
            return yookassa._left(payment) if payment["amount"]["currency"] == "RUB" else 0
        charge = stripe.charges[stripe.intents[ref]["latest_charge"]]
        kept = any(
            one["charge"] == charge["id"] and not one["is_charge_refundable"] for one in stripe.disputes.values()
        )
        return 0 if kept else int(charge["amount"] - charge["amount_refunded"])

    def payment(self, provider: str, ref: str) -> Payment:
        """A payment as the provider has it."""
        if (known := self.books.payments.get((provider, ref))) is not None:
            return known
        if provider == "stripe":
            raw = self.shop.world.stripe.intents[ref]
            minor, currency = raw["amount_received"], raw["currency"].upper()
        else:
            raw = self.shop.world.yookassa.payments[ref]
            minor, currency = _hundredths(raw["amount"]["value"]), raw["amount"]["currency"]
        order = raw["metadata"].get("operation_id")
        asked = next((deposit for deposit in self.books.deposits if deposit.public_id == order), None)
        payment = Payment(provider, ref, minor, currency, asked)
        self.books.payments[provider, ref] = payment
        return payment

    def deposit(self, provider: str, ref: str) -> Deposit:
        return next(one for one in self.books.deposits if (one.provider, one.ref) == (provider, ref))

    def paid(self, provider: str) -> list[str]:
        """The references of all payments whose money the provider has taken, oldest first."""
        if provider == "stripe":
            found = [ref for ref, raw in self.shop.world.stripe.intents.items() if raw["status"] == "succeeded"]
        else:
            found = [ref for ref, raw in self.shop.world.yookassa.payments.items() if raw["status"] == "succeeded"]
        return found

    # ---- comparing

    async def agrees(self) -> None:
        """Asserts that the database says what the model says."""
        books, numbers = self.books, _Read()
        async with self.shop.database.connection() as tx:
            await numbers.read(tx)
        assert numbers.wallets == {key: asdict(wallet) for key, wallet in books.wallets.items()}
        assert numbers.ours == {code: minor for code, minor in books.ours.items() if minor}
        assert numbers.journals == {
            (key, journal.kind, journal.reverses, tuple(sorted(journal.legs.items())))
            for key, journal in books.journals.items()
        }
        assert numbers.operations == {
            **{one.id: (one.status, one.received, one.payment_ref) for one in books.deposits},
            **{
                one.id: (one.status, one.minor if one.status == "completed" else None, one.reference)
                for one in books.withdrawals
            },
        }
        self._name_returns(numbers)
        self._name_items(numbers)
        assert numbers.corrections == {
            one.id: (one.status, one.minor, one.proposer, one.decider) for one in books.corrections
        }
        assert numbers.frozen == books.frozen
        players = {player.telegram_id: player.id for player in self.players}
        told = {(players[chat], text): count for (chat, text), count in numbers.told.items() if chat in players}
        assert told == dict(books.told)

    def agrees_with_providers(self) -> None:
        """Asserts that nothing is missing in the ledger or in the providers' own books, and nothing is there twice."""
        books, stripe, yookassa = self.books, self.shop.world.stripe, self.shop.world.yookassa
        taken = {
            f"provider:{provider}:{currency}": -minor
            for provider in ("stripe", "yookassa")
            for currency, minor in self.outside(provider).taken().items()
            if minor
        }
        assert {code: minor for code, minor in books.ours.items() if code.startswith("provider:") and minor} == taken
        pages = [one["client_reference_id"] for one in stripe.sessions.values() if one["client_reference_id"]]
        pages += [one["metadata"]["operation_id"] for one in yookassa.payments.values() if one["_return_url"]]
        assert sorted(pages) == sorted(one.public_id for one in books.deposits if not one.by_card)
        asked = [
            refund.get("metadata", {}).get("refund_id")
            for refund in (*stripe.refunds.values(), *yookassa.refunds.values())
        ]
        asked = [one for one in asked if one is not None]
        assert len(set(asked)) == len(asked)

    def _name_returns(self, numbers: "_Read") -> None:
        """Compares refunds and disputes; new ones get their numbers."""
        found = dict(numbers.returns)
        for row in self.books.returns:
            key = row.id or next(
                number
                for number, (kind, provider, ref, *_) in found.items()
                if (kind, provider, ref) == (row.kind, row.payment.provider, row.ref)
            )
            row.id = key
            assert found.pop(key) == (
                row.kind,
                row.payment.provider,
                row.ref,
                row.minor,
                row.state,
                row.word,
                row.player if row.taken + row.owed + row.forgiven else None,
                row.taken,
                row.owed,
                row.forgiven,
                row.suspended,
            )
        assert found == {}

    def _name_items(self, numbers: "_Read") -> None:
        found = dict(numbers.items)
        for item in self.books.items:
            key = (item.payment.provider, item.payment.ref, item.problem)
            assert key in found, key
            item.id, settled = found.pop(key)
            assert settled == item.settled
        assert found == {}

    async def proves(self) -> None:
        """Asserts that the books prove themselves."""
        assert await self.shop.bookkeeping.verify() == []


class _Read:
    """What there is, in the model's words."""

    async def read(self, tx: Tx) -> None:
        rows = await tx.fetch(
            "SELECT user_id, currency, available_minor, bets_minor, withdrawals_minor, deposited_minor,"
            " withdrawn_minor, bet_minor, won_minor, lost_minor, seq FROM wallet"
        )
        self.wallets = {
            (row["user_id"], row["currency"]): {
                name.removesuffix("_minor"): value for name, value in row.items() if name not in ("user_id", "currency")
            }
            for row in rows
        }
        rows = await tx.fetch(
            "SELECT j.idempotency_key, j.kind::text, r.idempotency_key AS reverses,"
            " array_agg(a.code) AS codes, array_agg(e.amount_minor::bigint) AS amounts"
            " FROM ledger_journal j LEFT JOIN ledger_journal r ON r.id = j.reverses_id"
            " JOIN ledger_entry e ON e.journal_id = j.id JOIN ledger_account a ON a.id = e.account_id"
            " GROUP BY j.id, r.id"
        )
        self.journals = {
            (
                row["idempotency_key"],
                row["kind"],
                row["reverses"],
                tuple(sorted(zip(row["codes"], row["amounts"], strict=True))),
            )
            for row in rows
        }
        rows = await tx.fetch(
            "SELECT a.code, sum(e.amount_minor)::bigint AS minor FROM ledger_entry e"
            " JOIN ledger_account a ON a.id = e.account_id WHERE a.user_id IS NULL"
            " GROUP BY 1 HAVING sum(e.amount_minor) <> 0"
        )
        self.ours = {row["code"]: row["minor"] for row in rows}
        rows = await tx.fetch("SELECT operation_id, status::text, received_minor, payment_ref FROM wallet_operations")
        self.operations = {row[0]: tuple(row)[1:] for row in rows}
        rows = await tx.fetch(
            "SELECT id, kind, provider, provider_ref, amount_minor, state, provider_state,"
            # Whom it was asked for is in the row before anything was taken from anybody.
            " CASE WHEN taken_minor + owed_minor + forgiven_minor > 0 THEN user_id END,"
            " taken_minor, owed_minor, forgiven_minor, suspended_minor FROM returned_payment"
        )
        self.returns = {row[0]: tuple(row)[1:] for row in rows}
        rows = await tx.fetch(
            "SELECT provider, provider_ref, problem, id, decision FROM recon_item"
            " WHERE problem IN ('unknown_payment', 'amount_differs', 'currency_differs', 'paid_twice')"
        )
        self.items = {tuple(row)[:3]: (row["id"], row["decision"]) for row in rows}
        rows = await tx.fetch("SELECT id, status, amount_minor, proposed_by, decided_by FROM adjustment")
        self.corrections = {row[0]: tuple(row)[1:] for row in rows}
        rows = await tx.fetch("SELECT id FROM users WHERE frozen_at IS NOT NULL")
        self.frozen = {row["id"] for row in rows}
        rows = await tx.fetch(
            "SELECT chat_id, text_id, count(*) FROM outbox WHERE text_id NOT LIKE 'withdrawal-method-%'"
            " AND text_id NOT LIKE 'account-%' GROUP BY 1, 2"
        )
        self.told = {(row[0], row[1]): row[2] for row in rows}


async def _answer(call: Callable[[], Awaitable[T]]) -> T | Exception:
    """Refusals are answers too. Who finds the database too busy asks again; waiting crosswise is no such excuse."""
    try:
        try:
            return await call()
        except TemporarilyUnavailable as busy:
            if isinstance(busy.__cause__, DeadlockDetectedError):
                raise
            return await call()
    except (DomainError, LedgerRefusal) as refusal:
        return refusal


def _is_outside(task: asyncio.Task[object]) -> bool:
    """The providers live on when the bot dies, and connections on their way back to the pool get there."""
    place = getattr(getattr(task.get_coro(), "cr_code", None), "co_filename", "")
    return any(folder in place for folder in ("/sandbox/", "/aiohttp/", "/asyncpg/"))


def _name(answer: object) -> str:
    return type(answer).__name__ if isinstance(answer, Exception) else ""


def _hundredths(value: str) -> int:
    whole, _, cents = value.partition(".")
    return int(whole) * 100 + int(cents or 0)


def share(part: str, whole: int) -> int:
    """`all`, `half`, `cent` of an amount in minor units, never nothing."""
    return max(1, {"all": whole, "half": whole // 2, "cent": 1}[part])
