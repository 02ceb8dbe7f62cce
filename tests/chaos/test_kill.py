"""kill -9 at every await between a player's wish and the message that tells of the money, each followed by a start."""

import asyncio
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from pathlib import Path

from db.database import Tx
from sandbox import Message, Person
from tests.chaos.awaits import chosen, points, recorded
from tests.chaos.house import House, findings, time_passes, until
from tests.chaos.players import Charge, Deposit, keeps_card, player

Flow = Callable[[House, Person, int], Coroutine[None, None, None]]

SECONDS = 120.0
CLOCKS = ("bot/jobs.py", "db/turns.py")
MAKES_WORK = {
    "services/inbox.py:act": "services/inbox.py:accept",
    "bot/sender.py": "db/outbox.py:add",
}
# Some of the awaits that must be among those found.
BY_WEBHOOK = (
    *("handlers/deposits.py:_pay", "services/deposits.py:start", "db/operations.py:create_deposit"),
    *(
        "stripe.py:create",
        "yookassa.py:create",
        "yookassa.py:look",
        "db/operations.py:opened",
        "db/operations.py:show_in",
    ),
    *("services/inbox.py:accept", "db/inbox.py:store", "services/inbox.py:act:", "services/inbox.py:act_rereading:"),
    *("db/inbox.py:lock_leased", "db/operations.py:lock", "db/ledger.py:transfer", "db/operations.py:complete"),
    *("db/outbox.py:add", "db/inbox.py:finish", "db/outbox.py:claim", "bot/sender.py:_send", "db/outbox.py:sent"),
)
BY_BUTTON = (
    "services/deposits.py:check",
    "stripe.py:fetch",
    "db/ledger.py:transfer",
    "db/operations.py:complete",
    "db/outbox.py:add",
)
BY_CARD = (
    *("handlers/deposits.py:charge", "services/deposits.py:start", "db/operations.py:create_deposit"),
    *("stripe.py:charge", "db/operations.py:opened", "db/operations.py:lock", "db/payment_methods.py:used"),
    *("db/ledger.py:transfer", "db/operations.py:complete", "db/outbox.py:add"),
)
BY_POSTBACK = (
    *("services/inbox.py:accept_postback", "db/inbox.py:store", "services/inbox.py:_act_on_postbacks"),
    *("services/casinos.py:apply", "db/casinos.py:bind", "db/casinos.py:add", "db/casinos.py:link_waiting"),
    *("db/outbox.py:add", "db/inbox.py:finish", "db/outbox.py:claim", "bot/sender.py:_send", "db/outbox.py:sent"),
)


async def by_webhook(house: House, person: Person, number: int) -> None:
    """Two deposits at once; the last of their messages has to wait its turn."""
    async with asyncio.TaskGroup() as both:
        for provider, message in zip(("stripe", "yookassa"), person.shown[:2], strict=True):
            both.create_task(deposit(house, person, provider, number, message).whole())


async def by_button(house: House, person: Person, number: int) -> None:
    """The webhook is lost, and the player presses until the bot has asked."""
    wish = deposit(house, person, "stripe", number, person.shown[0])
    await wish.asked()
    check = wish.message.buttons[1].data
    assert check
    await wish.paid("never")
    told = asyncio.create_task(wish.told())
    while not told.done():
        person.press(check, wish.message)
        await asyncio.wait([told], timeout=1)
    await told
    await wish.closed()


async def by_card(house: House, person: Person, number: int) -> None:
    """A kept card pays, and the bot's own call is the only one that tells of it."""
    async with house.books() as books:
        card = await keeps_card(house.world, person, books)
    wish = deposit(house, person, "stripe", number, person.shown[0])
    await Charge(wish.world, person, wish.provider, wish.minor, wish.message, SECONDS, wish.may_insist, card).whole()


async def by_postback(house: House, person: Person, number: int) -> None:
    """A deposit whose account nobody knows yet, then the registration that says whose it is, then a withdrawal."""
    casino = house.world.casino
    async with house.books() as books:
        click = await books.fetchval(
            "SELECT click_id FROM casino_click JOIN users ON id = user_id WHERE telegram_id = $1", person.id
        )
    account = casino.register(click)
    await casino.deposit(account, f"{600 + number}", both=True, sub1=None)
    await casino.registered(account)
    await casino.withdraw(account, f"{300 + number}")
    for words in ("сообщил о вашей регистрации", f"{600 + number}.00", f"{300 + number}.00"):
        await person.wait_for(partial(_says, words), SECONDS, old=True)


def _says(words: str, message: Message) -> bool:
    return words in message.text


