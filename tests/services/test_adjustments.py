"""Corrections by hand: one admin up to a limit, two above it, each once, and never more than there is."""

import asyncio
from dataclasses import replace

import pytest

from db.models import Adjustment, AdjustmentStatus, Player, ProviderName
from db.money import Money
from services.errors import (
    AlreadyDecided,
    AmountTooLarge,
    AmountTooPrecise,
    DomainError,
    MoreThanAvailable,
    NotAChange,
    NotFound,
    OwnMoney,
    OwnProposal,
    ProposerGone,
    ReasonNeeded,
)
from services.outbox import Outbox
from services.staff import Staff
from services.withdrawals import DEFAULT_LIMITS
from tests.shop import ADMIN, SECOND_ADMIN, Shop

SMALL, LARGE = Money(50_00, "USD"), Money(10_000_01, "USD")


async def corrects(
    shop: Shop, player: Player, amount: Money, *, key: str = "key-0001", admin: int = ADMIN, reason: str = "Goodwill"
) -> Adjustment:
    return await shop.adjustments.propose(admin, player.id, amount, reason=reason, request_key=key)


async def audit(shop: Shop, adjustment: Adjustment) -> list[tuple[str, str, int]]:
    async with shop.database.connection() as tx:
        rows = await tx.fetch(
            "SELECT actor, status, amount_minor FROM audit_log WHERE entity_type = 'adjustment' AND entity_id = $1"
            " ORDER BY log_id",
            adjustment.id,
        )
    return [(row["actor"], row["status"], row["amount_minor"]) for row in rows]


async def journals(shop: Shop) -> list[tuple[str, str, str]]:
    async with shop.database.connection() as tx:
        rows = await tx.fetch("SELECT idempotency_key, kind, description FROM ledger_journal ORDER BY id")
    return [(row["idempotency_key"], row["kind"], row["description"]) for row in rows]


async def test_a_small_correction_is_posted_at_once_told_and_audited(shop: Shop) -> None:
    anna = await shop.player()
    made = await corrects(shop, anna, SMALL, reason="  Goodwill\nfor the\twait ")
    assert (made.status, made.decided_by, made.reason) == (AdjustmentStatus.POSTED, ADMIN, "Goodwill for the wait")
    assert (await shop.wallet(anna, "USD")).available == SMALL
    assert (await shop.wallet(anna, "USD")).deposited == Money(0, "USD"), "a correction is no deposit"
    assert await shop.told(anna.telegram_id) == ["adjustment-posted"]
    assert await shop.told(SECOND_ADMIN) == []
    assert await journals(shop) == [(f"adjustment:{made.id}", "adjustment", "Goodwill for the wait")]
    who = f"admin:{ADMIN}"
    assert await audit(shop, made) == [(who, "proposed", 50_00), (who, "posted", 50_00)]


async def test_a_debit_takes_what_there_is_and_no_more(shop: Shop) -> None:
    anna = await shop.player()
    await corrects(shop, anna, SMALL)
    with pytest.raises(MoreThanAvailable) as refused:
        await corrects(shop, anna, Money(-50_01, "USD"), key="key-0002")
    assert refused.value.available == SMALL
    with pytest.raises(MoreThanAvailable):
        await corrects(shop, anna, Money(-1, "EUR"), key="key-0003")  # no such wallet
    assert [wallet.currency for wallet in await shop.wallets.balances(anna)] == ["USD"]
    taken = await corrects(shop, anna, -SMALL, key="key-0002")  # the refused wish left nothing behind
    assert taken.amount == -SMALL
    assert not (await shop.wallet(anna, "USD")).available
    assert await shop.adjustments.count_waiting() == 0


