"""A bare aiogram bot that says what it hears: the yardstick for ours.

python -m tests.bench.echo TOKEN TELEGRAM_URL [SECRET]      # with a secret it listens for updates, else it polls
"""

import asyncio
import sys

import uvloop
from aiogram import Bot, Dispatcher
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.types import Message
from aiogram.webhook.aiohttp_server import SimpleRequestHandler, setup_application
from aiohttp import web


async def echo(message: Message) -> None:
    await message.answer(message.text or "")


def ready(address: str = "") -> None:
    sys.stdout.write(f"READY {address}\n")
    sys.stdout.flush()


async def main(token: str, telegram: str, secret: str = "") -> None:
    bot = Bot(token, session=AiohttpSession(api=TelegramAPIServer.from_base(telegram)))
    dispatcher = Dispatcher()
    dispatcher.message.register(echo)
    if not secret:
        dispatcher.startup.register(ready)
        await dispatcher.start_polling(bot)
        return
    app = web.Application()
    SimpleRequestHandler(dispatcher, bot, secret_token=secret).register(app, path="/telegram/webhook")
    setup_application(app, dispatcher, bot=bot)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    ready(f"http://127.0.0.1:{runner.addresses[0][1]}")
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
