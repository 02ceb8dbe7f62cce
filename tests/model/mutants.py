"""Shows that the model can see: breaks the ledger and the services in many ways, and tells what noticed each.

`python -m tests.model.mutants` works in a copy of the tree. Each mutant meets the short form of the model, then a
longer one, then those of the ordinary tests that are about it. The exit code is the number of those that got past all.
`python -m tests.model.mutants hold key` tries those with one of these words in their name.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import results

ROOT = Path(__file__).resolve().parent.parent.parent
NOT_COPIED = (
    ".git",
    ".venv",
    "__pycache__",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".import_linter_cache",
    "docs",
)
MODEL = "tests/model/test_model.py::test_the_books_are_the_models"
PATIENCE = 1200
"""Seconds for one run; who hangs is noticed."""
AT_ONCE = 2


@dataclass(frozen=True)
class Mutant:
    name: str
    file: str
    edits: Sequence[tuple[str, str]]
    """What stands there, exactly once, and what stands there then."""
    tests: str = ""
    """The ordinary tests that are about it."""
    harmless: str = ""
    """Why nothing can notice it: another guard does the same."""


LEDGER, RETURNS, CARDS = (
    "tests/services/test_ledger.py",
    "tests/services/test_returns.py",
    "tests/services/test_cards.py",
)
WITHDRAWALS, ADJUSTMENTS = "tests/services/test_withdrawals.py", "tests/services/test_adjustments.py"
DEPOSITS, TAMPERING = "tests/services/test_deposits.py", "tests/services/test_tampering.py"

MUTANTS = [
    # ---- the ledger itself
    Mutant(
        "a key is not unique",
        "schema.sql",
        [("idempotency_key ledger_key NOT NULL UNIQUE,", "idempotency_key ledger_key NOT NULL,")],
        LEDGER,
    ),
    Mutant(
        "a used key takes other amounts",
        "schema.sql",
        [("AND b.accounts = p_accounts AND b.amounts = p_amounts\n        AND (j.kind", "AND (j.kind")],
        LEDGER,
    ),
    Mutant(
        "a used key takes another kind",
        "schema.sql",
        [
            (
                "(j.kind::text, j.entity_type, j.entity_id, j.reverses_id) IS NOT DISTINCT FROM"
                " (p_kind, p_entity_type, p_entity_id, p_reverses)",
                "true",
            )
        ],
        LEDGER,
    ),
    Mutant(
        "what can be spent may go below zero, in the wallet only",
        "schema.sql",
        [
            (
                "CONSTRAINT available_not_negative   CHECK (VALUE >= 0)",
                "CONSTRAINT available_not_negative   CHECK (true)",
            )
        ],
        LEDGER,
        harmless="the line's own balance_after is refused below zero too",
    ),
    Mutant(
        "what can be spent may go below zero",
        "schema.sql",
        [
            (
                "CONSTRAINT available_not_negative   CHECK (VALUE >= 0)",
                "CONSTRAINT available_not_negative   CHECK (true)",
            ),
            (
                "CONSTRAINT total_not_negative       CHECK (VALUE >= 0)",
                "CONSTRAINT total_not_negative       CHECK (true)",
            ),
        ],
        LEDGER,
    ),
    Mutant(
        "a line of nothing is taken",
        "schema.sql",
        [
            (
                "CONSTRAINT leg_not_zero             CHECK (VALUE <> 0)",
                "CONSTRAINT leg_not_zero             CHECK (true)",
            )
        ],
        LEDGER,
    ),
    Mutant(
        "journals need not balance",
        "schema.sql",
        [
            (
                "HAVING sum(n.amount_minor) <> 0 OR count(*) < 2\n        OR count(",
                "HAVING count(*) < 2\n        OR count(",
            )
        ],
        LEDGER,
    ),
    Mutant(
        "a bucket is set and not added to",
        "schema.sql",
        [("available_minor   = available_minor   + d_available,", "available_minor   = d_available,")],
        LEDGER,
    ),
    Mutant(
        "gifts count as deposits",
        "schema.sql",
        [
            (
                "deposited_minor + CASE WHEN v_kind IN ('deposit', 'suspense_released')",
                "deposited_minor + CASE WHEN v_kind IN ('deposit', 'suspense_released', 'bonus_added')",
            )
        ],
        LEDGER,
    ),
    Mutant(
        "a stake that was given back still counts",
        "schema.sql",
        [("WHEN v_kind IN ('bet_placed', 'bet_cancelled')  THEN d_bets", "WHEN v_kind = 'bet_placed' THEN d_bets")],
        LEDGER,
    ),
    Mutant(
        "a wallet skips numbers",
        "schema.sql",
        [("          seq = seq + 1,", "          seq = seq + CASE WHEN d_bets <> 0 THEN 2 ELSE 1 END,")],
        LEDGER,
    ),
    Mutant(
        "a reversal goes the same way again",
        "schema.sql",
        [("(SELECT array_agg(-l.amount ORDER BY l.nth)", "(SELECT array_agg(l.amount ORDER BY l.nth)")],
        LEDGER,
    ),
    Mutant(
        "a reversal happens twice",
        "schema.sql",
        [("CREATE UNIQUE INDEX ledger_journal_reversed_once", "CREATE INDEX ledger_journal_reversed_once")],
        LEDGER,
    ),
    Mutant(
        "a reversal leaves totals",
        "schema.sql",
        [
            (
                "SELECT j.kind INTO v_kind FROM ledger_journal j JOIN",
                "SELECT 'reversal' INTO v_kind FROM ledger_journal j JOIN",
            )
        ],
        LEDGER,
    ),
    Mutant(
        "a digest leaves the amounts out",
        "schema.sql",
        [
            (
                "    accounts, amounts, seqs, balances, availables)::text",
                "    accounts, seqs, balances, availables)::text",
            )
        ],
        TAMPERING,
        harmless="a changed amount breaks balances too (I1 to I4)",
    ),
    Mutant(
        "a digest leaves the remarks out",
        "schema.sql",
        [("(j).description, (j).metadata, extract", "(j).description, extract")],
        TAMPERING,
    ),
    Mutant(
        "the chain forgets what came before",
        "schema.sql",
        [("v_head.hash := ledger_link(v_head.hash,", "v_head.hash := ledger_link(decode(repeat('00', 32), 'hex'),")],
        LEDGER,
    ),
    Mutant(
        "a closed withdrawal is opened again",
        "schema.sql",
        [("IF NEW.status <> OLD.status AND NOT EXISTS", "IF false AND NOT EXISTS")],
        "tests/services/test_database.py",
        harmless="the services never ask for a forbidden change; the database's refusal is a second guard",
    ),
    # ---- deposits
    Mutant(
        "a payment's key lacks its provider",
        "services/ledger.py",
        [('return f"deposit:{provider}:{payment_ref}"', 'return f"deposit:{payment_ref}"')],
        DEPOSITS,
    ),
    Mutant(
        "what was asked for is credited, whatever came",
        "services/payments.py",
        [("elif payment.amount != operation.amount:", "elif payment.amount is None:")],
        DEPOSITS,
    ),
    Mutant(
        "another currency is credited one to one",
        "services/payments.py",
        [
            ("elif payment.amount is None or payment.amount.currency != operation.amount.currency:", "elif False:"),
            ("elif payment.amount != operation.amount:", "elif payment.amount.minor != operation.amount.minor:"),
        ],
        DEPOSITS,
    ),
    Mutant(
        "money that comes after the page ran out is dropped",
        "services/payments.py",
        [
            (
                "elif operation.status is OperationStatus.CANCELLED and await",
                "elif operation.status is OperationStatus.EXPIRED or await",
            )
        ],
        DEPOSITS,
    ),
    Mutant(
        "a second payment of a deposit is dropped",
        "services/payments.py",
        [("if operation.payment_ref != payment.payment_ref:", "if False:")],
        DEPOSITS,
    ),
    Mutant(
        "each try to open a page opens one",
        "services/providers/stripe.py",
        [
            (
                '{"idempotency_key": f"deposit-{order.id}"}',
                '{"idempotency_key": f"deposit-{id(object())}-{asyncio.get_running_loop().time()}"}',
            )
        ],
        DEPOSITS,
    ),
    Mutant(
        "news are told anew each time",
        "services/payments.py",
        [
            (
                '            f"{text_id}:{operation.id}",\n',
                '            f"{text_id}:{operation.id}:{datetime.now(UTC)}",\n',
            ),
            ("import logging\n", "import logging\nfrom datetime import UTC, datetime\n"),
        ],
        DEPOSITS,
    ),
    Mutant(
        "deposits are not locked",
        "db/operations.py",
        [
            (
                "AND operation_type = 'deposit' AND {found} LIMIT 1 FOR UPDATE",
                "AND operation_type = 'deposit' AND {found} LIMIT 1",
            )
        ],
        f"{DEPOSITS} {RETURNS}",
    ),
    # ---- money back
    Mutant(
        "a refund takes nothing from who has it",
        "services/returns.py",
        [("taken = min(theirs.available.minor, rest) if theirs else 0", "taken = 0")],
        RETURNS,
    ),
    Mutant(
        "a refund takes from the player what lies in suspense",
        "services/returns.py",
        [("suspended = min(case.suspended.minor, row.amount.minor) if case.suspended else 0", "suspended = 0")],
        RETURNS,
    ),
    Mutant(
        "old words overrule new ones",
        "services/returns.py",
        [("if before is None or _RANK[news.state] > _RANK[before]:", "if before is None or news.state != before:")],
        RETURNS,
    ),
    Mutant(
        "more is taken back than was paid",
        "services/returns.py",
        [
            (
                "if whole.currency != row.amount.currency or others + row.amount.minor > whole.minor:",
                "if whole.currency != row.amount.currency:",
            )
        ],
        RETURNS,
    ),
    Mutant(
        "a dispute stops nobody",
        "services/returns.py",
        [
            (
                'if case.debtor is None or (row.kind == "refund" and not row.owed):',
                "if case.debtor is None or not row.owed:",
            )
        ],
        RETURNS,
    ),
    Mutant(
        "what was forgiven goes to the player when it comes back",
        "services/ledger.py",
        [
            (
                "        returned.taken.minor,\n        returned.owed.minor,\n        returned.forgiven.minor,",
                "        returned.taken.minor + returned.forgiven.minor,\n        returned.owed.minor,\n        0,",
            )
        ],
        RETURNS,
    ),
    Mutant(
        "debts and their players are not locked",
        "db/returns.py",
        [
            ('WHERE id = $1 FOR UPDATE", returned_id)', 'WHERE id = $1", returned_id)'),
            (
                'FROM users WHERE id = $1"\n            " FOR NO KEY UPDATE",',
                'FROM users WHERE id = $1",',
            ),
        ],
        RETURNS,
    ),
    Mutant(
        "each try to refund refunds",
        "services/providers/stripe.py",
        [
            (
                '{"idempotency_key": f"refund-{order.id}"}',
                '{"idempotency_key": f"refund-{order.id}-{asyncio.get_running_loop().time()}"}',
            )
        ],
        RETURNS,
    ),
    Mutant(
        "more is given back than the player has",
        "services/returns.py",
        [("maximum = Money(max(min(left, has), 0), currency)", "maximum = Money(max(left, 0), currency)")],
        RETURNS,
    ),
    # ---- odd money
    Mutant(
        "odd money is credited twice",
        "services/reconciliation.py",
        [("        if item.settled is not None:\n            raise AlreadyDecided(item.settled)\n", "")],
        RETURNS,
    ),
    Mutant(
        "an item is closed over its money",
        "services/reconciliation.py",
        [("if item.has_money and await reconciliation.in_suspense(tx, item.provider, item.ref):", "if False:")],
        RETURNS,
    ),
    Mutant(
        "money that stays after all is forgotten",
        "services/returns.py",
        [("            await reconciliation.reopen(tx, case.item.id)", "            pass")],
        RETURNS,
    ),
    # ---- money out
    Mutant(
        "approvals are not counted",
        "services/withdrawals.py",
        [("if len(agreed) < await self._needed(tx, withdrawal):", "if not agreed:")],
        WITHDRAWALS,
    ),
    Mutant(
        "parts get round the second admin",
        "services/withdrawals.py",
        [("asked = await withdrawals.asked_up_to(tx, withdrawal, DAY)", "asked = withdrawal.amount")],
        WITHDRAWALS,
    ),
    Mutant(
        "one admin agrees twice",
        "services/withdrawals.py",
        [
            (
                "if not await withdrawals.agree(tx, withdrawal.id, admin):",
                "if not await withdrawals.agree(tx, withdrawal.id, admin) and not withdrawal.approvals:",
            )
        ],
        WITHDRAWALS,
    ),
    Mutant(
        "a frozen player is paid",
        "services/withdrawals.py",
        [
            (
                "        if player is None or player.frozen_at is not None:\n            raise PlayerIsFrozen",
                "        if player is None:\n            raise PlayerIsFrozen",
            )
        ],
        WITHDRAWALS,
    ),
    Mutant(
        "all of it cannot be withdrawn",
        "services/withdrawals.py",
        [("        if amount > available:\n", "        if amount >= available:\n")],
        WITHDRAWALS,
    ),
    Mutant(
        "there is no limit of a day",
        "services/withdrawals.py",
        [("if asked + amount > limits.daily:", "if amount > limits.daily:")],
        WITHDRAWALS,
    ),
    Mutant(
        "what was rejected counts against the day",
        "db/withdrawals.py",
        [
            (
                "_ENDED_BADLY = [OperationStatus.CANCELLED, OperationStatus.FAILED]",
                "_ENDED_BADLY = [OperationStatus.FAILED]",
            )
        ],
        WITHDRAWALS,
    ),
    Mutant(
        "a failed payment counts as paid",
        "services/withdrawals.py",
        [
            (
                "        await ledger.release_withdrawal(tx, withdrawal, actor=actor)",
                "        failed = status is OperationStatus.FAILED\n"
                "        book = ledger.pay_withdrawal if failed else ledger.release_withdrawal\n"
                "        await book(tx, withdrawal, actor=actor)",
            )
        ],
        WITHDRAWALS,
    ),
    Mutant(
        "withdrawals are not locked",
        "db/withdrawals.py",
        [
            (
                'await tx.execute("SELECT FROM wallet_operations WHERE operation_id = $1 FOR UPDATE", operation_id)',
                "pass",
            )
        ],
        WITHDRAWALS,
    ),
    Mutant(
        "a player's requests do not wait for each other",
        "db/players.py",
        [(" FOR NO KEY UPDATE", "")],
        WITHDRAWALS,
    ),
    Mutant(
        "that money was sent is told after the commit",
        "services/withdrawals.py",
        [
            (
                'tell(tx, self._told(withdrawal, "withdrawal-completed", reference=reference))',
                "tell(tx)",
            ),
            (
                "            withdrawal = await self._complete(tx, withdrawal, reference, actor=actor)\n"
                "        self.outbox.wake()",
                "            withdrawal = await self._complete(tx, withdrawal, reference, actor=actor)\n"
                "        async with self.database.transaction() as tx:\n"
                '            news = self._told(withdrawal, "withdrawal-completed", reference=reference)\n'
                "            await self.outbox.tell(tx, news)\n"
                "        self.outbox.wake()",
            ),
        ],
        WITHDRAWALS,
    ),
    # ---- corrections
    Mutant(
        "who proposed a correction agrees to it",
        "services/adjustments.py",
        [("if proposed.proposed_by == admin:", "if False:")],
        ADJUSTMENTS,
    ),
    Mutant(
        "parts of a correction get round the second admin",
        "services/adjustments.py",
        [("return done.minor + abs(amount.minor) >", "return abs(amount.minor) >")],
        ADJUSTMENTS,
    ),
    Mutant(
        "a press under another's key is taken for it",
        "services/adjustments.py",
        [("if (known.player_id, known.amount, known.reason) != (player.id, amount, reason):", "if False:")],
        ADJUSTMENTS,
    ),
]


@dataclass(frozen=True)
class Verdict:
    how: str
    """What noticed it: `short form`, `longer form`, `tests`; else `harmless`, or `SURVIVED`."""
    seconds: float
    words: str
    """What was said, or why nothing can be."""


def main(words: Sequence[str]) -> int:
    """How many mutants nothing noticed that something should have. All of them together go to docs/RESULTS.md."""
    chosen = [mutant for mutant in MUTANTS if not words or any(word in mutant.name for word in words)]
    verdicts: dict[str, Verdict] = {}
    with ExitStack() as stack:
        trees = [stack.enter_context(_copy()) for _ in range(AT_ONCE)]
        found, seconds = _run(trees[0], [MODEL], "glance")
        if found:
            _say(f"nothing is broken yet, and the model says: {found}")
            return len(chosen)
        _say(f"{'as it is':58} nothing to see, {seconds:.0f} s")
        pool = stack.enter_context(ThreadPoolExecutor(AT_ONCE))
        stack.callback(pool.shutdown, cancel_futures=True)

        def attempt(mutant: Mutant) -> Verdict:
            tree = trees.pop()  # there are as many as threads
            try:
                return _try(tree, mutant)
            finally:
                trees.append(tree)

        for mutant, verdict in zip(chosen, pool.map(attempt, chosen), strict=True):
            verdicts[mutant.name] = verdict
            _say(f"{mutant.name:58} {verdict.how}, {verdict.seconds:.0f} s: {verdict.words}")
    survivors = sum(verdict.how == "SURVIVED" for verdict in verdicts.values())
    _say(f"{len(chosen)} mutants, {survivors} survived that nothing else guards against")
    if not words:
        results.write("Mutants", "make model", _table(verdicts))
    return survivors


def _table(verdicts: Mapping[str, Verdict]) -> str:
    counts = Counter(verdict.how for verdict in verdicts.values())
    summary = (
        f"{len(verdicts)} ways to break the ledger and the services: {counts['short form']} noticed by the model's"
        f" short form, {counts['longer form']} by a longer one, {counts['tests']} by the ordinary tests about it;"
        f" {counts['harmless']} harmless, as another guard does the same; {counts['SURVIVED']} survived."
    )
    lines = [f"| {name} | {verdict.how} | {verdict.words.replace('|', '/')} |" for name, verdict in verdicts.items()]
    return "\n".join([summary, "", "| mutant | noticed by | what was said |", "|---|---|---|", *lines])


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def broken(mutant: Mutant, text: str) -> str:
    """The text of its file with the mutant in it. Raises ValueError when it cannot be made any more."""
    for old, new in mutant.edits:
        if text.count(old) != 1:
            raise ValueError(f"{mutant.name}: {old.strip()[:60]!r} stands {text.count(old)} times in {mutant.file}")
        text = text.replace(old, new)
    return text


def _try(tree: Path, mutant: Mutant) -> Verdict:
    path = tree / mutant.file
    sound = path.read_text("utf-8")
    path.write_text(broken(mutant, sound), "utf-8")
    try:
        spent = 0.0
        for how, tests, form in (
            ("short form", [MODEL], "glance"),
            ("longer form", [MODEL], "gaze"),
            ("tests", mutant.tests.split(), "glance"),
        ):
            found, seconds = _run(tree, tests, form) if tests else ("", 0.0)
            spent += seconds
            if found:
                return Verdict(how, spent, found)
    finally:
        path.write_text(sound, "utf-8")
    return Verdict("harmless" if mutant.harmless else "SURVIVED", spent, mutant.harmless)


def _run(tree: Path, tests: Sequence[str], form: str) -> tuple[str, float]:
    """What noticed something, or nothing; and the seconds it took."""
    began = time.monotonic()
    command = [sys.executable, "-m", "pytest", *tests, "-n", "0", "-x", "--tb=short", "--no-header", "-W", "ignore"]
    try:
        done = subprocess.run(
            command,
            cwd=tree,
            env={**os.environ, "MODEL": form},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "hangs", time.monotonic() - began
    spent = time.monotonic() - began
    if done.returncode == 0:
        return "", spent
    test = re.search(r"^(?:FAILED|ERROR) \S*?::(\S+)", done.stdout, re.MULTILINE)
    why = re.search(r"^E   +(\S.*)$", done.stdout, re.MULTILINE) or re.search(
        r"(\w*Error\b.*)$", done.stdout, re.MULTILINE
    )
    return f"{test[1] if test else f'exit {done.returncode}'}: {why[1][:110] if why else '?'}", spent


@contextmanager
def _copy() -> Iterator[Path]:
    """The tree as it is now, to be broken."""
    folder = Path(tempfile.mkdtemp(prefix="looseline-mutants-"))
    try:
        tree = folder / "tree"
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*NOT_COPIED))
        yield tree
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: os.killpg(0, signal.SIGINT))  # as Ctrl-C, which the tests hear too
    raise SystemExit(main(sys.argv[1:]))
