"""An admin looks at a player: who is found by what, what is seen, and that a freeze holds and is told."""

import asyncio
from datetime import timedelta

import pytest

from db import operations as money_in
from db.models import Player, Profile, ProviderName
from db.money import Money
from services.errors import AlreadyDecided, NobodyFound, NotFound, OwnMoney, ReasonNeeded
from services.players import Found
from tests.shop import ADMIN, SECOND_ADMIN, Shop

HOSTILE = [
    *("", " ", "%", "_%", "@", "@%", "#", "op", "'", "' OR 1=1 --", "@anna'", "\\", "@an_a%", "anna anna", "\x00"),
    *("@" + "a" * 65, "9" * 20, "#" + "9" * 19, "9" * 4000, "x" * 4000, "#-1", "-5", "1.5", "٣", "#71; DROP", "\ud800"),
]


async def named(shop: Shop, telegram_id: int, username: str | None, name: str = "Anna") -> Player:
    return (await shop.players.visit(telegram_id, username=username, name=name, language_code="en")).player


async def one(shop: Shop, query: str) -> Found:
    (hit,) = await shop.players.find(query)
    return hit


async def profile(shop: Shop, player: Player) -> Profile:
    return await shop.players.profile(player.id)


async def audit(shop: Shop, player: Player) -> list[tuple[str, str, str]]:
    page = await shop.players.audit(player.id)
    return [(line.actor, line.action, line.status) for line in page.items]


async def test_a_player_is_found_by_every_number_and_by_name(shop: Shop) -> None:
    anna = await named(shop, 70_001, "Anna_B")
    operation = await shop.asks(await shop.players.accept_rules(anna), ProviderName.STRIPE)
    for query, by in (
        ("70001", "telegram"),
        (f" {anna.id} ", "player"),
        (f"#{operation.id}", "operation"),
        (f"№ {operation.id}", "operation"),
        (f"OP {operation.id}", "operation"),
        ("@anna_b", "username"),
        ("ANNA_B", "username"),
    ):
        hit = await one(shop, query)
        assert (hit.profile.player.id, hit.by) == (anna.id, by), query


async def test_a_number_that_means_several_people_shows_them_all_once(shop: Shop) -> None:
    anna = await named(shop, 70_001, "anna")
    ben = await named(shop, anna.id, "ben")  # whose Telegram id is Anna's number with us
    hits = await shop.players.find(str(anna.id))
    assert [(hit.profile.player.id, hit.by) for hit in hits] == [(ben.id, "telegram"), (anna.id, "player")]
    operation = await shop.asks(await shop.players.accept_rules(ben), ProviderName.STRIPE)
    both = await shop.players.find(str(operation.id))
    assert len({hit.profile.player.id for hit in both}) == len(both)


async def test_a_name_that_changed_hands_shows_everybody_who_had_it(shop: Shop) -> None:
    first, second = await named(shop, 70_001, "winner"), await named(shop, 70_002, "WINNER")
    assert {hit.profile.player.id for hit in await shop.players.find("@winner")} == {first.id, second.id}


async def test_whatever_is_typed_finds_nobody_and_breaks_nothing(shop: Shop) -> None:
    await named(shop, 70_001, "anna")
    for query in HOSTILE:
        with pytest.raises(NobodyFound):
            await shop.players.find(query)


