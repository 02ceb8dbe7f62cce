"""Stripe: hosted Checkout and kept cards for deposits, refunds, and the signed events about all of them.

https://docs.stripe.com/payments/checkout
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

import aiohttp
import stripe
from stripe.params.checkout import SessionCreateParams, SessionCreateParamsPaymentIntentData

from db.models import ProviderName
from db.money import CURRENCIES, Money
from services.errors import (
    DeliveryForged,
    DeliveryMalformed,
    ProviderError,
    ProviderRejected,
    ProviderUnknown,
)
from services.providers import (
    Card,
    CardChange,
    Checkout,
    Concern,
    Delivery,
    Dispute,
    DisputeState,
    News,
    Order,
    Payment,
    PaymentState,
    Reason,
    Refund,
    RefundOrder,
    RefundState,
    Verified,
    json_object,
    nested,
    order_id,
    payment_link,
    word,
)

logger = logging.getLogger(__name__)

_Movement = TypeVar("_Movement", Payment, Refund, Dispute)
_Pages = Callable[..., Awaitable[stripe.StripeObject]]

_TOLERANCE = 300  # seconds, https://docs.stripe.com/webhooks#replay-attacks
_LARGEST = 99_999_999  # eight digits: https://docs.stripe.com/api/payment_intents/create
_EVENT = re.compile(r"evt_[A-Za-z0-9_]{1,250}")
_EVENT_TYPE = re.compile(r"[a-z0-9_]+(?:\.[a-z0-9_]+){1,6}")
_SESSION = re.compile(r"cs_[A-Za-z0-9_]{1,250}")
_INTENT = re.compile(r"pi_[A-Za-z0-9_]{1,250}")
_CUSTOMER = re.compile(r"cus_[A-Za-z0-9_]{1,250}")
_METHOD = re.compile(r"(?:pm|card|src)_[A-Za-z0-9_]{1,250}")
_REFUND = re.compile(r"(?:re|pyr)_[A-Za-z0-9_]{1,250}")
_DISPUTE = re.compile(r"(?:du|dp)_[A-Za-z0-9_]{1,250}")
_LONGEST_BRAND = 30
_LAST4 = re.compile(r"[0-9]{4}")
_NO_SUCH_OBJECT = "no such object"
_NO_SUCH_CUSTOMER = "no such customer"
_INVALID = "invalid request"
_AUTHENTICATION = "authentication_required"
# In the metadata of a payment that charge() made: no page stands behind it.
_KEPT = "kept_card"
_PAGE = 100  # the most a list gives at once: https://docs.stripe.com/api/pagination

# What a call may end in beside the SDK's own errors: the time limit, and the SDK stumbling over odd JSON.
_LEAKS = (TimeoutError, ValueError, TypeError, LookupError, AttributeError, RecursionError)

# https://docs.stripe.com/declines/codes and https://docs.stripe.com/error-codes
# Stripe asks not to tell the payer of suspected fraud and stolen cards: those are an ordinary decline here.
_REASONS = {
    "insufficient_funds": Reason.INSUFFICIENT_FUNDS,
    "expired_card": Reason.CARD_EXPIRED,
    "incorrect_number": Reason.WRONG_CARD_DATA,
    "invalid_number": Reason.WRONG_CARD_DATA,
    "incorrect_cvc": Reason.WRONG_CARD_DATA,
    "invalid_cvc": Reason.WRONG_CARD_DATA,
    "incorrect_pin": Reason.WRONG_CARD_DATA,
    "incorrect_zip": Reason.WRONG_CARD_DATA,
    "incorrect_address": Reason.WRONG_CARD_DATA,
    "invalid_expiry_month": Reason.WRONG_CARD_DATA,
    "invalid_expiry_year": Reason.WRONG_CARD_DATA,
    "invalid_account": Reason.WRONG_CARD_DATA,
    "authentication_required": Reason.AUTHENTICATION_FAILED,
    "authentication_not_handled": Reason.AUTHENTICATION_FAILED,
    "payment_intent_authentication_failure": Reason.AUTHENTICATION_FAILED,
    "mobile_device_authentication_required": Reason.AUTHENTICATION_FAILED,
    "card_velocity_exceeded": Reason.LIMIT_EXCEEDED,
    "withdrawal_count_limit_exceeded": Reason.LIMIT_EXCEEDED,
    "amount_too_large": Reason.LIMIT_EXCEEDED,
    "issuer_not_available": Reason.BANK_UNAVAILABLE,
    "processing_error": Reason.BANK_UNAVAILABLE,
    "reenter_transaction": Reason.BANK_UNAVAILABLE,
    "try_again_later": Reason.BANK_UNAVAILABLE,
    "payment_method_provider_timeout": Reason.BANK_UNAVAILABLE,
    "revocation_of_authorization": Reason.PERMISSION_REVOKED,
    "revocation_of_all_authorizations": Reason.PERMISSION_REVOKED,
    "stop_payment_order": Reason.PERMISSION_REVOKED,
    "payment_intent_payment_attempt_expired": Reason.NOT_PAID_IN_TIME,
    "payment_method_provider_decline": Reason.CARD_DECLINED,
    "card_declined": Reason.CARD_DECLINED,
}

# https://docs.stripe.com/api/payment_intents/object#payment_intent_object-cancellation_reason
_CANCELLATIONS = {
    "abandoned": Reason.NOT_PAID_IN_TIME,
    "automatic": Reason.NOT_PAID_IN_TIME,
    "expired": Reason.NOT_PAID_IN_TIME,
    "requested_by_customer": Reason.CANCELLED_BY_SHOP,
    "duplicate": Reason.CANCELLED_BY_SHOP,
    "void_invoice": Reason.CANCELLED_BY_SHOP,
    "fraudulent": Reason.CANCELLED_BY_SHOP,
    "failed_invoice": Reason.CARD_DECLINED,
}

_SESSION_EVENTS = frozenset(
    f"checkout.session.{word}" for word in ("completed", "async_payment_succeeded", "async_payment_failed", "expired")
)
_INTENT_EVENTS = frozenset(
    f"payment_intent.{word}" for word in ("succeeded", "processing", "payment_failed", "canceled")
)
_REFUND_EVENTS = frozenset(f"refund.{word}" for word in ("created", "updated", "failed"))
_DISPUTE_EVENTS = frozenset(
    f"charge.dispute.{word}" for word in ("created", "updated", "closed", "funds_withdrawn", "funds_reinstated")
)
_METHOD_EVENTS = frozenset(
    f"payment_method.{word}" for word in ("attached", "detached", "updated", "automatically_updated")
)
_READ = _SESSION_EVENTS | _INTENT_EVENTS | _REFUND_EVENTS | _DISPUTE_EVENTS | _METHOD_EVENTS

# https://docs.stripe.com/api/refunds/object#refund_object-status
_REFUND_STATES = {
    "succeeded": RefundState.SUCCEEDED,
    "failed": RefundState.FAILED,
    "canceled": RefundState.FAILED,
}

# https://docs.stripe.com/api/disputes/object#dispute_object-status
_DISPUTE_STATES = {
    "needs_response": DisputeState.OPEN,
    "under_review": DisputeState.OPEN,
    # A lost dispute that is fought on: the money is still gone.
    "appeal_needs_response": DisputeState.OPEN,
    "appeal_under_review": DisputeState.OPEN,
    "won": DisputeState.WON,
    "warning_closed": DisputeState.WON,
    "prevented": DisputeState.WON,
    "lost": DisputeState.LOST,
}

# https://docs.stripe.com/api/payment_methods/object#payment_method_object-type; the rest are wallets.
_CARDS = ("card", "card_present", "interac_present")
_BANK_ACCOUNTS = ("us_bank_account", "sepa_debit", "bacs_debit", "au_becs_debit", "acss_debit", "nz_bank_account")


class _CardRefused(ProviderRejected):
    """402: the bank, or Stripe in its place, said no to a card."""

    def __init__(self, error: Mapping[str, object]) -> None:
        super().__init__("card declined")
        self.error = error


class _Transport(stripe.HTTPClient):
    """In place of the SDK's aiohttp client, which neither retries nor lets go of a body that breaks off."""

    name = "aiohttp"

    def __init__(self, timeout: float) -> None:
        super().__init__()
        self._limit = aiohttp.ClientTimeout(total=timeout)
        self._session: aiohttp.ClientSession | None = None

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: str | None = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        if self._session is None:  # not in __init__: a session belongs to a running loop
            self._session = aiohttp.ClientSession(timeout=self._limit)
        try:
            async with self._session.request(
                method, url, headers=headers, data=post_data, allow_redirects=False
            ) as response:
                return await response.read(), response.status, response.headers
        except (aiohttp.ClientError, OSError) as error:  # a TimeoutError is an OSError
            message = type(error).__name__
            raise stripe.APIConnectionError(message, should_retry=True) from None  # type: ignore[no-untyped-call]

    def sleep_async(self, secs: float) -> Awaitable[None]:
        return asyncio.sleep(secs)

    async def close_async(self) -> None:
        if self._session is not None:
            await self._session.close()


