"""The figures of the long runs, each under a heading of its own in docs/RESULTS.md."""

import fcntl
import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "RESULTS.md"


def write(title: str, command: str, figures: str) -> None:
    """Puts `figures` (Markdown) under `## title`, in place of what an earlier run put there.

    With them: the command that makes them again, the commit, the machine and the day.
    """
    section = f"## {title}\n\n`{command}` · {circumstances()}\n\n{figures.strip()}\n"
    with Path(__file__).open() as lock:  # tests run side by side
        fcntl.flock(lock, fcntl.LOCK_EX)
        page = PAGE.read_text() if PAGE.exists() else "# Results\n"
        before = re.search(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
        if before:
            after = page[before.end() :]
            page = page[: before.start()] + section + ("\n" + after if after else "")
        else:
            page = f"{page.rstrip()}\n\n{section}"
        PAGE.write_text(page)


def circumstances() -> str:
    """Commit, machine and day: a figure means nothing without them."""
    git = ["git", "-C", str(PAGE.parent.parent)]
    commit = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
    code = [*git, "status", "--porcelain", "--", ":!docs/RESULTS.md"]
    changed = subprocess.run(code, capture_output=True, text=True, check=True)
    system = f"{platform.system()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    dirty = " with changes" if changed.stdout.strip() else ""
    return f"commit {commit.stdout.strip()}{dirty} · {system} · {datetime.now(UTC):%Y-%m-%d}"
