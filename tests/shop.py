"""The services on a real database, before the sandbox's Stripe and YooKassa. After each test the books are proven."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address, ip_network
from itertools import count
from zoneinfo import ZoneInfo

import pytest

from db import operations
from db.database import Database
from db.models import Language, MethodKind, Operation, Player, ProviderName, Wallet, WithdrawalMethod
from db.money import Money
from sandbox import Sandbox
from sandbox.deliveries import Raw
from services.adjustments import Adjustments
from services.bookkeeping import Bookkeeping
from services.broadcasts import Broadcasts
from services.cards import Cards
from services.casinos import Casinos
from services.deposits import Deposits
from services.desk import Desk
from services.inbox import Inbox
from services.insights import Insights
from services.letters import Letters
from services.methods import Methods
from services.outbox import Outbox
from services.payments import Payments
from services.players import Players
from services.providers import PaymentProvider
from services.providers.casino import Programme
from services.providers.manual import Manual
from services.providers.stripe import Stripe
from services.providers.yookassa import YooKassa
from services.reconciliation import Reconciliation
from services.reports import Reports
from services.returns import Returns
from services.signals import Signals
from services.staff import Staff
from services.statements import Statements
from services.vault import Vault
from services.wallets import Wallets
from services.withdrawals import DEFAULT_LIMITS, Withdrawals
from tests import secrecy

ADMIN, SECOND_ADMIN = 900, 901
MOSCOW = ZoneInfo("Europe/Moscow")
PROGRAMMES = {
    "1win": Programme("1win", "1Win", "https://casino.example/?sub1={sub1}", ["fixture-path-secret"], None, "RUB")
}
AMOUNTS = {ProviderName.STRIPE: Money(50_00, "USD"), ProviderName.YOOKASSA: Money(1500_00, "RUB")}


@dataclass
class Shop:
    """What the tests do with the product: ask for a deposit, deliver, work, look."""

    database: Database
    world: Sandbox
    staff: Staff
    players: Players
    wallets: Wallets
    outbox: Outbox
    cards: Cards
    deposits: Deposits
    methods: Methods
    withdrawals: Withdrawals
    adjustments: Adjustments
    statements: Statements
    reports: Reports
    returns: Returns
    reconciliation: Reconciliation
    inbox: Inbox
    bookkeeping: Bookkeeping
    casinos: Casinos
    signals: Signals
    broadcasts: Broadcasts
    insights: Insights
    desk: Desk
    letters: Letters
    _wishes: "count[int]"

    async def player(self, telegram_id: int = 1001) -> Player:
        visit = await self.players.visit(telegram_id, username=None, name="Анна", language_code="ru")
        return await self.players.accept_rules(visit.player)

    async def asks(
        self,
        player: Player,
        provider: ProviderName,
        amount: Money | None = None,
        key: str | None = None,
        *,
        keep_card: bool = False,
        payment_method_id: int | None = None,
    ) -> Operation:
        return await self.deposits.start(
            player,
            provider,
            amount or AMOUNTS[provider],
            request_key=key or f"wish-{next(self._wishes)}",
            return_url="https://t.me/looseline_bot?start=paid_",
            keep_card=keep_card,
            payment_method_id=payment_method_id,
        )

    async def pays(self, operation: Operation, **odd: object) -> list[Raw]:
        """The player pays on the provider's page; the deliveries come back undelivered."""
        assert operation.provider_ref is not None
        if operation.provider is ProviderName.STRIPE:
            await self.world.stripe.pay(operation.provider_ref, webhook="never", **odd)  # type: ignore[arg-type]
            return self.world.stripe.events(operation.provider_ref)
        await self.world.yookassa.pay(operation.provider_ref, webhook="never", **odd)  # type: ignore[arg-type]
        return self.world.yookassa.events(operation.provider_ref)

    async def receives(self, provider: ProviderName, deliveries: Sequence[Raw]) -> None:
        await asyncio.gather(
            *(
                self.inbox.accept(
                    provider,
                    raw.body,
                    {name.lower(): value for name, value in raw.headers.items()},
                    ip_address("127.0.0.1"),
                )
                for raw in deliveries
            )
        )

    async def works(self, workers: int = 2) -> None:
        """As many workers at once as a bot has for a delivery, or more of them, until nothing is due."""

        async def drain() -> None:
            while await self.inbox.act() or await self.inbox.act_rereading() or await self.inbox.act_on_postbacks():
                pass

        await asyncio.gather(*(drain() for _ in range(workers)))

    async def deposited(self, player: Player, amount: Money) -> None:
        """The player has this much more, by the way that all money comes."""
        provider = ProviderName.YOOKASSA if amount.currency == "RUB" else ProviderName.STRIPE
        await self.receives(provider, await self.pays(await self.asks(player, provider, amount)))
        await self.works()

    async def payee(self, player: Player, number: int = 0) -> WithdrawalMethod:
        """A destination of this player that can be used now; another number is another one."""
        token = f"4242 pt_{player.id:05}_{number:03}"
        method = await self.methods.add(player, MethodKind.CARD, None, token)
        return await self.methods.verify(ADMIN, method.id)

    async def wallet(self, player: Player, currency: str) -> Wallet:
        return next(wallet for wallet in await self.wallets.balances(player) if wallet.currency == currency)

    async def operation(self, operation_id: int) -> Operation:
        async with self.database.connection() as tx:
            found = await operations.get(tx, operation_id)
        assert found is not None
        return found

    async def told(self, chat_id: int) -> list[str]:
        """The ids of what waits to be told to a chat, in order."""
        async with self.database.connection() as tx:
            rows = await tx.fetch("SELECT text_id FROM outbox WHERE chat_id = $1 ORDER BY id", chat_id)
        return [row["text_id"] for row in rows]

    async def due_now(self) -> None:
        """Time passes: whatever waits for its next attempt is due."""
        async with self.database.connection() as tx:
            await tx.execute("UPDATE wallet_operations SET next_check_at = now() WHERE next_check_at IS NOT NULL")
            await tx.execute("UPDATE webhook_inbox SET run_at = now() WHERE state = 'queued'")
            await tx.execute("UPDATE payment_methods SET forget_at = now() WHERE forget_at IS NOT NULL")


