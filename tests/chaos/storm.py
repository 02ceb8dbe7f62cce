"""A storm: everybody uses the bot at once while everything fails, and afterwards nothing is lost and nothing is twice.

    python -m tests.chaos.storm --kills 1000 --operations 100000 [--processes 1,2,4] [--seed 7]

The real processes on the real database, in phases: one process with its bundled server, two and four on one server,
two behind PgBouncer. After each phase all are brought up and let finish, and the books are proven. The seed decides who
does what and what is struck when; how fast the machine is decides what meets what.
"""

import argparse
import asyncio
import os
import random
import secrets
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import asyncpg

from db import ledger, players
from db.database import Tx
from db.embedded import ACCOUNT, Embedded
from db.models import MethodKind
from sandbox import Sandbox
from tests import results
from tests.chaos.house import House, Nursery, furnish, housed, until
from tests.chaos.players import keeps_card
from tests.chaos.storm_books import Log, Notes, Proof
from tests.chaos.storm_players import Crowd, Player
from tests.chaos.storm_weather import REFUSED, Fleet, Forger, Ground, Weather
from tests.chaos.test_kill_withdrawals import KEY, hands
from tests.chaos.test_pgbouncer import PGBOUNCER, Pooler
from tests.past import Past

BOSSES = (900, 901)
FIRST = 10_000
KILL_PAUSE = 0.65
"""Seconds that processes live between two kills, on average, once all are ready."""
REST_SECONDS = 120.0
"""Beside one for each message that waits in the fullest chat."""
FULLEST = "SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM outbox WHERE state = 'queued' GROUP BY chat_id) c"
WAITING = "SELECT count(*) FROM outbox WHERE state = 'queued' AND priority < 7"
BONUS = 100_000_00
LAST_MONTH = datetime.now(UTC).replace(day=15, hour=12, minute=0, second=0, microsecond=0) - timedelta(days=30)
# What may be in a log at its worst level: each is what was done to the process.
EXPECTED = (
    "embedded database is gone",
    "another process polls",
    "ClientDecodeError",  # an answer that is none of Telegram's
    REFUSED,
)


@dataclass(frozen=True)
class Aim:
    """How much is to be done until a phase ends; `seconds`: or how long it may take."""

    kills: int = 0
    operations: int = 0
    duplicates: int = 0
    hostile: int = 0
    seconds: float = float("inf")


@dataclass(frozen=True)
class Phase:
    processes: int
    share: float
    """Of the whole run."""
    pooler: bool = False

    @property
    def name(self) -> str:
        words = {1: "one process", 2: "two processes", 4: "four processes"}[self.processes]
        return f"{words} behind PgBouncer" if self.pooler else words


