"""Which routers may know a command, a button or an answer. aiogram asks all of them one after another, each with
everything in its hands that handlers ask for, and that cost a command more than its queries do."""

from typing import Any

from aiogram import Router
from aiogram.dispatcher.event.bases import UNHANDLED
from aiogram.dispatcher.event.handler import HandlerObject
from aiogram.filters import Command
from aiogram.filters.callback_data import CallbackQueryFilter
from aiogram.fsm.state import State
from aiogram.types import CallbackQuery, Message, TelegramObject

from handlers.filters import Answer, is_command, said

Index = dict[str | None, list[Router]]
"""Routers in their order by what they know; under None those that listen to anything."""


class IndexedRouter(Router):
    """Asks only those of its routers that may have an answer, in their order. Its own filters and inner middlewares
    hold for them as usual; handlers and outer middlewares of its own it does not have."""

    def __init__(self, *, name: str) -> None:
        super().__init__(name=name)
        self._indexes: dict[str, Index] = {}

    async def propagate_event(self, update_type: str, event: TelegramObject, **kwargs: Any) -> Any:
        passed, data = await self.observers[update_type].check_root_filters(event, **kwargs)
        if not passed:
            return UNHANDLED
        if update_type not in self._indexes:  # the first of its kind: all routers have been included
            self._indexes[update_type] = self._index(update_type)
        index = self._indexes[update_type]
        for router in index.get(_word(event, kwargs.get("raw_state")), index[None]):
            response = await router.propagate_event(update_type, event, **data)
            if response is not UNHANDLED:
                return response
        return UNHANDLED

    def _index(self, update_type: str) -> Index:
        own = self.observers[update_type]
        if own.handlers or own.outer_middleware:
            raise ValueError(f"{self.name}: nothing would come to its own handlers and outer middlewares")
        known = [(router, _words(router, update_type)) for router in self.sub_routers]
        every = {None}.union(*(words for _, words in known))
        return {word: [router for router, words in known if words & {word, None}] for word in every}


def _word(event: TelegramObject, asked: str | None) -> str | None:
    """What an index may hold of an update, read as the filters read it; `asked`: the state that waits for an answer."""
    match event:
        case Message():
            return said(event).split(maxsplit=1)[0].partition("@")[0].casefold() if is_command(event) else asked
        case CallbackQuery():
            return (event.data or "").partition(":")[0]
        case _:
            return None


def _words(router: Router, update_type: str) -> set[str | None]:
    """What a router and those within it know; with None among it they listen to more than that."""
    handlers = [handler for each in router.chain_tail for handler in each.observers[update_type].handlers]
    return set[str | None]().union(*(_known(handler, update_type) for handler in handlers))


def _known(handler: HandlerObject, update_type: str) -> set[str | None]:
    for given in handler.filters or ():
        match given.callback:
            case Command(prefix="/", commands=commands):
                return {f"/{command}".casefold() if isinstance(command, str) else None for command in commands}
            case CallbackQueryFilter(callback_data=data):
                return {data.__prefix__}
            case Answer(states=states) if update_type == "message":
                return {state.state if isinstance(state, State) else None for state in states}
    return {None}
