"""Reports on paper: a PDF that could be handed to a bank. Its sums are checked while it is drawn.

Drawn on the canvas, row by row: a flowing table of the same library takes ten times as long.
"""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from db.models import Line, Report, Statement
from db.money import Money
from services.statistics import Statistics

_WIDTH, _HEIGHT = 595.28, 841.89  # A4
_LEFT, _RIGHT = 42.0, 42.0
_TOP, _BOTTOM = 56.0, 62.0
_ROW = 12.6
_CHART = 120.0
_POINTS = 400
_INK, _GREY, _PALE, _BLUE = (0.1, 0.1, 0.12), (0.45, 0.45, 0.5), (0.94, 0.95, 0.97), (0.13, 0.36, 0.66)
_NORMAL, _BOLD = "DejaVuSans", "DejaVuSans-Bold"

_fonts = threading.Lock()


class Words(Protocol):
    """Texts of one language, plain: nothing in them is markup."""

    def __call__(self, text_id: str, /, **arguments: Money | datetime | str | int) -> str: ...


class Stopped(Exception):
    """The document is not wanted any more."""


class BooksDiffer(Exception):
    """The sums of a document do not agree: it must not exist."""


@dataclass
class Progress:
    """How far a document is; written by one thread and read by another."""

    total: int = 0
    done: int = 0
    stopped: bool = False
    """Nobody waits for the document any more: the thread that draws it should end."""

    @property
    def percent(self) -> int:
        return min(99, 100 * self.done // self.total) if self.total else 0


@dataclass(frozen=True, slots=True)
class Section:
    """One wallet's part of a document."""

    statistics: Statistics
    in_bets: Money
    in_withdrawals: Money
    lines: Sequence[Line] | None
    """Every movement; None when none is to be listed."""
    shown: Sequence[Line]
    """Those that are."""

    def check(self) -> None:
        """Opening balance and movements make the closing balance, in all and line by line. Raises BooksDiffer."""
        sums = self.statistics.summary
        moved = sums.deposited + sums.returned + sums.held + sums.staked + sums.won + sums.other
        if sums.opening + moved != sums.closing:
            raise BooksDiffer(f"{sums.currency}: the sums do not lead from the opening to the closing balance")
        if self.lines is None:
            return
        balance, seq = sums.opening, sums.first
        for line in self.lines:
            balance += line.amount
            if line.after != balance or line.seq != seq:
                raise BooksDiffer(f"{sums.currency}: movement {line.journal_id} does not follow")
            seq += 1
        if balance != sums.closing or seq != sums.last + 1:
            raise BooksDiffer(f"{sums.currency}: the movements do not lead to the closing balance")

    @property
    def not_shown(self) -> Money:
        """What the movements that are not listed come to."""
        sums = self.statistics.summary
        listed = sum(line.amount.minor for line in self.shown)
        return sums.closing - sums.opening - Money(listed, sums.currency)


@dataclass(frozen=True, slots=True)
class Paper:
    """Everything that stands in one document."""

    report: Report
    statement: Statement | None
    sections: Sequence[Section]
    zone: ZoneInfo


def draw(paper: Paper, path: Path, words: Words, progress: Progress) -> None:
    """Writes the PDF. Takes seconds: to be called in a thread. Raises BooksDiffer."""
    from reportlab import rl_config  # noqa: PLC0415  heavy, and needed only here
    from reportlab.pdfgen.canvas import Canvas  # noqa: PLC0415

    rl_config.useA85 = 0  # bytes as they are, not as letters: smaller and faster
    for section in paper.sections:
        section.check()
    _register()
    counting = _Layout(None, paper, words, Progress(), pages=0)
    counting.run()
    # The same bytes for the same report, whenever it is made.
    canvas = Canvas(str(path), pagesize=(_WIDTH, _HEIGHT), pageCompression=1, invariant=1, lang=paper.report.language)
    canvas.setTitle(words("report-title", number=number(paper.report)))
    canvas.setAuthor("Looseline")
    canvas.setCreator("Looseline")
    _Layout(canvas, paper, words, progress, pages=counting.page).run()
    canvas.save()


def number(report: Report) -> str:
    """What a document is called: R-17 for a report, S-5 for a monthly statement."""
    return f"R-{report.id}" if report.statement_id is None else f"S-{report.statement_id}"


def _register() -> None:
    """DejaVu comes with matplotlib, speaks Cyrillic, and is put into the document as far as it is used."""
    from reportlab.pdfbase import pdfmetrics  # noqa: PLC0415
    from reportlab.pdfbase.ttfonts import TTFont  # noqa: PLC0415

    with _fonts:
        known = pdfmetrics.getRegisteredFontNames()
        package = find_spec("matplotlib")
        if package is None or package.origin is None:
            raise FileNotFoundError("matplotlib, whose font is used, is not installed")
        folder = Path(package.origin).parent / "mpl-data" / "fonts" / "ttf"
        for name in (_NORMAL, _BOLD):
            if name not in known:
                pdfmetrics.registerFont(TTFont(name, str(folder / f"{name}.ttf")))


def _width(text: str, font: str, size: float) -> float:
    from reportlab.pdfbase.pdfmetrics import stringWidth  # noqa: PLC0415

    return float(stringWidth(text, font, size))


def _printable(text: str) -> str:
    """What people typed, without line ends and other signs that no font shows."""
    return "".join(sign if sign.isprintable() else " " for sign in text).strip()


def _plain(money: Money) -> str:
    """`1 000.50`; the currency is said once for the whole table."""
    return f"{money.major:,f}".replace(",", "\N{NO-BREAK SPACE}")


def _signed(money: Money) -> str:
    return f"+{_plain(money)}" if money.minor > 0 else _plain(money)


@dataclass
class _Layout:
    """Draws from top to bottom; without a canvas it only counts the pages."""

    canvas: Any
    paper: Paper
    words: Words
    progress: Progress
    pages: int
    page: int = 0
    y: float = 0.0
    _kinds: dict[str, str] = field(default_factory=dict)
    _out: Any = None
    _style: tuple[str, float] | None = None
    _colour: tuple[float, float, float] | None = None

    def run(self) -> None:
        self.progress.total = sum(len(section.shown) for section in self.paper.sections) or 1
        self._open()
        self._title()
        for index, section in enumerate(self.paper.sections):
            if index:
                self._turn()
            self._section(section)
        self._close()

    # Pages

    def _open(self) -> None:
        self.page += 1
        self.y = _HEIGHT - _TOP
        if self.canvas is None:
            return
        self._out, self._style, self._colour = self.canvas.beginText(), None, None
        if self.page == 1:
            return
        self._text(_LEFT, _HEIGHT - 36, self.words("report-title", number=number(self.paper.report)), 8, _GREY)
        self._right(_WIDTH - _RIGHT, _HEIGHT - 36, self._name(), 8, _GREY)
        self._rule(_HEIGHT - 42)

    def _close(self) -> None:
        if self.canvas is None:
            return
        report = self.paper.report
        self._rule(46)
        seal = self.words("report-seal-short", seq=report.sealed_seq, hash=report.sealed_hash.hex()[:16])
        self._text(_LEFT, 34, seal, 7, _GREY)
        self._right(_WIDTH - _RIGHT, 34, self.words("report-page", page=self.page, pages=self.pages), 8, _GREY)
        self.canvas.drawText(self._out)
        self.canvas.showPage()

    def _turn(self) -> None:
        self._close()
        self._open()

    def _room(self, height: float) -> bool:
        """Sees to it that this much fits; True when that took a new page."""
        if self.y - height >= _BOTTOM:
            return False
        self._turn()
        return True

    # Parts

    def _title(self) -> None:
        report, words = self.paper.report, self.words
        self._say("Looseline", 9, _GREY)
        self.y -= 6
        self._say(words("report-title", number=number(report)), 17, font=_BOLD, gap=10)
        if (statement := self.paper.statement) is not None:
            month = words("month", month=statement.month, year=statement.year)
            self._pair(words("report-month"), month)
        for label, value in (
            (words("report-player"), self._name()),
            (words("report-period"), period(report, self.paper.zone, words)),
            (words("report-made"), words("report-moment", at=report.created_at, zone=self.paper.zone.key)),
            (words("report-contents"), self._contents()),
        ):
            self._pair(label, value)
        self._pair(words("report-seal"), words("report-seal-seq", seq=report.sealed_seq))
        self._pair("", report.sealed_hash.hex(), size=7.5)
        self.y -= 4
        for line in self._wrap(words("report-note"), 8):
            self._say(line, 8, _GREY, gap=2)
        self.y -= 20

    def _name(self) -> str:
        report = self.paper.report
        name = _printable(report.name)[:60]
        return self.words("report-name", name=name, id=report.player_id)

    def _contents(self) -> str:
        report = self.paper.report
        parts = {"operations": report.operations, "bets": report.bets, "statistics": report.statistics}
        return ", ".join(self.words("report-part", part=name) for name, wanted in parts.items() if wanted)

    def _section(self, section: Section) -> None:
        words, sums = self.words, section.statistics.summary
        self._room(200)
        self._band(words("report-wallet", currency=sums.currency))
        self._balance(section)
        if self.paper.report.statistics:
            self._statistics(section.statistics)
        if len(section.shown) > 1:
            self._chart(section)
        if section.lines is not None:
            self._table(section)

    def _balance(self, section: Section) -> None:
        words, sums = self.words, section.statistics.summary
        rows = [(words("report-opening"), sums.opening, True)]
        for name in ("deposited", "returned", "held", "staked", "won", "other"):
            amount: Money = getattr(sums, name)
            if amount:
                rows.append((words("report-sum", sum=name), amount, False))
        rows.append((words("report-closing"), sums.closing, True))
        for label, amount, total in rows:
            font = _BOLD if total else _NORMAL
            self._text(_LEFT + 6, self.y, label, 9, font=font)
            self._right(_LEFT + 330, self.y, _plain(amount) if total else _signed(amount), 9, font=font)
            self.y -= 14
        if section.in_bets or section.in_withdrawals:
            held = words("report-held", bets=section.in_bets, withdrawals=section.in_withdrawals)
            self._text(_LEFT + 6, self.y, held, 8, _GREY)
            self.y -= 13
        self.y -= 4

    def _statistics(self, found: Statistics) -> None:
        words, sums = self.words, found.summary
        self._room(100)
        self._text(_LEFT + 6, self.y, words("report-statistics"), 9, font=_BOLD)
        self.y -= 14
        left = (
            (words("statistics-deposited"), _plain(sums.deposited)),
            (words("statistics-withdrawn"), _plain(sums.withdrawn)),
            (words("statistics-stakes"), _plain(found.placed)),
            (words("statistics-turnover"), _plain(sums.turnover)),
            (words("statistics-payouts"), _plain(sums.won)),
        )
        counts = words("statistics-counts", won=sums.bets_won, lost=sums.bets_lost, void=sums.bets_void)
        right = (
            (words("statistics-bets"), counts),
            (words("statistics-win-rate"), _rate(found.win_rate)),
            (words("statistics-net"), _signed(found.net)),
            (words("statistics-roi"), _rate(found.roi)),
            (words("statistics-payback"), _rate(found.payback)),
        )
        middle = _LEFT + 262
        for (label, value), (other_label, other) in zip(left, right, strict=True):
            self._text(_LEFT + 6, self.y, label, 8, _GREY)
            self._right(_LEFT + 240, self.y, value, 8)
            self._text(middle, self.y, other_label, 8, _GREY)
            self._right(_WIDTH - _RIGHT - 6, self.y, other, 8)
            self.y -= 12
        self.y -= 6

    def _chart(self, section: Section) -> None:
        self._room(_CHART + 40)
        self._text(_LEFT + 6, self.y, self.words("report-chart"), 9, font=_BOLD)
        self.y -= 8
        if self.canvas is not None:
            self._curve(section, self.y - _CHART + 14, _CHART - 18)
        self.y -= _CHART + 14

    def _curve(self, section: Section, bottom: float, height: float) -> None:
        lines = section.shown
        step = max(1, len(lines) // _POINTS)
        points = [*lines[::step], lines[-1]]
        begins, ends = points[0].at.timestamp(), max(line.at.timestamp() for line in points)
        highest = max(line.after.minor for line in points) or 1
        left, right = _LEFT + 6, _WIDTH - _RIGHT - 84
        canvas = self.canvas
        canvas.setLineWidth(0.4)
        for share in (0.0, 0.5, 1.0):
            level = bottom + height * share
            canvas.setStrokeColorRGB(0.85, 0.86, 0.89)
            canvas.line(left, level, right, level)
            label = _plain(Money(round(highest * Decimal(str(share))), section.statistics.currency))
            self._text(right + 6, level - 2.5, label, 7, _GREY)
        path = canvas.beginPath()
        last = None
        for line in points:
            across = (line.at.timestamp() - begins) / (ends - begins) if ends > begins else 1.0
            x, y = left + (right - left) * across, bottom + height * line.after.minor / highest
            if last is None:
                path.moveTo(x, y)
            else:  # a balance stands until the next movement
                path.lineTo(x, last)
                path.lineTo(x, y)
            last = y
        canvas.setStrokeColorRGB(*_BLUE)
        canvas.setLineWidth(1.1)
        canvas.drawPath(path, stroke=1, fill=0)
        self._text(left, bottom - 10, self._date(points[0].at), 7, _GREY)
        self._right(right, bottom - 10, self._date(points[-1].at), 7, _GREY)

    def _table(self, section: Section) -> None:
        sums = section.statistics.summary
        self._room(5 * _ROW)
        self._head(sums.currency)
        self._row("", self.words("report-opening"), "", "", _plain(sums.opening), font=_BOLD)
        for line in section.shown:
            if self._room(_ROW):
                self._head(sums.currency)
            if self.canvas is None:
                self.y -= _ROW
                continue
            self._row(
                self._moment(line.at), self._kind(line.kind), self._cut(line), _signed(line.amount), _plain(line.after)
            )
            self.progress.done += 1
            if self.progress.stopped:
                raise Stopped
        if not section.shown:
            self._row("", self.words("report-nothing"), "", "", "", colour=_GREY)
        if section.not_shown or len(section.shown) < len(section.lines or ()):
            self._total("report-not-shown", _signed(section.not_shown), "")
        moved = sums.closing - sums.opening
        self._total("report-moved", _signed(moved), "")
        self._total("report-closing", "", _plain(sums.closing))
        self.y -= 8

    def _total(self, text_id: str, amount: str, balance: str) -> None:
        self._room(_ROW)
        self._row("", self.words(text_id), "", amount, balance, font=_BOLD)

    def _head(self, currency: str) -> None:
        if self.canvas is not None:
            self.canvas.setFillColorRGB(*_PALE)
            self.canvas.rect(_LEFT, self.y - 4, _WIDTH - _LEFT - _RIGHT, _ROW + 1, stroke=0, fill=1)
        words = self.words
        self._row(
            words("report-column-date"),
            words("report-column-kind"),
            words("report-column-reference"),
            words("report-column-amount", currency=currency),
            words("report-column-balance", currency=currency),
            font=_BOLD,
        )

    def _row(
        self,
        date: str,
        kind: str,
        reference: str,
        amount: str,
        balance: str,
        *,
        font: str = _NORMAL,
        colour: tuple[float, float, float] = _INK,
    ) -> None:
        if self.canvas is not None:
            y, end = self.y, _WIDTH - _RIGHT - 4
            if date:
                self._text(_LEFT + 4, y, date, 7.5, colour, font)
            self._text(_LEFT + 92, y, kind, 7.5, colour, font)
            if reference:
                self._text(_LEFT + 248, y, reference, 6.5, _GREY if font is _NORMAL else colour, font)
            if amount:
                self._right(end - 86, y, amount, 7.5, colour, font)
            if balance:
                self._right(end, y, balance, 7.5, colour, font)
        self.y -= _ROW

    def _kind(self, kind: str) -> str:
        if kind not in self._kinds:
            text = self.words("movement", kind=kind, provider="none")
            while _width(text, _NORMAL, 7.5) > 152:
                text = text[:-2] + "…"
            self._kinds[kind] = text
        return self._kinds[kind]

    def _cut(self, line: Line) -> str:
        """The reference as far as there is room; what it is worth is its beginning."""
        text = _printable(line.reference) or str(line.journal_id)
        return text if len(text) <= 24 else text[:23] + "…"

    def _moment(self, at: datetime) -> str:
        return at.astimezone(self.paper.zone).strftime("%d.%m.%Y %H:%M")

    def _date(self, at: datetime) -> str:
        return at.astimezone(self.paper.zone).strftime("%d.%m.%Y")

    # Strokes

    def _band(self, text: str) -> None:
        if self.canvas is not None:
            self.canvas.setFillColorRGB(*_PALE)
            self.canvas.rect(_LEFT, self.y - 6, _WIDTH - _LEFT - _RIGHT, 20, stroke=0, fill=1)
        self._text(_LEFT + 6, self.y, text, 11, font=_BOLD)
        self.y -= 24

    def _say(
        self,
        text: str,
        size: float,
        colour: tuple[float, float, float] = _INK,
        *,
        font: str = _NORMAL,
        gap: float = 4,
    ) -> None:
        self._text(_LEFT, self.y - size * 0.8, text, size, colour, font)
        self.y -= size + gap

    def _pair(self, label: str, value: str, *, size: float = 9) -> None:
        self._text(_LEFT, self.y - 8, label, 9, _GREY)
        self._text(_LEFT + 150, self.y - 8, value, size)
        self.y -= 15

    def _wrap(self, text: str, size: float) -> Iterator[str]:
        line = ""
        for word in text.split(" "):
            longer = f"{line} {word}".strip()
            if line and _width(longer, _NORMAL, size) > _WIDTH - _LEFT - _RIGHT:
                yield line
                longer = word
            line = longer
        yield line

    def _text(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        colour: tuple[float, float, float] = _INK,
        font: str = _NORMAL,
    ) -> None:
        """All text of a page is one object, and says only what changes: half the time of strings one by one."""
        if self.canvas is None:
            return
        if self._style != (font, size):
            self._style = font, size
            self._out.setFont(font, size)
        if self._colour != colour:
            self._colour = colour
            self._out.setFillColorRGB(*colour)
        self._out.setTextOrigin(x, y)
        self._out.textOut(text)

    def _right(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        colour: tuple[float, float, float] = _INK,
        font: str = _NORMAL,
    ) -> None:
        if self.canvas is not None:
            self._text(x - _width(text, font, size), y, text, size, colour, font)

    def _rule(self, y: float) -> None:
        self.canvas.setStrokeColorRGB(0.8, 0.8, 0.84)
        self.canvas.setLineWidth(0.5)
        self.canvas.line(_LEFT, y, _WIDTH - _RIGHT, y)


def period(report: Report, zone: ZoneInfo, words: Words) -> str:
    """Which days a report is about, the last one in it."""
    last = (report.until - timedelta(microseconds=1)).astimezone(zone).strftime("%d.%m.%Y")
    if report.since is None:
        return words("report-until", last=last)
    return words("report-days", first=report.since.astimezone(zone).strftime("%d.%m.%Y"), last=last)


def _rate(value: Decimal | None) -> str:
    return "—" if value is None else f"{value}\N{NO-BREAK SPACE}%"
