"""The composition root: settings → database → providers → services → chat, web app, workers and timetable."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, fields, replace
from datetime import timedelta

from aiogram import Bot, Dispatcher
from aiogram.client.default import DefaultBotProperties
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import PRODUCTION, TelegramAPIServer
from aiogram.enums import ParseMode
from aiogram.exceptions import TelegramAPIError, TelegramNetworkError, TelegramRetryAfter, TelegramServerError
from aiogram.methods import DeleteWebhook, SetMyCommands, TelegramMethod
from aiogram.types import BotCommandScopeChat
from aiohttp import web

from bot.config import FIRST_CASINO, CasinoSettings, Config
from bot.fsm import OneAtATime, PgStorage
from bot.jobs import timetable
from bot.membership import Channel
from bot.middlewares import KeepShapes, RetryReplies, install
from bot.observers import TimedProvider, TimedTelegram, TimedUpdates, watch_event_loop
from bot.receiver import Receiver
from bot.sender import Sender
from bot.workers import drain
from db.database import Database
from db.embedded import AlreadyRunning, Embedded
from db.models import Language, ProviderName
from db.turns import take_turns
from handlers.callbacks import PAID
from handlers.commands import commands
from handlers.router import create_router
from handlers.texts import Texts
from sandbox import Sandbox
from sandbox.chat import application as sandbox_pages
from services.adjustments import Adjustments
from services.bookkeeping import Bookkeeping
from services.broadcasts import Broadcasts
from services.cards import Cards
from services.casinos import Casinos
from services.deposits import Deposits
from services.desk import Desk
from services.errors import TemporarilyUnavailable
from services.health import Health
from services.inbox import CASINO, Inbox
from services.insights import Insights
from services.letters import Letters
from services.methods import Methods
from services.metrics import Metrics
from services.outbox import Outbox
from services.payments import Payments
from services.players import Players
from services.providers import PaymentProvider
from services.providers.casino import Programme
from services.providers.manual import Manual
from services.providers.stripe import Stripe
from services.providers.yookassa import Receipt, YooKassa
from services.reconciliation import Reconciliation
from services.reports import Reports
from services.returns import Returns
from services.signals import Membership, Signals
from services.staff import Staff, rights
from services.statements import Statements
from services.vault import Vault
from services.wallets import Wallets
from services.withdrawals import Withdrawals
from webhooks.app import create_app
from webhooks.lobby import LOBBY

logger = logging.getLogger(__name__)

TELEGRAM_SECONDS = 15.0
# Receiver, workers and web app end side by side within this; pool and database have the rest of ten seconds.
DRAIN_SECONDS = 3.0
MOST_HEADERS, LONGEST_HEADER = 64, 4096
"""Several times what providers and proxies send, and little enough while hundreds send no end of it."""
LINGERING_SECONDS = 1.0
"""For the rest of a request that was refused before its end, so that its sender reads why."""
POLLING = 0x706F6C6C  # the turn that one process has; any number, the same in every version of the program
INBOX_WORKERS = 2
REREADING_WORKERS = 4
SENDERS, BULK_SENDERS = 8, 6
APART_SECONDS = 0.02
"""Between the first looks of two of them: all at once would take a connection each, and so would each later poll."""


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a handler may ask for by name."""

    staff: Staff
    players: Players
    wallets: Wallets
    cards: Cards
    deposits: Deposits
    methods: Methods
    withdrawals: Withdrawals
    adjustments: Adjustments
    statements: Statements
    reports: Reports
    returns: Returns
    reconciliation: Reconciliation
    outbox: Outbox
    inbox: Inbox
    bookkeeping: Bookkeeping
    casinos: Casinos
    signals: Signals
    broadcasts: Broadcasts
    insights: Insights
    desk: Desk
    letters: Letters


@asynccontextmanager
async def open_database(config: Config, *, join: bool = False) -> AsyncIterator[Database]:
    """The database of DATABASE_URL, else the bundled one, which lives and dies with its process.

    `join`: look into the bundled one also while the bot runs on it.
    """
    if config.database_url is not None:
        async with Database.open(config.database_url.get_secret_value()) as database:
            yield database
        return
    try:
        embedded = await Embedded.start(config.data_dir)
    except AlreadyRunning:
        if not join:
            raise
        embedded = await Embedded.attach(config.data_dir)
    try:
        async with Database.open(embedded) as database:
            guard = None if join else asyncio.create_task(embedded.keep_running())
            try:
                yield database
            finally:
                if guard is not None:
                    guard.cancel()
    finally:
        await embedded.stop()