class Stripe:
    """Deposits by card through Stripe Checkout."""

    name = ProviderName.STRIPE
    label = "Stripe"
    currencies: tuple[str, ...] = ("USD", "EUR")

    def __init__(
        self,
        secret_key: str,
        webhook_secrets: Sequence[str],
        api_url: str | None = None,
        *,
        timeout: float = 25,
    ) -> None:
        """`webhook_secrets`: every signing secret in use; two while one is being rolled.

        `api_url`: another server with Stripe's protocol, without a path. `timeout`: seconds for a whole call.
        """
        self._webhook_secrets = tuple(webhook_secrets)
        # A key tells its mode: https://docs.stripe.com/keys
        modes = {"sk_live_": True, "rk_live_": True, "sk_test_": False, "rk_test_": False}
        self._live = modes.get(secret_key[:8])
        self._timeout = timeout
        # Below WARNING the SDK logs parameters and bodies; its telemetry writes into the home directory.
        logging.getLogger("stripe").setLevel(logging.WARNING)
        stripe.enable_telemetry = False
        self._transport = _Transport(timeout * 0.4)
        self._client = stripe.StripeClient(
            secret_key,
            http_client=self._transport,
            max_network_retries=2,  # none unless told; connection errors, 409 and 5xx are tried again
            base_addresses={"api": api_url.rstrip("/")} if api_url else None,
        )

    async def create(self, order: Order) -> Checkout:
        """Opens a Checkout page: https://docs.stripe.com/api/checkout/sessions/create

        `order.expires_at` has to be 30 minutes to 24 hours away, or Stripe refuses. A card is kept only for a customer.
        Raises ProviderRejected, ProviderUnknown.
        """
        metadata = _metadata(order)
        payment: SessionCreateParamsPaymentIntentData = {"metadata": metadata, "description": order.description}
        params: SessionCreateParams = {
            "mode": "payment",
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {
                        "currency": order.amount.currency.lower(),
                        "unit_amount": order.amount.minor,
                        "product_data": {"name": order.description},
                    },
                }
            ],
            "client_reference_id": str(order.id),
            # The payment has metadata of its own, and its events carry only those.
            "metadata": metadata,
            "payment_intent_data": payment,
            # Otherwise the page may offer, and take, another currency than the order's:
            # https://docs.stripe.com/payments/currencies/localize-prices/adaptive-pricing
            "adaptive_pricing": {"enabled": False},
            "expires_at": int(order.expires_at.timestamp()),
            "success_url": order.return_url,
            "cancel_url": order.return_url,
            "locale": "ru" if order.language == "ru" else "en",
        }
        if order.customer_ref is not None:
            params["customer"] = order.customer_ref
            if order.keep_card:
                # The page says so and attaches the card: https://docs.stripe.com/payments/checkout/save-during-payment
                payment["setup_future_usage"] = "off_session"
        deadline, sessions = self._deadline(), self._client.v1.checkout.sessions
        try:
            # The same key finds the session made by a call whose answer was lost:
            # https://docs.stripe.com/api/idempotent_requests
            call = sessions.create_async(params, {"idempotency_key": f"deposit-{order.id}"})
            session = await self._ask(call, deadline)
        except ProviderRejected as refusal:
            if refusal.reason != _NO_SUCH_CUSTOMER:
                raise
            # Deleted in the cabinet. The player can pay nevertheless, only nothing can be kept for him.
            params.pop("customer", None)
            payment.pop("setup_future_usage", None)
            call = sessions.create_async(params, {"idempotency_key": f"deposit-{order.id}-alone"})
            session = await self._ask(call, deadline)
        ref, url = _matching(_SESSION, session.get("id")), payment_link(session.get("url"))
        asked = _money(session.get("amount_total"), session.get("currency"))
        fits = asked == order.amount and session.get("client_reference_id") == str(order.id)
        if ref is None or url is None or not fits:
            raise ProviderUnknown("bad answer")
        return Checkout(ref, url)

    async def fetch(self, ref: str) -> Payment | None:
        """Asks for a session (`cs_…`) or an intent (`pi_…`). Raises ProviderRejected, ProviderUnknown."""
        v1 = self._client.v1
        try:
            if _SESSION.fullmatch(ref):
                expand = ["payment_intent.latest_charge", "payment_intent.payment_method"]
                raw = await self._ask(v1.checkout.sessions.retrieve_async(ref, {"expand": expand}))
                payment = self._session(raw, raw.get("created"))
            elif _INTENT.fullmatch(ref):
                raw = await self._ask(
                    v1.payment_intents.retrieve_async(ref, {"expand": ["latest_charge", "payment_method"]})
                )
                payment = self._intent(raw, raw.get("created"))
            else:
                return None
        except ProviderRejected as refusal:
            if refusal.reason == _NO_SUCH_OBJECT:
                return None
            raise
        if payment is None or raw.get("id") != ref or _hides_amount(payment, raw):
            raise ProviderUnknown("bad answer")
        return payment

    async def customer(self, player_id: int) -> str | None:
        """https://docs.stripe.com/api/customers/create; no name, no address: only our number of the player.

        Raises ProviderRejected, ProviderUnknown.
        """
        customer = await self._ask(
            self._client.v1.customers.create_async(
                {"metadata": {"player_id": str(player_id)}}, {"idempotency_key": f"customer-{player_id}"}
            )
        )
        if (ref := _matching(_CUSTOMER, customer.get("id"))) is None:
            raise ProviderUnknown("bad answer")
        return ref

    async def charge(self, order: Order, card_ref: str) -> Payment | None:
        """https://docs.stripe.com/payments/save-and-reuse#charge-saved-payment-method

        Needs `order.customer_ref`, whose card it is. A card that pays no more is a Payment too, CANCELLED for
        PERMISSION_REVOKED. Raises ProviderRejected, ProviderUnknown.
        """
        if order.customer_ref is None or _matching(_METHOD, card_ref) is None:
            raise ProviderRejected(_INVALID)
        deadline = self._deadline()
        failure: Mapping[str, object] = {}
        try:
            intent = await self._ask(self._charge(order, order.customer_ref, card_ref), deadline)
        except _CardRefused as refusal:
            failure, intent = refusal.error, nested(refusal.error, "payment_intent")
        except ProviderRejected as refusal:
            unclear = refusal.reason in (_INVALID, _NO_SUCH_OBJECT, _NO_SUCH_CUSTOMER)
            if not unclear or await self._owner(card_ref, deadline) == order.customer_ref:
                raise
            return self._refused(order, Reason.PERMISSION_REVOKED)
        if failure and not intent:
            return self._refused(order, _reason(failure))
        payment = self._intent(intent, intent.get("created"))
        asked = _money(intent.get("amount"), intent.get("currency"))
        if payment is None or asked != order.amount or payment.order_id != order.id:
            raise ProviderUnknown("bad answer")
        if payment.state is PaymentState.SUCCEEDED:
            return payment
        if intent.get("status") == "requires_action" or _wants_owner(failure or nested(intent, "last_payment_error")):
            await self._give_up(order, payment.payment_ref, deadline)
            return None
        if failure:
            return replace(payment, state=PaymentState.CANCELLED, reason=_reason(failure))
        return payment

    def _charge(self, order: Order, customer_ref: str, card_ref: str) -> Awaitable[stripe.StripeObject]:
        return self._client.v1.payment_intents.create_async(
            {
                "amount": order.amount.minor,
                "currency": order.amount.currency.lower(),
                "customer": customer_ref,
                "payment_method": card_ref,
                "off_session": True,
                "confirm": True,
                # Nobody is there to be sent anywhere; otherwise a return_url is wanted:
                # https://docs.stripe.com/api/payment_intents/create#create_payment_intent-automatic_payment_methods
                "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
                "description": order.description,
                "metadata": _metadata(order) | {_KEPT: "yes"},
                "expand": ["latest_charge", "payment_method"],
            },
            # A refusal is found again by its key as well.
            {"idempotency_key": f"saved-{order.id}"},
        )

    async def _owner(self, card_ref: str, deadline: float) -> str | None:
        """Whose a kept card is; None: nobody's any more. What a refusal says of such a card has no code of its own."""
        try:
            method = await self._ask(self._client.v1.payment_methods.retrieve_async(card_ref), deadline)
        except ProviderRejected as refusal:
            if refusal.reason == _NO_SUCH_OBJECT:
                return None
            raise
        owner = _matching(_CUSTOMER, method.get("customer"))
        if method.get("id") != card_ref or (owner is None and method.get("customer") is not None):
            raise ProviderUnknown("bad answer")
        return owner

    async def _give_up(self, order: Order, intent_ref: str | None, deadline: float) -> None:
        """Ends an intent that waits for the player. As nobody was given its secret it could not be paid anyway, so
        nothing depends on this."""
        if intent_ref is None:
            return
        with suppress(ProviderError):
            await self._ask(
                self._client.v1.payment_intents.cancel_async(
                    intent_ref,
                    {"cancellation_reason": "abandoned"},
                    {"idempotency_key": f"saved-{order.id}-cancel"},
                ),
                deadline,
            )

    def _refused(self, order: Order, reason: Reason) -> Payment:
        """A payment that was not even made."""
        return Payment(
            provider=self.name,
            order_id=order.id,
            session_ref=None,
            payment_ref=None,
            state=PaymentState.CANCELLED,
            amount=order.amount,
            reason=reason,
            occurred_at=datetime.now(UTC),
            ours=True,
            method=None,
        )

    async def forget(self, card_ref: str) -> None:
        """https://docs.stripe.com/api/payment_methods/detach. Raises ProviderRejected, ProviderUnknown."""
        if _matching(_METHOD, card_ref) is None:
            return
        deadline, methods = self._deadline(), self._client.v1.payment_methods
        try:
            method = await self._ask(methods.detach_async(card_ref), deadline)
        except ProviderRejected as refusal:
            if refusal.reason not in (_NO_SUCH_OBJECT, _INVALID) or await self._owner(card_ref, deadline) is not None:
                raise
            return
        if method.get("id") != card_ref or method.get("customer") is not None:
            raise ProviderUnknown("bad answer")

    async def refund(self, order: RefundOrder) -> Refund:
        """https://docs.stripe.com/api/refunds/create. Raises ProviderRejected, ProviderUnknown."""
        if _intent_id(order.payment_ref) is None:
            raise ProviderRejected(_INVALID)
        raw = await self._ask(
            self._client.v1.refunds.create_async(
                {
                    "payment_intent": order.payment_ref,
                    "amount": order.amount.minor,
                    "metadata": {"refund_id": str(order.id)},
                },
                {"idempotency_key": f"refund-{order.id}"},
            )
        )
        refund = self._refund(raw, raw.get("created"))
        fits = refund is not None and (refund.payment_ref, refund.amount) == (order.payment_ref, order.amount)
        if refund is None or not fits or refund.request_id != order.id:
            raise ProviderUnknown("bad answer")
        return refund

    async def fetch_refund(self, ref: str) -> Refund | None:
        """https://docs.stripe.com/api/refunds/retrieve. Raises ProviderRejected, ProviderUnknown."""
        if _matching(_REFUND, ref) is None:
            return None
        try:
            raw = await self._ask(self._client.v1.refunds.retrieve_async(ref))
        except ProviderRejected as refusal:
            if refusal.reason == _NO_SUCH_OBJECT:
                return None
            raise
        refund = self._refund(raw, raw.get("created"))
        if refund is None or refund.ref != ref or _hides_amount(refund, raw):
            raise ProviderUnknown("bad answer")
        return refund

    async def history(self, since: datetime) -> AsyncIterator[Payment | Refund | Dispute]:
        """https://docs.stripe.com/api/payment_intents/list, and the lists of refunds and disputes, newest first.

        A payment's time there is that of the first try to pay it. Raises ProviderRejected, ProviderUnknown.
        """
        v1, created = self._client.v1, {"gte": int(since.timestamp())}
        async for raw in self._list(v1.payment_intents.list_async, created=created, expand=["data.latest_charge"]):
            payment = _sound(self._intent(raw, raw.get("created")), raw)
            if payment.state is PaymentState.SUCCEEDED:
                yield payment
        async for raw in self._list(v1.refunds.list_async, created=created):
            yield _sound(self._refund(raw, raw.get("created")), raw)
        async for raw in self._list(v1.disputes.list_async, created=created):
            yield _sound(self._dispute(raw, raw.get("created")), raw)

    async def _list(self, page: _Pages, **params: object) -> AsyncIterator[Mapping[str, object]]:
        """All of a list, a hundred at a time: https://docs.stripe.com/api/pagination"""
        after: dict[str, object] = {}
        while True:
            answer = await self._ask(page({"limit": _PAGE, **params, **after}))
            items = answer.get("data")
            if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
                raise ProviderUnknown("bad answer")
            for item in items:
                yield item
            if not answer.get("has_more"):
                return
            last = word(items[-1].get("id")) if items else None
            if last is None or last == after.get("starting_after"):
                raise ProviderUnknown("bad answer")
            after = {"starting_after": last}

    def verify(self, delivery: Delivery) -> Verified:
        """Checks the signature, its age and the event's envelope. Raises DeliveryForged, DeliveryMalformed.

        https://docs.stripe.com/webhooks#verify-manually
        """
        header = delivery.headers.get("stripe-signature", "")
        if not header.isascii():  # comparing it would be a TypeError
            raise DeliveryForged("signature")
        try:
            genuine = any(self._signed(delivery.body, header, secret) for secret in self._webhook_secrets)
        except UnicodeDecodeError:
            raise DeliveryMalformed("not UTF-8") from None
        if not genuine:
            raise DeliveryForged("signature")
        # The SDK would look at the past only; a time in the future never grows old. Read exactly as it does.
        signed_at = int(next(part for part in header.split(",") if part.startswith("t=")).split("=")[1])
        if abs(int(delivery.received_at.timestamp()) - signed_at) > _TOLERANCE:
            raise DeliveryForged("timestamp")
        try:
            event = json_object(delivery.body)
        except ValueError:
            raise DeliveryMalformed("not a JSON object") from None
        event_id, event_type = _matching(_EVENT, event.get("id")), _matching(_EVENT_TYPE, event.get("type"))
        subject = nested(event, "data").get("object")
        # A thin event ("v2.core.event") does not say what happened: https://docs.stripe.com/event-destinations
        if event.get("object") != "event" or event_id is None or event_type is None:
            raise DeliveryMalformed("not a snapshot event")
        if not isinstance(subject, dict) or _moment(event.get("created")) is None:
            raise DeliveryMalformed("incomplete event")
        payment_ref = _intent_id(subject.get("id")) or _intent_id(subject.get("payment_intent"))
        concern = Concern.NONE
        if event_type in _READ:
            concern = Concern.BELIEVE
        elif event_type == "charge.refunded":
            concern = Concern.ASK  # it says how much in all, not which refunds
        return Verified(event_id, event_type, payment_ref, verified_by="signature", concern=concern)

    def read(self, body: bytes) -> News | None:
        """Deposits are told twice, by session and by intent: https://docs.stripe.com/api/events/types"""
        try:
            event = json_object(body)
        except ValueError:
            return None
        kind, created = word(event.get("type")), event.get("created")
        data = nested(event, "data")
        subject = nested(data, "object")
        news: News | None = None
        if kind in _SESSION_EVENTS:
            news = self._session(subject, created)
            if news is not None and kind.endswith("async_payment_failed") and news.state is PaymentState.PENDING:
                # The page is complete and takes no second try; why it failed is told by the intent's own event.
                news = replace(news, state=PaymentState.CANCELLED)
        elif kind in _INTENT_EVENTS:
            news = self._intent(subject, created)
            if kind == "payment_intent.canceled" and _KEPT in nested(subject, "metadata"):
                # charge() did this, and its order goes on with a page.
                news = None
        elif kind in _REFUND_EVENTS:
            news = self._refund(subject, created)
        elif kind in _DISPUTE_EVENTS:
            news = self._dispute(subject, created)
        elif kind in _METHOD_EVENTS:
            news = self._card_change(subject, nested(data, "previous_attributes"))
        return news if news is None or self._fits(event.get("livemode")) else replace(news, ours=False)

    async def look(self, body: bytes) -> list[News]:
        """Lists the refunds of the payment that a `charge.refunded` is about.

        Raises ProviderRejected, ProviderUnknown.
        """
        try:
            event = json_object(body)
        except ValueError:
            return []
        payment_ref = _intent_id(nested(nested(event, "data"), "object").get("payment_intent"))
        if event.get("type") != "charge.refunded" or payment_ref is None or not self._fits(event.get("livemode")):
            return []
        pages = self._list(self._client.v1.refunds.list_async, payment_intent=payment_ref)
        return [_sound(self._refund(raw, raw.get("created")), raw) async for raw in pages]

    async def close(self) -> None:
        await self._transport.close_async()

    def _session(self, session: Mapping[str, object], created: object) -> Payment | None:
        """A Checkout Session, with its intent as an id (webhooks) or as the whole object (fetch)."""
        ref, occurred_at = _matching(_SESSION, session.get("id")), _moment(created)
        # Sessions of mode "setup" and "subscription" are no deposits.
        if (session.get("object"), session.get("mode", "payment")) != ("checkout.session", "payment"):
            return None
        if ref is None or occurred_at is None:
            return None
        payment = self._intent(nested(session, "payment_intent"), created)
        if payment is None:
            intent = _intent_id(session.get("payment_intent"))
            # Without its intent nothing says which money it is; the intent's own event will.
            paid = session.get("payment_status") == "paid" and intent is not None
            payment = Payment(
                provider=self.name,
                order_id=None,
                session_ref=None,
                payment_ref=intent,
                state=PaymentState.SUCCEEDED if paid else PaymentState.PENDING,
                amount=_money(session.get("amount_total"), session.get("currency")),
                reason=None,
                occurred_at=occurred_at,
                ours=True,
                method=None,
            )
        state, reason = payment.state, payment.reason
        if session.get("status") == "expired" and state is not PaymentState.SUCCEEDED:
            state, reason = PaymentState.EXPIRED, Reason.NOT_PAID_IN_TIME
        elif session.get("status") == "complete" and state is PaymentState.FAILED:
            state = PaymentState.CANCELLED  # a delayed method failed; the page takes no second try
        return replace(
            payment,
            session_ref=ref,
            order_id=order_id(nested(session, "metadata").get("operation_id"))
            or order_id(session.get("client_reference_id"))
            or payment.order_id,
            state=state,
            reason=reason,
            ours=payment.ours and self._fits(session.get("livemode")),
        )

    def _intent(self, intent: Mapping[str, object], created: object) -> Payment | None:
        """https://docs.stripe.com/api/payment_intents/object"""
        ref, occurred_at = _intent_id(intent.get("id")), _moment(created)
        if intent.get("object") != "payment_intent" or ref is None or occurred_at is None:
            return None
        charge, failure = nested(intent, "latest_charge"), nested(intent, "last_payment_error")
        state, reason, method = PaymentState.PENDING, None, None
        minor = intent.get("amount")
        match intent.get("status"):
            case "succeeded":
                state, minor = PaymentState.SUCCEEDED, intent.get("amount_received")
                method = _method(nested(charge, "payment_method_details"))
                occurred_at = _moment(charge.get("created")) or occurred_at
            case "canceled":
                cause = word(intent.get("cancellation_reason")) or ""
                state = PaymentState.EXPIRED if cause == "expired" else PaymentState.CANCELLED
                reason = _CANCELLATIONS.get(cause, Reason.OTHER)
            case "requires_payment_method" if failure:
                # Not the end: the page stays open for another card.
                state, reason = PaymentState.FAILED, _reason(failure)
                method = _method(nested(failure, "payment_method"))
                if _KEPT in nested(intent, "metadata") and not _wants_owner(failure):
                    state = PaymentState.CANCELLED  # there is no page
        return Payment(
            provider=self.name,
            order_id=order_id(nested(intent, "metadata").get("operation_id")),
            session_ref=None,
            payment_ref=ref,
            state=state,
            amount=_money(minor, intent.get("currency")),
            reason=reason,
            occurred_at=occurred_at,
            ours=self._fits(intent.get("livemode")),
            method=method,
            card=_kept_card(intent) if state is PaymentState.SUCCEEDED else None,
        )

    def _refund(self, refund: Mapping[str, object], created: object) -> Refund | None:
        """https://docs.stripe.com/api/refunds/object; it does not say its mode."""
        ref, occurred_at = _matching(_REFUND, refund.get("id")), _moment(created)
        if refund.get("object") != "refund" or ref is None or occurred_at is None:
            return None
        return Refund(
            provider=self.name,
            ref=ref,
            payment_ref=_named(refund.get("payment_intent")),
            request_id=order_id(nested(refund, "metadata").get("refund_id")),
            state=_REFUND_STATES.get(word(refund.get("status")) or "", RefundState.PENDING),
            amount=_money(refund.get("amount"), refund.get("currency")),
            occurred_at=occurred_at,
            ours=True,
        )

    def _dispute(self, dispute: Mapping[str, object], created: object) -> Dispute | None:
        """https://docs.stripe.com/api/disputes/object"""
        ref, occurred_at = _matching(_DISPUTE, dispute.get("id")), _moment(created)
        if dispute.get("object") != "dispute" or ref is None or occurred_at is None:
            return None
        return Dispute(
            provider=self.name,
            ref=ref,
            payment_ref=_named(dispute.get("payment_intent")),
            # A status we do not know moves no money.
            state=_DISPUTE_STATES.get(word(dispute.get("status")) or "", DisputeState.INQUIRY),
            amount=_money(dispute.get("amount"), dispute.get("currency")),
            reason=word(dispute.get("reason")),
            occurred_at=occurred_at,
            ours=self._fits(dispute.get("livemode")),
        )

    def _card_change(self, method: Mapping[str, object], before: Mapping[str, object]) -> CardChange | None:
        """What became of a payment method; one that was taken away has its owner only in `before`."""
        owner, card = _matching(_CUSTOMER, method.get("customer")), _card(method)
        if card is None:
            return None
        return CardChange(
            provider=self.name,
            customer_ref=owner or _matching(_CUSTOMER, before.get("customer")),
            card=card,
            kept=owner is not None,
            ours=self._fits(method.get("livemode")),
        )

    def _fits(self, livemode: object) -> bool:
        return self._live is None or livemode is self._live

    def _deadline(self) -> float:
        return asyncio.get_running_loop().time() + self._timeout

    async def _ask(self, call: Awaitable[stripe.StripeObject], deadline: float | None = None) -> Mapping[str, object]:
        """The answer as plain JSON or one of our two errors, in limited time whatever the other side does.

        `deadline`: of a method that asks more than once.
        """
        try:
            # Around all tries: the transport's limit is for one.
            async with asyncio.timeout_at(deadline or self._deadline()):
                answer = await call
            if answer.last_response is None:
                raise ProviderUnknown("bad answer")
            return json_object(answer.last_response.body)
        except stripe.StripeError as error:
            failure = _failure(error)
            logger.warning(
                "stripe call failed",
                extra={
                    "reason": failure.reason,
                    "code": word(error.code),
                    "param": word(getattr(error, "param", None)),
                    "request": word(error.request_id),
                },
            )
            # Without a cause: the SDK's errors carry the whole answer.
            raise failure from None
        except _LEAKS as error:
            raise ProviderUnknown("timeout" if isinstance(error, TimeoutError) else "bad answer") from None

    @staticmethod
    def _signed(body: bytes, header: str, secret: str) -> bool:
        try:
            stripe.WebhookSignature.verify_header(body, header, secret)
        except stripe.SignatureVerificationError:
            return False
        return True


