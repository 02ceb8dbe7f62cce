"""What admins' buttons carry. Who presses is checked at the door of handlers/admin and again in the services."""

import re
from enum import StrEnum
from typing import Annotated

from aiogram.filters.callback_data import CallbackData
from pydantic import AfterValidator, Field

from db.models import Audience, Language, ProviderName, Role, SignalResult
from handlers.callbacks import Currency, Nonce, Positive
from services.periods import Named

Times = Annotated[int, Field(ge=0, le=2**31 - 1)]


def _scope(code: str) -> str:
    known = code in ("a", "o") or re.fullmatch(r"c[a-z0-9]{1,20}", code)
    if not known and not (re.fullmatch(r"p[1-9][0-9]{0,18}", code) and int(code[1:]) < 2**63):
        raise ValueError("no such events")
    return code


CasinoScope = Annotated[str, AfterValidator(_scope)]


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
    CASINO = "k"
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


class OpenCasino(CallbackData, prefix="ko"):
    """An admin looks at what casinos report, in this message or below it."""

    below: bool = False


class OpenCasinoEvents(CallbackData, prefix="ke"):
    """An admin looks at events: all (`a`), odd ones (`o`), a casino's (`c1win`), a player's (`p7`); or turns a page."""

    scope: CasinoScope
    key: Positive | None = None
    newer: bool = False


class OpenCasinoEvent(CallbackData, prefix="kv"):
    """An admin opens one event."""

    event: Positive


class SeeOddEvents(CallbackData, prefix="ks"):
    """An admin has looked at the odd events up to this one."""

    newest: Positive


class OpenStrangers(CallbackData, prefix="kw"):
    """An admin looks at the casino accounts that nobody here is known to have."""

    key: Positive | None = None
    newer: bool = False


class LinkCasino(CallbackData, prefix="kl"):
    """An admin knows whose the account is that this event is about: who, is typed."""

    event: Positive


class ConfirmCasino(CallbackData, prefix="ky"):
    """The account of this event is this player's: asked first, then sure."""

    event: Positive
    player: Positive
    sure: bool = False


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


class OpenDesk(CallbackData, prefix="dk"):
    """Somebody of the staff opens the panel, in this message or below it."""

    below: bool = False


class Prove(CallbackData, prefix="dv"):
    """An admin has the books proven now."""


class OpenHealth(CallbackData, prefix="de"):
    """An admin looks how things run."""


class OpenDeliveries(CallbackData, prefix="dl"):
    """An admin looks at the deliveries that were given up, or turns a page: to what is older than `key`, or newer."""

    key: Positive | None = None
    newer: bool = False


class OpenDelivery(CallbackData, prefix="di"):
    """An admin opens a delivery, in this message or below it."""

    delivery: Positive
    below: bool = False


class ReplayDelivery(CallbackData, prefix="dr"):
    """An admin has a delivery tried again. How often that was done before makes the button good for one press."""

    delivery: Positive
    replays: Times


class LetDeliveryGo(CallbackData, prefix="dg"):
    """Nothing more is to be done about a delivery: asked first, then sure."""

    delivery: Positive
    sure: bool = False


class OpenMessages(CallbackData, prefix="dm"):
    """An admin looks at the messages that were given up, or turns a page: to what is older than `key`, or newer."""

    key: Positive | None = None
    newer: bool = False


class OpenMessage(CallbackData, prefix="dn"):
    """An admin opens a message that was given up."""

    message: Positive


class ReplayMessage(CallbackData, prefix="do"):
    """An admin has a message sent again. How often that was done before makes the button good for one press."""

    message: Positive
    replays: Times


class LetMessageGo(CallbackData, prefix="dq"):
    """A message is never to be sent: asked first, then sure."""

    message: Positive
    sure: bool = False


class OpenStaff(CallbackData, prefix="ds"):
    """An owner looks who has a role."""

    page: Annotated[int, Field(ge=0, le=9999)] = 0


class NameMember(CallbackData, prefix="dt"):
    """An owner wants to give somebody a role: who, is typed."""


class OpenMember(CallbackData, prefix="du"):
    """An owner opens somebody, with a role or without."""

    telegram: Positive


class Grant(CallbackData, prefix="dw"):
    """An owner gives somebody a role: asked first, then sure."""

    telegram: Positive
    role: Role
    sure: bool = False


class Revoke(CallbackData, prefix="dx"):
    """An owner takes somebody's role away: asked first, then sure."""

    telegram: Positive
    sure: bool = False


class Maintenance(CallbackData, prefix="dh"):
    """An owner closes the house for maintenance or opens it: asked first, then sure."""

    close: bool
    sure: bool = False


class OpenSignals(CallbackData, prefix="sl"):
    """An admin looks at what was published: a page after or before a place."""

    before: Positive | None = None
    after: Positive | None = None


class OpenSignal(CallbackData, prefix="sv"):
    """An admin opens a signal."""

    signal: Positive


class NewSignal(CallbackData, prefix="sn"):
    """An admin wants to publish a signal: what it is about, is typed."""


class SkipNote(CallbackData, prefix="sk"):
    """There is nothing more to say about the signal that is being written."""


class PublishSignal(CallbackData, prefix="sp"):
    """The signal that was just shown; the nonce names it."""

    nonce: Nonce


class WithdrawSignal(CallbackData, prefix="sw"):
    """An admin takes a signal back: asked first, then sure."""

    signal: Positive
    sure: bool = False


class SettleSignal(CallbackData, prefix="sr"):
    """An admin enters a result, which stays: asked first, then sure."""

    signal: Positive
    result: SignalResult
    sure: bool = False


class OpenBroadcasts(CallbackData, prefix="bl"):
    """An admin looks at the broadcasts, and may write one."""


class OpenBroadcast(CallbackData, prefix="bo"):
    """An admin looks at how far a broadcast is."""

    broadcast: Positive


class DraftStep(StrEnum):
    """What an admin does about a broadcast that is being written; one letter."""

    TUNE = "t"
    """Whom it is for."""
    BUTTON = "b"
    """It is typed."""
    NO_BUTTON = "r"
    PREVIEW = "p"
    SEND = "s"


class BroadcastDraft(CallbackData, prefix="bd"):
    """The message that was written last, which the nonce names, and the audience chosen so far."""

    nonce: Nonce
    step: DraftStep = DraftStep.TUNE
    language: Language | None = None
    deposited: bool | None = None
    inactive: Annotated[int, Field(ge=1, le=3650)] | None = None
    linked: bool | None = None

    @property
    def audience(self) -> Audience:
        return Audience(self.language, self.deposited, self.inactive, self.linked)


class SwitchStep(StrEnum):
    """What an admin does about a broadcast on its way; one letter."""

    PAUSE = "p"
    RESUME = "r"
    STOP = "s"


class BroadcastSwitch(CallbackData, prefix="bs"):
    broadcast: Positive
    step: SwitchStep


class Insight(StrEnum):
    """What an admin looks at of how the business goes; one letter."""

    OVERVIEW = "o"
    MONEY = "m"
    CASINO = "c"
    COHORTS = "w"


class OpenInsights(CallbackData, prefix="ai"):
    """An admin looks at how the business goes: at the figures or at their picture, in this message or below it."""

    insight: Insight = Insight.OVERVIEW
    span: Named = Named.THIRTY_DAYS
    registered: bool = False
    """Cohorts: by the first account at a casino, else by the first word to the bot."""
    at_casino: bool = True
    """Cohorts: who paid in at a casino, else here."""
    picture: bool = False
    below: bool = False