async def test_above_the_limit_nothing_moves_until_another_admin_agrees(shop: Shop) -> None:
    anna = await shop.player()
    asked = await corrects(shop, anna, LARGE)
    assert asked.status is AdjustmentStatus.PROPOSED
    assert await shop.wallets.balances(anna) == []
    assert (await shop.told(anna.telegram_id), await shop.told(ADMIN)) == ([], [])
    assert await shop.told(SECOND_ADMIN) == ["admin-correction-asked"]
    assert await shop.adjustments.waiting() == [asked]
    with pytest.raises(OwnProposal):
        await shop.adjustments.agree(ADMIN, asked.id)
    posted = await shop.adjustments.agree(SECOND_ADMIN, asked.id)
    assert (posted.status, posted.decided_by) == (AdjustmentStatus.POSTED, SECOND_ADMIN)
    assert (await shop.wallet(anna, "USD")).available == LARGE
    assert await shop.told(anna.telegram_id) == ["adjustment-posted"]
    assert await shop.told(ADMIN) == ["admin-correction-answered"]
    assert await audit(shop, asked) == [
        (f"admin:{ADMIN}", "proposed", LARGE.minor),
        (f"admin:{SECOND_ADMIN}", "posted", LARGE.minor),
    ]


async def test_a_declined_correction_is_closed_and_moves_nothing(shop: Shop) -> None:
    anna = await shop.player()
    asked = await corrects(shop, anna, LARGE)
    declined = await shop.adjustments.decline(SECOND_ADMIN, asked.id)
    assert declined.status is AdjustmentStatus.DECLINED
    assert await shop.wallets.balances(anna) == []
    assert await shop.told(anna.telegram_id) == []
    for admin in (ADMIN, SECOND_ADMIN):
        with pytest.raises(AlreadyDecided, match="declined"):
            await shop.adjustments.agree(admin, asked.id)
    assert await shop.adjustments.decline(SECOND_ADMIN, asked.id) == declined  # the press that came twice
    with pytest.raises(AlreadyDecided):
        await shop.adjustments.decline(ADMIN, asked.id)
    assert await shop.told(ADMIN) == ["admin-correction-answered"]


async def test_who_proposed_may_take_it_back(shop: Shop) -> None:
    anna = await shop.player()
    asked = await corrects(shop, anna, LARGE)
    assert (await shop.adjustments.decline(ADMIN, asked.id)).decided_by == ADMIN
    with pytest.raises(AlreadyDecided):
        await shop.adjustments.agree(SECOND_ADMIN, asked.id)


async def test_a_debit_that_no_longer_fits_keeps_waiting(shop: Shop) -> None:
    anna = await shop.player()
    with pytest.raises(MoreThanAvailable):
        await corrects(shop, anna, -LARGE)
    await shop.adjustments.agree(SECOND_ADMIN, (await corrects(shop, anna, LARGE)).id)
    asked = await corrects(shop, anna, -LARGE, key="key-0002")
    await corrects(shop, anna, Money(-2, "USD"), key="key-0003")
    with pytest.raises(MoreThanAvailable) as refused:
        await shop.adjustments.agree(SECOND_ADMIN, asked.id)
    assert refused.value.available == LARGE - Money(2, "USD")
    assert await shop.adjustments.waiting() == [asked]
    await corrects(shop, anna, Money(2, "USD"), key="key-0004")
    assert (await shop.adjustments.agree(SECOND_ADMIN, asked.id)).status is AdjustmentStatus.POSTED
    assert not (await shop.wallet(anna, "USD")).available


async def test_twins_of_a_wish_make_one_correction(shop: Shop) -> None:
    anna = await shop.player()
    made = await asyncio.gather(*(corrects(shop, anna, SMALL) for _ in range(8)))
    assert len({adjustment.id for adjustment in made}) == 1
    assert {adjustment.status for adjustment in made} == {AdjustmentStatus.POSTED}
    assert (await shop.wallet(anna, "USD")).available == SMALL
    asked = await asyncio.gather(*(corrects(shop, anna, LARGE, key="key-0002") for _ in range(8)))
    assert len({adjustment.id for adjustment in asked}) == 1
    assert await shop.told(SECOND_ADMIN) == ["admin-correction-asked"]


async def test_a_key_belongs_to_its_admin_and_to_one_wish(shop: Shop) -> None:
    anna, ben = await shop.player(), await shop.player(1002)
    first = await corrects(shop, anna, SMALL)
    second = await corrects(shop, anna, SMALL, admin=SECOND_ADMIN)
    assert first.id != second.id
    for player, amount, reason in ((ben, SMALL, "Goodwill"), (anna, -SMALL, "Goodwill"), (anna, SMALL, "Another")):
        with pytest.raises(AlreadyDecided, match="posted"):
            await corrects(shop, player, amount, reason=reason)
    assert (await shop.wallet(anna, "USD")).available == SMALL + SMALL
    assert await shop.wallets.balances(ben) == []