@dataclass
class Storm:
    house: House
    seed: int
    crowd_size: int
    notes: Notes = field(default_factory=Notes)
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.world = self.house.world
        self.world.deliveries.log = Log(self.notes)
        self.world.deliveries.shuffle = True
        self.world.deliveries.late_seconds = self.world.deliveries.longest_pause = 1.0
        self.world.casino.log = self.notes.postbacks

    # ---- before

    async def settle(self) -> None:
        """Players who have been here for a while: some with kept cards, some with money and where to be paid to, some
        who have blocked the bot, and some with movements in the last month."""
        server = await Embedded.start(self.house.data)
        try:
            async with self.house.books() as books:
                await books.execute(
                    "INSERT INTO users (telegram_id, name, language, accepted_at, seen_on)"
                    " SELECT n, 'Игрок', 'ru', now(), current_date FROM generate_series($1::int, $2::int) n",
                    FIRST,
                    FIRST + self.crowd_size - 1,
                )
                await books.execute(
                    "INSERT INTO casino_click (click_id, programme, user_id)"
                    " SELECT lpad(to_hex(id), 16, '0'), '1win', id FROM users"
                )
                rows = await books.fetch(
                    "SELECT id, telegram_id, click_id FROM users JOIN casino_click ON id = user_id"
                )
                crowd = [
                    Player(self.world.person(row["telegram_id"], "Игрок"), row["id"], row["click_id"]) for row in rows
                ]
                for player in crowd[::4][:50]:
                    player.card = await keeps_card(self.world, player.person, books)
                for player in crowd[7::29]:
                    player.person.blocked = True
                    self.notes.deaf.add(player.person.id)
                await self._remember(crowd[2::4][:20])
                await self._enrich([player for player in crowd[1::4][:50] if not player.person.blocked])
                opening = await books.fetch("SELECT user_id, currency, available_minor FROM wallet")
                self.notes.opening = {(row["user_id"], row["currency"]): row["available_minor"] for row in opening}
        finally:
            await server.stop()
        bosses = [self.world.person(boss, "Кассир") for boss in BOSSES]
        self.crowd = Crowd(self.world, self.notes, self.chance, crowd, bosses)

    async def _enrich(self, payees: list[Player]) -> None:
        async with hands(self.house) as (database, service):
            for player in payees:
                async with database.connection() as tx:
                    profile = await players.with_telegram_id(tx, player.person.id)
                assert profile
                method = await service.add(profile.player, MethodKind.CARD, None, f"4242 token_{player.number:06}")
                await service.verify(BOSSES[0], method.id)
                player.method = method.id
                async with database.transaction() as tx:
                    await ledger.open_wallet(tx, player.number, "USD")
                    await ledger.post(
                        tx,
                        key=f"test:{player.number}",
                        kind="bonus_added",
                        legs={f"player:{player.number}:available:USD": BONUS, "bonus:USD": -BONUS},
                        actor="test",
                    )

    async def _remember(self, old_hands: list[Player]) -> None:
        async with hands(self.house) as (database, _):
            for player in old_hands:
                async with database.connection() as tx:
                    profile = await players.with_telegram_id(tx, player.person.id)
                assert profile
                past = Past(profile.player, LAST_MONTH)
                past.move("bonus_added", 100_00, "bonus")
                past.bet(30_00, 0)
                await past.book(database)
        self.notes.statements = len(old_hands)

    # ---- a phase

    async def phase(self, phase: Phase, aim: Aim) -> None:
        self.say(f"— {phase.name}")
        async with self._fleet(phase) as fleet:
            await fleet.open()
            self.world.bot_url = fleet.address()
            await self._broadcast()
            await self._due()
            kills = asyncio.create_task(fleet.rage(KILL_PAUSE))
            rages = [
                asyncio.create_task(rage)
                for rage in (
                    Ground(self.house, self.notes, self.chance).rage(self.ground),
                    Weather(self.world, self.notes, self.chance).rage(self.weather),
                    Forger(self.world, self.notes, self.chance, fleet.address).rage(self.forged),
                    self._watch(),
                )
            ]
            ends = time.monotonic() + aim.seconds
            while time.monotonic() < ends and not self._reached(aim):
                await self._act(fleet)
                for rage in (kills, *rages):
                    if rage.done():
                        rage.result()  # it never ends by itself
            for rage in rages:
                rage.cancel()
            await asyncio.gather(*rages, return_exceptions=True)
            fleet.over.set()
            await kills
            await fleet.close()
        await self._calm(phase)

    ground, weather, forged = 12.0, 3.0, 9.0
    """Seconds between troubles of the database and of the outside, forged deliveries a second."""
    pace = 90.0
    """Acts begun in a second, at most."""
    at_once = 96

    async def _act(self, fleet: Fleet) -> None:
        """One more act, when somebody is there to hear it and not too much is under way."""
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await fleet.up.wait()
        self.world.bot_url = fleet.address()
        while len(self.crowd.running) >= self.at_once:
            await asyncio.wait(self.crowd.running, return_when=asyncio.FIRST_COMPLETED, timeout=1)
            self.world.bot_url = fleet.address()
        self.crowd.begin(self.crowd.next())
        await asyncio.sleep(1 / self.pace)

    def _reached(self, aim: Aim) -> bool:
        notes = self.notes
        return (
            notes.struck["kills"] >= aim.kills
            and notes.hostile.total() >= aim.hostile
            and self._operations >= aim.operations
            and self._duplicates >= aim.duplicates
        )

    _operations = _duplicates = 0

    async def _watch(self) -> None:
        """Looks how much is waiting, and says how it goes."""
        told = time.monotonic()
        while True:
            await asyncio.sleep(1)
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                async with asyncio.timeout(5), self.house.books() as books:
                    self.crowd.backlog = await books.fetchval(WAITING)
            self._operations, self._duplicates = self.notes.operations, self.notes.duplicates
            if time.monotonic() - told >= 10:
                told = time.monotonic()
                self.progress()

    def progress(self) -> None:
        notes = self.notes
        self.say(
            f"{notes.struck['kills']} kills, {notes.operations} operations, {sum(notes.answers.values())} deliveries"
            f" ({notes.duplicates} again), {notes.hostile.total()} forged, {len(self.crowd.running)} under way,"
            f" {self.crowd.backlog} messages waiting, {len(notes.found)} findings"
        )

    def say(self, words: str) -> None:
        sys.stdout.write(f"[{time.monotonic() - self.began:5.0f} s] {words}\n")
        sys.stdout.flush()

    async def _broadcast(self) -> None:
        """Begun while it is calm, on its way when it is not."""
        boss = self.crowd.bosses[0]
        words = f"Новости {len(self.notes.broadcasts) + 1} и {self.seed}"
        self.notes.broadcasts.append(words)
        await boss.says("/broadcast")
        await boss.sees("Пришлите сообщение", 60)
        await boss.says(words)
        await boss.sees("Кому отправить", 60)
        await boss.presses("Посмотреть", timeout=60)
        await boss.sees("Так её увидят", 60)
        await boss.presses("Отправить", timeout=60)
        self.notes.done["broadcasts begun"] += 1

    async def _due(self) -> None:
        """The timetable's deeds, as if their hour had struck in this moment."""
        async with self.house.books() as books:
            await books.execute("DELETE FROM job WHERE kind = 'statements'")
            await books.execute(
                "INSERT INTO job (kind, dedupe_key) VALUES ('statements', $1), ('head', $2), ('verify', $3)",
                f"statements:{LAST_MONTH:%Y-%m}",
                f"head:{secrets.token_hex(4)}",
                f"verify:{secrets.token_hex(4)}",
            )

    @asynccontextmanager
    async def _fleet(self, phase: Phase) -> AsyncIterator[Fleet]:
        fleet = Fleet(self.house, self.notes, self.chance, phase.processes)
        async with AsyncExitStack() as stack:
            if phase.processes > 1 or phase.pooler:
                await self._serve(stack, fleet)
            if phase.pooler:
                pooler = Pooler(self.house.folder, fleet.settings["DATABASE_URL"], ACCOUNT)
                pooler.start()
                stack.callback(pooler.kill)
                fleet.settings["DATABASE_URL"] = pooler.address
            yield fleet

    async def _serve(self, stack: AsyncExitStack, fleet: Fleet) -> None:
        """A server of its own for the fleet, which comes back when it is stopped."""
        server = await Embedded.start(self.house.data)
        stack.push_async_callback(server.stop)
        guard = asyncio.create_task(server.keep_running())
        stack.callback(guard.cancel)
        fleet.settings["DATABASE_URL"] = server.owner_dsn("looseline")

    # ---- after a phase

    async def _calm(self, phase: Phase) -> None:
        """Time passes, two processes finish what is left, and the books are proven."""
        calm = Phase(2, 0)
        async with self._fleet(calm) as fleet:
            async with self.house.books() as books:
                await _time_passes(books)
            await fleet.open()
            self.world.bot_url = fleet.address()
            self.say(f"calm: {len(self.crowd.running)} under way")
            if self.crowd.running:
                await asyncio.wait(self.crowd.running)
            async with asyncio.timeout(60):
                await self.world.deliveries.drained()
            async with self.house.books() as books:
                await _time_passes(books, leases="lease IS NULL")  # who has one works on it: nobody was killed since
                players = {each.person.id: each.number for each in self.crowd.players}
                proof = Proof(self.world, self.notes, books, players)
                try:
                    await until(proof.rests, REST_SECONDS + await books.fetchval(FULLEST))
                except TimeoutError:
                    self.notes.found.append("it does not come to rest")
                await self._one_polls(fleet)
                self.notes.found += [f"after {phase.name}: {one}" for one in await proof.whole()]
            await fleet.close()
        self._read_logs()
        self.progress()

    async def _one_polls(self, fleet: Fleet) -> None:
        said = []
        async with aiohttp.ClientSession() as session:
            for port in fleet.ports:
                async with session.get(f"http://127.0.0.1:{port}/health") as answer:
                    said.append((await answer.json())["telegram"])
        if sorted(said) != ["ok", "standby"]:
            self.notes.found.append(f"who polls Telegram: {said}")

    def _read_logs(self) -> None:
        for process in self.house.processes:
            for line in process.complaints("ERROR", "CRITICAL"):
                if not any(words in line for words in EXPECTED):
                    self.notes.found.append(f"{process.log.name}: {line[:1500]}")
        self.house.processes.clear()