@pytest.fixture
async def world() -> AsyncIterator[Sandbox]:
    async with Sandbox() as world:
        yield world


@pytest.fixture
async def shop(database: Database, world: Sandbox) -> AsyncIterator[Shop]:
    async with opened(database, world) as shop:
        yield shop
        assert await shop.bookkeeping.verify() == []
        await shop.bookkeeping.seal()
        assert await shop.bookkeeping.verify() == []


@asynccontextmanager
async def opened(database: Database, world: Sandbox) -> AsyncIterator[Shop]:
    """The product before this world. Closing it proves nothing."""
    providers: dict[ProviderName, PaymentProvider] = {
        ProviderName.STRIPE: Stripe(world.stripe_key, [world.stripe_webhook_secret], world.stripe_url),
        ProviderName.YOOKASSA: YooKassa(
            world.yookassa_shop, world.yookassa_key, world.yookassa_url, [ip_network("127.0.0.0/8")]
        ),
    }
    vault_key = "not-a-real-key-just-for-the-tests"
    secrecy.keep([world.stripe_key, world.yookassa_key, vault_key, *PROGRAMMES["1win"].tokens])
    staff = Staff(database, [ADMIN, SECOND_ADMIN])
    outbox = Outbox(database, staff)
    vault = Vault([vault_key])
    cards = Cards(database, providers)
    returns = Returns(database, outbox, providers)
    payments = Payments(outbox, cards, returns)
    methods = Methods(database, outbox, vault, timedelta(0))
    statements = Statements(database, MOSCOW)
    casinos = Casinos(database, outbox, PROGRAMMES, channel=False)
    inbox = Inbox(database, outbox, payments, providers, casinos)
    sources = {**{str(name): provider.label for name, provider in providers.items()}, "casino:1win": "1Win"}
    insights = Insights(database, outbox, sources, MOSCOW, channel=False)
    bookkeeping = Bookkeeping(database, outbox, inbox, statements, insights)
    yield Shop(
        database=database,
        world=world,
        staff=staff,
        players=Players(database, outbox, Language.RU, MOSCOW),
        wallets=Wallets(database, MOSCOW),
        outbox=outbox,
        cards=cards,
        deposits=Deposits(database, outbox, payments, cards, providers),
        methods=methods,
        withdrawals=Withdrawals(database, outbox, methods, Manual(), DEFAULT_LIMITS),
        adjustments=Adjustments(database, outbox, DEFAULT_LIMITS),
        statements=statements,
        reports=Reports(database, outbox, statements, vault, MOSCOW),
        returns=returns,
        reconciliation=Reconciliation(database, outbox, payments, returns, providers),
        inbox=inbox,
        bookkeeping=bookkeeping,
        casinos=casinos,
        signals=Signals(database, outbox, PROGRAMMES, None, MOSCOW),
        broadcasts=Broadcasts(database, outbox),
        insights=insights,
        desk=Desk(database, outbox, list(providers)),
        letters=Letters(database, outbox, inbox, [world.stripe_key, world.stripe_webhook_secret, world.yookassa_key]),
        _wishes=count(),
    )
    for provider in providers.values():
        await provider.close()