def _failure(error: stripe.StripeError) -> ProviderError:
    """https://docs.stripe.com/api/errors; whatever is no clear refusal may have had an effect."""
    match error:
        case stripe.InvalidRequestError(http_status=404, code="resource_missing"):
            return ProviderRejected(_NO_SUCH_OBJECT)
        case stripe.InvalidRequestError(code=code, param=param):
            return ProviderRejected(
                _NO_SUCH_CUSTOMER if (code, param) == ("resource_missing", "customer") else _INVALID
            )
        case stripe.AuthenticationError():
            return ProviderRejected("wrong key")
        case stripe.PermissionError():
            return ProviderRejected("not permitted")
        case stripe.CardError():
            return _CardRefused(_told(error))
        case stripe.RateLimitError():
            return ProviderUnknown("too many requests")
        case stripe.IdempotencyError() | stripe.APIError(http_status=409):
            # The key is in use or was used with other parameters: a session may well exist.
            return ProviderUnknown("idempotency conflict")
        case stripe.APIConnectionError():
            return ProviderUnknown("network")
        case stripe.APIError(http_status=int(status)) if status >= 500:
            return ProviderUnknown("server error")
        case _:
            return ProviderUnknown("bad answer")


def _told(error: stripe.StripeError) -> Mapping[str, object]:
    """What an error says, as plain JSON: https://docs.stripe.com/api/errors"""
    body = error.http_body
    try:
        return nested(json_object(body) if isinstance(body, bytes | str) else {}, "error")
    except ValueError:
        return {}


