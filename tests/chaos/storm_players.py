"""What everybody does in the storm: players press and pay, admins decide, casinos report, providers give back."""

import asyncio
import random
import re
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count, islice
from typing import TypeVar

from handlers.admin.callbacks import DecideWithdrawal, OpenWithdrawal, Step
from handlers.callbacks import Charge, Count, Export, Months, Pay, Withdraw
from sandbox import Message, Person, Sandbox
from sandbox.casino import BODIES
from sandbox.deliveries import Webhook
from tests.chaos.players import AWAY, CURRENCIES
from tests.chaos.storm_books import Notes, Payout, Wish

SILENCE, LONGEST_SILENCE = 8.0, 30.0
"""After so long somebody presses again, and waits longer the next time."""
SECONDS = 600.0
"""Many leases of a minute, each of which a kill may end: whoever hears nothing for so long has been forgotten."""
TALKING = 48
"""Acts under way; with more of them only casinos begin another one."""
MANY = 1200
"""Messages that wait to be sent; with more of them nobody does what brings another one."""
RECENT = 30
"""Messages in which an answer is looked for."""
PERIOD_ALL = "a"

T = TypeVar("T")
Act = Callable[[], Coroutine[None, None, None]]


@dataclass
class Player:
    person: Person
    number: int
    """The player's, in the database."""
    click: str
    account: str | None = None
    card: int | None = None
    method: int | None = None
    """Where winnings are paid to; only those with one withdraw, and no bank takes anything back from them."""
    links: int = 0
    """Never paid; with ten of them the bot gives no more for the hour."""
    exports: int = 0
    """Asked for; with twenty of them the bot makes no more for the hour."""
    chat: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass
