"""Signals: who may see them, written down once and never changed, and a record that leaves nothing out."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import product

import asyncpg
import pytest
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer

from bot.membership import Channel
from db import signals as table
from db.models import Player, Role, Signal, SignalDraft, SignalRecord, SignalResult, Tally
from sandbox import Fault
from services.errors import (
    AlreadyDecided,
    BadOdds,
    BadStart,
    BannedWording,
    NotAllowed,
    NotFound,
    SignalNotStarted,
    SignalStarted,
    WrongLength,
)
from services.signals import ENOUGH, Gate, Listed, record_arguments
from tests.shop import ADMIN, Shop

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)  # 15:00 in Moscow


def draft(event: str = "Ajax – PSV", odds: str = "1.85", *, starts_in: timedelta = timedelta(hours=3)) -> SignalDraft:
    return SignalDraft(event, "Over 2.5", Decimal(odds), datetime.now(UTC) + starts_in, None)


async def deposits(shop: Shop, player: Player, *, kind: str = "deposit", problem: str | None = None) -> None:
    """The casino has reported this of the player."""
    async with shop.database.owner() as owner:
        await owner.execute(
            """
            WITH click AS (
              INSERT INTO casino_click (click_id, programme, user_id) VALUES (md5($1::bigint::text), '1win', $1)
                ON CONFLICT (programme, user_id) DO UPDATE SET programme = '1win' RETURNING click_id)
            INSERT INTO casino_event (programme, kind, dedupe_key, weak, words, click_id, user_id, amount, currency,
                problem, occurred_at, received_at, linked_at)
              SELECT '1win', $2, gen_random_uuid()::text, false, '{}', click_id, $1, 1000, 'RUB',
                  $3, now(), now(), now() FROM click
            """,
            player.id,
            kind,
            problem,
        )


async def reader(shop: Shop, telegram_id: int = 1001) -> Player:
    """Somebody to whom signals are open."""
    player = await shop.player(telegram_id)
    await deposits(shop, player)
    return player


async def past(shop: Shop, *rows: tuple[str, str | None, str, bool]) -> list[int]:
    """Signals of the past: odds, result, how long ago they were published, and whether they were withdrawn. The guard
    lets nobody date back, so it is off for a moment."""
    async with shop.database.owner() as owner:
        await owner.execute("ALTER TABLE signal DISABLE TRIGGER signal_guard")
        try:
            return [
                await owner.fetchval(
                    """
                    INSERT INTO signal (request_key, event, pick, odds, starts_at, published_by, published_at, result,
                        result_at, result_by, withdrawn_at, withdrawn_by)
                      SELECT gen_random_uuid(), 'Ajax – PSV', 'Over 2.5', $1, at + interval '1 minute', 900, at, $2,
                          CASE WHEN $2::text IS NOT NULL THEN now() END, CASE WHEN $2::text IS NOT NULL THEN 900 END,
                          CASE WHEN $4 THEN at END, CASE WHEN $4 THEN 900 END
                        FROM (SELECT now() - $3::text::interval AS at) _ RETURNING id
                    """,
                    Decimal(odds),
                    result,
                    ago,
                    withdrawn,
                )
                for odds, result, ago, withdrawn in rows
            ]
        finally:
            await owner.execute("ALTER TABLE signal ENABLE TRIGGER signal_guard")


async def starts(shop: Shop, signal: Signal) -> None:
    """Its event begins: two minutes ago."""
    async with shop.database.owner() as owner:
        await owner.execute("ALTER TABLE signal DISABLE TRIGGER signal_guard")
        try:
            await owner.execute(
                "UPDATE signal SET published_at = now() - interval '4 min', starts_at = now() - interval '2 min'"
                " WHERE id = $1",
                signal.id,
            )
        finally:
            await owner.execute("ALTER TABLE signal ENABLE TRIGGER signal_guard")


async def sends(shop: Shop) -> list[tuple[int, str]]:
    """The sender sends all that is due: to whom, and which text."""
    sent = []
    while (message := await shop.outbox.claim()) is not None:
        sent.append((message.chat_id, message.text_id))
        await shop.outbox.sent(message, len(sent))
    return sent


@pytest.fixture
async def club(shop: Shop) -> AsyncIterator[Shop]:
    """The same shop, where the sandbox's channel has to be joined."""
    session = AiohttpSession(api=TelegramAPIServer.from_base(shop.world.telegram_url))
    async with Bot(shop.world.bot_token, session=session) as bot:
        channel = Channel(bot, shop.world.channel_id)
        yield replace(shop, signals=replace(shop.signals, membership=channel))


