"""What becomes of an exception: a refusal is told in its own words, a bug gets an incident code."""

import logging
import re
import secrets
from contextlib import suppress

from aiogram import Router
from aiogram.exceptions import (
    TelegramAPIError,
    TelegramForbiddenError,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
)
from aiogram.filters import ExceptionTypeFilter
from aiogram.types import ErrorEvent, InlineKeyboardMarkup

from db.models import Player
from handlers import keyboards, start
from handlers.screen import Screen
from handlers.texts import Translate
from services.errors import DomainError, FullCardNumber, ProviderError, RulesNotAccepted, TemporarilyUnavailable

logger = logging.getLogger(__name__)


def create_router() -> Router:
    router = Router(name="errors")
    router.error.register(rules_first, ExceptionTypeFilter(RulesNotAccepted))
    router.error.register(card_number, ExceptionTypeFilter(FullCardNumber))
    router.error.register(refused, ExceptionTypeFilter(DomainError))
    router.error.register(records_away, ExceptionTypeFilter(TemporarilyUnavailable))
    router.error.register(provider_failed, ExceptionTypeFilter(ProviderError))
    router.error.register(gone, ExceptionTypeFilter(TelegramForbiddenError))
    router.error.register(
        telegram_failed, ExceptionTypeFilter(TelegramNetworkError, TelegramRetryAfter, TelegramServerError)
    )
    router.error.register(incident)
    return router


def text_id(refusal: type[Exception]) -> str:
    """AmountTooSmall → amount-too-small"""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", refusal.__name__).lower()


async def rules_first(error: ErrorEvent, screen: Screen, t: Translate) -> None:
    with suppress(TelegramAPIError):
        await screen.toast(t("rules-not-accepted"))
        await start.show_rules(screen, t)


async def card_number(error: ErrorEvent, screen: Screen, t: Translate, raw_state: str | None = None) -> None:
    """What could pay for whoever reads it must not stay in the chat."""
    if error.update.message is not None:
        with suppress(TelegramAPIError):
            await error.update.message.delete()
    await refused(error, screen, t, raw_state)


async def refused(error: ErrorEvent, screen: Screen, t: Translate, raw_state: str | None = None) -> None:
    """The question that was asked, if there was one, stays open: the player may answer it again."""
    keyboard = keyboards.to_menu(t) if raw_state is None else keyboards.cancel(t)
    await _tell(screen, t(text_id(type(error.exception)), **vars(error.exception)), keyboard)


async def records_away(error: ErrorEvent, t: Translate, screen: Screen | None = None) -> None:
    logger.warning("the database cannot be reached", extra={"update_id": error.update.update_id})
    await _tell(screen, t("temporarily-unavailable"), keyboards.to_menu(t))


async def provider_failed(error: ErrorEvent, screen: Screen, t: Translate) -> None:
    logger.warning("a provider failed", extra={"update_id": error.update.update_id, "reason": str(error.exception)})
    await _tell(screen, t("provider-failed"), keyboards.to_menu(t))


async def gone(error: ErrorEvent, screen: Screen | None = None) -> None:
    """The player blocked the bot or left; Telegram says so in an update of its own too. The button is let go."""
    if screen is not None:
        with suppress(TelegramAPIError):
            await screen.toast()


async def telegram_failed(error: ErrorEvent) -> None:
    """There is nobody to tell: the way to the player is what failed."""
    logger.warning(
        "Telegram did not take an answer",
        extra={"update_id": error.update.update_id, "reason": type(error.exception).__name__},
    )


async def incident(error: ErrorEvent, t: Translate, screen: Screen | None = None, player: Player | None = None) -> None:
    code = secrets.token_hex(4)
    logger.error(
        "incident",
        exc_info=error.exception,
        extra={"incident": code, "update_id": error.update.update_id, "player_id": player and player.id},
    )
    await _tell(screen, t("incident", code=code), keyboards.to_menu(t), lasting=True)


async def _tell(screen: Screen | None, text: str, keyboard: InlineKeyboardMarkup, *, lasting: bool = False) -> None:
    """Over the chat when a button waits for its answer; else in the message left half done, or a new one."""
    if screen is None:
        return
    with suppress(TelegramAPIError):
        if screen.answered:
            await screen.show(text, keyboard)
        elif lasting:
            screen.below()
            await screen.show(text, keyboard)
        else:
            await screen.toast(text, alert=True)
