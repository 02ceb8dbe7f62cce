"""What the books must say: the rules of money told a second time, in plain Python and by nothing of the product's."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

OPEN = ("created", "pending", "unknown")
HELD = ("review", "approved", "sending", "unknown")
# What a provider says of a refund or a dispute, from its first word to its last.
RANK = {
    "requested": 0,
    "rejected": 0,
    "pending": 1,
    "succeeded": 2,
    "failed": 3,
    "inquiry": 1,
    "open": 2,
    "lost": 3,
    "won": 4,
}
TAKES = ("pending", "succeeded", "open", "lost")
LEAST, MOST_AT_ONCE, MOST_IN_A_DAY, ONE_ADMIN = 10_00, 100_000_00, 50_000_00, 10_000_00
OPEN_DEPOSITS = 10

Kind = Literal["refund", "dispute"]


@dataclass
class Wallet:
    """Minor units, by the columns of wallet."""

    available: int = 0
    bets: int = 0
    withdrawals: int = 0
    deposited: int = 0
    withdrawn: int = 0
    bet: int = 0
    won: int = 0
    lost: int = 0
    seq: int = 0


@dataclass(frozen=True)
class Journal:
    kind: str
    legs: Mapping[str, int]
    reverses: str | None = None


@dataclass(eq=False)
class Deposit:
    id: int
    player: int
    provider: str
    minor: int
    currency: str
    ref: str
    """The provider's word for its page or its charge."""
    public_id: str
    key: str
    by_card: bool
    status: str = "pending"
    payment_ref: str | None = None
    received: int | None = None
    told: set[str] = field(default_factory=set)


@dataclass(eq=False)
class Payment:
    """Money that a payer gave to a provider."""

    provider: str
    ref: str
    minor: int
    currency: str
    order: Deposit | None
    """The deposit that it says it is for."""

    @property
    def key(self) -> str:
        return f"deposit:{self.provider}:{self.ref}"


@dataclass(eq=False)
class Item:
    """Money that fits nothing."""

    payment: Payment
    problem: str
    operation: Deposit | None
    settled: str | None = None
    id: int = 0


@dataclass(eq=False)
class Return:
    kind: Kind
    payment: Payment
    ref: str | None
    minor: int
    word: str
    state: str = "noted"
    player: int | None = None
    taken: int = 0
    owed: int = 0
    forgiven: int = 0
    suspended: int = 0
    id: int = 0

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.payment.provider}:{self.ref}"


@dataclass(eq=False)
class Withdrawal:
    id: int
    player: int
    currency: str
    minor: int
    key: str
    status: str = "review"
    approvals: list[int] = field(default_factory=list)
    reference: str | None = None


@dataclass(eq=False)
class Correction:
    id: int
    player: int
    currency: str
    minor: int
    proposer: int
    key: str
    status: str
    decider: int | None = None


class Refusal(Exception):
    """The ledger would not post this; its name is that of the product's exception."""


