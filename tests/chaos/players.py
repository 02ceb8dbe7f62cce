"""What players do, while the bot dies and comes back: they wish, pay, and wait for what they are told."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from db.database import Tx
from sandbox import Message, Person, Sandbox
from sandbox.deliveries import Webhook
from tests.chat.people import grown_up

AWAY = "база данных"
SILENCE = 15.0
CURRENCIES = {"stripe": "USD", "yookassa": "RUB"}


async def player(world: Sandbox, number: int) -> Person:
    """Somebody with two messages to press on, so that two deposits do not share one."""
    person = await grown_up(world, 1000 + number, f"Игрок {number}")
    await person.says("/menu")
    await person.sees("Главное меню")
    return person


@dataclass
class Deposit:
    """The way of one deposit, in steps. No other of its provider may have the same amount: that is its name."""

    world: Sandbox
    person: Person
    provider: str
    minor: int
    message: Message
    """What is pressed on, and then shows the link."""
    seconds: float = 30
    may_insist: Callable[[], bool] = lambda: True
    """Whether there is a reason to press again when nothing is heard for long."""

    @property
    def amount(self) -> str:
        return f"{self.minor / 100:.2f}\u00a0{CURRENCIES[self.provider]}"

    @property
    def data(self) -> str:
        """What the button carries."""
        return f"p:{self.provider}:{CURRENCIES[self.provider]}:{self.minor}:{self.provider[0]}{self.minor:07}:0"

    async def asked(self) -> None:
        """Until the link is there."""
        await self._shows(lambda message: any(button.url for button in message.buttons), press=True)

    async def asked_in_vain(self) -> None:
        """Until it is said that the provider does not answer."""
        await self._shows(lambda message: "Деньги не списаны" in message.text, press=True)

    async def linked_later(self) -> None:
        """Until the link comes, in a message of its own."""
        self.message = await self.person.wait_for(
            lambda message: self.amount in message.text and "ссылка готова" in message.text, self.seconds, old=True
        )

    async def paid(self, webhook: Webhook = "now") -> None:
        """There is one page to pay, however often it was asked for. Until its notices were delivered once."""
        value = f"{self.minor / 100:.2f}"
        if self.provider == "stripe":
            sessions = self.world.stripe.sessions
            (ref,) = [ref for ref, session in sessions.items() if session["amount_total"] == self.minor]
            await self.world.stripe.pay(ref, webhook)
        else:
            payments = self.world.yookassa.payments
            (ref,) = [ref for ref, payment in payments.items() if payment["amount"]["value"] == value]
            await self.world.yookassa.pay(ref, webhook)

    async def told(self) -> None:
        words = f"Зачислено {self.amount} "
        await self.person.wait_for(lambda message: words in message.text, self.seconds, old=True)

    async def closed(self) -> None:
        """Until the message with the link says how it ended."""
        await self._shows(lambda message: "оплачено и зачислено" in message.text, press=False)

    async def paid_and_told(self) -> None:
        await self.paid()
        await self.told()
        await self.closed()

    async def whole(self) -> None:
        await self.asked()
        await self.paid_and_told()

    async def _shows(self, check: Callable[[Message], bool], press: bool) -> None:
        """Presses again when the bot says that its database is away, or says nothing for long."""
        telegram, query, pressed = self.world.telegram, "", 0

        def look() -> bool | None:
            """Whether it is shown; None: nothing has happened yet."""
            if self.amount in self.message.text and check(self.message):
                return True
            toast = telegram.answers.get(query)
            away = toast is not None and AWAY in (toast.text or "")
            return False if away or (AWAY in self.message.text and self.message.changed > pressed) else None

        async with asyncio.timeout(self.seconds):
            while True:
                if press:
                    pressed = telegram.tick()
                    query = self.person.press(self.data, self.message)
                match await telegram.bell.until(look, SILENCE):
                    case True:
                        return
                    case False:
                        await asyncio.sleep(0.3)
                    case None if not self.may_insist():
                        press = False
                        continue
                press = True


@dataclass
class Charge(Deposit):
    """A deposit by a kept card, from the confirming tap on."""

    card: int = 0

    @property
    def data(self) -> str:
        return f"cp:{self.card}:{CURRENCIES[self.provider]}:{self.minor}:c{self.minor:07}"

    async def whole(self) -> None:
        await self._shows(lambda message: "оплачено и зачислено" in message.text, press=True)
        await self.told()


async def keeps_card(world: Sandbox, person: Person, books: Tx) -> int:
    """A player who has kept a card at Stripe, without the deposit that kept it; answers the card's number here."""
    customer = str(world.stripe.new_customer({})["id"])
    ref = await world.stripe.keep(customer, webhook="never")
    await books.execute(
        "UPDATE users SET stripe_customer_id = $2 WHERE telegram_id = $1 AND stripe_customer_id IS NULL",
        person.id,
        customer,
    )
    return int(
        await books.fetchval(
            "INSERT INTO payment_methods (user_id, provider, provider_ref, payment_type, card_last4)"
            " SELECT id, 'stripe', $2, 'card', '4242' FROM users WHERE telegram_id = $1 RETURNING method_id",
            person.id,
            ref,
        )
    )


async def links(world: Sandbox, players: int) -> list[Deposit]:
    """Each player has a link of each provider before the eyes."""
    people = await asyncio.gather(*(player(world, number) for number in range(players)))
    waiting = [
        Deposit(world, person, provider, 10_00 + number, message)
        for number, person in enumerate(people)
        for provider, message in zip(CURRENCIES, person.shown[:2], strict=True)
    ]
    await asyncio.gather(*(deposit.asked() for deposit in waiting))
    return waiting
