# make run: the bot. make test: every check. make chaos: kill -9 wherever the bot waits, which takes many minutes.
# Needs Python 3.11 or newer, and nothing else installed.
.PHONY: run test compiled chaos model fuzz bench check setup lock audit clean
.DEFAULT_GOAL := run
MAKEFLAGS += --no-print-directory
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip install --quiet --no-input --disable-pip-version-check --use-pep517
# In an environment of their own, so that they and what they bring are not part of what they look after.
TOOLS := $(VENV)/tools
LOCK := $(TOOLS)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command 'make lock'
CAN_RUN := $(VENV)/.can-run
CAN_TEST := $(VENV)/.can-test
# Without compiled code each of the many processes of a test run would compile everything anew.
unexport PYTHONDONTWRITEBYTECODE
# Each stamp is newer than the list it was installed from. Without a working Python (say, after an upgrade of the
# system) neither counts.
$(shell $(PY) -c 'import pip' 2>/dev/null || rm -rf $(CAN_RUN) $(CAN_TEST) $(PY))

run: $(CAN_RUN)
	@exec $(PY) -m bot

test: $(CAN_TEST)
	@$(MAKE) -j 2 check compiled
	@$(PY) -m pytest

# Beside the checks, which leave a processor idle: else each process of the tests would compile a fresh checkout for
# itself. What cannot be read is told by the tests.
compiled: $(CAN_TEST)
	@[ -d tests/__pycache__ ] || $(PY) -m pytest -n 0 --collect-only -qq >/dev/null 2>&1 || true

# `make test` kills at some awaits of each flow, this at all of them; then a storm of three quarters of an hour.
chaos: $(CAN_TEST)
	@CHAOS=all $(PY) -m pytest -n 4 tests/chaos tests/services/test_tampering.py
	@$(PY) -m tests.chaos.storm --kills 1000 --operations 100000

# The books as a model, at length, against PostgreSQL; then with rules broken on purpose, to see that it notices.
model: $(CAN_TEST)
	@MODEL=long $(PY) -m pytest tests/model -n 2
	@$(PY) -m tests.model.mutants

# Hostile requests, deliveries and updates in great number; SEED repeats what was sent. One after another, because each
# writes its figures into docs/RESULTS.md.
fuzz: $(CAN_TEST)
	@FUZZ=long $(PY) -m pytest -n 0 tests/webhooks/test_fuzz.py tests/webhooks/test_mutations.py tests/chat/test_fuzz.py

# Speed and memory beside their aims: a quarter of an hour with nothing else on the machine. Parts: see tests/bench.
bench: $(CAN_TEST)
	@$(PY) -m tests.bench

check: $(CAN_TEST)
	@$(PY) -m ruff format --check --quiet .
	@$(PY) -m ruff check --quiet .
	@$(PY) -m mypy
	@$(PY) -c 'from importlinter.cli import lint_imports_command as lint; lint(["--no-logo"])'

setup: $(CAN_TEST)

# The pins and their hashes, for every platform, after a change of what we ask for in the .in files.
lock: $(TOOLS)
	@$(LOCK) requirements.in -o requirements.txt
	@$(LOCK) requirements-dev.in -o requirements-dev.txt

# Known weaknesses of what is pinned, as PyPI knows them; fails also when it cannot be asked.
audit: $(TOOLS)
	@$(TOOLS)/bin/pip-audit --strict --progress-spinner off --disable-pip --require-hashes -r requirements.txt -r requirements-dev.txt \
	|| { echo 'make audit: failed. If it names a weakness above, raise that pin. If it could not ask ("not found on PyPI", no' \
	  'connection), nothing was audited: run it where pypi.org itself is reached, not only a mirror of it.' >&2; exit 1; }

$(TOOLS): | $(PY)
	@$(PY) -m venv $@
	@$@/bin/python -m pip install --quiet --no-input --disable-pip-version-check uv==0.13.9 pip-audit==2.10.1

# Never touches DATA_DIR: money lives there.
clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

$(CAN_RUN): requirements.txt | $(PY)
	@echo 'Installing what the bot needs into $(VENV)…' >&2
	@$(PIP) --require-hashes -r requirements.txt
	@touch $@

$(CAN_TEST): requirements-dev.txt $(CAN_RUN)
	@echo 'Installing what the tests need into $(VENV)…' >&2
	@$(PIP) --require-hashes -r requirements-dev.txt
	@touch $@

$(PY):
	@for python in python3 python3.13 python3.12 python3.11; do \
	  $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	  $$python -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "$$python cannot make a virtual environment: install its venv package (on Debian and Ubuntu: apt install python3-venv) and run make again." >&2; \
	    exit 1; }; \
	  exec $$python -m venv --clear $(VENV); \
	done; \
	echo "Looseline needs Python 3.11 or newer, and found $$(python3 --version 2>/dev/null || echo none): install a newer python3 and run make again." >&2; \
	exit 1