async def test_many_admins_who_decide_at_once_decide_once(shop: Shop) -> None:
    anna = await shop.player()
    for round_ in range(4):
        asked = await corrects(shop, anna, LARGE, key=f"key-{round_:04}")
        answers = await asyncio.gather(
            *(shop.adjustments.agree(SECOND_ADMIN, asked.id) for _ in range(4)),
            *(shop.adjustments.decline(ADMIN, asked.id) for _ in range(4)),
            return_exceptions=True,
        )
        late = [answer for answer in answers if isinstance(answer, BaseException)]
        assert len(late) == 4  # the other admin's; one's own press that came again is answered as the first
        assert all(isinstance(answer, AlreadyDecided) for answer in late)
        (decided,) = {answer.status for answer in answers if isinstance(answer, Adjustment)}
        assert [status for _, status, _ in await audit(shop, asked)] == ["proposed", decided]


async def test_debits_at_the_same_time_take_no_more_than_there_is(shop: Shop) -> None:
    anna = await shop.player()
    await corrects(shop, anna, Money(100_00, "USD"))
    answers = await asyncio.gather(
        *(corrects(shop, anna, Money(-10_00, "USD"), key=f"take-{n:03}") for n in range(25)), return_exceptions=True
    )
    assert sum(isinstance(answer, Adjustment) for answer in answers) == 10
    assert sum(isinstance(answer, MoreThanAvailable) for answer in answers) == 15
    assert not (await shop.wallet(anna, "USD")).available


async def test_corrections_beside_deposits_lose_nothing(shop: Shop) -> None:
    anna = await shop.player()
    operation = await shop.asks(anna, ProviderName.STRIPE)
    events = await shop.pays(operation)
    await asyncio.gather(
        shop.receives(ProviderName.STRIPE, [*events, *events]),
        *(corrects(shop, anna, Money(1_00, "USD"), key=f"give-{n:03}") for n in range(10)),
        shop.works(4),
    )
    await shop.works(4)
    assert (await shop.wallet(anna, "USD")).available == Money(60_00, "USD")


async def test_a_change_is_read_with_its_sign(shop: Shop, subtests: pytest.Subtests) -> None:
    for typed, minor in [("+50", 50_00), (" -20,50 ", -20_50), ("−1 000.05", -1_000_05), ("– 7", -7_00), ("+0.01", 1)]:
        with subtests.test(typed=typed):
            assert shop.adjustments.parse("USD", typed) == Money(minor, "USD")


NO_CHANGES: list[tuple[str, type[DomainError]]] = [
    ("50", NotAChange),
    ("", NotAChange),
    ("+", NotAChange),
    ("+0", NotAChange),
    ("--5", NotAChange),
    ("+1e5", NotAChange),
    ("+NaN", NotAChange),
    ("+" + "9" * 4000, NotAChange),
    ("+0.001", AmountTooPrecise),
    ("+1,000", AmountTooPrecise),
    ("+99999999999999999999", AmountTooLarge),
    ("-10000000000000.01", AmountTooLarge),
]


async def test_what_is_no_change_is_refused(shop: Shop) -> None:
    for typed, refusal in NO_CHANGES:
        with pytest.raises(refusal):
            shop.adjustments.parse("USD", typed)


async def test_what_does_not_exist_is_not_found(shop: Shop) -> None:
    anna = await shop.player()
    with pytest.raises(NotFound):
        shop.adjustments.parse("XXX", "+1")
    for player_id in (anna.id + 1, 2**63 - 1):
        with pytest.raises(NotFound):
            await shop.adjustments.propose(ADMIN, player_id, SMALL, reason="Goodwill", request_key="key-0001")
    for decide in (shop.adjustments.agree, shop.adjustments.decline):
        with pytest.raises(NotFound):
            await decide(SECOND_ADMIN, 2**63 - 1)


async def test_a_correction_says_why_in_a_few_words(shop: Shop, subtests: pytest.Subtests) -> None:
    for reason in ["", " \n ", "\u202e\u200b", "x" * 201, "y" * 4000]:
        with subtests.test(reason=reason), pytest.raises(ReasonNeeded):
            await corrects(shop, await shop.player(), SMALL, reason=reason)


