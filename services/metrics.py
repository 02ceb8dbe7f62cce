"""What the process tells Prometheus: what it counts itself, and what stands in the records.

Seconds; money in minor units with its currency; no label names a player. https://prometheus.io/docs/practices/naming/
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector, disable_created_metrics, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from db import figures
from db.database import Database
from db.figures import Figures
from services.errors import TemporarilyUnavailable

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
TELEGRAM_STATES = ("ok", "standby", "starting", "unreachable")

_DOORS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
_CALLS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25)
_DELAYS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, which nobody reads


def _histogram(name: str, says: str, labels: tuple[str, ...], buckets: tuple[float, ...]) -> Histogram:
    return Histogram(f"looseline_{name}", says, labels, buckets=buckets, registry=None)


@dataclass(frozen=True, slots=True)
class Metrics:
    database: Database
    telegram: Callable[[], str]
    """One of TELEGRAM_STATES."""
    _answers: Histogram = field(
        default_factory=lambda: _histogram(
            "http_request_duration_seconds", "Requests answered by the web app.", ("door", "status"), _DOORS
        )
    )
    _provider_calls: Histogram = field(
        default_factory=lambda: _histogram(
            "provider_call_duration_seconds",
            "Calls to payment providers with all their tries; outcome: ok, refused, unknown (may have had an effect).",
            ("provider", "call", "outcome"),
            _CALLS,
        )
    )
    _telegram_calls: Histogram = field(
        default_factory=lambda: _histogram(
            "telegram_call_duration_seconds",
            "Calls to the Bot API, each try by itself; outcome: ok, refused, flood, unreachable.",
            ("method", "outcome"),
            _CALLS,
        )
    )
    _updates: Histogram = field(
        default_factory=lambda: _histogram(
            "update_duration_seconds",
            "Telegram's updates handled, the waiting for the person's earlier ones in it; outcome: ok, failed.",
            ("kind", "outcome"),
            _CALLS,
        )
    )
    _delays: Histogram = field(
        default_factory=lambda: _histogram(
            "event_loop_delay_seconds", "How late the event loop was, sampled twice a second.", (), _DELAYS
        )
    )

    def answered(self, door: str, status: int, seconds: float) -> None:
        """A request was answered; `door` is its route's name."""
        self._answers.labels(door, status).observe(seconds)

    def called_provider(self, provider: str, call: str, outcome: str, seconds: float) -> None:
        """A provider's method has ended: `ok`, `refused` or `unknown`."""
        self._provider_calls.labels(provider, call, outcome).observe(seconds)

    def called_telegram(self, method: str, outcome: str, seconds: float) -> None:
        """A method of the Bot API has ended: `ok`, `refused`, `flood` or `unreachable`."""
        self._telegram_calls.labels(method, outcome).observe(seconds)

    def handled(self, kind: str, outcome: str, seconds: float) -> None:
        """An update has been handled: `ok` or `failed`."""
        self._updates.labels(kind, outcome).observe(seconds)

    def late(self, seconds: float) -> None:
        """The event loop came so much later than it was asked to."""
        self._delays.observe(seconds)

    async def text(self) -> bytes:
        """All of it in Prometheus' text format; without the records while the database is away."""
        try:
            async with self.database.snapshot() as tx:
                found = await figures.read(tx)
        except TemporarilyUnavailable:
            found = None
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        for each in (self._answers, self._provider_calls, self._telegram_calls, self._updates, self._delays):
            registry.register(each)
        registry.register(_Families(self.telegram(), found))
        return generate_latest(registry)


@dataclass(frozen=True, slots=True, eq=False)
class _Families(Collector):
    telegram: str
    found: Figures | None

    def collect(self) -> Iterator[Metric]:
        yield _gauge("database_up", "Whether the database answered this question.", (), [((), self.found is not None)])
        yield _gauge(
            "telegram_state",
            "How updates come in: 1 for the state there is.",
            ("state",),
            [((state,), state == self.telegram) for state in TELEGRAM_STATES],
        )
        if self.found is not None:
            yield from _operations(self.found)
            yield from _odd_money(self.found)
            yield from _queues(self.found)
            yield from _books(self.found)


Samples = list[tuple[tuple[str, ...], float]]


