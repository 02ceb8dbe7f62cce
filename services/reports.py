"""Reports: a player's movements as CSV and PDF, sent into the chat and behind a link for seven days.

What is asked for is written down with the ranges of movements it is about. The document itself is never kept: it is
made when it is sent, and again when its link is opened, and says the same each time.
"""

import asyncio
import base64
import csv
import io
import re
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from db import audit, ledger, reports, statements, wallets
from db.database import Database, Tx
from db.models import Line, Player, Report, ReportFormat, Span
from db.outbox import Notice
from db.wallets import BETS
from services.documents import Paper, Progress, Section, Words, draw, period
from services.errors import Busy, LinkExpired, NotFound, NothingToReport, ReportTooLong, TooManyReports
from services.outbox import Outbox
from services.periods import Period, month_begins, next_month
from services.statements import Statements
from services.statistics import statistics
from services.vault import Vault

LIFETIME = timedelta(days=7)
PER_HOUR = 20
PAPER_LINES = 50_000
"""More than a thousand pages."""
RENDERS = 2
"""Documents made at the same time, for chats and links together."""
PATIENCE = 15.0
"""How many seconds somebody who opened a link waits for a free place."""
_PART = 20_000  # lines of CSV in one answer of the database: some megabytes, well within its time limit

_TOKEN = re.compile(r"[A-Za-z0-9_-]{54}")
_PURPOSE = b"report"
_COLUMNS = (
    *("number", "booked", "happened", "kind", "code", "currency", "amount", "before", "after", "bets", "withdrawals"),
    *("provider", "reference", "entity", "entity-number", "method", "comment", "note"),
)
_MEDIA = {ReportFormat.CSV: "text/csv; charset=utf-8", ReportFormat.PDF: "application/pdf"}


@dataclass(frozen=True, slots=True)
class Include:
    operations: bool = True
    bets: bool = True
    statistics: bool = True


@dataclass(frozen=True, slots=True)
class Document:
    """A document that was just made; it is gone when its context ends."""

    path: Path
    size: int