def _metadata(order: Order) -> dict[str, str]:
    return {"operation_id": str(order.id), "player_id": str(order.player_id)}


def _reason(failure: Mapping[str, object]) -> Reason:
    codes = (word(failure.get("decline_code")), word(failure.get("code")))
    return next((_REASONS[code] for code in codes if code in _REASONS), Reason.OTHER)


def _wants_owner(failure: Mapping[str, object]) -> bool:
    """The bank wants the player himself: https://docs.stripe.com/error-codes#authentication-required"""
    return _AUTHENTICATION in (failure.get("code"), failure.get("decline_code"))


def _hides_amount(news: Payment | Refund | Dispute, raw: Mapping[str, object]) -> bool:
    """An amount in a currency we keep that cannot be read."""
    return news.amount is None and str(raw.get("currency")).upper() in CURRENCIES


def _sound(news: _Movement | None, raw: Mapping[str, object]) -> _Movement:
    """An item of a list as it is, or ProviderUnknown when it makes no sense."""
    if news is None or _hides_amount(news, raw):
        raise ProviderUnknown("bad answer")
    return news


def _matching(pattern: re.Pattern[str], value: object) -> str | None:
    return value if isinstance(value, str) and pattern.fullmatch(value) else None


def _intent_id(value: object) -> str | None:
    return _matching(_INTENT, value)


