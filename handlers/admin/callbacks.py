"""What admins' buttons carry. Who presses is checked at the door of handlers/admin and again in the services."""

from enum import StrEnum
from typing import Annotated

from aiogram.filters.callback_data import CallbackData
from pydantic import Field

from db.models import ProviderName
from handlers.callbacks import Currency, Nonce, Positive


class OpenQueue(CallbackData, prefix="wq"):
    """An admin looks at the withdrawals that wait, beyond one."""

    after: Positive | None = None


class OpenWithdrawal(CallbackData, prefix="wv"):
    """An admin opens a withdrawal, in this message or below it."""

    operation: Positive
    below: bool = False


class Step(StrEnum):
    """What an admin does about a withdrawal; one letter."""

    APPROVE = "a"
    REJECT = "r"
    """Why, is typed."""
    DESTINATION = "d"
    SENT = "s"
    """The reference is typed."""
    FAILED = "f"
    """Why, is typed."""


class DecideWithdrawal(CallbackData, prefix="ww"):
    operation: Positive
    step: Step


class OpenNewMethods(CallbackData, prefix="wn"):
    """An admin looks at the methods that wait to be verified, beyond one."""

    after: Positive | None = None


class OpenNewMethod(CallbackData, prefix="wi"):
    """An admin opens a method, in this message or below it."""

    method: Positive
    below: bool = False


class MethodStep(StrEnum):
    """What an admin does about a method; one letter."""

    VERIFY = "v"
    REJECT = "r"
    """Why, is typed."""
    DESTINATION = "d"


class DecideMethod(CallbackData, prefix="wx"):
    method: Positive
    step: MethodStep


class Section(StrEnum):
    """What an admin looks at of a player; one letter, because two long numbers travel beside it."""

    CARD = "c"
    OPERATIONS = "o"
    MOVEMENTS = "m"
    METHODS = "w"
    AUDIT = "a"


class OpenPlayer(CallbackData, prefix="ap"):
    """An admin opens a player, or turns a page: to what is older than `key`, or newer."""

    player: Positive
    section: Section = Section.CARD
    key: Positive | None = None
    newer: bool = False


class OpenOperation(CallbackData, prefix="ao"):
    """An admin opens a deposit or a withdrawal."""

    operation: Positive


class FindPlayer(CallbackData, prefix="aq"):
    """An admin wants to find a player."""


class Freeze(CallbackData, prefix="af"):
    """An admin wants to stop a player's withdrawals: why, is typed."""

    player: Positive


class Unfreeze(CallbackData, prefix="au"):
    """An admin lifts a freeze: asked first, then sure."""

    player: Positive
    sure: bool = False


class Correct(CallbackData, prefix="ac"):
    """An admin wants to correct a player's balance; in which currency, is asked first."""

    player: Positive
    currency: Currency | None = None


class ConfirmCorrection(CallbackData, prefix="ay"):
    """The correction that was just typed; the nonce names it."""

    nonce: Nonce


class OpenCorrections(CallbackData, prefix="aw"):
    """An admin looks at the corrections that wait for another admin."""


class DecideCorrection(CallbackData, prefix="ad"):
    """An admin agrees to another's correction, or declines it."""

    adjustment: Positive
    agree: bool


class OpenOdd(CallbackData, prefix="ol"):
    """An admin looks at what waits for a decision: odd money and differences, or debts; a page after or before one."""

    debts: bool = False
    after: Positive | None = None
    before: Positive | None = None
    below: bool = False


class OpenItem(CallbackData, prefix="oi"):
    """An admin opens odd money or a difference, in this message or below it."""

    item: Positive
    below: bool = False


class Decision(StrEnum):
    """What an admin decides about odd money or a difference; one letter."""

    CREDIT = "c"
    """Give it to the operation's player."""
    CREDIT_OTHER = "o"
    """Give it to somebody: who, is typed."""
    SEND_BACK = "s"
    CLOSE = "x"
    CLOSE_NOTED = "n"
    """Why, is typed."""


class SettleItem(CallbackData, prefix="os"):
    item: Positive
    decision: Decision
    sure: bool = False


class CreditTo(CallbackData, prefix="ot"):
    """An admin is sure whom the money in suspense belongs to."""

    item: Positive
    player: Positive


class OpenReturned(CallbackData, prefix="or"):
    """An admin opens a refund or a dispute, in this message or below it."""

    returned: Positive
    below: bool = False


class SettleDebt(CallbackData, prefix="oc"):
    """An admin collects or forgives a debt. What was owed when the button was drawn makes it good for one press."""

    returned: Positive
    owed: Positive
    forgive: bool = False
    sure: bool = False


class GiveUpRefund(CallbackData, prefix="og"):
    """An admin has seen that the provider did not make this refund."""

    returned: Positive


class GiveBack(CallbackData, prefix="ov"):
    """An admin wants to give a player's deposit back: how much, is typed."""

    operation: Positive


class ConfirmRefund(CallbackData, prefix="oy"):
    """So much of this deposit; the nonce is drawn with the button."""

    operation: Positive
    minor: Positive
    nonce: Nonce


class OpenBooks(CallbackData, prefix="ok"):
    """An admin opens the comparison of lists."""

    below: bool = False


class Reconcile(CallbackData, prefix="on"):
    """An admin has a provider's lists compared now, so many days back."""

    provider: ProviderName
    days: Annotated[int, Field(ge=1, le=35)]
