"""What people type for other people to read."""

from services.errors import ReasonNeeded

REASON_LIMIT = 200


def reason(text: str) -> str:
    """Why something is done, in one line, without what cannot be seen or stored. Raises ReasonNeeded."""
    seen = "".join(letter if letter.isprintable() else " " for letter in text[: 4 * REASON_LIMIT])
    line = " ".join(seen.split())
    if not line or len(line) > REASON_LIMIT:
        raise ReasonNeeded(REASON_LIMIT)
    return line