async def test_a_dossier_shows_money_debts_counts_and_who_looked(shop: Shop) -> None:
    anna = await shop.player()
    paid, left = await shop.asks(anna, ProviderName.STRIPE), await shop.asks(anna, ProviderName.STRIPE)
    await shop.receives(ProviderName.STRIPE, await shop.pays(paid))
    await shop.works()
    await shop.adjustments.propose(ADMIN, anna.id, Money(20_000_00, "USD"), reason="Goodwill", request_key="k-1")
    dossier = await shop.players.dossier(ADMIN, anna.id)
    assert dossier.profile == await profile(shop, anna)
    assert [wallet.available for wallet in dossier.wallets] == [Money(50_00, "USD")]
    assert dossier.debts == []
    assert {(kind, status.value): count for kind, status, count in dossier.operations} == {
        ("deposit", "completed"): 1,
        ("deposit", (await shop.operation(left.id)).status.value): 1,
    }
    assert [adjustment.amount for adjustment in dossier.waiting] == [Money(20_000_00, "USD")]
    await shop.players.dossier(ADMIN, anna.id)
    await shop.players.dossier(SECOND_ADMIN, anna.id)
    looked = [actor for actor, action, _ in await audit(shop, anna) if action == "player"]
    assert looked == [f"admin:{SECOND_ADMIN}", f"admin:{ADMIN}"]  # looking again is the same visit


async def test_a_debt_is_shown_by_currency(shop: Shop) -> None:
    anna = await shop.player()
    async with shop.database.owner() as owner:
        await owner.execute("SET session_replication_role = replica")
        await owner.execute(
            "INSERT INTO returned_payment (kind, provider, provider_ref, payment_ref, user_id, currency, amount_minor,"
            " state, provider_state, owed_minor, occurred_at)"
            " VALUES ('refund', 'stripe', 're_1', 'pi_1', $1, 'USD', 700, 'booked', 'succeeded', 700, now())",
            anna.id,
        )
    assert (await shop.players.dossier(ADMIN, anna.id)).debts == [Money(7_00, "USD")]
    async with shop.database.owner() as owner:  # the books are proven after each test, and this was made up
        await owner.execute("DELETE FROM returned_payment")


async def test_pages_go_both_ways_and_show_everything_once(shop: Shop) -> None:
    anna, ben = await shop.player(), await shop.player(1002)
    async with shop.database.transaction() as tx:
        for number in range(20):
            for player in (anna, ben):
                await money_in.create_deposit(
                    tx,
                    player_id=player.id,
                    language=player.language,
                    provider=ProviderName.STRIPE,
                    amount=Money(100 + number, "USD"),
                    request_key=f"page-{number}",
                    return_url="",
                    lifetime=timedelta(hours=1),
                    first_check=timedelta(hours=1),
                )
    first = await shop.players.operations(anna.id)
    second = await shop.players.operations(anna.id, before=first.older)
    third = await shop.players.operations(anna.id, before=second.older)
    seen = [line for page in (first, second, third) for line in page.items]
    assert [line.amount.minor for line in seen] == list(range(119, 99, -1))
    assert {line.player_id for line in seen} == {anna.id}
    assert (first.newer, third.older) == (None, None)
    assert (await shop.players.operations(anna.id, after=third.newer)).items == second.items
    assert (await shop.players.operations(anna.id, after=second.newer)).items == first.items
    assert (await shop.players.operations(anna.id, after=second.newer)).newer is None
    lines = await shop.players.audit(anna.id)
    assert len(lines.items) == 8
    assert {line.action for line in lines.items} == {"deposit"}


async def test_an_operation_tells_its_story(shop: Shop) -> None:
    anna = await shop.player()
    operation = await shop.asks(anna, ProviderName.STRIPE)
    await shop.receives(ProviderName.STRIPE, await shop.pays(operation))
    await shop.works()
    line, story = await shop.players.operation(operation.id)
    assert (line.kind, line.amount, line.received) == ("deposit", operation.amount, operation.amount)
    assert line.payment_ref == (await shop.operation(operation.id)).payment_ref
    assert (story[0].status, story[-1].status) == ("created", "completed")
    movements = await shop.players.movements(anna.id)
    assert [movement.kind for movement in movements.items] == ["deposit"]
    with pytest.raises(NotFound):
        await shop.players.operation(2**63 - 1)


