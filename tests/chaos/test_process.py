"""The process itself: it ends when told to, starts only where it can work, and does not need Telegram for money."""

import asyncio
from contextlib import suppress
from functools import partial
from itertools import islice

import aiohttp

from sandbox import Fault
from tests.chaos.house import House, until
from tests.chaos.players import CURRENCIES, Deposit, links, player


async def test_it_ends_in_time_under_load_and_loses_nothing(house: House) -> None:
    world, log = house.world, house.world.deliveries.log
    process = await house.opens()
    paying = iter(await links(world, 8))
    newcomers = [await player(world, 8 + number) for number in range(4)]
    async with asyncio.TaskGroup() as group:
        for number, newcomer in enumerate(newcomers):
            seen = len(log)
            for deposit in islice(paying, 4):
                group.create_task(deposit.paid_and_told())
            for provider, message in zip(CURRENCIES, newcomer.shown[:2], strict=True):
                group.create_task(Deposit(world, newcomer, provider, 20_00 + number, message).whole())
            await until(lambda seen=seen: len(log) > seen)  # type: ignore[misc]
            await house.closes(process)
            process = await house.opens()
    await house.proven(process)


async def test_a_second_one_on_the_same_data_says_so_and_leaves(house: House) -> None:
    first = await house.opens()
    second = await house.runs()
    assert await second.ended(60) == 1
    assert second.said == ""
    (sentence,) = second.log.read_text().splitlines()
    assert "already running" in sentence
    assert str(house.data) in sentence
    (deposit, *_) = await links(house.world, 1)
    await deposit.paid_and_told()
    await house.proven(first, errors_allowed=["already running"])


async def test_bad_settings_are_named_line_by_line(house: House) -> None:
    secret = house.settings["STRIPE_SECRET_KEY"] = "pk_test_pasted_from_the_wrong_place"
    house.settings |= {"PORT": "http", "TIMEZONE": "Mars/Olympus", "ADMIN_IDS": "me"}
    del house.settings["YOOKASSA_SHOP_ID"]
    process = await house.runs()
    assert await process.ended(60) == 2
    assert process.said == ""
    told = process.log.read_text()
    names = ["ADMIN_IDS", "PORT", "STRIPE_SECRET_KEY", "TIMEZONE", "YOOKASSA_SHOP_ID"]
    assert [line.partition(":")[0] for line in told.splitlines()] == names
    assert secret not in told


async def test_it_takes_money_in_before_telegram_answers(house: House) -> None:
    world = house.world
    process = await house.opens()
    waiting = await links(world, 3)
    await house.closes(process)
    world.faults.add("telegram", "*", Fault.RESET)
    process = await house.runs()
    await until(partial(unreachable, house))
    await asyncio.gather(*(deposit.paid() for deposit in waiting))
    await house.credits(len(waiting))
    assert process.said == ""
    world.faults.clear()
    await process.ready(60)
    await asyncio.gather(*(step for deposit in waiting for step in (deposit.told(), deposit.closed())))
    await house.proven(process)


async def unreachable(house: House) -> bool:
    """It is there, and knows that Telegram is not."""
    with suppress(aiohttp.ClientConnectionError):
        return await house.health() == (200, "degraded")
    return False


async def test_it_tells_prometheus_what_it_called_and_handled(house: House) -> None:
    token = house.settings["METRICS_TOKEN"] = "a-token-of-the-tests"
    process = await house.opens()
    for deposit in await links(house.world, 1):
        await deposit.paid_and_told()
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session,
        session.get(f"{house.world.bot_url}/metrics") as response,
    ):
        assert response.status == 200
        lines = (await response.text()).splitlines()
    counted = {line.partition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}
    for name in (
        'telegram_call_duration_seconds_count{method="sendMessage",outcome="ok"}',
        'telegram_call_duration_seconds_count{method="getUpdates",outcome="ok"}',
        'update_duration_seconds_count{kind="message",outcome="ok"}',
        'update_duration_seconds_count{kind="callback_query",outcome="ok"}',
        'provider_call_duration_seconds_count{call="create",outcome="ok",provider="stripe"}',
        'http_request_duration_seconds_count{door="webhook-stripe",status="200"}',
        'operations_total{currency="USD",operation_type="deposit",provider="stripe",status="completed"}',
        "event_loop_delay_seconds_count",
    ):
        assert counted[f"looseline_{name}"] > 0, name
    assert counted['looseline_telegram_state{state="ok"}'] == 1
    assert token not in process.log.read_text()
    await house.proven(process)