async def test_killed_at_every_await_of_a_deposit(house: House) -> None:
    await killed_everywhere(house, by_webhook, BY_WEBHOOK, "")


async def test_killed_at_every_await_of_a_check(house: House) -> None:
    await killed_everywhere(house, by_button, BY_BUTTON, "deposits.py:check")


async def test_killed_at_every_await_of_a_charge(house: House) -> None:
    house.world.bot_url = None  # no webhook arrives
    await killed_everywhere(house, by_card, BY_CARD, "handlers/deposits.py:charge")


async def test_killed_at_every_await_of_what_a_casino_reports(house: House) -> None:
    house.settings |= {"POSTBACK_TOKEN": house.world.postback_token, "POSTBACK_LINK": house.world.casino_link}
    await killed_everywhere(house, by_postback, BY_POSTBACK, "", each_counted_once)


async def each_counted_once(books: Tx) -> None:
    counted = await books.fetch("SELECT user_id, array_agg(kind ORDER BY kind) AS kinds FROM casino_event GROUP BY 1")
    assert all(row["user_id"] for row in counted)
    assert {tuple(row["kinds"]) for row in counted} == {("deposit", "registration", "withdrawal")}


DRAIN = "bot/workers.py:drain"
BY: dict[Flow, set[str]] = {by_button: {"check"}, by_card: {"player"}, by_postback: set()}


async def killed_everywhere(
    house: House,
    flow: Flow,
    expected: tuple[str, ...],
    part: str,
    proves: Callable[[Tx], Awaitable[None]] | None = None,
) -> None:
    """Lists the awaits of a flow; then, at each within `part`, a process that works for all players is killed."""
    world, notes = house.world, house.folder / "waits"
    process = await house.opens(record=str(notes))
    people = [await player(world, number) for number in range(2)]
    marks = [len(recorded(notes))]
    await until(partial(all_rested, notes, marks[0]))
    for number, person in enumerate(people):
        marks.append(len(recorded(notes)))
        await flow(house, person, number)
    waits = recorded(notes)
    idle, once, again = (waits[begin:end] for begin, end in zip(marks, [*marks[1:], None], strict=True))
    found = points(idle, once + again, MAKES_WORK)
    assert [words for words in expected if not any(words in point.at for point in found)] == []
    always = {wait.place for wait in once} & {wait.place for wait in again}
    mine = chosen([point for point in found if part in point.at and not point.at.startswith(CLOCKS)])
    people = await asyncio.gather(*(player(world, number) for number in range(2, 2 + len(mine))))
    process.send(signal.SIGKILL)  # the database lives on, as it does each time
    assert await process.ended() == -signal.SIGKILL

    missed: set[str] = set()
    async with house.books() as books, asyncio.TaskGroup() as wishes:
        for number, (person, point) in enumerate(zip(people, mine, strict=True), start=2):
            await time_passes(books)
            process = await house.starts(at=point.at, after=point.after)
            wish = wishes.create_task(flow(house, person, number))
            end = wishes.create_task(process.ended(SECONDS))
            await asyncio.wait([wish, end], return_when=asyncio.FIRST_COMPLETED)
            if not end.done():
                missed.add(point.at)
                process.send(signal.SIGKILL)
            assert await end == -signal.SIGKILL, process.log.read_text()
            assert await findings(books) == [], point
        await time_passes(books)
        process = await house.opens()
    # A message is put off only if the others were quick; an answer is waited for twice only if it came in two parts.
    assert [at for at in missed & always if "put_off" not in at and not at.endswith("streams.py:read")] == []
    async with house.books() as books:
        actors = await books.fetchval(
            "SELECT array_agg(DISTINCT actor) FROM wallet_operations WHERE status = 'completed'"
        )
        if proves is not None:
            await proves(books)
    assert set(actors or ()) == BY.get(flow, {"webhook:stripe", "webhook:yookassa"})
    await house.proven(process, repeats=len(mine))


def deposit(house: House, person: Person, provider: str, number: int, message: Message) -> Deposit:
    """After a crash nobody has to press again, unless the machine is so slow that a lock was waited for in vain."""

    def troubled() -> bool:
        return any(process.complaints("WARNING") for process in house.processes)

    return Deposit(house.world, person, provider, 10_00 + number, message, SECONDS, troubled)


async def all_rested(notes: Path, begin: int) -> bool:
    """Every loop has found nothing to do, twice. Who was only woken need not have looked, so all of them count."""
    waits = recorded(notes)
    loops = {wait.task for wait in waits if DRAIN in wait.place}
    rests = Counter(wait.task for wait in waits[begin:] if DRAIN in wait.place)
    return bool(loops) and all(rests[loop] >= 2 for loop in loops)