def build_providers(config: Config, world: Sandbox | None) -> dict[ProviderName, PaymentProvider]:
    """The providers that have keys; in the sandbox its stand-ins take the places of those that have none."""
    providers: dict[ProviderName, PaymentProvider] = {}
    if config.stripe_secret_key is not None:
        providers[ProviderName.STRIPE] = Stripe(
            config.stripe_secret_key.get_secret_value(),
            [secret.get_secret_value() for secret in config.stripe_webhook_secret],
            config.stripe_api_url,
        )
    elif world is not None:
        providers[ProviderName.STRIPE] = Stripe(world.stripe_key, [world.stripe_webhook_secret], world.stripe_url)
    if config.yookassa_shop_id is not None and config.yookassa_secret_key is not None:
        receipt = None
        if config.yookassa_vat_code is not None and config.yookassa_receipt_email is not None:
            receipt = Receipt(config.yookassa_receipt_email, config.yookassa_vat_code, config.yookassa_tax_system_code)
        providers[ProviderName.YOOKASSA] = YooKassa(
            config.yookassa_shop_id,
            config.yookassa_secret_key.get_secret_value(),
            config.yookassa_api_url,
            config.yookassa_networks,
            receipt,
        )
    elif world is not None:
        providers[ProviderName.YOOKASSA] = YooKassa(
            world.yookassa_shop, world.yookassa_key, world.yookassa_url, config.yookassa_networks
        )
    return providers


def build_programmes(config: Config, world: Sandbox | None) -> dict[str, Programme]:
    """The casinos' programmes by name; in the sandbox its own casino takes the place of one without a token."""
    programmes: dict[str, Programme] = {}
    if config.postback_token:
        programmes[FIRST_CASINO] = _programme(FIRST_CASINO, "1Win", config)
    elif world is not None:
        tokens = [world.postback_token]
        programmes[FIRST_CASINO] = replace(
            _programme(FIRST_CASINO, "1Win", config), tokens=tokens, link=world.casino_link
        )
    for name, casino in config.casinos.items():
        programmes[name] = _programme(name, casino.title or name.capitalize(), casino)
    return programmes


def _programme(name: str, title: str, settings: CasinoSettings) -> Programme:
    return Programme(
        name,
        title,
        settings.postback_link,
        [token.get_secret_value() for token in settings.postback_token],
        None if settings.postback_secret_key is None else settings.postback_secret_key.get_secret_value(),
        settings.postback_currency,
        settings.postback_aliases,
    )


def build_membership(config: Config, world: Sandbox | None, bot: Bot) -> Channel | None:
    """The channel that has to be joined; the sandbox has one of its own."""
    channel_id = config.required_channel_id or (world.channel_id if world else None)
    return None if channel_id is None else Channel(bot, channel_id)


def build_services(
    config: Config,
    database: Database,
    providers: Mapping[ProviderName, PaymentProvider],
    programmes: Mapping[str, Programme],
    membership: Membership | None,
) -> Services:
    staff = Staff(database, sorted(config.admin_ids))
    outbox = Outbox(database, staff)
    vault = Vault(config.vault_secrets)
    cards = Cards(database, providers)
    returns = Returns(database, outbox, providers)
    payments = Payments(outbox, cards, returns)
    casinos = Casinos(database, outbox, programmes, channel=membership is not None)
    inbox = Inbox(database, outbox, payments, providers, casinos)
    methods = Methods(database, outbox, vault, timedelta(hours=config.method_cooling_hours))
    statements = Statements(database, config.timezone)
    sources = {
        **{str(name): provider.label for name, provider in providers.items()},
        **{f"{CASINO}{name}": programme.title for name, programme in programmes.items()},
    }
    insights = Insights(database, outbox, sources, config.timezone, channel=membership is not None)
    return Services(
        staff=staff,
        players=Players(database, outbox, config.default_language, config.timezone),
        wallets=Wallets(database, config.timezone),
        cards=cards,
        deposits=Deposits(database, outbox, payments, cards, providers),
        methods=methods,
        withdrawals=Withdrawals(database, outbox, methods, Manual(), config.withdrawal_limits),
        adjustments=Adjustments(database, outbox, config.withdrawal_limits),
        statements=statements,
        reports=Reports(database, outbox, statements, vault, config.timezone),
        returns=returns,
        reconciliation=Reconciliation(database, outbox, payments, returns, providers),
        outbox=outbox,
        inbox=inbox,
        bookkeeping=Bookkeeping(database, outbox, inbox, statements, insights),
        casinos=casinos,
        signals=Signals(database, outbox, programmes, membership, config.timezone),
        broadcasts=Broadcasts(database, outbox),
        insights=insights,
        desk=Desk(database, outbox, list(providers)),
        letters=Letters(database, outbox, inbox, tuple(config.secrets())),
    )


