"""Payouts by hand: an admin sends the money through a bank or a wallet, and says so."""

from services.providers import Payout, PayoutOrder, PayoutState


class Manual:
    name = "manual"

    async def send(self, order: PayoutOrder) -> Payout:
        """Nothing is sent from here: it stays on its way until an admin says how it went."""
        return Payout(PayoutState.PENDING, ref=None)
