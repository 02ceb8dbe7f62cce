"""What a player is asked to type; everything else travels in buttons."""

from aiogram.fsm.state import State, StatesGroup


class Typing(StatesGroup):
    amount = State()
    """The amount of a deposit; `provider` and `currency` are in the state's data."""