async def count(shop: Shop) -> int:
    async with shop.database.connection() as tx:
        return int(await tx.fetchval("SELECT count(*) FROM signal"))


async def record(shop: Shop) -> SignalRecord:
    return (await shop.signals.for_desk()).record


# ---- to whom signals are open


async def test_signals_open_after_a_counted_deposit_and_with_the_channel_when_there_is_one(shop: Shop) -> None:
    reports = [None, ("deposit", None), ("deposit", "amount-missing"), ("registration", None), ("win", None)]
    for number, (report, member, channel) in enumerate(product(reports, [None, True, False], [True, False])):
        player = await shop.player(1001 + number)
        if report is not None:
            await deposits(shop, player, kind=report[0], problem=report[1])
        async with shop.database.connection() as tx:
            if member is not None:
                await table.moved(tx, player.telegram_id, member=member)
            access = await table.access(tx, player.id, channel=channel)
        deposited, inside = report == ("deposit", None), not channel or member is True
        assert (access.deposited, access.member, access.open) == (deposited, inside, deposited and inside)
        assert access.linked is deposited


async def test_nobody_else_s_deposit_opens_them(shop: Shop) -> None:
    anna, ben = await reader(shop), await shop.player(1002)
    assert isinstance(await shop.signals.visit(anna), Listed)
    closed = await shop.signals.visit(ben)
    assert isinstance(closed, Gate)
    assert (closed.casinos, closed.channel, closed.link, closed.unsure) == (["1Win"], False, None, False)
    with pytest.raises(NotFound):
        await replace(shop.signals, programmes={}).visit(anna)


async def test_telegram_is_asked_and_its_answer_is_believed_for_a_while(club: Shop) -> None:
    anna, person = await reader(club), club.world.person(1001)
    asked = "telegram", "getChatMember"
    closed = await club.signals.visit(anna)
    assert isinstance(closed, Gate)
    assert (closed.channel, closed.unsure) == (True, False)
    assert closed.link is not None
    await person.joins(club.world.channel_id)
    await club.signals.visit(anna)
    assert club.world.calls[asked] == 1, "within a minute Telegram is not asked again"
    await passes(club, "61 seconds")
    assert isinstance(await club.signals.visit(anna), Listed)
    await passes(club, "59 minutes")
    await person.leaves(club.world.channel_id)
    assert isinstance(await club.signals.visit(anna), Listed)
    assert club.world.calls[asked] == 2
    await passes(club, "2 minutes")
    assert isinstance(await club.signals.visit(anna), Gate)


async def passes(shop: Shop, time: str) -> None:
    async with shop.database.owner() as owner:
        await owner.execute("UPDATE channel_member SET checked_at = checked_at - $1::text::interval", time)


