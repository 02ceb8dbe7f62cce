"""The machine, run: a short form among the other tests, a long one with MODEL=long."""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants
from hypothesis.stateful import run_state_machine_as_test

from tests.model.machine import Machine, Once, Twins
from tests.model.mutants import MUTANTS, ROOT, broken

_ALWAYS = settings(
    database=None,
    deadline=None,
    derandomize=True,  # the same examples each time, so that what fails is what was changed
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
_UNSHRUNK = settings(_ALWAYS, phases=[Phase.generate], print_blob=False)
FORMS = {
    "short": settings(_ALWAYS, max_examples=6, stateful_step_count=30),
    "long": settings(_ALWAYS, max_examples=300, stateful_step_count=60, derandomize=False),
    # Only whether something is wrong, and not how little it takes: for the mutants.
    "glance": settings(_UNSHRUNK, max_examples=8, stateful_step_count=30),
    "gaze": settings(_UNSHRUNK, max_examples=30, stateful_step_count=40),
}


@pytest.mark.parametrize("machine", [Once, Twins])
def test_the_books_are_the_models(
    machine: type[Machine], postgres: str, template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Numbers found in whatever modules other tests have imported would make other examples of it each time.
    monkeypatch.setattr(providers, "_get_local_constants", Constants)
    monkeypatch.setattr(Machine, "server", postgres, raising=False)
    monkeypatch.setattr(Machine, "template", template, raising=False)
    run_state_machine_as_test(machine, settings=FORMS[os.environ.get("MODEL", "short")])


def test_every_mutant_can_be_made() -> None:
    for mutant in MUTANTS:
        assert broken(mutant, (ROOT / mutant.file).read_text("utf-8"))