async def test_a_reason_is_kept_as_it_was_meant_whatever_is_in_it(shop: Shop) -> None:
    anna = await shop.player()
    made = await corrects(shop, anna, SMALL, reason="'; DROP TABLE users; --\x00 <b>&\ud800 100%")
    assert made.reason == "'; DROP TABLE users; -- <b>& 100%"


async def test_nothing_and_too_much_are_no_corrections(shop: Shop) -> None:
    anna = await shop.player()
    with pytest.raises(NotAChange):
        await corrects(shop, anna, Money(0, "USD"))
    for minor in (10**15 + 1, -(10**15) - 1, 2**63 - 1):
        with pytest.raises(AmountTooLarge):
            await corrects(shop, anna, Money(minor, "USD"))


async def test_a_wallet_that_is_full_to_the_brim_refuses_in_words(shop: Shop) -> None:
    anna = await shop.player()
    async with shop.database.owner() as owner:
        limit = 2**63 - 1
        await owner.execute("SELECT wallet_open($1, 'USD')", anna.id)
        await owner.fetchval(
            "SELECT journal_id FROM ledger_post('test:1', 'bonus_added', ARRAY[131, $1]::bigint[],"
            " ARRAY[$2, $3]::bigint[], 'test')",
            anna.id * 10_000 + 101,
            -limit,
            limit,
        )
    with pytest.raises(AmountTooLarge):
        await corrects(shop, anna, SMALL)


async def test_who_is_no_admin_decides_nothing(shop: Shop) -> None:
    anna = await shop.player()
    asked = await corrects(shop, anna, LARGE)
    for stranger in (0, anna.telegram_id, ADMIN + 7):
        with pytest.raises(NotFound):
            await corrects(shop, anna, SMALL, key="key-0002", admin=stranger)
        for decide in (shop.adjustments.agree, shop.adjustments.decline):
            with pytest.raises(NotFound):
                await decide(stranger, asked.id)
        with pytest.raises(NotFound):
            await shop.players.freeze(stranger, anna.id, "Check")
        with pytest.raises(NotFound):
            await shop.players.unfreeze(stranger, anna.id)
        with pytest.raises(NotFound):
            await shop.players.dossier(stranger, anna.id)
    assert await shop.adjustments.waiting() == [asked]
    assert await shop.wallets.balances(anna) == []


async def test_no_admin_corrects_a_balance_of_their_own(shop: Shop) -> None:
    boss, other = await shop.player(ADMIN), await shop.player(SECOND_ADMIN)
    with pytest.raises(OwnMoney):
        await shop.adjustments.propose(ADMIN, boss.id, Money(1, "USD"), reason="a gift", request_key="own")
    much = Money(10_000_01, "USD")
    asked = await shop.adjustments.propose(ADMIN, other.id, much, reason="a gift", request_key="large")
    with pytest.raises(OwnMoney):
        await shop.adjustments.agree(SECOND_ADMIN, asked.id)
    assert (await shop.adjustments.decline(SECOND_ADMIN, asked.id)).status is AdjustmentStatus.DECLINED


async def test_parts_of_a_large_correction_do_not_get_round_the_second_admin(shop: Shop) -> None:
    anna = await shop.player()
    single = DEFAULT_LIMITS["USD"].single_admin
    first = await shop.adjustments.propose(ADMIN, anna.id, single, reason="a prize", request_key="first")
    assert first.status is AdjustmentStatus.POSTED
    little = Money(1, "USD")
    second = await shop.adjustments.propose(ADMIN, anna.id, little, reason="a prize", request_key="second")
    assert second.status is AdjustmentStatus.PROPOSED
    assert (await shop.adjustments.agree(SECOND_ADMIN, second.id)).status is AdjustmentStatus.POSTED


async def test_who_is_no_admin_any_more_has_no_say_in_a_correction(shop: Shop) -> None:
    anna = await shop.player()
    asked = await corrects(shop, anna, LARGE)
    own = replace(shop.adjustments, outbox=Outbox(shop.database, Staff(shop.database, [SECOND_ADMIN])))
    with pytest.raises(ProposerGone):
        await own.agree(SECOND_ADMIN, asked.id)
    assert await shop.wallets.balances(anna) == []
    assert (await own.decline(SECOND_ADMIN, asked.id)).status is AdjustmentStatus.DECLINED