def build_bot(config: Config, world: Sandbox | None) -> Bot:
    token = config.telegram_token.get_secret_value() if config.telegram_token else world.bot_token if world else ""
    address = config.telegram_api_url or (world.telegram_url if world else None)
    session = AiohttpSession(
        api=TelegramAPIServer.from_base(address) if address else PRODUCTION, timeout=TELEGRAM_SECONDS
    )
    session.middleware(RetryReplies())
    session.middleware(KeepShapes())
    return Bot(token, session=session, default=DefaultBotProperties(parse_mode=ParseMode.HTML))


def build_dispatcher(
    config: Config, database: Database, services: Services, texts: Texts, metrics: Metrics
) -> Dispatcher:
    dispatcher = Dispatcher(
        storage=PgStorage(database),
        # One player's updates run one after another; the database keeps money right without it.
        events_isolation=OneAtATime(),
        disable_fsm=True,
        texts=texts,
        admin_ids=tuple(sorted(config.admin_ids)),
        **{field.name: getattr(services, field.name) for field in fields(services)},
    )
    dispatcher.update.outer_middleware(TimedUpdates(metrics))
    install(dispatcher, services.players, texts)
    dispatcher.include_router(create_router())
    return dispatcher


async def introduce(bot: Bot, dispatcher: Dispatcher, texts: Texts, *, polling: bool) -> None:
    """Learns the bot's own name, which links back to the chat need, and tells Telegram what it should know."""
    me = await bot.me()
    dispatcher["return_url"] = f"https://t.me/{me.username}?start={PAID}"
    signals: Signals = dispatcher["signals"]
    casinos = bool(signals.casinos)
    methods: list[TelegramMethod[bool]] = [
        SetMyCommands(commands=commands(texts.translator(language), casinos=casinos), language_code=language)
        for language in (None, *Language)
    ]
    staff: Staff = dispatcher["staff"]
    try:
        for admin, (role, language) in (await staff.languages()).items():
            listed = commands(texts.translator(language), rights(role), casinos=casinos)
            methods.append(SetMyCommands(commands=listed, scope=BotCommandScopeChat(chat_id=admin)))
    except TemporarilyUnavailable:  # updates are received all the same; /start lists the commands too
        logger.warning("the staff's menus could not be made: the records cannot be reached")
    if polling:
        methods.append(DeleteWebhook())
    for method in methods:
        try:
            await bot(method)
        except (TelegramNetworkError, TelegramServerError, TelegramRetryAfter):
            raise
        except TelegramAPIError as error:
            # A menu that is not shown is no reason not to take money.
            logger.warning("Telegram refused", extra={"method": type(method).__name__, "reason": str(error)})


class CannotListen(Exception):
    """HOST and PORT cannot be had; the text says why."""


async def serve(app: web.Application, host: str, port: int) -> tuple[web.AppRunner, int]:
    """Listens; answers the port, which is any free one when 0 was asked for. Raises CannotListen."""
    runner = web.AppRunner(
        app,
        access_log=None,
        handle_signals=False,
        shutdown_timeout=DRAIN_SECONDS,
        lingering_time=LINGERING_SECONDS,
        max_headers=MOST_HEADERS,
        max_field_size=LONGEST_HEADER,
    )
    await runner.setup()
    app[LOBBY].watch(runner)
    try:
        await web.TCPSite(runner, host, port, backlog=1024).start()
    except OSError as error:
        await runner.cleanup()
        raise CannotListen(f"Nothing can be served on {host} port {port}: {error.strerror or error}.") from error
    return runner, int(runner.addresses[0][1])


