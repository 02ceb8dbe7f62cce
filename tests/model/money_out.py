"""Withdrawals and corrections as the model makes them, and what admins decide about them."""

from db.models import Player
from db.money import Money
from tests.model.books import LEAST, ONE_ADMIN, Correction, Withdrawal
from tests.model.world import Town, share


async def requests(town: Town, player: Player, currency: str, part: str) -> Withdrawal | None:
    has = town.books.available(player.id, currency)
    minor = {
        "least": LEAST,
        "half": max(LEAST, has // 2),
        "all": max(1, has),
        "all and a cent": has + 1,
        "too little": LEAST - 1,
        "for two": ONE_ADMIN + 1,
    }[part]
    key, money = town.key(), Money(minor, currency)
    (method,) = await town.shop.methods.mine(player)
    refusal = town.books.may_request(player.id, currency, minor)
    made = await town.does(
        lambda: town.shop.withdrawals.request(player, method.id, money, None, request_key=key), refusal
    )
    if made is None:
        return None
    withdrawal = Withdrawal(made.id, player.id, currency, minor, key)
    town.books.requests(withdrawal)
    return withdrawal


async def decides(town: Town, withdrawal: Withdrawal, what: str, admin: int) -> None:
    """`approve`, `reject`, `sent`, `sent as before` (under a reference that is used), `fail`, `again` by its player."""
    books, service, again = town.books, town.shop.withdrawals, "AlreadyDecided"
    match what:
        case "approve":
            refusal = books.may_approve(withdrawal, admin)
            if refusal is None:
                books.approves(withdrawal, admin)
                again = "AlreadyDecided" if withdrawal.status == "sending" else "SecondAdminNeeded"
            await town.does(lambda: service.approve(admin, withdrawal.id), refusal, again=again)
        case "reject":
            refusal = None if withdrawal.status == "review" else "AlreadyDecided"
            await town.does(lambda: service.reject(admin, withdrawal.id, "no"), refusal, again=again)
            if refusal is None:
                books.ends(withdrawal, "cancelled")
        case "fail":
            refusal = None if withdrawal.status == "sending" else "AlreadyDecided"
            await town.does(lambda: service.fail(admin, withdrawal.id, "no"), refusal, again=again)
            if refusal is None:
                books.ends(withdrawal, "failed")
        case "again":
            await _asks_again(town, withdrawal)
        case _:
            await _sent(town, withdrawal, admin, as_before=what == "sent as before")


async def _sent(town: Town, withdrawal: Withdrawal, admin: int, *, as_before: bool) -> None:
    used = [one.reference for one in town.books.withdrawals if one.reference]
    reference = used[-1] if used and as_before else f"ref-{town.key()}"
    refusal = None if withdrawal.status == "sending" else "AlreadyDecided"
    if refusal is None and reference in used:
        refusal = "ReferenceUsed"
    await town.does(
        lambda: town.shop.withdrawals.sent(admin, withdrawal.id, reference), refusal, again="AlreadyDecided"
    )
    if refusal is None:
        withdrawal.reference = reference
        town.books.ends(withdrawal, "completed")


async def _asks_again(town: Town, known: Withdrawal) -> None:
    player, money = town.who(known.player), Money(known.minor, known.currency)
    (method,) = await town.shop.methods.mine(player)
    made = await town.does(lambda: town.shop.withdrawals.request(player, method.id, money, None, request_key=known.key))
    assert made is not None
    assert made.id == known.id


async def freezes(town: Town, player: Player, admin: int, *, thaw: bool) -> None:
    books, service = town.books, town.shop.players
    refusal = None if (player.id in books.frozen) == thaw else "AlreadyDecided"
    await town.does(
        lambda: service.unfreeze(admin, player.id) if thaw else service.freeze(admin, player.id, "a test"),
        refusal,
        again="AlreadyDecided",
    )
    if refusal is None:
        (books.frozen.remove if thaw else books.frozen.add)(player.id)


# ---- corrections


async def proposes(town: Town, player: Player, currency: str, minor: int, part: str, admin: int) -> Correction | None:
    """`plus` gives the amount; `all`, `half`, `cent` and `too much` take of what there is."""
    has = town.books.available(player.id, currency)
    if part == "too much":
        minor = -has - 1
    elif part != "plus":
        minor = -share(part, has)
    key, refusal = town.key(), town.books.may_correct(player.id, currency, minor)
    made = await town.does(
        lambda: town.shop.adjustments.propose(
            admin, player.id, Money(minor, currency), reason="a test", request_key=key
        ),
        refusal,
    )
    if made is None:
        return None
    correction = Correction(made.id, player.id, currency, minor, admin, key, "proposed")
    alone = not town.books.needs_second(player.id, currency, minor)
    town.books.corrections.append(correction)
    if alone:
        town.books.corrects(correction, admin)
    return correction


async def answers(town: Town, correction: Correction, what: str, admin: int) -> None:
    """`agree`, `decline`, `again` (the same press), `other` (another one under its key)."""
    books, service = town.books, town.shop.adjustments
    match what:
        case "agree":
            refusal = books.may_agree(correction, admin)
            await town.does(lambda: service.agree(admin, correction.id), refusal)
            if refusal is None:
                books.corrects(correction, admin)
        case "decline":
            refusal = books.may_decline(correction, admin)
            await town.does(lambda: service.decline(admin, correction.id), refusal)
            if refusal is None:
                correction.status, correction.decider = "declined", admin
        case _:
            money = Money(correction.minor + (0 if what == "again" else 2 * abs(correction.minor)), correction.currency)
            made = await town.does(
                lambda: service.propose(
                    correction.proposer, correction.player, money, reason="a test", request_key=correction.key
                ),
                None if what == "again" else "AlreadyDecided",
            )
            assert made is None or made.id == correction.id
