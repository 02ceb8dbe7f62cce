# Kept cards

card-brand = { $brand ->
    [visa] Visa
    [mastercard] Mastercard
    [mir] Mir
    [amex] American Express
    [unionpay] UnionPay
    [jcb] JCB
    [discover] Discover
    [diners] Diners Club
    [maestro] Maestro
    [card] Card
    [wallet] Wallet
    [bank_account] Bank account
    [unknown] Card
   *[other] { $brand }
}
card-name = { card-brand } •• { $last4 }
card-line = • { $card }, { provider }{ $expiry ->
    [none] { "" }
   *[other] , { $state ->
        [expired] expired { $expiry }
       *[kept] until { $expiry }
    }
}{ $state ->
    [default] , offered first
   *[kept] { "" }
}
card-screen =
    <b>{ $card }</b>

    Kept at { provider } for your deposits; the bot never sees the number.
    { $expiry ->
        [none] Expiry: the payment system did not say
       *[other] Expiry: { $expiry }
    }
    { $state ->
        [default] It is offered first when you deposit.
        [expired] This card has expired: it pays no more. Remove it, and keep the new one with your next deposit.
       *[kept] Another card or way is offered first when you deposit.
    }
card-remove =
    Remove { $card }?

    It will be removed here and at { provider }. Money you have deposited stays. You can keep the card again with a later deposit.
card-removed = The card is removed: nothing more can be paid with it from here.

deposit-by-card = { $card } pays, without a payment page. I will ask once more before the money is taken.
deposit-keeps-card = { provider } will keep the card you pay with for later deposits. You can remove it at any time: /methods
deposit-confirm =
    Deposit <b>{ $amount }</b> from { $card }?

    { provider } takes the money at once. Sometimes the bank asks for a confirmation: then I will show its page.
deposit-charging = Taking { $amount } from { $card }…
deposit-charge-pending =
    <b>{ $amount } via { provider }</b>

    The bank has not answered yet. If the money is taken, it is credited once, by itself, and I will write here: there is no need to repeat.

    Deposit number: { $id }
deposit-bank-asks =
    <b>{ $amount } via { provider }</b>

    The bank wants you to confirm this payment. Nothing has been taken yet: open the page with the button and pay there. Then the money is credited, and I will write here.

    Deposit number: { $id }
deposit-card-failed =
    The deposit of <b>{ $amount }</b> via { provider } from your card did not go through: { reason }. Your balance has not changed.{ $reason ->
        [permission-revoked] {" "}The card pays no more, so it is no longer in your list.
        [card-expired] {" "}Remove the card in /methods, and keep the new one with your next deposit.
        [provider-unavailable] {" "}If the money was taken after all, it is credited when the payment system confirms it.
       *[other] { "" }
    }

    Deposit number: { $id }

button-new-card = New card or another way
button-keep-on = ☑ Keep this card
button-keep-off = ☐ Keep this card
button-pay-with = Deposit with it
button-make-default = Offer it first
button-remove = Remove
button-remove-sure = Yes, remove
button-another-way = Pay another way
button-methods = Cards and payouts

command-methods = Cards, and where money is paid out

card-not-found = This card is not kept any more: it was removed or withdrawn. Your cards: /methods
card-expired = This card has expired. Choose another one or pay by link: /deposit

methods-cards =
    <b>Pay from</b>

    { $cards }
methods-no-cards =
    <b>Pay from</b>

    No card is kept yet. Press “Keep this card” when you deposit, and the next deposit needs no payment page.
