"""Deposits as the model makes them: asked for, paid or not, oddly or late; and money in suspense."""

from collections.abc import Sequence
from typing import Any, TypeVar

from db.models import PaymentMethod, Player, ProviderName
from db.money import Money
from sandbox.deliveries import Notice
from tests.model.books import OPEN, Deposit, Item, Return
from tests.model.world import Town

T = TypeVar("T")
CURRENCY = {"stripe": "USD", "yookassa": "RUB"}
ANOTHER = {"USD": "EUR", "EUR": "USD", "RUB": "USD"}


def pick(things: Sequence[T], nth: int) -> T:
    """The nth from the end, round and round."""
    return things[-1 - nth % len(things)]


async def asks(town: Town, player: Player, provider: str, money: Money, **how: Any) -> Deposit | None:
    key = town.key()
    refusal = town.books.may_ask(player.id)
    made = await town.does(lambda: town.shop.asks(player, ProviderName(provider), money, key, **how), refusal)
    if made is None:
        return None
    town.books.open_wallet(player.id, money.currency)
    deposit = Deposit(
        id=made.id,
        player=player.id,
        provider=provider,
        minor=money.minor,
        currency=money.currency,
        ref=made.provider_ref or "",
        public_id=str(made.public_id),
        key=key,
        by_card="payment_method_id" in how,
    )
    town.books.deposits.append(deposit)
    return deposit


async def asks_again(town: Town, known: Deposit) -> None:
    """A wish that was granted is not granted again."""
    if known.status == "failed" or known.by_card:
        return
    player, money = town.who(known.player), Money(known.minor, known.currency)
    again = await town.does(lambda: town.shop.asks(player, ProviderName(known.provider), money, known.key))
    assert again is not None
    assert again.id == known.id


async def pays(town: Town, deposit: Deposit, odd: str | None = None) -> None:
    """In time or late, as asked for or not; nobody has been told yet."""
    how: dict[str, Any] = {}
    if odd == "currency":
        other = ANOTHER[deposit.currency]
        how["currency"] = other.lower() if deposit.provider == "stripe" else other
    elif odd is not None:
        how["amount"] = deposit.minor + (-1 if odd == "less" else 7_00)
    stand_in: Any = town.outside(deposit.provider)
    await stand_in.pay(deposit.ref, webhook="never", after_expiry=True, **how)
    town.listens()


async def is_not_paid(town: Town, deposit: Deposit, *, refused: bool) -> None:
    """The page runs out, or the bank says no."""
    stand_in: Any = town.outside(deposit.provider)
    if stand_in.page(deposit.ref)["status"] == "open":
        await (stand_in.decline if refused else stand_in.expire)(deposit.ref, webhook="never")
        town.listens()


async def comes_by_itself(town: Town, provider: str, minor: int, deposit: Deposit | None) -> None:
    """Money that nobody asked for, or a second time for the same deposit."""
    metadata = {"operation_id": deposit.public_id} if deposit else {}
    currency = deposit.currency if deposit else CURRENCY[provider]
    spelt = currency.lower() if provider == "stripe" else currency
    await town.outside(provider).stray(minor, spelt, webhook="never", metadata=metadata)
    town.listens()


def unpaid(town: Town) -> list[Deposit]:
    """Whose page can be paid, or could before it ran out."""
    sessions, payments = town.shop.world.stripe.sessions, town.shop.world.yookassa.payments
    return [
        deposit
        for deposit in town.books.deposits
        if not deposit.by_card
        and (
            sessions[deposit.ref]["status"] != "complete"
            if deposit.provider == "stripe"
            else payments[deposit.ref]["status"] != "succeeded"
        )
    ]


def about(town: Town, deposit: Deposit) -> list[Notice]:
    """What the provider has to say of a deposit and was not heard yet."""
    refs = {deposit.ref}
    for ref in town.paid(deposit.provider):
        if town.payment(deposit.provider, ref).order is deposit:
            refs.add(ref)
    return [notice for notice in town.notices if notice.provider == deposit.provider and notice.subject in refs]


async def cards(town: Town, player: Player, provider: str) -> Sequence[PaymentMethod]:
    return await town.shop.cards.usable_at(player, ProviderName(provider))


async def polls(town: Town) -> None:
    """What lost notices would have said is asked for."""
    waiting = [deposit for deposit in town.books.deposits if deposit.status in OPEN]

    async def poll() -> None:
        async with town.shop.database.connection() as tx:
            await tx.execute(
                "UPDATE wallet_operations SET next_check_at = now()"
                " WHERE next_check_at IS NOT NULL AND operation_type = 'deposit'"
            )
        for name in ProviderName:
            await town.shop.deposits.poll(name)

    await town.does(poll)
    for deposit in waiting:
        town.hears_now(deposit.provider, deposit.ref)


# ---- money in suspense


async def decides(town: Town, item: Item, what: str, admin: int, player: Player) -> None:
    """`credit` to whom it was for, `credit to` the player, `send back`, `send back slowly`, `close`."""
    match what:
        case "credit":
            await _credits(town, item, admin, None if item.operation else player.id)
        case "credit to":
            await _credits(town, item, admin, player.id)
        case "close":
            refusal = town.books.may_close(item)
            await town.does(
                lambda: town.shop.reconciliation.close(admin, item.id, "nothing"), refusal, again="AlreadyDecided"
            )
            if refusal is None:
                item.settled = "closed"
        case _:
            await _sends_back(town, item, admin, slowly=what == "send back slowly")


async def _credits(town: Town, item: Item, admin: int, player_id: int | None) -> None:
    refusal = town.books.may_decide(item)
    credited = await town.does(
        lambda: town.shop.reconciliation.credit(admin, item.id, player_id), refusal, again="AlreadyDecided"
    )
    if refusal is None:
        assert credited is None or credited.minor == town.books.in_suspense(item.payment)
        town.books.gives(item, player_id or (item.operation.player if item.operation else 0))


async def _sends_back(town: Town, item: Item, admin: int, *, slowly: bool) -> None:
    refusal, minor, payment = town.books.may_decide(item), town.books.in_suspense(item.payment), item.payment
    if town.twins and town.left(payment.provider, payment.ref) < minor:
        return  # the provider refuses, the item is open again, and the second of the two may well ask once more
    town.refunds_take_time(slowly)
    await town.does(lambda: town.shop.reconciliation.send_back(admin, item.id), refusal, again="AlreadyDecided")
    if refusal is not None:
        return
    item.settled = "sent_back"
    async with town.shop.database.connection() as tx:
        made = await tx.fetchrow("SELECT id, public_id FROM returned_payment ORDER BY id DESC LIMIT 1")
    assert made is not None
    row = Return("refund", payment, None, minor, "requested", id=made["id"])
    town.books.returns.append(row)
    town.asked_for(row, str(made["public_id"]))
