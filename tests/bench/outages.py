"""Stripe's deliveries while others fail: Telegram answers nothing, or the providers' APIs take five seconds."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

from tests.bench.deliveries import COUNTS, WARM, Run, batch, deliver, send
from tests.bench.figures import Figure, ratio
from tests.bench.payloads import Payloads, payloads
from tests.bench.stage import Program, Stage, add_players, staged

REPEATS, IN_FLIGHT = 3, 64
SECONDS = 5.0
ASKED, NOTICES = 200, 16
"""Deposits that the poller asks Stripe about, and notifications that have YooKassa asked, at the same time."""
DUE = """
    INSERT INTO wallet_operations (user_id, operation_type, provider, currency, exponent, amount_minor, request_key,
        actor, expires_at, next_check_at, provider_ref)
      SELECT id, 'deposit', 'stripe', 'USD', 2, 5000, 'due-' || gen_random_uuid(), 'bench', now() + interval '1 h',
          now(), 'cs_test_' || replace(gen_random_uuid()::text, '-', '') FROM unnest($1::bigint[]) AS id
"""

Trouble = Callable[[Stage, Payloads, Program], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def telegram_hangs(stage: Stage, made: Payloads, bot: Program) -> AsyncIterator[None]:
    await stage.tell("set", silent=True)
    yield
    await stage.tell("set", silent=False)


@asynccontextmanager
async def providers_slow(stage: Stage, made: Payloads, bot: Program) -> AsyncIterator[None]:
    await stage.tell("set", seconds=SECONDS)
    players = await add_players(stage.database, ASKED)
    async with stage.database.owner() as owner:
        await owner.execute(DUE, players)
    await send(stage, await batch(stage.database, made, "yookassa", NOTICES), bot, NOTICES)
    yield
    await stage.tell("set", seconds=0.0)


TROUBLES: dict[str, Trouble] = {
    "Telegram hangs": telegram_hangs,
    f"the providers' APIs take {SECONDS:.0f} s": providers_slow,
}


async def measure(scale: float) -> list[Figure]:
    made = await payloads()
    count = max(500, round(COUNTS[IN_FLIGHT] * scale))
    figures: list[Figure] = []
    async with staged() as stage:
        await stage.tell("set", payment=made.payment)
        async with stage.bot() as bot:
            await deliver(stage, made, bot, "stripe", WARM, IN_FLIGHT)
            for what, trouble in TROUBLES.items():
                pairs: list[tuple[Run, Run]] = []
                for number in range(REPEATS):
                    # In turns, as each run finds the tables a little longer than the one before it.
                    runs: dict[bool, Run] = {}
                    for troubled in (number % 2 == 1, number % 2 == 0):
                        async with trouble(stage, made, bot) if troubled else nullcontext():
                            runs[troubled] = await deliver(stage, made, bot, "stripe", count, IN_FLIGHT)
                    pairs.append((runs[False], runs[True]))
                figures += [
                    Figure(
                        f"Stripe, {IN_FLIGHT} in flight, while {what}: {done}",
                        ratio((getattr(plain, name), getattr(hit, name)) for plain, hit in pairs),
                        "×",
                        at_least=0.9,
                    )
                    for done, name in (("answered", "answered"), ("to the balance", "arrived"))
                ]
    return figures