async def run(config: Config, stopping: asyncio.Event, announce: Callable[[str], None]) -> None:
    """The whole process, until `stopping`: then no new work is taken, what runs is finished, and all is closed.

    `announce` gets the web app's address once it listens and updates are being received.
    """
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(config))
        await database.dedicate(sandbox=config.sandbox)
        world = await stack.enter_async_context(Sandbox()) if config.sandbox else None
        if world is not None:
            world.cast()
            if config.port:  # known before the web app listens: the casino's link leads there too
                world.page_url = f"http://127.0.0.1:{config.port}/sandbox"
        metrics = Metrics(database, lambda: receiver.status)
        providers: dict[ProviderName, PaymentProvider] = {
            name: TimedProvider(provider, metrics) for name, provider in build_providers(config, world).items()
        }
        for provider in providers.values():
            stack.push_async_callback(provider.close)
        programmes = build_programmes(config, world)
        bot = build_bot(config, world)
        bot.session.middleware(TimedTelegram(metrics))
        stack.push_async_callback(bot.session.close)
        services = build_services(config, database, providers, programmes, build_membership(config, world, bot))
        texts = Texts(timezone=config.timezone, default=config.default_language)
        dispatcher = build_dispatcher(config, database, services, texts, metrics)
        polling = config.telegram_mode == "polling"
        given = config.telegram_webhook_secret
        secret = given.get_secret_value() if given is not None and not polling else None
        receiver = Receiver(
            bot,
            dispatcher,
            lambda: introduce(bot, dispatcher, texts, polling=polling),
            lambda: announce(address),
            lambda polling, waits: take_turns(database, POLLING, polling, waits),
        )
        health = dispatcher["health"] = Health(database, lambda: receiver.status, list(services.insights.sources))
        app = create_app(
            inbox=services.inbox,
            health=health,
            proxies=config.trusted_proxies,
            telegram_secret=secret,
            feed_update=receiver.feed,
            reports=services.reports,
            speak=lambda language: texts.translator(language).plain,
            metrics=metrics,
            metrics_token=config.metrics_token.get_secret_value() if config.metrics_token else None,
            sandbox=config.sandbox,
        )
        if world is not None:
            app.router.add_get("/sandbox", _to_sandbox)
            app.add_subapp("/sandbox/", sandbox_pages(world))
        runner, port = await serve(app, config.host, config.port)
        stack.push_async_callback(runner.cleanup)
        host = f"[{config.host}]" if ":" in config.host else config.host
        address = f"http://{host}:{port}"
        if world is not None:
            local = f"http://127.0.0.1:{port}"  # the pages are for this machine, wherever the web app listens
            world.bot_url, world.page_url = local, f"{local}/sandbox"

        scheduler = timetable(
            services.deposits,
            services.withdrawals,
            services.reconciliation,
            services.statements,
            services.bookkeeping,
            services.insights,
            config.timezone,
        )
        scheduler.start()
        stack.callback(scheduler.shutdown, wait=False)
        # With PORT=0 the settings could not know where the links lead.
        base_url = address if config.base_url.endswith(":0") else config.base_url
        sender = Sender(
            bot, services.outbox, services.reports, services.broadcasts, texts, config.default_language, base_url
        )
        inbox, outbox, broadcasts = services.inbox, services.outbox, services.broadcasts
        work = [
            *[(inbox.act, inbox.arrived)] * INBOX_WORKERS,
            *[(inbox.act_rereading, inbox.arrived_rereading)] * REREADING_WORKERS,
            (inbox.act_on_postbacks, inbox.arrived_postback),
            *[(sender.work, outbox.added)] * SENDERS,
            *[(sender.work_in_bulk, outbox.added)] * BULK_SENDERS,
            (sender.show_progress, None),
            (broadcasts.feed, broadcasts.begun),
            (services.bookkeeping.work, None),
        ]
        tasks = [
            asyncio.create_task(drain(do, stopping, told, first=nth * APART_SECONDS))
            for nth, (do, told) in enumerate(work)
        ]
        tasks.append(asyncio.create_task(watch_event_loop(metrics, stopping)))
        stack.push_async_callback(_finish, tasks)
        receive = asyncio.create_task(
            _supervised(receiver.poll)
            if secret is None
            else receiver.serve_webhook(f"{config.base_url}/telegram/webhook", secret)
        )
        stack.push_async_callback(_cancel, receive)
        await stopping.wait()
        logger.info("stopping")
        for waited_for in (
            *(inbox.arrived, inbox.arrived_rereading, inbox.arrived_postback, outbox.added),
            broadcasts.begun,
        ):
            waited_for.set()  # whoever waits for work sees at once that there will be none
        await asyncio.gather(runner.cleanup(), _cancel(receive), _finish(tasks))


async def _to_sandbox(_request: web.Request) -> web.StreamResponse:
    raise web.HTTPFound("/sandbox/")


async def _finish(tasks: list[asyncio.Task[None]]) -> None:
    """Work is in rows: what does not end in time is cut off and done again after the next start."""
    _, late = await asyncio.wait(tasks, timeout=DRAIN_SECONDS)
    for task in late:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _supervised(receive: Callable[[], Awaitable[None]]) -> None:
    """Money's doors must not be the only ones that outlive a bug in receiving updates."""
    while True:
        try:
            await receive()
        except Exception:
            logger.exception("receiving updates failed, starting again")
        await asyncio.sleep(1)