class Crowd:
    """Everybody, and what they may do next; every choice is made by the seed."""

    world: Sandbox
    notes: Notes
    chance: random.Random
    players: list[Player]
    bosses: list[Person]
    backlog: int = 0
    """Messages that wait to be sent."""
    running: set[asyncio.Task[None]] = field(default_factory=set)
    _numbers: "count[int]" = field(default_factory=lambda: count(1))
    _desks: dict[int, asyncio.Lock] = field(default_factory=dict)
    _settled: list[tuple[str, str, Player]] = field(default_factory=list)
    """Payments that may be given back: provider, reference, whose."""

    def next(self) -> Act:
        """What happens next. Casinos report also while nobody else is heard."""
        acts: dict[Act, float] = {self.wins: 30.0, self.strangers: 18.0}
        if len(self.running) < TALKING:
            acts[self.reads] = 5.0
        if len(self.running) < TALKING and self.backlog < MANY:
            acts |= {
                self.deposits: 16.0,
                self.charges: 3.0,
                self.withdraws: 0.6,
                self.plays: 4.0,
                self.gives_back: 0.2,  # each is told to every admin, whose chats take one message a second
                self.disputes: 0.06,
                self.strays: 0.1,
                self.exports: 0.4,
            }
        return self.chance.choices(list(acts), list(acts.values()))[0]

    def begin(self, act: Act) -> None:
        task = asyncio.create_task(self._safely(act))
        self.running.add(task)
        task.add_done_callback(self.running.discard)

    async def _safely(self, act: Act) -> None:
        """One who was not heard is a finding, and no reason for the others to stop."""
        try:
            await act()
        except TimeoutError:
            self.notes.found.append(f"{getattr(act, '__name__', act)}: nobody answered")

    # ---- players

    async def deposits(self) -> None:
        """A link, and then it is paid in one of many ways."""
        player, provider = self._listener(), self.chance.choice(list(CURRENCIES))
        minor, nonce = self._amount(), self._nonce()
        pay, how = self.chance.random(), self._delivery()
        wish = Wish(player.person, provider, minor, f"{nonce}:{minor}")
        self.notes.wishes[nonce] = wish
        data = Pay.unpack(f"p:{provider}:{CURRENCIES[provider]}:{minor}:{nonce}:0").pack()
        wish.ref = await self._insists(player, data, partial(self._link, player, provider, minor))
        self.notes.done["deposits asked for, link shown"] += 1
        if pay < 0.03 and player.links < 5:
            player.links += 1
            return  # changed the mind
        party = self.world.stripe if provider == "stripe" else self.world.yookassa
        webhook, copies = how
        if pay < 0.10:
            # Given back before the bot has heard of the payment.
            await party.pay(wish.ref, "late")
            await party.refund(wish.ref, max(1, minor // 3), "many", copies)
        elif pay < 0.14:
            await party.pay(wish.ref, "never")  # found by asking
        elif pay < 0.17 and provider == "stripe":
            await self.world.stripe.decline(wish.ref, webhook, copies)
            await self.world.stripe.pay(wish.ref, webhook, copies)
        elif pay < 0.19 and provider == "stripe":
            await self.world.stripe.expire(wish.ref, webhook, copies)
            await self.world.stripe.pay(wish.ref, webhook, copies, after_expiry=True)
        else:
            await party.pay(wish.ref, webhook, copies)
            if webhook != "late":
                self._settled.append((provider, wish.ref, player))

    def _link(self, player: Player, provider: str, minor: int, message: Message) -> str | None:
        """The payment that a link of somebody's newest messages leads to."""
        stripe, yookassa = self.world.stripe.sessions, self.world.yookassa.payments
        for shown in (message, *islice(reversed(player.person.messages), RECENT)):
            for button in shown.buttons:
                ref = (button.url or "").rpartition("/")[2]
                if provider == "stripe" and ref in stripe and stripe[ref]["amount_total"] == minor:
                    return ref
                if ref in yookassa and yookassa[ref]["amount"]["value"] == f"{minor / 100:.2f}":
                    return ref
        return None

    async def charges(self) -> None:
        """A kept card pays at once."""
        player = self._one(lambda each: each.card is not None)
        minor, nonce = self._amount(), self._nonce()
        assert player.card
        self.notes.wishes[nonce] = Wish(player.person, "stripe", minor, f"{nonce}:{minor}:{player.card}")
        data = Charge(card=player.card, currency="USD", minor=minor, nonce=nonce).pack()
        await self._insists(player, data, lambda message: "оплачено и зачислено" in message.text or None)
        self.notes.wishes[nonce].ref = "charged"
        self.notes.done["kept cards charged"] += 1

    async def withdraws(self) -> None:
        """Asked for by a player, decided by an admin."""
        player = self._one(lambda each: each.method is not None)
        minor, nonce = self._amount(), self._nonce()
        assert player.method
        wish = Withdraw(currency="USD", method=player.method, minor=minor, nonce=nonce)
        payout = self.notes.payouts[nonce] = Payout(player.person, minor, f"withdrawal:{wish.key}")
        boss, decision = self.chance.choice(self.bosses), self.chance.choice(("completed", "cancelled", "failed"))

        def taken(message: Message) -> int | None:
            found = re.search(r"Заявка № (\d+) принята", message.text)
            return int(found[1]) if found else None

        payout.number = await self._insists(player, wish.pack(), taken)
        self.notes.done["withdrawals asked for"] += 1
        async with self._desks.setdefault(boss.id, asyncio.Lock()):
            if decision != "cancelled":
                await self._approves(boss, payout.number)
            await self._ends(boss, payout, decision)

    async def _approves(self, boss: Person, number: int) -> None:
        card = OpenWithdrawal(operation=number).pack()
        button = DecideWithdrawal(operation=number, step=Step.APPROVE).pack()
        ends = DecideWithdrawal(operation=number, step=Step.SENT).pack()
        offered = partial(_offers, ends)
        while not offered(await self._insists(boss, card, _opened)):
            with suppress(TimeoutError):
                await self._insists(boss, button, offered, SILENCE)
        self.notes.done["withdrawals approved"] += 1

    async def _ends(self, boss: Person, payout: Payout, decision: str) -> None:
        """The question is asked and answered until the card says what was answered."""
        assert payout.number
        step = {"completed": Step.SENT, "cancelled": Step.REJECT, "failed": Step.FAILED}[decision]
        words = f"REF-{payout.number:08}"
        payout.decision = decision
        card = OpenWithdrawal(operation=payout.number).pack()
        while words not in (await self._insists(boss, card, _opened)).text:
            button = DecideWithdrawal(operation=payout.number, step=step).pack()
            with suppress(TimeoutError):
                await self._insists(boss, button, partial(_asked, f"№ {payout.number}"), SILENCE)
                began = boss.write(words).changed
                await boss.bell.until(partial(_says, boss, words, began), SILENCE)
        payout.decided = True
        self.notes.done[f"withdrawals ended: {decision}"] += 1

    async def reads(self) -> None:
        """A page of the history, the balance, sums, the list of statements."""
        player = self._listener()
        what = self.chance.choice(("/balance", "/history", Count(period=PERIOD_ALL).pack(), Months().pack()))
        if what.startswith("/"):
            await self._asks(player, what, {"/balance": "Баланс", "/history": "История"}[what])
        else:
            await self._insists(player, what, lambda message: (message.edited and AWAY not in message.text) or None)
        self.notes.done["pages read"] += 1

    async def exports(self) -> None:
        # Somebody with something to write in it.
        player, nonce = self._one(lambda each: each.method is not None), self._nonce()
        if player.exports >= 15:
            return
        player.exports += 1
        wish = Export.unpack(f"ex:{PERIOD_ALL}:{self.chance.choice(('csv', 'pdf'))}:7:{nonce}")
        self.notes.files[wish.key] = False
        began = self.world.telegram.tick()

        def came(message: Message) -> bool | None:
            return (
                any(one.file and one.changed > began for one in islice(reversed(player.person.messages), RECENT))
                or None
            )

        await self._insists(player, wish.pack(), came)
        self.notes.files[wish.key] = True
        self.notes.done["CSV and PDF received"] += 1

    # ---- providers and casinos

    async def gives_back(self) -> None:
        """A part of an earlier payment, in the cabinet."""
        if not self._settled:
            return
        provider, ref, _ = self._settled.pop(self.chance.randrange(len(self._settled)))
        party = self.world.stripe if provider == "stripe" else self.world.yookassa
        if provider == "stripe" and self.world.stripe.sessions[ref]["payment_status"] != "paid":
            return
        webhook, copies = self._delivery()
        await party.refund(ref, self.chance.randint(1, 9_00), webhook, copies)
        if provider == "stripe" and self.chance.random() < 0.3:
            refund = await self.world.stripe.refund(ref, 1, webhook, copies, state="pending")
            await self.world.stripe.finish_refund(refund, webhook, copies, done=self.chance.random() < 0.5)

    async def disputes(self) -> None:
        """A bank takes a payment back, and perhaps it is won again. Whom it freezes withdraws nothing anyway."""
        mine = [one for one in self._settled if one[0] == "stripe" and one[2].method is None]
        if not mine:
            return
        chosen = self.chance.choice(mine)
        self._settled.remove(chosen)
        webhook, copies = self._delivery()
        dispute = await self.world.stripe.dispute(chosen[1], None, webhook, copies)
        if self.chance.random() < 0.7:
            await self.world.stripe.close_dispute(dispute, webhook, copies, won=self.chance.random() < 0.5)

    async def strays(self) -> None:
        """Money that nobody asked for."""
        if self.chance.random() < 0.5:
            await self.world.stripe.stray(self._amount())
        else:
            await self.world.yookassa.stray(self._amount())

    async def wins(self) -> None:
        """Most of what casinos report is told nobody."""
        player = self._anybody()
        await self._reports("win", await self._account(player), player.click)

    async def strangers(self) -> None:
        """Somebody who came by no link of ours."""
        account = self.world.casino.register()
        for event in ("registration", "deposit", "withdrawal")[: self.chance.randint(1, 3)]:
            await self._reports(event, account, None)

    async def plays(self) -> None:
        player = self._anybody()
        event = self.chance.choice(("deposit", "deposit", "withdrawal"))
        await self._reports(event, await self._account(player), player.click)

    async def _account(self, player: Player) -> str:
        if player.account is None:
            player.account = self.world.casino.register(player.click)
            await self._reports("registration", player.account, player.click)
        return player.account

    async def _reports(self, event: str, account: str, click: str | None) -> None:
        webhook, copies = self._delivery()
        body = self.chance.choice(BODIES)
        amount = None if event == "registration" else self.chance.randint(1, 10**6)
        number = None if event == "registration" else f"tx-{next(self._numbers):012}"
        await self.world.casino.fire(
            event,
            user_id=account,
            amount=amount,
            sub1=click,
            transaction_id=number,
            body=body,
            webhook=webhook,
            copies=copies,
        )

    # ---- how

    def _anybody(self) -> Player:
        return self.chance.choice(self.players)

    def _listener(self) -> Player:
        """Somebody who has not blocked the bot."""
        return self._one(lambda each: True)

    def _one(self, check: Callable[[Player], bool]) -> Player:
        while (player := self._anybody()).person.blocked or not check(player):
            pass
        return player

    def _amount(self) -> int:
        """No other is like it, so it names what it is about."""
        return 10_00 + next(self._numbers)

    def _nonce(self) -> str:
        return f"n{next(self._numbers):07}"

    def _delivery(self) -> tuple[Webhook, int]:
        """How notices travel: once, late, or many times at once and shuffled."""
        luck = self.chance.random()
        if luck < 0.62:
            return "now", 1
        if luck < 0.67:
            return "late", 1
        return "many", self.chance.choice((2, 2, 2, 3, 3, 5, 10, 50 if self.chance.random() < 0.1 else 2))

    async def _insists(
        self, who: Player | Person, data: str, look: Callable[[Message], T | None], seconds: float = SECONDS
    ) -> T:
        """Presses a button of an old message, again when nothing is heard for long, until it is there.

        Raises TimeoutError.
        """
        person, chat = (who.person, who.chat) if isinstance(who, Player) else (who, asyncio.Lock())
        async with chat, asyncio.timeout(seconds):
            message, patience = old_message(person), SILENCE
            while True:
                person.press(data, message)
                found = await person.bell.until(partial(look, message), patience)
                if found is not None:
                    return found
                patience = min(patience * 2, LONGEST_SILENCE)

    async def _asks(self, player: Player, command: str, words: str) -> None:
        async with player.chat, asyncio.timeout(SECONDS):
            patience = SILENCE
            while True:
                began = player.person.write(command).changed
                if await player.person.bell.until(partial(_says, player.person, words, began), patience):
                    return
                patience = min(patience * 2, LONGEST_SILENCE)


def _opened(message: Message) -> Message | None:
    return message if message.buttons else None


def _offers(data: str, message: Message) -> bool | None:
    return any(button.data == data for button in message.buttons) or None


def _asked(words: str, message: Message) -> bool | None:
    return (words in message.text and "?" in message.text) or None


def _says(person: Person, words: str, since: int) -> bool | None:
    return (
        any(m.by_bot and m.changed > since and words in m.text for m in islice(reversed(person.messages), RECENT))
        or None
    )


def old_message(person: Person) -> Message:
    """A message of the bot's from another day, with buttons."""
    telegram = person.telegram
    raw = {"message_id": telegram.next_message_id(), "from": telegram.me, "chat": person.chat, "date": int(time.time())}
    return person.keep(Message({**raw, "text": "…"}, by_bot=True))
