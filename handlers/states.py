"""What a player is asked to type; everything else travels in buttons."""

from aiogram.fsm.state import State, StatesGroup


class Typing(StatesGroup):
    amount = State()
    """The amount of a deposit; `provider` and `currency` are in the state's data."""
    dates = State()
    """A period; what it is for (`purpose`) and the filter it goes into are in the state's data."""
    method = State()
    """Where a player wants to be paid; `kind` and `network` are in the state's data."""
    withdrawal_amount = State()
    """How much to withdraw; `method` and `currency` are in the state's data."""
    withdrawal_comment = State()
    """What it is for; `method`, `currency` and `minor` are in the state's data."""
    admin_reference = State()
    """Under which reference an admin has sent a withdrawal; `operation` is in the state's data."""
    admin_rejection = State()
    """Why an admin rejects a withdrawal; `operation` is in the state's data."""
    admin_failure = State()
    """Why a withdrawal did not go through; `operation` is in the state's data."""
    admin_method = State()
    """Why an admin rejects a method; `method` is in the state's data."""
    signal_event = State()
    """What a signal is about."""
    signal_pick = State()
    """What is picked; with each step what was typed before is in the state's data."""
    signal_odds = State()
    signal_start = State()
    signal_note = State()
    admin_member = State()
    """Whom an owner wants to give a role."""
    admin_player = State()
    """Whom an admin looks for."""
    admin_freeze = State()
    """Why an admin stops a player's withdrawals; `player` is in the state's data."""
    admin_amount = State()
    """By how much an admin corrects a balance; `player` and `currency` are in the state's data."""
    admin_reason = State()
    """Why; `player`, `currency` and `minor` are in the state's data."""
    odd_player = State()
    """Whose money it is; `item` is in the state's data."""
    odd_note = State()
    """Why a difference is none; `item` is in the state's data."""
    broadcast = State()
    """The message of a broadcast."""
    broadcast_button = State()
    """Its button; the draft is in the state's data."""
    casino_player = State()
    """Whose an account at a casino is; `event` is in the state's data."""
    refund_amount = State()
    """How much of a deposit is to go back; `operation` is in the state's data."""