@pytest.mark.parametrize("fault", [Fault.ERROR, Fault.RESET, Fault.GARBAGE, Fault.FORBIDDEN, Fault.TOO_MANY])
async def test_while_telegram_does_not_say_the_last_answer_holds(
    club: Shop, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    anna, ben = await reader(club), await reader(club, 1002)
    await club.signals.moved(club.world.channel_id, anna.telegram_id, member=True)
    await passes(club, "2 hours")
    club.world.person(ben.telegram_id)
    for method in ("getChatMember", "getChat"):
        club.world.faults.add("telegram", method, fault)
    for _ in range(2):
        assert isinstance(await club.signals.visit(anna), Listed)
        closed = await club.signals.visit(ben)
        assert isinstance(closed, Gate)
        assert (closed.unsure, closed.link) == (True, None)
    assert caplog.text.count("Telegram does not say who is in the channel") == 1
    club.world.faults.clear()
    again = await club.signals.visit(ben)
    assert isinstance(again, Gate)
    assert again.unsure is False
    assert again.link is not None


async def test_joining_and_leaving_count_at_once_for_players_in_that_channel(club: Shop) -> None:
    anna, channel = await reader(club), club.world.channel_id
    await club.signals.moved(channel - 1, anna.telegram_id, member=True)
    await club.signals.moved(channel, 4444, member=True)
    async with club.database.connection() as tx:
        assert await tx.fetchval("SELECT count(*) FROM channel_member") == 0
    await club.signals.moved(channel, anna.telegram_id, member=True)
    assert isinstance(await club.signals.visit(anna), Listed)
    await club.signals.moved(channel, anna.telegram_id, member=False)
    assert isinstance(await club.signals.visit(anna), Gate)
    await replace(club.signals, membership=None).moved(channel, anna.telegram_id, member=True)
    async with club.database.connection() as tx:
        assert not await tx.fetchval("SELECT member FROM channel_member")


async def test_an_answer_that_took_long_does_not_undo_what_telegram_said_meanwhile(shop: Shop) -> None:
    anna = await shop.player()
    async with shop.database.connection() as tx:
        asked_at = (await table.known(tx, anna.id)).now
        await table.moved(tx, anna.telegram_id, member=False)
        await table.keep(tx, anna.id, member=True, asked_at=asked_at)
        known = await table.known(tx, anna.id)
    assert known.member is False


# ---- what is typed


async def test_odds_are_read_as_people_write_them(shop: Shop, subtests: pytest.Subtests) -> None:
    for typed, odds in [
        ("1.85", "1.85"),
        ("1,85", "1.85"),
        (" 2 ", "2.00"),
        ("1.5", "1.50"),
        ("1.01", "1.01"),
        ("1000", "1000.00"),
    ]:
        with subtests.test(typed=typed):
            assert str(shop.signals.odds(typed)) == odds


async def test_odds_that_are_none_are_refused(shop: Shop, subtests: pytest.Subtests) -> None:
    for typed in [
        "",
        "1",
        "1.00",
        "1000.01",
        "1.855",
        "-2",
        "+2",
        "1/2",
        "2.",
        ".5",
        "1e2",
        "NaN",
        "٢",
        "two",
        "1 .85",
    ]:
        with subtests.test(typed=typed), pytest.raises(BadOdds):
            shop.signals.odds(typed)


async def test_a_start_is_typed_in_our_zone_with_or_without_its_year(shop: Shop, subtests: pytest.Subtests) -> None:
    for typed, start in [
        ("25.11.2026 21:30", "2026-11-25T18:30"),
        ("25.11 21:30", "2026-11-25T18:30"),
        ("5.12, 9:05", "2026-12-05T06:05"),
        ("21.11 15:01", "2026-11-21T12:01"),
        ("02.01 18:00", "2027-01-02T15:00"),  # the next one, as November is over by then
        ("21.11.2027 14:00", "2027-11-21T11:00"),
    ]:
        with subtests.test(typed=typed):
            assert shop.signals.start(typed, NOW) == datetime.fromisoformat(start).replace(tzinfo=UTC)


async def test_a_start_that_is_none_is_refused_with_the_reason(shop: Shop, subtests: pytest.Subtests) -> None:
    for typed, problem in [
        ("", "shape"),
        ("tomorrow", "shape"),
        ("25.11.2026", "shape"),
        ("31.11 21:30", "shape"),
        ("25.13 21:30", "shape"),
        ("25.11 24:00", "shape"),
        ("29.02 10:00", "shape"),
        ("25.11.26 21:30", "shape"),
        ("25.11.0000 21:30", "shape"),
        ("٢٥.١١ ٢١:٣٠", "shape"),
        ("21.11 15:00", "passed"),
        ("20.11 21:30", "passed"),
        ("25.11.2025 21:30", "passed"),
        ("01.01.0001 00:00", "passed"),
        ("25.11.2027 21:30", "far"),
        ("31.12.9999 23:59", "far"),
    ]:
        with subtests.test(typed=typed):
            with pytest.raises(BadStart) as caught:
                shop.signals.start(typed, NOW)
            assert (caught.value.problem, caught.value.zone) == (problem, "Europe/Moscow")
            assert shop.signals.start(caught.value.example, NOW) > NOW


async def test_words_are_kept_in_one_line_and_none_of_the_banned(shop: Shop) -> None:
    assert shop.signals.event("  Ajax\n–\tPSV\x00 ") == "Ajax – PSV"
    for typed in ("", "ab", "x" * 121, " \n "):
        with pytest.raises(WrongLength):
            shop.signals.event(typed)
    with pytest.raises(WrongLength):
        shop.signals.note("x" * 251)
    for read in (shop.signals.event, shop.signals.pick, shop.signals.note):
        with pytest.raises(BannedWording):
            read("гар\u200bантия")


# ---- publishing


async def test_a_signal_is_published_once_and_told_to_everybody_with_access(shop: Shop) -> None:
    anna, ben = await reader(shop), await reader(shop, 1002)
    written = draft()
    made = await asyncio.gather(*(shop.signals.publish(ADMIN, written, request_key="n") for _ in range(5)))
    assert {signal.id for signal in made} == {made[0].id}
    assert await count(shop) == 1
    assert await shop.told(anna.telegram_id) == await shop.told(ben.telegram_id) == ["signal-published"]
    async with shop.database.connection() as tx:
        row = await tx.fetchrow("SELECT * FROM outbox WHERE chat_id = $1", anna.telegram_id)
        audited = await tx.fetch("SELECT actor, status, details FROM audit_log WHERE action = 'signal'")
    assert row is not None
    assert (row["priority"], row["expires_at"]) == (7, written.starts_at)
    assert (row["arguments"]["odds"], row["arguments"]["whole_number"]) == ("1.85", 1)
    assert [tuple(line) for line in audited] == [("admin:900", "published", {"receivers": 2})]
    again = await shop.signals.publish(ADMIN, draft("Feyenoord – Twente"), request_key="other")
    assert again.id != made[0].id


async def test_a_signal_that_cannot_be_told_is_not_published_and_the_next_try_does_both(shop: Shop) -> None:
    anna = await reader(shop)
    async with shop.database.owner() as owner:
        await owner.execute(
            "CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'cut off'; END $$;"
            "CREATE TRIGGER cut BEFORE INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION cut()"
        )
        with pytest.raises(asyncpg.PostgresError, match="cut off"):
            await shop.signals.publish(ADMIN, draft(), request_key="n")
        assert await count(shop) == 0
        await owner.execute("DROP TRIGGER cut ON outbox")
    for _ in range(2):
        await shop.signals.publish(ADMIN, draft(), request_key="n")
    assert await count(shop) == 1
    assert await shop.told(anna.telegram_id) == ["signal-published"]


async def test_the_preview_says_what_the_message_will(shop: Shop) -> None:
    await reader(shop)
    await past(shop, ("2.10", "won", "3 days", False), ("1.90", None, "40 days", True))
    written = draft()
    preview = await shop.signals.preview(written)
    await shop.signals.publish(ADMIN, written, request_key="n")
    async with shop.database.connection() as tx:
        told = await tx.fetchval("SELECT arguments FROM outbox")
    assert told == {**preview, "starts": {"at": written.starts_at.isoformat()}}


async def test_who_has_no_access_or_wants_none_is_not_told(club: Shop) -> None:
    people = [await reader(club, 1001 + number) for number in range(6)]
    stranger = (await club.players.visit(2001, username=None, name="", language_code="ru")).player
    await deposits(club, stranger)  # who never confirmed to be 18
    await club.player(2002)  # who has no deposit
    for person in [*people[:5], stranger]:
        await club.signals.moved(club.world.channel_id, person.telegram_id, member=True)
    async with club.database.owner() as owner:
        await owner.execute("UPDATE users SET signals_off_at = now() WHERE id = $1", people[1].id)
        await owner.execute("UPDATE users SET bot_blocked_at = now() WHERE id = $1", people[2].id)
    await club.signals.moved(club.world.channel_id, people[3].telegram_id, member=False)
    signal = await club.signals.publish(ADMIN, draft(), request_key="n")
    assert await sends(club) == [
        (people[0].telegram_id, "signal-published"),
        (people[4].telegram_id, "signal-published"),
    ]
    assert await club.signals.one(signal.id) == (signal, 2, 0)


async def test_nothing_is_published_after_the_start_or_with_banned_words(shop: Shop) -> None:
    with pytest.raises(BadStart):
        await shop.signals.publish(ADMIN, draft(starts_in=timedelta(seconds=-1)), request_key="n")
    with pytest.raises(BannedWording):
        await shop.signals.publish(ADMIN, replace(draft(), note="Верняк"), request_key="n")
    assert await count(shop) == 0


async def test_what_was_not_sent_before_the_start_is_not_sent(shop: Shop) -> None:
    anna, ben = await reader(shop), await reader(shop, 1002)
    signal = await shop.signals.publish(ADMIN, draft(), request_key="n")
    message = await shop.outbox.claim()
    assert message is not None
    await shop.outbox.sent(message, 1)
    async with shop.database.owner() as owner:
        await owner.execute("UPDATE outbox SET expires_at = now() WHERE signal_id = $1", signal.id)
    assert await sends(shop) == []
    await starts(shop, signal)
    await shop.signals.settle(ADMIN, signal.id, SignalResult.WON)
    assert await sends(shop) == [(anna.telegram_id, "signal-result")], "Ben never heard of it"
    assert ben.telegram_id != message.chat_id


async def test_only_who_has_the_right_publishes_takes_back_and_enters_results(shop: Shop) -> None:
    signal = await shop.signals.publish(ADMIN, draft(), request_key="n")
    async with shop.database.owner() as owner:
        await owner.executemany(
            "INSERT INTO staff (telegram_id, role, granted_by) VALUES ($1, $2, 900)",
            [(700 + number, role) for number, role in enumerate(Role)],
        )
    for number, role in enumerate(Role):
        deeds: list[Callable[[], Awaitable[Signal]]] = [
            partial(shop.signals.publish, 700 + number, draft(), request_key="m"),
            partial(shop.signals.withdraw, 700 + number, signal.id),
        ]
        for deed in deeds:
            if role in {Role.OWNER, Role.EDITOR}:
                await deed()
            else:
                with pytest.raises(NotAllowed):
                    await deed()
        if role not in {Role.OWNER, Role.EDITOR}:
            with pytest.raises(NotAllowed):
                await shop.signals.settle(700 + number, signal.id, SignalResult.WON)
    with pytest.raises(NotFound):
        await shop.signals.publish(1001, draft(), request_key="m")


# ---- never changed


async def test_the_database_changes_nothing_that_was_published(shop: Shop, subtests: pytest.Subtests) -> None:
    (signal_id,) = await past(shop, ("1.85", "lost", "3 days", True))
    for change in [
        "event = 'Other'",
        "pick = 'Under 2.5'",
        "odds = 9.99",
        "starts_at = starts_at + interval '1 hour'",
        "note = 'Said so'",
        "published_at = published_at - interval '1 hour'",
        "published_by = 901",
        "request_key = 'other'",
        "result = NULL, result_at = NULL, result_by = NULL",
        "result = 'won'",
        "withdrawn_at = NULL, withdrawn_by = NULL",
        "withdrawn_at = now()",
    ]:
        with subtests.test(change=change):
            for connect, refusal in (
                (shop.database.owner, "is not changed"),
                (shop.database.connection, r"is not changed|permission denied"),
            ):
                async with connect() as tx:
                    with pytest.raises(asyncpg.PostgresError, match=refusal):
                        await tx.execute(f"UPDATE signal SET {change} WHERE id = $1", signal_id)


@pytest.mark.parametrize("statement", ["DELETE FROM signal", "TRUNCATE signal CASCADE"])
async def test_the_database_loses_no_signal(shop: Shop, statement: str) -> None:
    await past(shop, ("1.85", "lost", "3 days", True))
    for connect in (shop.database.owner, shop.database.connection):
        async with connect() as tx:
            with pytest.raises(asyncpg.PostgresError):
                await tx.execute(statement)
    assert await count(shop) == 1


async def test_the_database_takes_no_signal_that_is_dated_back_and_no_early_result(shop: Shop) -> None:
    columns = "request_key, event, pick, odds, starts_at, published_by, published_at"
    values = "'k', 'Ajax – PSV', 'Over', 1.85"
    async with shop.database.owner() as owner:
        for sql, words in [
            (f"({columns}) VALUES ({values}, now() - interval '1 h', 900, now() - interval '2 h')", "published now"),
            (f"({columns}) VALUES ({values}, now() + interval '3 h', 900, now() + interval '2 h')", "in the future"),
            (f"({columns}) VALUES ({values}, now() - interval '1 s', 900, now())", "check"),
        ]:
            with pytest.raises(asyncpg.PostgresError, match=words):
                await owner.execute(f"INSERT INTO signal {sql}")
        signal = await shop.signals.publish(ADMIN, draft(), request_key="n")
        for at, words in [("now()", "check"), ("starts_at + interval '1 s'", "in the future")]:
            with pytest.raises(asyncpg.PostgresError, match=words):
                await owner.execute(
                    f"UPDATE signal SET result = 'won', result_at = {at}, result_by = 900 WHERE id = $1", signal.id
                )


# ---- withdrawn


async def test_a_signal_taken_back_is_told_once_to_who_received_it_and_stays_counted(shop: Shop) -> None:
    anna, ben, carl = await reader(shop), await reader(shop, 1002), await reader(shop, 1003)
    signal = await shop.signals.publish(ADMIN, draft(), request_key="n")
    sent, sending = await shop.outbox.claim(), await shop.outbox.claim()
    assert sent is not None
    assert sending is not None
    await shop.outbox.sent(sent, 1)
    gone = await asyncio.gather(*(shop.signals.withdraw(ADMIN, signal.id) for _ in range(3)))
    assert {one.withdrawn_at for one in gone} == {gone[0].withdrawn_at}
    assert gone[0].withdrawn_at is not None
    await shop.outbox.sent(sending, 2)
    assert await sends(shop) == [(anna.telegram_id, "signal-withdrawn"), (ben.telegram_id, "signal-withdrawn")]
    assert await shop.told(carl.telegram_id) == ["signal-published"], "which was not sent"
    whole = (await record(shop)).whole
    assert (whole.number, whole.withdrawn, whole.waiting) == (1, 1, 1)
    async with shop.database.connection() as tx:
        assert await tx.fetchval("SELECT count(*) FROM audit_log WHERE status = 'withdrawn'") == 1


async def test_after_the_start_nothing_is_taken_back(shop: Shop) -> None:
    signal = await shop.signals.publish(ADMIN, draft(), request_key="n")
    await starts(shop, signal)
    with pytest.raises(SignalStarted):
        await shop.signals.withdraw(ADMIN, signal.id)
    with pytest.raises(NotFound):
        await shop.signals.withdraw(ADMIN, signal.id + 1)
    with pytest.raises(NotFound):
        await shop.signals.settle(ADMIN, signal.id + 1, SignalResult.WON)


# ---- results


async def test_a_result_is_entered_once_after_the_start_and_told_to_who_received_the_signal(shop: Shop) -> None:
    anna = await reader(shop)
    signal = await shop.signals.publish(ADMIN, draft(), request_key="n")
    await sends(shop)
    await reader(shop, 1002)  # who came later
    with pytest.raises(SignalNotStarted):
        await shop.signals.settle(ADMIN, signal.id, SignalResult.WON)
    await starts(shop, signal)
    assert await shop.signals.count_without_result() == 1
    twins = [SignalResult.LOST, SignalResult.WON] * 3
    answers = await asyncio.gather(
        *(shop.signals.settle(ADMIN, signal.id, result) for result in twins), return_exceptions=True
    )
    settled = await shop.signals.one(signal.id)
    (result,) = {answer.result for answer in answers if isinstance(answer, Signal)}
    assert result is settled[0].result
    refused = [answer for answer in answers if not isinstance(answer, Signal)]
    assert refused == [AlreadyDecided(str(result))] * 3
    assert await shop.signals.count_without_result() == 0
    assert await sends(shop) == [(anna.telegram_id, "signal-result")]


async def test_a_withdrawn_signal_gets_its_result_like_any_other(shop: Shop) -> None:
    signal = await shop.signals.publish(ADMIN, draft(), request_key="n")
    await shop.signals.withdraw(ADMIN, signal.id)
    await starts(shop, signal)
    assert await shop.signals.count_without_result() == 1
    await shop.signals.settle(ADMIN, signal.id, SignalResult.LOST)
    whole = (await record(shop)).whole
    assert (whole.number, whole.withdrawn, whole.lost, whole.waiting) == (1, 1, 1, 0)


async def test_who_does_not_want_signals_any_more_hears_no_result_either(shop: Shop) -> None:
    anna, ben = await reader(shop), await reader(shop, 1002)
    signal = await shop.signals.publish(ADMIN, draft(), request_key="n")
    await sends(shop)
    async with shop.database.owner() as owner:
        await owner.execute("UPDATE users SET signals_off_at = now() WHERE id = $1", anna.id)
    await starts(shop, signal)
    await shop.signals.settle(ADMIN, signal.id, SignalResult.VOID)
    assert await sends(shop) == [(ben.telegram_id, "signal-result")]


# ---- the record


def tally(**values: object) -> Tally:
    nothing = Tally(number=0, withdrawn=0, won=0, lost=0, void=0, waiting=0, odds=None, rate=None)
    return replace(nothing, **values)  # type: ignore[arg-type]  # the names are those of Tally


async def test_an_empty_record_says_so(shop: Shop) -> None:
    assert await record(shop) == SignalRecord(tally(), tally())
    assert record_arguments(await record(shop))["whole_odds"] == "—"


async def test_the_record_counts_everything_and_flat_stakes(shop: Shop) -> None:
    await past(
        shop,
        ("2.00", "won", "40 days", False),
        ("1.50", "won", "29 days", True),  # withdrawn, and counted all the same
        ("3.00", "lost", "29 days", False),
        ("10.00", "void", "5 days", False),  # neither brings nor costs
        ("1.33", None, "1 day", True),
        ("1000", "lost", "31 days", False),
    )
    # whole: +1.00 +0.50 −1 −1 = −0.50 of 4; the average of 2, 1.5, 3, 10, 1.33 and 1000 is 169.638…
    # recent: +0.50 −1 = −0.50 of 2; the average of 1.5, 3, 10 and 1.33 is 3.9575
    assert await record(shop) == SignalRecord(
        tally(number=6, withdrawn=2, won=2, lost=2, void=1, waiting=1, odds=Decimal("169.64"), rate=Decimal("-12.50")),
        tally(number=4, withdrawn=2, won=1, lost=1, void=1, waiting=1, odds=Decimal("3.96"), rate=Decimal("-25.00")),
    )


@pytest.mark.parametrize(
    ("rows", "rate"),
    [
        ([("1.85", "won")], "85.00"),
        ([("1.85", "lost")], "-100.00"),
        ([("1.85", "void")], None),
        ([("2.00", "won"), ("2.00", "lost")], "0.00"),
        ([("1.01", "won"), ("1.01", "won"), ("1.01", "lost")], "-32.67"),  # −0.98 of 3 = −0.32666…
        ([("1.10", "won"), ("1.21", "won"), ("1.21", "won")], "17.33"),  # 0.52 of 3 = 0.17333…
        ([("1.85", "won")] * 7 + [("1.01", "won")], "74.50"),  # 5.96 of 8 = 0.745
        ([("2.13", "won")] * 3 + [("1.80", "lost")] * 5, "-20.13"),  # −1.61 of 8 = −0.20125, half away from zero
    ],
)
async def test_the_rate_is_exact_and_rounded_once(shop: Shop, rows: list[tuple[str, str]], rate: str | None) -> None:
    await past(shop, *((odds, result, "1 day", False) for odds, result in rows))
    assert (await record(shop)).whole.rate == (None if rate is None else Decimal(rate))


async def test_a_rate_of_few_is_not_shown(shop: Shop) -> None:
    await past(shop, *[("2.00", "won", "40 days", False)] * (ENOUGH - 1), ("2.00", "void", "1 day", False))
    shown = record_arguments(await record(shop))
    assert (shown["whole_won"], shown["whole_rate"], shown["recent_rate"]) == (ENOUGH - 1, "none", "none")
    await past(shop, ("2.00", "lost", "1 day", False))
    shown = record_arguments(await record(shop))
    assert (shown["whole_rate"], shown["recent_rate"]) == ("+93.33", "none")


# ---- pages


async def test_players_turn_pages_and_admins_see_what_waits_first(shop: Shop) -> None:
    anna = await reader(shop)
    ids = await past(shop, *(("1.85", None if number in {1, 5} else "won", "2 days", False) for number in range(12)))
    seen, page = [], await shop.signals.visit(anna)
    while isinstance(page, Listed):
        seen += [signal.id for signal in page.page.items]
        newest = page
        if page.page.older is None:
            break
        page = await shop.signals.visit(anna, before=page.page.older)
    assert seen == ids[::-1]
    assert isinstance(newest, Listed)
    back = await shop.signals.visit(anna, after=newest.page.newer)
    assert isinstance(back, Listed)
    assert [signal.id for signal in back.page.items] == ids[::-1][5:10]

    first = (await shop.signals.for_desk()).page
    waiting = [ids[5], ids[1]]
    others = [one for one in ids[::-1] if one not in waiting]
    assert [signal.id for signal in first.items] == [*waiting, *others[:3]]
    second = (await shop.signals.for_desk(before=first.older)).page
    assert [signal.id for signal in second.items] == others[3:8]
    again = (await shop.signals.for_desk(after=second.newer)).page
    assert [signal.id for signal in again.items] == [*waiting, *others[:3]]
