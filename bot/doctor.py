"""python -m bot doctor: what is set up, whether it answers, and what to do when it does not."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from email.utils import parsedate_to_datetime
from uuid import uuid4

import aiohttp
from aiogram import Bot
from aiogram.exceptions import (
    TelegramAPIError,
    TelegramBadRequest,
    TelegramForbiddenError,
    TelegramUnauthorizedError,
)
from aiogram.types import ChatMemberAdministrator

from bot.app import build_bot, build_programmes, build_providers, open_database
from bot.config import Config
from db.database import DatabaseRefused, DatabaseUnavailable
from db.embedded import EmbeddedError
from services.errors import ProviderRejected, ProviderUnknown
from services.providers.casino import Programme

SKEW_SECONDS = 60
TOKEN_LENGTH = 16
SECONDS = 15


async def examine(config: Config) -> int:
    """Prints one line for each thing looked at: `ok` or `fail`, and what to do; 0 when all is well."""
    well = True
    async with aclosing(_findings(config)) as findings:
        async for what, problem in findings:
            print(f"fail  {what}: {problem}" if problem else f"ok    {what}")
            well = well and not problem
    return 0 if well else 1


async def _findings(config: Config) -> AsyncGenerator[tuple[str, str | None]]:
    yield "settings", None
    if not (config.sandbox or config.encryption_key):
        yield (
            "encryption key, but none of its own: payout details are encrypted with the bot's token and are lost when"
            " it changes. Set ENCRYPTION_KEY (openssl rand -base64 32)",
            None,
        )
    yield await _database(config)
    if config.sandbox:
        yield "sandbox: Telegram and the providers without keys are stand-ins on this machine", None
    else:
        async for finding in _telegram(config):
            yield finding
    for name, provider in build_providers(config, None).items():
        try:
            # A payment that cannot exist: what matters is that the question is answered with our keys.
            await provider.fetch(f"cs_{uuid4().hex}" if name == "stripe" else str(uuid4()))
        except ProviderRejected as error:
            yield (
                provider.label,
                f"does not accept the keys ({error.reason}): check {name.upper()}_SECRET_KEY",
            )
        except ProviderUnknown as error:
            yield (
                provider.label,
                f"does not answer ({error.reason}): check the network and {name.upper()}_API_URL",
            )
        else:
            yield provider.label, None
        finally:
            await provider.close()
    for programme in build_programmes(config, None).values():
        yield _casino(config, programme)
    if not config.sandbox:
        yield await _clock(config)


def _casino(config: Config, programme: Programme) -> tuple[str, str | None]:
    """Nothing can be asked of a casino: what can be said is where it is to call."""
    what = f"{programme.title}: to call {config.base_url}/postback/{programme.name}/… with its token at the end"
    if min(map(len, programme.tokens)) < TOKEN_LENGTH:
        return what, "the token can be guessed: make a longer POSTBACK_TOKEN (openssl rand -hex 16)"
    if programme.link is None:
        return f"{what}; no POSTBACK_LINK, so an admin has to say whose account is whose", None
    return what, None


async def _database(config: Config) -> tuple[str, str | None]:
    what = "database"
    try:
        async with open_database(config, join=True) as database:
            if not database.restricted:
                what = "database, with one login: only triggers protect the ledger (see docs/operations.md)"
    except (DatabaseRefused, DatabaseUnavailable, EmbeddedError) as error:
        return what, str(error)
    return what, None


async def _telegram(config: Config) -> AsyncIterator[tuple[str, str | None]]:
    bot = build_bot(config, None)
    try:
        async with asyncio.timeout(SECONDS):
            me = await bot.me()
            yield f"Telegram: @{me.username}", None
            hook = await bot.get_webhook_info()
            if config.telegram_mode == "polling" and hook.url:
                yield (
                    "Telegram mode",
                    "a webhook is set, so polling gets nothing: start the bot once, it removes it",
                )
            elif config.telegram_mode == "webhook" and hook.url != f"{config.base_url}/telegram/webhook":
                yield "Telegram webhook", "is not set to BASE_URL: start the bot once, it sets it"
            elif hook.last_error_message and config.telegram_mode == "webhook":
                yield (
                    "Telegram webhook",
                    f"Telegram cannot deliver ({hook.last_error_message}): check BASE_URL",
                )
            else:
                yield f"Telegram mode: {config.telegram_mode}", None
            if config.required_channel_id is not None:
                yield await _channel(bot, config.required_channel_id)
    except TelegramUnauthorizedError:
        yield "Telegram", "does not know the token: check TELEGRAM_TOKEN"
    except (TelegramAPIError, TimeoutError) as error:
        yield "Telegram", f"does not answer ({type(error).__name__}): check the network and TELEGRAM_API_URL"
    finally:
        await bot.session.close()


async def _channel(bot: Bot, channel_id: int) -> tuple[str, str | None]:
    """Only an administrator is told who is in a channel, and who joins and leaves it."""
    what = f"channel {channel_id}"
    try:
        itself = await bot.get_chat_member(channel_id, bot.id)
    except TelegramBadRequest as error:
        return what, f"Telegram refuses ({error.message}): check REQUIRED_CHANNEL_ID, add the bot as an administrator"
    except TelegramForbiddenError:
        return what, "the bot is not in it: add it as an administrator, or nobody's signals open"
    if not isinstance(itself, ChatMemberAdministrator):
        return what, "the bot is no administrator of it and sees no members: make it one, or nobody's signals open"
    return f"{what}: the bot sees who is in it", None


async def _clock(config: Config) -> tuple[str, str | None]:
    """Signed deliveries carry the sender's time and are refused when ours is far off."""
    address = config.telegram_api_url or "https://api.telegram.org"
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS)) as session,
            session.get(address, allow_redirects=False) as response,
        ):
            skew = abs(parsedate_to_datetime(response.headers["Date"]).timestamp() - time.time())
    except (aiohttp.ClientError, TimeoutError, KeyError, ValueError) as error:
        return "clock", f"could not be compared with Telegram's ({type(error).__name__})"
    if skew > SKEW_SECONDS:
        return "clock", f"is {skew:.0f} s off: switch time synchronisation on"
    return "clock", None