def _gauge(name: str, says: str, labels: tuple[str, ...], samples: Samples) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"looseline_{name}", says, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _counter(name: str, says: str, labels: tuple[str, ...], samples: Samples) -> CounterMetricFamily:
    family = CounterMetricFamily(f"looseline_{name}", says, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _operations(found: Figures) -> Iterator[Metric]:
    labels = ("operation_type", "provider", "currency", "status")
    reached = [((each.operation_type, each.provider, each.currency, each.status), each) for each in found.reached]
    yield _counter(
        "operations_total",
        "How often deposits and withdrawals came to a status, since the beginning.",
        labels,
        [(values, each.operations) for values, each in reached],
    )
    yield _counter(
        "operations_minor_units_total",
        "The same in minor units: what was received of completed ones, what was asked for of the others.",
        labels,
        [(values, each.minor) for values, each in reached],
    )
    waiting = [((each.operation_type, each.provider, each.currency, each.status), each) for each in found.open]
    yield _gauge(
        "operations_open", "Operations that have not ended.", labels, [(v, each.operations) for v, each in waiting]
    )
    yield _gauge(
        "operations_open_minor_units", "The same in minor units.", labels, [(v, each.minor) for v, each in waiting]
    )
    yield _gauge(
        "operations_open_oldest_age_seconds",
        "Since when the oldest of them is open.",
        labels,
        [(v, each.oldest) for v, each in waiting],
    )
    held = {
        currency: sum(
            each.minor for each in found.open if (each.operation_type, each.currency) == ("withdrawal", currency)
        )
        for currency in found.ledger.suspense
    }
    yield _by_currency("held_minor_units", "Held for withdrawals that have not ended.", held)


def _odd_money(found: Figures) -> Iterator[Metric]:
    yield _by_currency(
        "suspense_minor_units", "Money that belongs to nobody yet, as the ledger says.", found.ledger.suspense
    )
    yield _gauge(
        "odd_items_open",
        "Odd payments and differences that wait for an admin.",
        ("provider", "problem"),
        [(where, count) for where, count in found.odd.items()],
    )
    yield _by_currency(
        "receivable_minor_units",
        "What players owe after refunds and disputes.",
        {currency: found.debts.get(currency, (0, 0))[1] for currency in found.ledger.suspense},
    )
    yield _by_currency(
        "debts_open",
        "How many such debts there are.",
        {currency: found.debts.get(currency, (0, 0))[0] for currency in found.ledger.suspense},
    )


def _by_currency(name: str, says: str, values: Mapping[str, int]) -> GaugeMetricFamily:
    return _gauge(name, says, ("currency",), [((currency,), value) for currency, value in values.items()])


def _queues(found: Figures) -> Iterator[Metric]:
    yield _gauge(
        "queue_rows",
        "Rows that wait, by queue and lane: an inbox row's source, a message's priority, a job's kind.",
        ("queue", "lane"),
        [((queue, lane), rows) for queue, its in found.queues.items() for lane, rows in its.queued.items()],
    )
    yield _gauge(
        "queue_oldest_age_seconds",
        "How long the oldest row of a queue has waited.",
        ("queue",),
        [((queue,), its.oldest) for queue, its in found.queues.items()],
    )
    yield _gauge(
        "queue_dead_rows",
        "Rows that were given up and wait for an admin.",
        ("queue",),
        [((queue,), its.dead) for queue, its in found.queues.items()],
    )


def _books(found: Figures) -> Iterator[Metric]:
    ledger = found.ledger
    yield _counter("ledger_journals_total", "Postings since the beginning.", (), [((), ledger.journals)])
    yield _gauge("ledger_unsealed_journals", "Postings not in the hash chain yet.", (), [((), ledger.unsealed)])
    yield _gauge(
        "ledger_unsealed_age_seconds", "How long the oldest of them has waited.", (), [((), ledger.unsealed_age)]
    )
    if found.verified is not None:
        yield _gauge("verify_findings", "What the last proof of the books found.", (), [((), found.verified.findings)])
        yield _gauge(
            "verify_timestamp_seconds", "When the books were last proven.", (), [((), found.verified.at.timestamp())]
        )
    yield _gauge(
        "reconciliation_differences",
        "Differences in the last comparison with a provider's lists.",
        ("provider",),
        [((provider,), its.findings) for provider, its in found.compared.items()],
    )
    yield _gauge(
        "reconciliation_timestamp_seconds",
        "When a provider's lists were last compared to their end.",
        ("provider",),
        [((provider,), its.at.timestamp()) for provider, its in found.compared.items()],
    )
