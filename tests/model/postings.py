"""What only the ledger knows yet: bets, gifts, exchanges, reversals; and what it must refuse."""

from dataclasses import dataclass

from db import ledger
from db.ledger import Posting
from db.models import Player
from tests.model.world import Town, share


@dataclass(frozen=True)
class Bet:
    number: str
    player: int
    currency: str
    stake: int

    def settlement(self, outcome: str) -> dict[str, int]:
        own = f"player:{self.player}"
        legs = {
            "won": {f"{own}:bets": -self.stake, f"{own}:available": 2 * self.stake, "house": -self.stake},
            "lost": {f"{own}:bets": -self.stake, "house": self.stake},
            "cancelled": {f"{own}:bets": -self.stake, f"{own}:available": self.stake},
        }[outcome]
        return {f"{code}:{self.currency}": minor for code, minor in legs.items()}


async def _post(town: Town, key: str, kind: str, legs: dict[str, int], reverses: str | None = None) -> Posting:
    async with town.shop.database.transaction() as tx:
        find = "SELECT id FROM ledger_journal WHERE idempotency_key = $1"
        old = await tx.fetchval(find, reverses) if reverses else None
        return await ledger.post(tx, key=key, kind=kind, legs=legs, actor="model", reverses=old)


async def posts(town: Town, key: str, kind: str, legs: dict[str, int], reverses: str | None = None) -> bool:
    refusal = town.books.may_post(kind, legs, reverses)

    async def post() -> Posting:
        return await _post(town, key, kind, legs, reverses)

    if await town.does(post, refusal) is None:
        return False
    town.books.post(key, kind, legs, reverses)
    return True


async def is_refused(town: Town, key: str, kind: str, legs: dict[str, int], refusal: str) -> None:
    await town.does(lambda: _post(town, key, kind, legs), refusal)


async def bets(town: Town, player: Player, currency: str, part: str) -> Bet | None:
    has = town.books.available(player.id, currency)
    bet = Bet(town.key(), player.id, currency, has + 1 if part == "too much" else share(part, has))
    own = f"player:{player.id}"
    legs = {f"{own}:available:{currency}": -bet.stake, f"{own}:bets:{currency}": bet.stake}
    return bet if await posts(town, f"bet:{bet.number}:place", "bet_placed", legs) else None


async def settles(town: Town, bet: Bet, outcome: str) -> None:
    """Once, whatever is said later."""
    key = f"bet:{bet.number}:settle"
    known = town.books.journals.get(key)
    if known is None:
        await posts(town, key, f"bet_{outcome}", bet.settlement(outcome))
    elif known.kind == f"bet_{outcome}":
        await replays(town, key)
    else:
        await is_refused(town, key, f"bet_{outcome}", bet.settlement(outcome), "KeyReused")


async def gives(town: Town, player: Player, currency: str, minor: int) -> None:
    legs = {f"player:{player.id}:available:{currency}": minor, f"bonus:{currency}": -minor}
    await posts(town, f"bonus:{town.key()}", "bonus_added", legs)


async def exchanges(town: Town, player: Player, part: str) -> None:
    own, minor = f"player:{player.id}:available", share(part, town.books.available(player.id, "USD"))
    legs = {f"{own}:USD": -minor, "fx:USD": minor, "fx:RUB": -90 * minor, f"{own}:RUB": 90 * minor}
    await posts(town, f"fx:{town.key()}", "exchange", legs)


async def takes_back(town: Town, key: str, how: str) -> None:
    """`exactly`, once; a second time, `inexactly` or `as something else` it is refused."""
    legs = {code: -minor * (2 if how == "inexactly" else 1) for code, minor in town.books.journals[key].legs.items()}
    await posts(town, f"rev:{town.key()}", "adjustment" if how == "as something else" else "reversal", legs, key)


async def replays(town: Town, key: str) -> None:
    """The same under the same key: nothing happens."""
    journal = town.books.journals[key]
    if journal.reverses is None and key.startswith(("bet:", "bonus:", "fx:")):
        posting = await town.does(lambda: _post(town, key, journal.kind, dict(journal.legs)))
        assert posting is not None
        assert posting.replayed


async def uses_again(town: Town, key: str, how: str) -> None:
    """Another movement under a key that is used: another `amount`, `kind`, `account`; or one that `reverses` it."""
    journal = town.books.journals[key]
    legs, kind = dict(journal.legs), journal.kind
    match how:
        case "amount":
            legs = {code: 2 * minor for code, minor in legs.items()}
        case "kind":
            kind = "subscription"
        case _:
            ours = next((code for code in legs if not code.startswith("player:")), None)
            if ours is None:
                return
            legs[f"revenue:{ours.rpartition(':')[2]}"] = legs.pop(ours)
    await is_refused(town, key, kind, legs, "KeyReused")


async def wrongs(town: Town, player: Player, wrong: str) -> None:
    """Something that no code may post."""
    own, huge = f"player:{player.id}:available", 2**63 - town.books.available(player.id, "USD")
    legs, refusal = {
        "unbalanced": ({f"{own}:USD": 5, "bonus:USD": -4}, "NotBalanced"),
        "nothing": ({f"{own}:USD": 0, "bonus:USD": 0}, "NotBalanced"),
        "one leg": ({f"{own}:USD": 5}, "Malformed"),
        "currencies": ({f"{own}:USD": 5, "bonus:EUR": -5}, "NotBalanced"),
        "stranger": ({"player:999999:available:USD": 5, "bonus:USD": -5}, "WalletNotOpen"),
        "huge": ({f"{own}:USD": huge, "bonus:USD": -huge}, "Malformed"),
    }[wrong]
    await is_refused(town, f"wrong:{town.key()}", "bonus_added", legs, refusal)


async def is_rolled_back(town: Town, player: Player, minor: int) -> None:
    legs = {f"player:{player.id}:available:USD": minor, "bonus:USD": -minor}
    async with town.shop.database.connection() as tx:
        transaction = tx.transaction()
        await transaction.start()
        await ledger.post(tx, key=f"never:{town.key()}", kind="bonus_added", legs=legs, actor="model")
        await transaction.rollback()
