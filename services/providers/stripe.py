"""Stripe: hosted Checkout for deposits, signed webhooks about them. https://docs.stripe.com/payments/checkout"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import aiohttp
import stripe

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
    Checkout,
    Concern,
    Delivery,
    News,
    Order,
    Payment,
    PaymentState,
    Reason,
    Verified,
    json_object,
    nested,
    order_id,
    payment_link,
    word,
)

logger = logging.getLogger(__name__)

_TOLERANCE = 300  # seconds, https://docs.stripe.com/webhooks#replay-attacks
_LARGEST = 99_999_999  # eight digits: https://docs.stripe.com/api/payment_intents/create
_EVENT = re.compile(r"evt_[A-Za-z0-9_]{1,250}")
_EVENT_TYPE = re.compile(r"[a-z0-9_]+(?:\.[a-z0-9_]+){1,6}")
_SESSION = re.compile(r"cs_[A-Za-z0-9_]{1,250}")
_INTENT = re.compile(r"pi_[A-Za-z0-9_]{1,250}")
_NO_SUCH_OBJECT = "no such object"

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

        `order.expires_at` has to be 30 minutes to 24 hours away, or Stripe refuses. Raises ProviderRejected,
        ProviderUnknown.
        """
        metadata = {"operation_id": str(order.id), "player_id": str(order.player_id)}
        session = await self._ask(
            self._client.v1.checkout.sessions.create_async(
                {
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
                    "payment_intent_data": {"metadata": metadata, "description": order.description},
                    # Otherwise the page may offer, and take, another currency than the order's:
                    # https://docs.stripe.com/payments/currencies/localize-prices/adaptive-pricing
                    "adaptive_pricing": {"enabled": False},
                    "expires_at": int(order.expires_at.timestamp()),
                    "success_url": order.return_url,
                    "cancel_url": order.return_url,
                    "locale": "ru" if order.language == "ru" else "en",
                },
                # The same key finds the session made by a call whose answer was lost:
                # https://docs.stripe.com/api/idempotent_requests
                {"idempotency_key": f"deposit-{order.id}"},
            )
        )
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
                expand = ["payment_intent.latest_charge"]
                raw = await self._ask(v1.checkout.sessions.retrieve_async(ref, {"expand": expand}))
                payment = self._session(raw, raw.get("created"))
            elif _INTENT.fullmatch(ref):
                raw = await self._ask(v1.payment_intents.retrieve_async(ref, {"expand": ["latest_charge"]}))
                payment = self._intent(raw, raw.get("created"))
            else:
                return None
        except ProviderRejected as refusal:
            if refusal.reason == _NO_SUCH_OBJECT:
                return None
            raise
        currency = str(raw.get("currency")).upper()
        if payment is None or raw.get("id") != ref or (payment.amount is None and currency in CURRENCIES):
            raise ProviderUnknown("bad answer")
        return payment

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
        return Verified(event_id, event_type, payment_ref, verified_by="signature", concern=Concern.BELIEVE)

    def read(self, body: bytes) -> Payment | None:
        """Deposits are told twice, by session and by intent: https://docs.stripe.com/api/events/types"""
        try:
            event = json_object(body)
        except ValueError:
            return None
        kind, created = event.get("type"), event.get("created")
        subject = nested(nested(event, "data"), "object")
        match kind:
            case (
                "checkout.session.completed"
                | "checkout.session.async_payment_succeeded"
                | "checkout.session.async_payment_failed"
                | "checkout.session.expired"
            ):
                payment = self._session(subject, created)
            case (
                "payment_intent.succeeded"
                | "payment_intent.processing"
                | "payment_intent.payment_failed"
                | "payment_intent.canceled"
            ):
                payment = self._intent(subject, created)
            case _:
                return None
        if payment is None:
            return None
        if kind == "checkout.session.async_payment_failed" and payment.state is PaymentState.PENDING:
            # The page is complete and takes no second try; why it failed is told by the intent's own event.
            payment = replace(payment, state=PaymentState.CANCELLED)
        return replace(payment, ours=payment.ours and self._fits(event.get("livemode")))

    async def look(self, body: bytes) -> list[News]:
        """Nothing yet that an event does not say itself."""
        return []

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
                codes = (word(failure.get("decline_code")), word(failure.get("code")))
                reason = next((_REASONS[code] for code in codes if code in _REASONS), Reason.OTHER)
                state, method = PaymentState.FAILED, _method(nested(failure, "payment_method"))
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
        )

    def _fits(self, livemode: object) -> bool:
        return self._live is None or livemode is self._live

    async def _ask(self, call: Awaitable[stripe.StripeObject]) -> Mapping[str, object]:
        """The answer as plain JSON or one of our two errors, in limited time whatever the other side does."""
        try:
            # Around all tries: the transport's limit is for one.
            async with asyncio.timeout(self._timeout):
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
        case stripe.InvalidRequestError():
            return ProviderRejected("invalid request")
        case stripe.AuthenticationError():
            return ProviderRejected("wrong key")
        case stripe.PermissionError():
            return ProviderRejected("not permitted")
        case stripe.CardError():
            return ProviderRejected("card declined")
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


def _matching(pattern: re.Pattern[str], value: object) -> str | None:
    return value if isinstance(value, str) and pattern.fullmatch(value) else None


def _intent_id(value: object) -> str | None:
    return _matching(_INTENT, value)


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
