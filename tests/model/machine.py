"""The machine: whatever people, providers, admins and the clock may do, in any order, and after each move the books."""

import asyncio
import random
import sys
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import update_wrapper
from typing import Any, Concatenate, ParamSpec
from uuid import uuid4

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from db.models import ProviderName
from db.money import Money
from sandbox import Sandbox
from tests.conftest import in_database, statement
from tests.model import money_back, money_in, money_out, postings
from tests.model.money_in import CURRENCY, pick
from tests.model.world import Mortal, Town
from tests.shop import ADMIN, SECOND_ADMIN, opened

P = ParamSpec("P")

PROVE_EVERY = 20
"""Moves between two proofs; the comparison with the model comes after each."""

nths = st.integers(0, 5)
"""Which of several, counted from the newest."""
providers = st.sampled_from(list(CURRENCY))
currencies = st.sampled_from(["USD", "RUB", "USD", "EUR"])
amounts = st.sampled_from([50_00, 50_01, 1_234_56, 12_000_00, 60_000_00])
parts = st.sampled_from(["half", "all", "cent"])
admins = st.sampled_from([ADMIN, SECOND_ADMIN])
yes_or_no = st.booleans()


def then(*words: str) -> st.SearchStrategy[list[tuple[str, int]]]:
    """What happens next, each by one of the admins."""
    return st.lists(st.tuples(st.sampled_from(words), admins), min_size=1, max_size=5)


payouts = then("approve", "approve", "approve", "sent", "sent", "fail", "reject", "again", "sent as before")
settlements = then("credit", "credit to", "send back", "send back slowly", "close")
answers = then("agree", "decline", "again", "other")
endings = then("heard", "heard", "ends well", "ends badly", "fails", "escalates", "tick", "collect", "forgive", "stale")


def step(
    body: Callable[Concatenate["Machine", P], Coroutine[Any, Any, None]],
) -> Callable[Concatenate["Machine", P], None]:
    """A rule's body runs in the loop of its example."""

    def run(self: "Machine", /, *args: P.args, **kwargs: P.kwargs) -> None:
        self.runner.run(body(self, *args, **kwargs))

    return update_wrapper(run, body)


