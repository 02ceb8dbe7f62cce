"""Kept cards: what they are, which one is offered first, and giving one up."""

from collections.abc import Sequence
from datetime import UTC, datetime

from aiogram import F, Router
from aiogram.types import CallbackQuery

from db.models import PaymentMethod, Player
from handlers import keyboards
from handlers.callbacks import DefaultCard, OpenCard, RemoveCard
from handlers.screen import Screen
from handlers.texts import Translate, card_name
from services.cards import Cards, expired
from services.deposits import Deposits, Offer


def create_router() -> Router:
    router = Router(name="cards")
    router.callback_query.register(show, OpenCard.filter())
    router.callback_query.register(make_default, DefaultCard.filter())
    router.callback_query.register(ask_to_remove, RemoveCard.filter(~F.sure))
    router.callback_query.register(remove, RemoveCard.filter(F.sure))
    return router


def lines(t: Translate, cards: Sequence[PaymentMethod]) -> str:
    """The cards as a list, for the screen of all methods."""
    return "\n".join(t("card-line", **_facts(t, card)) for card in cards)


async def show(
    query: CallbackQuery,
    callback_data: OpenCard,
    screen: Screen,
    player: Player,
    cards: Cards,
    deposits: Deposits,
    t: Translate,
) -> None:
    await _show(screen, t, await cards.get(player, callback_data.card), deposits)


async def make_default(
    query: CallbackQuery,
    callback_data: DefaultCard,
    screen: Screen,
    player: Player,
    cards: Cards,
    deposits: Deposits,
    t: Translate,
) -> None:
    await _show(screen, t, await cards.make_default(player, callback_data.card), deposits)


async def ask_to_remove(
    query: CallbackQuery, callback_data: RemoveCard, screen: Screen, player: Player, cards: Cards, t: Translate
) -> None:
    card = await cards.get(player, callback_data.card)
    text = t("card-remove", card=card_name(t, card), provider=card.provider)
    await screen.show(text, keyboards.remove_card(t, card.id))


async def remove(
    query: CallbackQuery, callback_data: RemoveCard, screen: Screen, player: Player, cards: Cards, t: Translate
) -> None:
    await cards.remove(player, callback_data.card)
    await screen.show(t("card-removed"), keyboards.to_methods(t))


async def _show(screen: Screen, t: Translate, card: PaymentMethod, deposits: Deposits) -> None:
    offer = None if expired(card, datetime.now(UTC)) else _way(deposits, card)
    await screen.show(t("card-screen", **_facts(t, card)), keyboards.card(t, card, offer))


def _way(deposits: Deposits, card: PaymentMethod) -> Offer | None:
    """The first currency in which the card can pay."""
    return next((offer for offer in deposits.offers() if offer.provider == card.provider), None)


def _facts(t: Translate, card: PaymentMethod) -> dict[str, str]:
    month, year = card.exp_month, card.exp_year
    is_expired = expired(card, datetime.now(UTC))
    return {
        "card": card_name(t, card),
        "provider": card.provider,
        "expiry": "none" if month is None or year is None else f"{month:02}/{year % 100:02}",
        "state": "expired" if is_expired else "default" if card.is_default else "kept",
    }