class Books:
    """Every `may_…` names the refusal to come, or nothing; every other verb does what it says."""

    def __init__(self) -> None:
        self.wallets: dict[tuple[int, str], Wallet] = {}
        self.ours: Counter[str] = Counter()
        self.journals: dict[str, Journal] = {}
        self.frozen: set[int] = set()
        self.told: Counter[tuple[int, str]] = Counter()
        self.deposits: list[Deposit] = []
        self.payments: dict[tuple[str, str], Payment] = {}
        self.items: list[Item] = []
        self.returns: list[Return] = []
        self.withdrawals: list[Withdrawal] = []
        self.corrections: list[Correction] = []

    # ---- the ledger

    def may_post(self, kind: str, legs: Mapping[str, int], reverses: str | None = None) -> str | None:
        if len(legs) < 2:
            return "Malformed"
        if (reverses is not None) != (kind == "reversal"):
            return "NotReversible"
        if reverses is not None:
            old = self.journals[reverses]
            if old.reverses is not None or {code: -minor for code, minor in legs.items()} != old.legs:
                return "NotReversible"
            if any(journal.reverses == reverses for journal in self.journals.values()):
                return "NotReversible"
        for code, minor in legs.items():
            wallet = self._wallet(code)
            if code.startswith("player:") and wallet is None:
                return "WalletNotOpen"
            if wallet is not None and getattr(wallet, code.split(":")[2]) + minor < 0:
                return "Overdraft"
        per_currency: Counter[str] = Counter()
        for code, minor in legs.items():
            per_currency[code.rpartition(":")[2]] += minor
        if any(per_currency.values()) or not all(legs.values()):
            return "NotBalanced"
        return self._may_count(kind if reverses is None else self.journals[reverses].kind, legs)

    def _may_count(self, kind: str, legs: Mapping[str, int]) -> str | None:
        """What was paid out of a wallet since may make a total go below zero by a reversal."""
        for code, minor in legs.items():
            wallet = self._wallet(code)
            if wallet is not None and any(
                getattr(wallet, total) + sign * minor < 0 for total, sign in _raises(kind, code.split(":")[2])
            ):
                return "Overdraft"
        return None

    def post(self, key: str, kind: str, legs: Mapping[str, int], reverses: str | None = None) -> bool:
        """False: it was there before, the same."""
        legs = {code: minor for code, minor in legs.items() if minor}
        known = self.journals.get(key)
        if known is not None:
            assert known == Journal(kind, legs, reverses)
            return False
        refusal = self.may_post(kind, legs, reverses)
        assert refusal is None, refusal
        counted = kind if reverses is None else self.journals[reverses].kind
        self.journals[key] = Journal(kind, legs, reverses)
        moved = set()
        for code, minor in legs.items():
            wallet = self._wallet(code)
            if wallet is None:
                self.ours[code] += minor
                continue
            place = code.split(":")[2]
            setattr(wallet, place, getattr(wallet, place) + minor)
            for total, sign in _raises(counted, place):
                setattr(wallet, total, getattr(wallet, total) + sign * minor)
            if id(wallet) not in moved:
                wallet.seq += 1
                moved.add(id(wallet))
        return True

    def _wallet(self, code: str) -> Wallet | None:
        owner, *rest = code.split(":")
        return self.wallets.get((int(rest[0]), rest[-1])) if owner == "player" else None

    def available(self, player: int, currency: str) -> int:
        return self.wallets.get((player, currency), Wallet()).available

    def open_wallet(self, player: int, currency: str) -> None:
        self.wallets.setdefault((player, currency), Wallet())

    def tell(self, player: int, text: str) -> None:
        self.told[player, text] += 1

    def _tell_of(self, deposit: Deposit, text: str) -> None:
        """News of a deposit are told once for each text, even if its money comes and goes more than once."""
        if text not in deposit.told:
            deposit.told.add(text)
            self.tell(deposit.player, text)

    # ---- deposits

    def may_ask(self, player: int) -> str | None:
        waiting = sum(deposit.player == player and deposit.status in OPEN for deposit in self.deposits)
        return "TooManyOpenDeposits" if waiting >= OPEN_DEPOSITS else None

    def hears_paid(self, payment: Payment) -> None:
        deposit = payment.order
        if deposit is None:
            self._suspend(payment, None, "unknown_payment")
        elif deposit.status in ("completed", "review"):
            if deposit.payment_ref != payment.ref:
                self._suspend(payment, deposit, "paid_twice")
        elif self.item(payment) is not None:
            pass  # it came once, and an admin has decided
        elif (payment.minor, payment.currency) == (deposit.minor, deposit.currency):
            self._credit(deposit, payment)
        else:
            problem = "currency_differs" if payment.currency != deposit.currency else "amount_differs"
            self._suspend(payment, deposit, problem)
            deposit.status, deposit.payment_ref = "review", payment.ref
            self._tell_of(deposit, "deposit-in-review")

    def _credit(self, deposit: Deposit, payment: Payment) -> None:
        legs = {
            f"player:{deposit.player}:available:{payment.currency}": payment.minor,
            f"provider:{payment.provider}:{payment.currency}": -payment.minor,
        }
        self.post(payment.key, "deposit", legs)
        deposit.status, deposit.payment_ref, deposit.received = "completed", payment.ref, payment.minor
        self._tell_of(deposit, "deposit-credited")

    def _suspend(self, payment: Payment, deposit: Deposit | None, problem: str) -> None:
        legs = {
            f"suspense:{payment.currency}": payment.minor,
            f"provider:{payment.provider}:{payment.currency}": -payment.minor,
        }
        if self.post(payment.key, "suspense", legs):
            self.items.append(Item(payment, problem, deposit))

    def hears_end(self, deposit: Deposit, status: str) -> None:
        """A page ran out or was closed without money."""
        if deposit.status not in OPEN:
            return
        deposit.status = status
        if status == "failed":
            self._tell_of(deposit, "deposit-failed")

    # ---- money in suspense

    def item(self, payment: Payment) -> Item | None:
        return next((item for item in self.items if item.payment is payment), None)

    def in_suspense(self, payment: Payment) -> int:
        journal = self.journals.get(payment.key)
        if journal is None or journal.kind != "suspense":
            return 0
        gone = sum(row.suspended for row in self.returns if row.payment is payment and row.state == "booked")
        return payment.minor - sum(minor for _, minor in self._credits(payment)) - gone

    def _credits(self, payment: Payment) -> list[tuple[int, int]]:
        """To whom money of it was given out of suspense, and how much, in order."""
        first = f"suspense:{payment.provider}:{payment.ref}:credit"
        found = []
        for key, journal in self.journals.items():
            if key == first or key.startswith(f"{first}:"):
                code, minor = max(journal.legs.items(), key=lambda leg: leg[1])
                found.append((int(code.split(":")[1]), minor))
        return found

    def may_decide(self, item: Item) -> str | None:
        if item.settled is not None:
            return "AlreadyDecided"
        return None if self.in_suspense(item.payment) else "NothingThere"

    def gives(self, item: Item, player: int) -> None:
        payment, minor, earlier = item.payment, self.in_suspense(item.payment), self._credits(item.payment)
        nth = f":{len(earlier) + 1}" if earlier else ""
        self.open_wallet(player, payment.currency)
        legs = {
            f"suspense:{payment.currency}": -minor,
            f"player:{player}:available:{payment.currency}": minor,
        }
        self.post(f"suspense:{payment.provider}:{payment.ref}:credit{nth}", "suspense_released", legs)
        item.settled = "credited"
        deposit = item.operation
        if deposit is not None and deposit.payment_ref == payment.ref and deposit.status in ("review", "cancelled"):
            if deposit.player == player and not earlier and deposit.currency == payment.currency:
                deposit.status, deposit.received = "completed", minor
                self._tell_of(deposit, "deposit-credited")
                return
            deposit.status = "cancelled"
        self.tell(player, "money-found")

    def may_close(self, item: Item) -> str | None:
        if item.settled is not None:
            return "AlreadyDecided"
        return "MoneyLiesThere" if self.in_suspense(item.payment) else None

    # ---- refunds and disputes

    def holder(self, payment: Payment) -> int | None:
        """To whom the money of a payment was credited."""
        if credited := self._credits(payment):
            return credited[-1][0]
        journal = self.journals.get(payment.key)
        if journal is None or journal.kind != "deposit":
            return None
        return next(int(code.split(":")[1]) for code in journal.legs if code.startswith("player:"))

    def _operation(self, payment: Payment) -> Deposit | None:
        """The deposit that this payment belongs to, by the names that both have."""
        return next(
            (
                deposit
                for deposit in self.deposits
                if deposit.provider == payment.provider and payment.ref in (deposit.ref, deposit.payment_ref)
            ),
            None,
        )

    def _debtor(self, payment: Payment) -> int | None:
        operation = self._operation(payment)
        return self.holder(payment) or (operation.player if operation else None)

    def find_return(self, kind: Kind, payment: Payment, ref: str) -> Return | None:
        return next((row for row in self.returns if (row.kind, row.payment, row.ref) == (kind, payment, ref)), None)

    def hears_return(self, kind: Kind, payment: Payment, ref: str, minor: int, word: str) -> None:
        row = self.find_return(kind, payment, ref)
        before = row.word if row else None
        if row is None:
            row = Return(kind, payment, ref, minor, word)
            self.returns.append(row)
        self._moves(row, before, word)

    def answered(self, row: Return, ref: str, word: str) -> None:
        """The provider made a refund that we asked for."""
        row.ref = ref
        self._moves(row, row.word, word)

    def refused(self, row: Return) -> None:
        """It did not."""
        row.state, row.word = "undone", "rejected"
        self._keep(row)

    def _moves(self, row: Return, before: str | None, word: str) -> None:
        if before is None or RANK[word] > RANK[before]:
            row.word = word
        takes, news = row.word in TAKES, row.word != before
        if takes and (row.state == "noted" or (row.state == "undone" and before == "rejected")):
            self.book(row, first=news)
        elif not takes and row.state == "booked":
            self._undo(row)
        elif news:
            if row.word in ("failed", "won") and row.state == "noted":
                row.state = "undone"
                self._keep(row)
            debtor = self._debtor(row.payment)
            if row.word == "lost" and debtor and row.player:
                self.tell(debtor, "return-lost")

    def book(self, row: Return, *, first: bool) -> None:
        payment = row.payment
        if payment.key not in self.journals:
            return
        others = sum(
            other.minor
            for other in self.returns
            if other is not row and (other.kind, other.payment, other.state) == (row.kind, payment, "booked")
        )
        if others + row.minor > payment.minor:  # until another one fails
            if first:
                self._freeze(row)
            return
        row.suspended = min(self.in_suspense(payment), row.minor)
        emptied = bool(row.suspended) and row.suspended == self.in_suspense(payment)
        rest, holder = row.minor - row.suspended, self.holder(payment)
        row.taken = min(self.available(holder, payment.currency), rest) if holder else 0
        row.owed = rest - row.taken
        row.player = holder if rest else None
        row.state = "booked"
        self.post(row.key, _RETURNS[row.kind], self._legs(row))
        if emptied:
            self._emptied(payment)
        self._freeze(row)
        if row.player:
            owing = "-owing" if row.owed else ""
            self.tell(row.player, f"return-{'refunded' if row.kind == 'refund' else 'disputed'}{owing}")

    def _legs(self, row: Return) -> dict[str, int]:
        currency = row.payment.currency
        return {
            f"provider:{row.payment.provider}:{currency}": row.minor,
            **({f"player:{row.player}:available:{currency}": -row.taken} if row.player else {}),
            f"receivable:{currency}": -row.owed,
            f"adjustment:{currency}": -row.forgiven,
            f"suspense:{currency}": -row.suspended,
        }

    def _emptied(self, payment: Payment) -> None:
        item, operation = self.item(payment), self._operation(payment)
        if item is not None and item.settled is None:
            item.settled = "sent_back"
        if operation is not None and operation.status == "review" and operation.payment_ref == payment.ref:
            operation.status = "cancelled"
            self._tell_of(operation, "deposit-sent-back")

    def _freeze(self, row: Return) -> None:
        debtor = self._debtor(row.payment)
        if debtor is not None and (row.kind == "dispute" or row.owed):
            self.frozen.add(debtor)

    def _undo(self, row: Return) -> None:
        debtor = self._debtor(row.payment)
        self.post(f"{row.key}:undo", _RETURNS[row.kind], {code: -minor for code, minor in self._legs(row).items()})
        row.state, row.taken, row.owed, row.forgiven, row.suspended = "undone", 0, 0, 0, 0
        self._keep(row)
        if debtor and row.player == debtor:
            self.tell(debtor, "return-undone")

    def _keep(self, row: Return) -> None:
        item = self.item(row.payment)
        if item is not None and item.settled is not None and self.in_suspense(row.payment):
            item.settled = None

    def refundable(self, deposit: Deposit) -> int | None:
        """The most that can be given back now; None: it is not a paid deposit."""
        if deposit.status != "completed" or deposit.payment_ref is None:
            return None
        payment = self.payments[deposit.provider, deposit.payment_ref]
        if self.holder(payment) != deposit.player or self.in_suspense(payment):
            return 0
        gone = sum(
            row.minor
            for row in self.returns
            if row.payment is payment and row.state != "undone" and row.word != "inquiry"
        )
        return max(min(payment.minor - gone, self.available(deposit.player, payment.currency)), 0)

    def may_collect(self, row: Return, owed: int) -> str | None:
        if not row.owed or row.owed != owed:
            return "AlreadyDecided"
        return None if row.player and self.available(row.player, row.payment.currency) else "NothingThere"

    def collects(self, row: Return) -> None:
        assert row.player is not None
        currency = row.payment.currency
        minor = min(row.owed, self.available(row.player, currency))
        legs = {f"player:{row.player}:available:{currency}": -minor, f"receivable:{currency}": minor}
        self.post(f"debt:{row.id}:{row.owed}", _RETURNS[row.kind], legs)
        row.owed, row.taken = row.owed - minor, row.taken + minor
        self.tell(row.player, "return-collected")

    def forgives(self, row: Return) -> None:
        currency = row.payment.currency
        legs = {f"receivable:{currency}": row.owed, f"adjustment:{currency}": -row.owed}
        self.post(f"debt:{row.id}:forgiven", "adjustment", legs)
        row.forgiven, row.owed = row.forgiven + row.owed, 0
        if row.player:
            self.tell(row.player, "return-forgiven")

    # ---- withdrawals

    def may_request(self, player: int, currency: str, minor: int) -> str | None:
        if player in self.frozen:
            return "PlayerFrozen"
        if minor < LEAST:
            return "AmountTooSmall"
        if minor > MOST_AT_ONCE:
            return "AmountTooLarge"
        if minor > self.available(player, currency):
            return "NotEnoughMoney"
        asked = sum(one.minor for one in self._asked(player, currency))
        return "DailyLimitReached" if asked + minor > MOST_IN_A_DAY else None

    def _asked(self, player: int, currency: str) -> list[Withdrawal]:
        return [
            one
            for one in self.withdrawals
            if (one.player, one.currency) == (player, currency) and one.status not in ("cancelled", "failed")
        ]

    def requests(self, withdrawal: Withdrawal) -> None:
        self.withdrawals.append(withdrawal)
        self._moves_withdrawal(withdrawal, "hold", "withdrawal_hold", "available", "withdrawals")
        self.tell(withdrawal.player, "withdrawal-requested")

    def _moves_withdrawal(self, withdrawal: Withdrawal, step: str, kind: str, giver: str, taker: str) -> None:
        of = {place: f"player:{withdrawal.player}:{place}" for place in ("available", "withdrawals")}
        legs = {
            f"{of.get(giver, giver)}:{withdrawal.currency}": -withdrawal.minor,
            f"{of.get(taker, taker)}:{withdrawal.currency}": withdrawal.minor,
        }
        self.post(f"withdrawal:{withdrawal.id}:{step}", kind, legs)

    def may_approve(self, withdrawal: Withdrawal, admin: int) -> str | None:
        if withdrawal.status != "review":
            return "AlreadyDecided"
        if withdrawal.player in self.frozen:
            return "PlayerIsFrozen"
        return "SecondAdminNeeded" if admin in withdrawal.approvals else None

    def approves(self, withdrawal: Withdrawal, admin: int) -> None:
        # What two admins agreed to does not count towards what one may agree to.
        together = withdrawal.minor + sum(
            one.minor
            for one in self._asked(withdrawal.player, withdrawal.currency)
            if one.id < withdrawal.id and len(one.approvals) < 2
        )
        withdrawal.approvals.append(admin)
        if len(withdrawal.approvals) >= (2 if together > ONE_ADMIN else 1):
            withdrawal.status = "sending"
            self.tell(withdrawal.player, "withdrawal-approved")

    def ends(self, withdrawal: Withdrawal, status: str) -> None:
        withdrawal.status = status
        if status == "completed":
            self._moves_withdrawal(withdrawal, "end", "withdrawal_paid", "withdrawals", "payout")
        else:
            self._moves_withdrawal(withdrawal, "end", "withdrawal_release", "withdrawals", "available")
        self.tell(withdrawal.player, f"withdrawal-{status}")

    # ---- corrections

    def needs_second(self, player: int, currency: str, minor: int) -> bool:
        alone = sum(
            abs(one.minor)
            for one in self.corrections
            if (one.player, one.currency, one.status) == (player, currency, "posted") and one.decider == one.proposer
        )
        return alone + abs(minor) > ONE_ADMIN

    def may_correct(self, player: int, currency: str, minor: int) -> str | None:
        return "MoreThanAvailable" if self.available(player, currency) + minor < 0 else None

    def may_agree(self, correction: Correction, admin: int) -> str | None:
        if correction.status != "proposed":
            return None if (correction.status, correction.decider) == ("posted", admin) else "AlreadyDecided"
        if correction.proposer == admin:
            return "OwnProposal"
        return self.may_correct(correction.player, correction.currency, correction.minor)

    def may_decline(self, correction: Correction, admin: int) -> str | None:
        known = (correction.status, correction.decider)
        return None if known in (("proposed", None), ("declined", admin)) else "AlreadyDecided"

    def corrects(self, correction: Correction, admin: int) -> None:
        if correction.status == "posted":
            return
        correction.status, correction.decider = "posted", admin
        self.open_wallet(correction.player, correction.currency)
        legs = {
            f"player:{correction.player}:available:{correction.currency}": correction.minor,
            f"adjustment:{correction.currency}": -correction.minor,
        }
        self.post(f"adjustment:{correction.id}", "adjustment", legs)
        self.tell(correction.player, "adjustment-posted")


def _raises(kind: str, place: str) -> list[tuple[str, int]]:
    """Which totals a movement of a kind in one place of a wallet moves, and which way."""
    return {
        ("deposit", "available"): [("deposited", 1)],
        ("suspense_released", "available"): [("deposited", 1)],
        ("withdrawal_paid", "withdrawals"): [("withdrawn", -1)],
        ("bet_placed", "bets"): [("bet", 1)],
        ("bet_cancelled", "bets"): [("bet", 1)],
        ("bet_won", "available"): [("won", 1)],
        ("bet_lost", "bets"): [("lost", -1)],
    }.get((kind, place), [])


_RETURNS = {"refund": "refund", "dispute": "chargeback"}
