"""Pages by key: what is added meanwhile never shifts them."""

from collections.abc import Sequence
from typing import TypeVar

from db.models import Page

T = TypeVar("T")


def page(items: Sequence[T], keys: Sequence[int], *, before: int | None, after: int | None, limit: int) -> Page[T]:
    """A page of `limit` items, newest first, of one more than that which were read: backwards, or with `after`
    forwards. The one too many only tells that there is another page."""
    more = len(items) > limit
    shown, named = list(items[:limit]), list(keys[:limit])
    if after is not None:
        shown, named = shown[::-1], named[::-1]
    if not shown:
        return Page([], older=None, newer=None)
    has_older = more if after is None else True
    has_newer = before is not None if after is None else more
    return Page(shown, older=named[-1] if has_older else None, newer=named[0] if has_newer else None)