def _named(intent: object) -> str | None:
    """An intent told as its id or as a whole."""
    return _intent_id(intent.get("id") if isinstance(intent, dict) else intent)


def _moment(value: object) -> datetime | None:
    """Unix seconds, up to the year 9999."""
    return datetime.fromtimestamp(value, UTC) if type(value) is int and 0 < value < 253_402_300_800 else None


def _money(minor: object, currency: object) -> Money | None:
    """Amounts are integers in the smallest unit: https://docs.stripe.com/currencies#minor-units"""
    code = currency.upper() if isinstance(currency, str) else ""
    return Money(minor, code) if code in CURRENCIES and type(minor) is int and 0 < minor <= _LARGEST else None


def _method(details: Mapping[str, object]) -> str | None:
    kind, card = word(details.get("type")), nested(details, "card")
    brand, last4 = word(card.get("brand")), word(card.get("last4"))
    return f"{brand.capitalize()} *{last4}" if brand and last4 else kind


def _kept_card(intent: Mapping[str, object]) -> Card | None:
    """The payment method of an intent when it belongs to a customer; one that belongs to nobody pays once."""
    method = nested(intent, "payment_method")
    owner = _matching(_CUSTOMER, method.get("customer"))
    return _card(method) if owner is not None and owner == intent.get("customer") else None


def _card(method: Mapping[str, object]) -> Card | None:
    """https://docs.stripe.com/api/payment_methods/object"""
    ref, kind = _matching(_METHOD, method.get("id")), word(method.get("type"))
    if method.get("object") != "payment_method" or ref is None or kind is None:
        return None
    details = nested(method, kind)
    brand, month, year = word(details.get("brand")), details.get("exp_month"), details.get("exp_year")
    return Card(
        ref=ref,
        payment_type="card" if kind in _CARDS else "bank_account" if kind in _BANK_ACCOUNTS else "wallet",
        brand=brand if brand is None or len(brand) <= _LONGEST_BRAND else None,
        last4=_matching(_LAST4, details.get("last4")),
        exp_month=month if type(month) is int and 1 <= month <= 12 else None,
        exp_year=year if type(year) is int and 2000 <= year <= 2200 else None,
    )