@dataclass(frozen=True, slots=True)
class Reports:
    database: Database
    outbox: Outbox
    statements: Statements
    vault: Vault
    timezone: ZoneInfo
    renders: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(RENDERS))

    async def request(
        self,
        player: Player,
        format: ReportFormat,  # noqa: A002
        wanted: Period,
        include: Include,
        *,
        request_key: str,
        message_id: int | None = None,
    ) -> Report:
        """Writes down a report; it comes into the chat by itself. `message_id`: the message that shows how far it is.

        Asked for twice under one key it is one report. A CSV has movements only. Raises NothingToReport,
        ReportTooLong, TooManyReports.
        """
        if format is ReportFormat.CSV:
            include = Include(include.operations, include.bets, statistics=False)

        async def work(tx: Tx) -> Report:
            since, until = wanted.bounds(await tx.fetchval("SELECT now()"), self.timezone)
            spans = await wallets.spans(tx, player.id, since, until)
            return await self._add(tx, player, format, include, since, until, spans, request_key, message_id)

        report = await self.database.run(work)
        self.outbox.wake()
        return report

    async def request_statement(
        self,
        player: Player,
        statement_id: int,
        format: ReportFormat,  # noqa: A002
        *,
        request_key: str,
        message_id: int | None = None,
    ) -> Report:
        """The same of a monthly statement. Raises NotFound, also for another player's."""

        async def work(tx: Tx) -> Report:
            found = await statements.get(tx, player.id, statement_id)
            if found is None:
                raise NotFound
            since = month_begins(found.year, found.month, self.timezone)
            until = month_begins(*next_month(found.year, found.month), self.timezone)
            spans = [Span(found.currency, found.summary.first, found.summary.last)]
            include = Include(statistics=format is ReportFormat.PDF)
            return await self._add(
                tx, player, format, include, since, until, spans, request_key, message_id, statement_id
            )

        report = await self.database.run(work)
        self.outbox.wake()
        return report

    async def _add(
        self,
        tx: Tx,
        player: Player,
        format: ReportFormat,  # noqa: A002
        include: Include,
        since: datetime | None,
        until: datetime | None,
        spans: list[Span],
        request_key: str,
        message_id: int | None,
        statement_id: int | None = None,
    ) -> Report:
        if not spans:
            raise NothingToReport
        listed = include.operations or include.bets
        if format is ReportFormat.PDF and listed and sum(span.last - span.first + 1 for span in spans) > PAPER_LINES:
            raise ReportTooLong(PAPER_LINES)
        before = await reports.asked_since(tx, player.id, timedelta(hours=1))
        report, new = await reports.add(
            tx,
            player.id,
            request_key=request_key,
            format=format,
            language=player.language,
            include=(include.operations, include.bets, include.statistics),
            since=since,
            until=until,
            statement_id=statement_id,
            spans=spans,
            head=await ledger.head(tx),
            lifetime=LIFETIME,
        )
        if not new:
            return report
        if before >= PER_HOUR:
            raise TooManyReports(PER_HOUR)
        await audit.write(
            tx,
            actor="player",
            action="export",
            status="requested",
            user_id=player.id,
            details={
                "report": report.id,
                "format": report.format,
                "statement": statement_id,
                "since": since and since.isoformat(),
                "until": report.until.isoformat(),
                "spans": {span.currency: [span.first, span.last] for span in report.spans},
            },
        )
        await self.outbox.tell(
            tx,
            Notice(f"report:{report.id}", player.telegram_id, "report-ready", {}, edits=message_id, report=report.id),
        )
        return report

    async def known(self, player: Player, request_key: str) -> bool:
        """Whether it was asked for already: then its message says how far it is, and must not begin anew."""
        async with self.database.connection() as tx:
            return await reports.known(tx, player.id, request_key)

    async def get(self, report_id: int) -> Report:
        async with self.database.connection() as tx:
            found = await reports.get(tx, report_id)
        if found is None:
            raise NotFound
        return found[0]

    # Links

    def token(self, report: Report) -> str:
        """What stands in the link: the report's number, and a signature that nobody else can make."""
        number = report.id.to_bytes(8)
        return base64.urlsafe_b64encode(number + self.vault.sign(_PURPOSE + number)).decode()[:54]

    async def opened(self, token: str) -> Report:
        """The report behind a link. Raises NotFound for one we never gave, and LinkExpired."""
        if not _TOKEN.fullmatch(token):
            raise NotFound
        signed = base64.urlsafe_b64decode(token + "==")
        number, signature = signed[:8], signed[8:]
        canonical = base64.urlsafe_b64encode(signed).decode()[:54] == token
        if not canonical or not self.vault.signed(_PURPOSE + number, signature):
            raise NotFound
        async with self.database.connection() as tx:
            found = await reports.get(tx, int.from_bytes(number))
        if found is None:
            raise NotFound
        report, expired = found
        if expired:
            raise LinkExpired
        return report

    # Documents

    def file_name(self, report: Report, words: Words) -> tuple[str, str]:
        """A name in the player's language, and one in plain letters for those who know no others."""
        last = (report.until - timedelta(microseconds=1)).astimezone(self.timezone)
        first = report.since and report.since.astimezone(self.timezone)
        days = f"{first:%Y-%m-%d}_{last:%Y-%m-%d}" if first else f"{last:%Y-%m-%d}"
        title = words("report-file", period=period(report, self.timezone, words), number=report.id)
        return f"{title}.{report.format}", f"looseline-{days}-{report.id}.{report.format}"

    def media_type(self, report: Report) -> str:
        return _MEDIA[report.format]

    @asynccontextmanager
    async def written(
        self, report: Report, words: Words, progress: Progress | None = None, *, patience: float | None = None
    ) -> AsyncIterator[Document]:
        """Makes the document in a folder of its own, which is gone afterwards. `words`: the texts of its language.

        Raises Busy when no place gets free within `patience` seconds, and BooksDiffer.
        """
        with tempfile.TemporaryDirectory(prefix="looseline-report-") as folder:  # here, so that no end of us leaves it
            path = Path(folder) / f"report.{report.format}"
            await self._turn(patience)
            try:
                if report.format is ReportFormat.CSV:
                    await self._write_csv(report, path, words, progress or Progress())
                else:
                    await self._write_pdf(report, path, words, progress or Progress())
            finally:
                self.renders.release()
            yield Document(path, (await asyncio.to_thread(path.stat)).st_size)

    async def _turn(self, patience: float | None) -> None:
        try:
            async with asyncio.timeout(patience):
                await self.renders.acquire()
        except TimeoutError:
            raise Busy from None

    async def _write_csv(self, report: Report, path: Path, words: Words, progress: Progress) -> None:
        """Part by part, each a short statement: no transaction waits for the disk, and memory holds one part."""
        kinds = _kinds(words)
        progress.total = sum(max(0, span.last - span.first + 1) for span in report.spans)
        header = io.StringIO(newline="")
        csv.writer(header, lineterminator="\n").writerow([words("report-csv", column=name) for name in _COLUMNS])
        await asyncio.to_thread(path.write_bytes, header.getvalue().encode("utf-8-sig"))
        for part in (part for span in report.spans for part in wallets.parts(span, _PART)):

            async def read(tx: Tx, part: Span = part) -> bytes:
                return await reports.csv(
                    tx,
                    report.player_id,
                    part,
                    operations=report.operations,
                    bets=report.bets,
                    zone=self.timezone.key,
                    kinds=kinds,
                )

            await asyncio.to_thread(_append, path, await self.database.run(read))
            progress.done += part.last - part.first + 1

    async def _write_pdf(self, report: Report, path: Path, words: Words, progress: Progress) -> None:
        sections = [await self._section(report, span) for span in report.spans]
        statement = None
        if report.statement_id is not None:
            async with self.database.connection() as tx:
                statement = await statements.get(tx, report.player_id, report.statement_id)
        paper = Paper(report, statement, sections, self.timezone)
        try:
            await asyncio.to_thread(draw, paper, path, words, progress)
        except asyncio.CancelledError:
            progress.stopped = True
            raise

    async def _section(self, report: Report, span: Span) -> Section:
        listed = report.operations or report.bets
        lines: list[Line] = []
        async with self.database.connection() as tx:
            summary = await wallets.totals(tx, report.player_id, span)
            in_bets, in_withdrawals = await reports.held(tx, report.player_id, span)
        for part in wallets.parts(span, _PART) if listed else ():
            async with self.database.connection() as tx:
                lines.extend(await reports.lines(tx, report.player_id, part))
        shown = [line for line in lines if (report.bets if line.kind in BETS else report.operations)]
        return Section(statistics(summary), in_bets, in_withdrawals, lines if listed else None, shown)


def _append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def _kinds(words: Words) -> Mapping[str, str]:
    return {kind: words("movement", kind=kind, provider="none") for kind in KINDS}


KINDS = (
    *wallets.DEPOSITS,
    *wallets.WITHDRAWALS,
    *wallets.BETS,
    *("fee_charged", "bonus_added", "exchange", "subscription", "adjustment", "reversal"),
)
"""Every kind of movement a wallet can have."""
