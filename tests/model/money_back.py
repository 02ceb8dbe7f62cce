"""Refunds and disputes as the model makes them: in cabinets, at banks, by admins; and the debts they leave."""

from typing import Any

from tests.model.books import TAKES, Deposit, Return
from tests.model.money_in import CURRENCY, pick
from tests.model.world import Town, share


async def refunds(town: Town, provider: str, nth: int, part: str, state: str) -> None:
    """In the cabinet: `succeeded`, `pending` or `failed`."""
    able = [ref for ref in town.paid(provider) if town.left(provider, ref)]
    if able:
        ref = pick(able, nth)
        stand_in: Any = town.outside(provider)
        state = "canceled" if (provider, state) == ("yookassa", "failed") else state
        await stand_in.refund(ref, share(part, town.left(provider, ref)), webhook="never", state=state)
        town.listens()


async def disputes(town: Town, nth: int, part: str, *, inquiry: bool) -> None:
    """A bank takes a payment back, or only asks."""
    stripe = town.shop.world.stripe
    charges = [stripe.charges[stripe.intents[ref]["latest_charge"]] for ref in town.paid("stripe")]
    able = [charge for charge in charges if not charge["disputed"]]
    if able:
        charge = pick(able, nth)
        whole = charge["amount"] - charge["amount_refunded"] or charge["amount"]
        await stripe.dispute(charge["payment_intent"], share(part, whole), webhook="never", inquiry=inquiry)
        town.listens()


def unfinished(town: Town) -> list[tuple[str, str]]:
    return [
        (provider, ref)
        for provider in CURRENCY
        for ref, refund in town.outside(provider).refunds.items()
        if refund["status"] == "pending"
    ]


async def goes_on(town: Town, nth: int, what: str) -> None:
    """`ends well` or `ends badly`: a pending refund, or else a dispute. `fails`: a refund that had succeeded.
    `escalates`: an inquiry."""
    stripe = town.shop.world.stripe
    pending = unfinished(town)
    done = [ref for ref, refund in stripe.refunds.items() if refund["status"] == "succeeded"]
    open_disputes = [
        ref for ref, one in stripe.disputes.items() if one["status"] not in ("won", "lost", "warning_closed")
    ]
    asked = [ref for ref in open_disputes if stripe.disputes[ref]["status"].startswith("warning_")]
    match what:
        case "ends well" | "ends badly" if pending:
            provider, ref = pick(pending, nth)
            await town.outside(provider).finish_refund(ref, webhook="never", done=what == "ends well")
        case "ends well" | "ends badly" if open_disputes:
            await stripe.close_dispute(pick(open_disputes, nth), webhook="never", won=what == "ends well")
        case "fails" if done:
            await stripe.finish_refund(pick(done, nth), webhook="never", done=False)
        case "escalates" if asked:
            await stripe.escalate(pick(asked, nth), webhook="never")
        case _:
            pass
    town.listens()


async def gives_back(town: Town, deposit: Deposit, part: str, admin: int, *, slowly: bool) -> None:
    """An admin has the provider refund a deposit."""
    key, most = town.key(), town.books.refundable(deposit)
    minor = (most or 0) + 1 if part == "too much" else share(part, most or 0)
    refusal = None
    if not most:
        refusal = "NotFound" if most is None else "NothingThere"
    elif minor > most:
        refusal = "RefundTooLarge"
    town.refunds_take_time(slowly)
    made = await town.does(lambda: town.shop.returns.give_back(admin, deposit.id, minor, key=key), refusal)
    if made is not None:
        assert deposit.payment_ref is not None
        payment = town.books.payments[deposit.provider, deposit.payment_ref]
        row = Return("refund", payment, None, minor, "requested", id=made.id)
        town.books.returns.append(row)
        town.asked_for(row, str(made.public_id))
        again = await town.shop.returns.give_back(admin, deposit.id, minor, key=key)
        assert again.id == made.id


async def ticks(town: Town) -> None:
    """The timetable looks at returns that wait, one after the other, so that their order is known."""
    await town.agrees()  # names what is new
    for row in list(town.books.returns):

        async def tick(number: int = row.id) -> None:
            async with town.shop.database.connection() as tx:
                await tx.execute(
                    "UPDATE returned_payment SET next_check_at = now() + CASE WHEN id <> $1 THEN interval '1 h'"
                    " ELSE interval '0 s' END WHERE next_check_at IS NOT NULL",
                    number,
                )
            await town.shop.returns.tick()

        state = row.state
        await town.does(tick)
        if row.ref is not None and row.kind == "refund" and row.word == "pending":
            town.hears_of(row)
        if state == "noted" and row.state == "noted" and row.word in TAKES:
            town.books.book(row, first=False)


async def settles(town: Town, nth: int, what: str, admin: int) -> None:
    """A debt: `collect` it, `forgive` it, or `collect` one that is another by now (`stale`)."""
    debts = [row for row in town.books.returns if row.owed] or town.books.returns
    if not debts:
        return
    row = pick(debts, nth)
    owed = row.owed + (1 if what == "stale" else 0)
    if what == "forgive":
        refusal = None if owed else "AlreadyDecided"
        await town.does(lambda: town.shop.returns.forgive(admin, row.id, owed), refusal, again="AlreadyDecided")
        if refusal is None:
            town.books.forgives(row)
        return
    refusal = town.books.may_collect(row, owed)
    await town.does(lambda: town.shop.returns.collect(admin, row.id, owed), refusal, again="AlreadyDecided")
    if refusal is None:
        town.books.collects(row)