async def _time_passes(books: Tx, *, leases: str = "true") -> None:
    """Every pause is over, every lease or those named, and whoever asks asks now."""
    await books.execute(f"UPDATE webhook_inbox SET run_at = now() WHERE state = 'queued' AND {leases}")
    await books.execute(f"UPDATE outbox SET run_at = now() WHERE state = 'queued' AND {leases}")
    await books.execute("UPDATE job SET run_at = now() WHERE state = 'queued'")
    await books.execute(
        "UPDATE wallet_operations SET next_check_at = now(), checked_at = NULL WHERE next_check_at IS NOT NULL"
    )
    await books.execute("UPDATE returned_payment SET next_check_at = now() WHERE next_check_at IS NOT NULL")


# ---- the whole

LONG = (Phase(1, 0.25), Phase(2, 0.3), Phase(4, 0.2), Phase(2, 0.25, pooler=True))
SHORT = (Phase(1, 0.5), Phase(2, 0.5))


async def run(nursery: Nursery, furnished: Path, phases: tuple[Phase, ...], aim: Aim, seed: int, players: int) -> Notes:
    """Prints the seed before anything else; what was found is in the notes."""
    sys.stdout.write(f"CHAOS_SEED={seed}\n")
    async with Sandbox(seed=seed) as world, housed(nursery, furnished, world) as house:
        house.settings |= {
            "ADMIN_IDS": ",".join(map(str, BOSSES)),
            "ENCRYPTION_KEY": KEY,
            "METHOD_COOLING_HOURS": "0",
            "POSTBACK_TOKEN": world.postback_token,
            "POSTBACK_LINK": world.casino_link,
            "YOOKASSA_NETWORKS": "127.0.0.1/32",
            "WITHDRAWAL_LIMITS": "USD:1:1000000:10000000:1000000",
        }
        storm = Storm(house, seed, players)
        await storm.settle()
        share = 0.0
        for phase in phases:
            share += phase.share
            await storm.phase(
                phase,
                Aim(
                    round(aim.kills * share),
                    round(aim.operations * share),
                    round(aim.duplicates * share),
                    round(aim.hostile * share),
                    aim.seconds * phase.share,
                ),
            )
            for found in storm.notes.found:
                storm.say(f"FOUND {found}")
        return storm.notes


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.storm", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--operations", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("CHAOS_SEED") or secrets.randbelow(10**6)))
    parser.add_argument("--processes", type=int, choices=(1, 2, 4), help="only the phase with so many")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="the end, whatever has been reached")
    given = parser.parse_args()
    phases: tuple[Phase, ...] = LONG
    if given.processes:
        phases = (Phase(given.processes, 1.0),)
    elif PGBOUNCER is None:
        phases = LONG[:-1]
    # In the proportions of the figures that are asked of a long run.
    aim = Aim(given.kills, given.operations, given.operations // 2, given.operations // 10, given.seconds)
    command = f"python -m tests.chaos.storm --kills {given.kills} --operations {given.operations} --seed {given.seed}"
    nursery, began = Nursery(), time.monotonic()
    try:
        with furnish(nursery) as furnished:
            notes = asyncio.run(run(nursery, furnished, phases, aim, given.seed, players=400))
    finally:
        nursery.close()
    figures = report(notes, phases, time.monotonic() - began)
    sys.stdout.write(figures)
    if notes.found:
        sys.stdout.write(f"To run it again: {command}\n")
        return 1
    if given.seconds == float("inf") and not given.processes:
        results.write("A storm", command, figures)
    return 0


def report(notes: Notes, phases: tuple[Phase, ...], seconds: float) -> str:
    """The figures as they stand in docs/RESULTS.md."""
    done = notes.done + Counter(f"casino: {fired.event} events" for fired in notes.reported())
    kinds = sorted(done.items(), key=lambda item: -item[1])
    broken = sum(n for word, n in (notes.answers + notes.hostile).items() if word[0] == "5" and word != "503")
    lines = [
        f"- {seconds / 60:.0f} minutes: {', '.join(phase.name for phase in phases)}; all on one database",
        f"- {notes.struck['kills']} × kill -9 of a bot, and {_listed(notes.struck, without='kills')}",
        f"- {done.total()} acknowledged operations: {_listed(Counter(dict(kinds)))}",
        f"- {sum(notes.answers.values())} deliveries, {notes.duplicates} of them of what had been acknowledged before,"
        f" shuffled and many at once; answered {_listed(notes.answers)}",
        f"- {notes.hostile.total()} hostile requests, answered {_listed(notes.hostile)}: 200 only for what"
        " YooKassa's own network could send, of which nothing is believed",
        f"- 5xx other than 503: {broken}. 503 while the database was away: {notes.away_503}; at other times, because"
        f" a call took too long: {notes.unexplained}",
        f"- findings: {len(notes.found)}" + ("" if notes.found else "; lost: 0, doubled: 0"),
    ]
    return "\n".join(lines) + "\n"


def _listed(counts: Counter[str], without: str = "") -> str:
    return ", ".join(f"{count} {what}" for what, count in counts.items() if what != without)


if __name__ == "__main__":
    sys.exit(main())
