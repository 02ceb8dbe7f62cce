"""Reports on demand and monthly statements: asked for here, made and sent by the outbox."""

import secrets

from aiogram import F, Router
from aiogram.filters import Command
from aiogram.types import CallbackQuery, Message

from db.models import Player, ReportFormat
from handlers import keyboards
from handlers.callbacks import Export, Months, Open, OpenStatement, Place, StatementFile
from handlers.screen import Screen
from handlers.texts import Translate, signed
from services.periods import Period
from services.reports import Include, Reports
from services.statements import Statements
from services.statistics import statistics


def create_router() -> Router:
    router = Router(name="reports")
    router.message.register(periods, Command("export", ignore_case=True))
    router.callback_query.register(periods, Open.filter(F.place == Place.EXPORT))
    router.callback_query.register(make, Export.filter(F.nonce))
    router.callback_query.register(parts, Export.filter(F.format))
    router.callback_query.register(formats, Export.filter())
    router.callback_query.register(months, Months.filter())
    router.callback_query.register(statement, OpenStatement.filter())
    router.callback_query.register(statement_file, StatementFile.filter())
    return router


async def periods(event: Message | CallbackQuery, screen: Screen, t: Translate) -> None:
    await screen.show(t("report-periods"), keyboards.export(t))


async def formats(query: CallbackQuery, callback_data: Export, screen: Screen, t: Translate) -> None:
    await show_formats(screen, t, Period(callback_data.period))


async def show_formats(screen: Screen, t: Translate, period: Period) -> None:
    await screen.show(t("report-formats", period=period_name(t, period)), keyboards.export_format(t, period))


async def parts(query: CallbackQuery, callback_data: Export, screen: Screen, t: Translate) -> None:
    text = t(
        "report-parts",
        period=period_name(t, Period(callback_data.period)),
        format=callback_data.format or ReportFormat.CSV,
    )
    await screen.show(text, keyboards.export_include(t, callback_data, secrets.token_urlsafe(6)))


async def make(
    query: CallbackQuery, callback_data: Export, screen: Screen, player: Player, reports: Reports, t: Translate
) -> None:
    if await reports.known(player, callback_data.key):
        await screen.toast(t("report-again"), alert=True)
        return
    include = Include(*(bool(callback_data.include & bit) for bit in (1, 2, 4)))
    message_id = await screen.show(t("report-queued"))
    await reports.request(
        player,
        callback_data.format or ReportFormat.CSV,
        Period(callback_data.period),
        include,
        request_key=callback_data.key,
        message_id=message_id,
    )


async def months(
    query: CallbackQuery, callback_data: Months, screen: Screen, player: Player, statements: Statements, t: Translate
) -> None:
    found, older = await statements.months(player, before=callback_data.older)
    await screen.show(t("statements") if found else t("statements-none"), keyboards.months(t, found, older))


async def statement(
    query: CallbackQuery,
    callback_data: OpenStatement,
    screen: Screen,
    player: Player,
    statements: Statements,
    t: Translate,
) -> None:
    found = await statements.get(player, callback_data.statement)
    sums = found.summary
    text = t(
        "statement",
        id=found.id,
        month=found.month,
        year=found.year,
        currency=found.currency,
        opening=sums.opening,
        closing=sums.closing,
        deposited=sums.deposited,
        withdrawn=sums.withdrawn,
        net=signed(statistics(sums).net),
        count=sums.movements,
    )
    await screen.show(text, keyboards.statement(t, found, secrets.token_urlsafe(6)))


async def statement_file(
    query: CallbackQuery,
    callback_data: StatementFile,
    screen: Screen,
    player: Player,
    reports: Reports,
    t: Translate,
) -> None:
    if await reports.known(player, callback_data.key):
        await screen.toast(t("report-again"), alert=True)
        return
    message_id = await screen.show(t("report-queued"))
    await reports.request_statement(
        player,
        callback_data.statement,
        callback_data.format,
        request_key=callback_data.key,
        message_id=message_id,
    )


def period_name(t: Translate, period: Period) -> str:
    if period.own is None:
        return t("period", period=period.name)
    first, last = period.own
    return t("period-own", first=f"{first:%d.%m.%Y}", last=f"{last:%d.%m.%Y}")