async def test_a_freeze_is_told_audited_and_lifted(shop: Shop) -> None:
    anna = await shop.player()
    frozen = await shop.players.freeze(ADMIN, anna.id, " Card of\nsomebody <else> & more ")
    assert frozen.player.frozen_at is not None
    assert frozen.reason == "Card of somebody <else> & more"
    with pytest.raises(AlreadyDecided, match="frozen"):
        await shop.players.freeze(SECOND_ADMIN, anna.id, "Another reason")
    assert (await profile(shop, anna)).reason == frozen.reason
    lifted = await shop.players.unfreeze(SECOND_ADMIN, anna.id)
    assert (lifted.player.frozen_at, lifted.reason) == (None, None)
    with pytest.raises(AlreadyDecided, match="active"):
        await shop.players.unfreeze(ADMIN, anna.id)
    assert await shop.told(anna.telegram_id) == ["account-frozen", "account-unfrozen"]
    again = await shop.players.freeze(ADMIN, anna.id, "Again")
    assert again.player.frozen_at != frozen.player.frozen_at
    assert await shop.told(anna.telegram_id) == ["account-frozen", "account-unfrozen", "account-frozen"]
    assert await audit(shop, anna) == [
        (f"admin:{ADMIN}", "freeze", "frozen"),
        (f"admin:{SECOND_ADMIN}", "freeze", "lifted"),
        (f"admin:{ADMIN}", "freeze", "frozen"),
    ]


async def test_many_admins_who_freeze_at_once_freeze_once(shop: Shop) -> None:
    anna = await shop.player()
    for deed, told in ((True, "account-frozen"), (False, "account-unfrozen")):
        answers = await asyncio.gather(
            *(
                shop.players.freeze(admin, anna.id, "Check") if deed else shop.players.unfreeze(admin, anna.id)
                for admin in (ADMIN, SECOND_ADMIN) * 4
            ),
            return_exceptions=True,
        )
        assert sum(isinstance(answer, Profile) for answer in answers) == 1
        assert sum(isinstance(answer, AlreadyDecided) for answer in answers) == 7
        assert (await shop.told(anna.telegram_id)).count(told) == 1


async def test_who_is_not_there_cannot_be_frozen_or_looked_at(shop: Shop) -> None:
    for player_id in (1, 2**63 - 1):
        with pytest.raises(NotFound):
            await shop.players.freeze(ADMIN, player_id, "Check")
        with pytest.raises(NotFound):
            await shop.players.unfreeze(ADMIN, player_id)
        with pytest.raises(NotFound):
            await shop.players.dossier(ADMIN, player_id)
    with pytest.raises(ReasonNeeded):
        await shop.players.freeze(ADMIN, 1, " ")


async def test_deposits_go_on_while_withdrawals_are_stopped(shop: Shop) -> None:
    anna = await shop.player()
    await shop.players.freeze(ADMIN, anna.id, "Check")
    operation = await shop.asks(anna, ProviderName.STRIPE)
    await shop.receives(ProviderName.STRIPE, await shop.pays(operation))
    await shop.works()
    assert (await shop.wallet(anna, "USD")).available == Money(50_00, "USD")


async def test_nothing_an_admin_did_can_be_unwritten(shop: Shop) -> None:
    anna = await shop.player()
    await shop.players.freeze(ADMIN, anna.id, "Check")
    for statement in (
        "UPDATE audit_log SET actor = 'admin:1'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
    ):
        with pytest.raises(Exception, match=r"permission denied|only added to"):
            async with shop.database.connection() as tx:
                await tx.execute(statement)
        with pytest.raises(Exception, match="only added to"):
            async with shop.database.owner() as owner:
                await owner.execute(statement)


async def test_no_admin_lifts_a_freeze_of_their_own(shop: Shop) -> None:
    boss = await shop.player(ADMIN)
    await shop.players.freeze(SECOND_ADMIN, boss.id, "dispute")
    with pytest.raises(OwnMoney):
        await shop.players.unfreeze(ADMIN, boss.id)
    assert (await shop.players.unfreeze(SECOND_ADMIN, boss.id)).player.frozen_at is None