class Machine(RuleBasedStateMachine):
    """One example: a database, a sandbox and a shop of its own."""

    server: str
    template: str
    twins = False

    def __init__(self) -> None:
        super().__init__()
        self.runner, self.stack = asyncio.Runner(), AsyncExitStack()
        self.database = f"model_{uuid4().hex}"
        self.moves = 0
        self.bets: list[postings.Bet] = []
        self.town = self.runner.run(self._open())

    async def _open(self) -> Town:
        make = f"CREATE DATABASE {self.database} TEMPLATE {self.template} STRATEGY file_copy"
        await statement(self.server, make)
        database = await self.stack.enter_async_context(Mortal.open(in_database(self.server, self.database)))
        world = await self.stack.enter_async_context(Sandbox())
        return Town(await self.stack.enter_async_context(opened(database, world)), twins=self.twins)

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:
                self.runner.run(self._ends())
        finally:
            self.runner.run(self._close())
            self.runner.close()

    async def _ends(self) -> None:
        await self._everything_is_heard()
        await self._reconciles()
        await self.town.agrees()
        await self.town.proves()
        await self.town.does(self.town.shop.bookkeeping.seal)
        await self.town.proves()

    async def _close(self) -> None:
        await self.stack.aclose()
        await statement(self.server, f"DROP DATABASE {self.database} WITH (FORCE)")

    @invariant()
    def the_books_are_the_models(self) -> None:
        self.runner.run(self._looks())

    async def _looks(self) -> None:
        self.town.listens()
        await self.town.agrees()
        self.moves += 1
        if self.moves % PROVE_EVERY == 0:
            await self.town.proves()

    # ---- players

    @initialize()
    @step
    async def two_come_with_money(self) -> None:
        for _ in range(2):
            await self.town.joins()
        for player in self.town.players:
            for provider, currency in CURRENCY.items():
                deposit = await money_in.asks(self.town, player, provider, Money(30_000_00, currency), keep_card=True)
                assert deposit is not None
                await money_in.pays(self.town, deposit)
        await self.town.delivers(list(self.town.notices))

    @precondition(lambda self: len(self.town.players) < 4)
    @rule(who=nths, thaw=yes_or_no, admin=admins)
    @step
    async def somebody_comes_or_is_stopped(self, who: int, thaw: bool, admin: int) -> None:
        if who == 0:
            await self.town.joins()
        else:
            await money_out.freezes(self.town, pick(self.town.players, who), admin, thaw=thaw)

    @precondition(lambda self: self.town.books.frozen)
    @rule(who=nths, admin=admins)
    @step
    async def somebody_is_thawed(self, who: int, admin: int) -> None:
        frozen = sorted(self.town.books.frozen)
        await money_out.freezes(self.town, self.town.who(pick(frozen, who)), admin, thaw=True)

    # ---- money in

    @rule(who=nths, provider=providers, minor=amounts, copies=st.integers(1, 3), backwards=yes_or_no)
    @step
    async def somebody_tops_up(self, who: int, provider: str, minor: int, copies: int, backwards: bool) -> None:
        """The usual: asked for, paid, told of, however often and in whatever order."""
        money = Money(minor, CURRENCY[provider])
        deposit = await money_in.asks(self.town, pick(self.town.players, who), provider, money)
        if deposit is not None:
            await money_in.pays(self.town, deposit)
            about = money_in.about(self.town, deposit)
            await self.town.delivers(about[::-1] if backwards else about, copies)

    @rule(who=nths, minor=amounts, provider=st.sampled_from(["stripe", "yookassa", "stripe in euros"]))
    @step
    async def somebody_asks(self, who: int, provider: str, minor: int) -> None:
        name, _, euros = provider.partition(" in ")
        money = Money(minor, "EUR" if euros else CURRENCY[name])
        deposit = await money_in.asks(self.town, pick(self.town.players, who), name, money)
        if deposit is not None:
            await money_in.asks_again(self.town, pick(self.town.books.deposits, who))

    @rule(who=nths, provider=providers, minor=amounts)
    @step
    async def somebody_pays_with_a_kept_card(self, who: int, provider: str, minor: int) -> None:
        player = pick(self.town.players, who)
        if cards := await money_in.cards(self.town, player, provider):
            money = Money(minor, CURRENCY[provider])
            deposit = await money_in.asks(self.town, player, provider, money, payment_method_id=cards[0].id)
            if deposit is not None:
                self.town.listens()
                self.town.books.hears_paid(self.town.payment(provider, deposit.ref))

    @precondition(lambda self: bool(money_in.unpaid(self.town)))
    @rule(nth=nths, odd=st.sampled_from([None, "less", "more", "currency"]), heard=yes_or_no, decisions=settlements)
    @step
    async def a_page_is_paid(self, nth: int, odd: str | None, heard: bool, decisions: list[tuple[str, int]]) -> None:
        """In time or late, as asked for or not."""
        deposit = pick(money_in.unpaid(self.town), nth)
        await money_in.pays(self.town, deposit, odd)
        if heard:
            await self.town.delivers(money_in.about(self.town, deposit))
            await self._decides_about_odd_money(0, decisions)

    @precondition(lambda self: bool(money_in.unpaid(self.town)))
    @rule(nth=nths, refused=yes_or_no, heard=yes_or_no)
    @step
    async def a_page_is_not_paid(self, nth: int, refused: bool, heard: bool) -> None:
        deposit = pick(money_in.unpaid(self.town), nth)
        await money_in.is_not_paid(self.town, deposit, refused=refused)
        if heard:
            await self.town.delivers(money_in.about(self.town, deposit))

    @rule(
        provider=providers, minor=amounts, nth=nths, named=st.sampled_from(["", "same", "other"]), decisions=settlements
    )
    @step
    async def money_comes_by_itself(
        self, provider: str, minor: int, nth: int, named: str, decisions: list[tuple[str, int]]
    ) -> None:
        """Nobody asked for it, or it comes a second time for the `same` deposit, perhaps with an `other` amount."""
        asked = [deposit for deposit in self.town.books.deposits if deposit.provider == provider]
        deposit = pick(asked, nth) if named else None
        minor = deposit.minor if deposit is not None and named == "same" else minor
        await money_in.comes_by_itself(self.town, provider, minor, deposit)
        if decisions:
            await self.town.delivers(self.town.notices[-2:])
            await self._decides_about_odd_money(0, decisions)

    @precondition(lambda self: self.town.books.items)
    @rule(nth=nths, decisions=settlements)
    @step
    async def odd_money_is_decided_about(self, nth: int, decisions: list[tuple[str, int]]) -> None:
        await self._decides_about_odd_money(nth, decisions)

    async def _decides_about_odd_money(self, nth: int, decisions: list[tuple[str, int]]) -> None:
        await self._looks()
        for what, admin in decisions:
            if self.town.books.items:
                item = pick(self.town.books.items, nth)
                await money_in.decides(self.town, item, what, admin, pick(self.town.players, nth))
                await self._looks()

    # ---- what is heard

    @precondition(lambda self: self.town.notices)
    @rule(nth=nths, how=st.sampled_from(["one", "all", "all backwards"]), copies=st.integers(1, 3))
    @step
    async def news_come(self, nth: int, how: str, copies: int) -> None:
        news = list(self.town.notices)
        await self.town.delivers({"one": [pick(news, nth)], "all": news, "all backwards": news[::-1]}[how], copies)

    @precondition(lambda self: self.town.heard)
    @rule(nth=nths)
    @step
    async def news_come_again(self, nth: int) -> None:
        await self.town.delivers([pick(self.town.heard, nth)], 2)

    @rule(what=st.sampled_from(["polls", "ticks", "seals", "waits until everything is heard"]))
    @step
    async def the_timetable(self, what: str) -> None:
        match what:
            case "polls":
                await money_in.polls(self.town)
            case "ticks":
                await money_back.ticks(self.town)
            case "seals":
                await self.town.does(self.town.shop.bookkeeping.seal)
            case _:
                await self._everything_is_heard()

    # ---- money back

    @rule(
        provider=providers,
        nth=nths,
        part=parts,
        what=st.sampled_from(["succeeded", "pending", "failed", "dispute", "dispute", "inquiry"]),
        spent=yes_or_no,
        endings=endings,
    )
    @step
    async def money_goes_back(
        self, provider: str, nth: int, part: str, what: str, spent: bool, endings: list[tuple[str, int]]
    ) -> None:
        """In the provider's cabinet, or by the payer's bank; `spent`: when nobody has any money left."""
        for player in self.town.players if spent else []:
            await postings.bets(self.town, player, CURRENCY[provider], "all")
        if what in ("dispute", "inquiry"):
            await money_back.disputes(self.town, nth, part, inquiry=what == "inquiry")
        else:
            await money_back.refunds(self.town, provider, nth, part, what)
        await self._goes_on(0, endings)

    @rule(
        nth=nths,
        part=st.sampled_from(["half", "all", "cent", "too much"]),
        admin=admins,
        slowly=yes_or_no,
        endings=endings,
    )
    @step
    async def an_admin_gives_a_deposit_back(
        self, nth: int, part: str, admin: int, slowly: bool, endings: list[tuple[str, int]]
    ) -> None:
        await money_back.gives_back(self.town, pick(self.town.books.deposits, nth), part, admin, slowly=slowly)
        await self._goes_on(0, endings)

    @precondition(lambda self: self.town.books.returns)
    @rule(nth=nths, endings=endings)
    @step
    async def what_went_back_goes_on(self, nth: int, endings: list[tuple[str, int]]) -> None:
        await self._goes_on(nth, endings)

    async def _goes_on(self, nth: int, endings: list[tuple[str, int]]) -> None:
        await self._looks()
        for what, admin in endings:
            match what:
                case "heard":
                    await self.town.delivers(self.town.notices[-2:])
                case "tick":
                    await money_back.ticks(self.town)
                case "collect" | "forgive" | "stale":
                    await money_back.settles(self.town, nth, what, admin)
                case _:
                    await money_back.goes_on(self.town, nth, what)
            await self._looks()

    # ---- money out

    @rule(
        who=nths,
        currency=currencies,
        part=st.sampled_from(["half", "all", "least", "for two", "for two", "all and a cent", "too little"]),
        decisions=payouts,
    )
    @step
    async def somebody_asks_to_be_paid(
        self, who: int, currency: str, part: str, decisions: list[tuple[str, int]]
    ) -> None:
        withdrawal = await money_out.requests(self.town, pick(self.town.players, who), currency, part)
        for what, admin in decisions if withdrawal else []:
            assert withdrawal is not None
            await money_out.decides(self.town, withdrawal, what, admin)
            await self._looks()

    @precondition(lambda self: self.town.books.withdrawals)
    @rule(nth=nths, decisions=payouts)
    @step
    async def admins_decide_about_a_withdrawal(self, nth: int, decisions: list[tuple[str, int]]) -> None:
        for what, admin in decisions:
            await money_out.decides(self.town, pick(self.town.books.withdrawals, nth), what, admin)
            await self._looks()

    @rule(
        who=nths,
        currency=currencies,
        minor=amounts,
        part=st.sampled_from(["plus", "all", "half", "too much"]),
        admin=admins,
        decisions=answers,
    )
    @step
    async def an_admin_corrects(
        self, who: int, currency: str, minor: int, part: str, admin: int, decisions: list[tuple[str, int]]
    ) -> None:
        player = pick(self.town.players, who)
        correction = await money_out.proposes(self.town, player, currency, minor, part, admin)
        for what, other in decisions if correction else []:
            assert correction is not None
            await money_out.answers(self.town, correction, what, other)
            await self._looks()

    # ---- what is posted by itself

    @rule(
        who=nths,
        currency=currencies,
        part=st.sampled_from(["half", "all", "cent", "too much"]),
        outcomes=st.lists(st.sampled_from(["won", "lost", "cancelled"]), max_size=2),
    )
    @step
    async def somebody_bets(self, who: int, currency: str, part: str, outcomes: list[str]) -> None:
        bet = await postings.bets(self.town, pick(self.town.players, who), currency, part)
        if bet is not None:
            self.bets.append(bet)
            for outcome in outcomes:
                await postings.settles(self.town, bet, outcome)

    @precondition(lambda self: self.bets)
    @rule(nth=nths, outcome=st.sampled_from(["won", "lost", "cancelled"]))
    @step
    async def a_bet_is_settled(self, nth: int, outcome: str) -> None:
        bet = pick(self.bets, nth)
        placed = f"bet:{bet.number}:place"
        if all(journal.reverses != placed for journal in self.town.books.journals.values()):
            await postings.settles(self.town, bet, outcome)

    @rule(who=nths, currency=currencies, minor=amounts, part=parts, gift=yes_or_no)
    @step
    async def somebody_is_given_something_or_exchanges(
        self, who: int, currency: str, minor: int, part: str, gift: bool
    ) -> None:
        player = pick(self.town.players, who)
        if gift:
            await postings.gives(self.town, player, currency, minor)
        else:
            await postings.exchanges(self.town, player, part)

    @rule(
        nth=nths,
        who=nths,
        key=st.sampled_from(["amount", "kind", "account", "same"]),
        back=st.sampled_from(["exactly", "exactly", "inexactly", "as something else"]),
        wrong=st.sampled_from(["unbalanced", "nothing", "one leg", "currencies", "stranger", "huge"]),
    )
    @step
    async def the_ledger_is_tried(self, nth: int, who: int, key: str, back: str, wrong: str) -> None:
        """A key again, a reversal, something wrong, and something that is not committed."""
        town, player = self.town, pick(self.town.players[:2], who)
        used = pick([one for one, journal in town.books.journals.items() if journal.reverses is None], nth)
        await (postings.replays(town, used) if key == "same" else postings.uses_again(town, used, key))
        await postings.wrongs(town, player, wrong)
        await postings.is_rolled_back(town, player, 5_00)
        own = [one for one in town.books.journals if one.startswith(("bet:", "bonus:", "fx:"))]
        if own:
            await postings.takes_back(town, pick(own, nth), back)

    # ---- proofs

    async def _everything_is_heard(self) -> None:
        """Nothing is on its way any more: what providers have taken is what the ledger says of them."""
        for provider, ref in money_back.unfinished(self.town):
            await self.town.outside(provider).finish_refund(ref, webhook="never")
        self.town.listens()
        await self.town.delivers(list(self.town.notices))
        before = None
        while before != (now := [(row.state, row.word) for row in self.town.books.returns]):
            before = now
            await money_back.ticks(self.town)
        await money_in.polls(self.town)
        await self.town.agrees()
        self.town.agrees_with_providers()

    async def _reconciles(self) -> None:
        """The lists agree with the ledger, so that nothing is booked and nothing is left to an admin."""
        since = datetime.now(UTC) - timedelta(hours=1)
        for name in ProviderName:
            run = await self.town.shop.reconciliation.run(name, since, actor="model")
            assert (run.mended, run.differences, run.error) == (0, 0, None)


class Once(Machine):
    """Each call once, unless the process dies in it and another one does it again."""

    @initialize(chance=st.randoms())
    def the_process_may_die(self, chance: random.Random) -> None:
        self.town.chance = chance


class Twins(Machine):
    """Each call twice at once."""

    twins = True
