# Refunds, disputes, money that fits nothing, comparing lists

command-money = Money that waits for a decision
command-reconcile = Compare with the payment systems
command-verify = Prove the books

button-look = Open
button-further = Further →
button-debts = Debts: { $count }
button-odd-money = Waiting: { $count }
button-odd-list = To the list
button-books = Comparison
button-credit = Credit the deposit's player
button-credit-other = Credit another player
button-send-back = Send back to the payer
button-close = Looked into, close
button-close-noted = Close with a note
button-returned = Return No. { $id }
button-collect = Take what the balance has
button-forgive = Forgive the debt
button-give-up-refund = There was no refund
button-give-back = Refund
button-refund = Refund { $amount }
button-reconcile = { provider }: { $count } days

deposit-sent-back =
    The payment of { $amount } via { provider } was sent back to the payer: it did not match the deposit. The money goes to where it came from.

    Deposit number: { $id }
money-found =
    ✅ A payment of <b>{ $amount }</b> via { provider } was found and credited to your balance.

    Available: { $balance }
return-refunded =
    A refund of <b>{ $amount }</b> via { provider }: the money goes to where you paid from, and the same amount has left your balance.
return-refunded-owing =
    A refund of <b>{ $amount }</b> via { provider }: the money goes to where you paid from.

    Your balance did not have all of it: { $taken } was taken, <b>{ $owed }</b> is still owed. Until it is settled withdrawals are stopped. Whom to write to: /paysupport
return-disputed =
    The bank took back your payment of <b>{ $amount }</b> via { provider }, and it has left your balance.

    Until a person has looked into it, withdrawals are stopped. If this is a mistake, write: /paysupport
return-disputed-owing =
    The bank took back your payment of <b>{ $amount }</b> via { provider }.

    Your balance did not have all of it: { $taken } was taken, <b>{ $owed }</b> is still owed. Until a person has looked into it, withdrawals are stopped. If this is a mistake, write: /paysupport
return-undone =
    The return of the payment of <b>{ $amount }</b> via { provider } was undone: everything taken for it is on your balance again.

    If withdrawals were stopped, a person will open them: /paysupport
return-lost = The dispute about the payment of <b>{ $amount }</b> via { provider } has ended: the bank left the money with the payer.
return-collected =
    <b>{ $amount }</b> has left your balance for a returned payment via { provider }.

    Still owed: { $owed }
return-forgiven = The debt of <b>{ $amount }</b> for a returned payment via { provider } is written off: there is nothing to pay.

refund-too-large = That is more than can be refunded. At most { $maximum } now.
nothing-there = There is no money here that could be moved.
money-lies-there = This cannot be closed while money lies behind it: credit it or send it back.

odd-problem = { $problem ->
    [unknown_payment] a payment without an order
    [amount_differs] another amount
    [currency_differs] another currency
    [paid_twice] paid a second time
    [missing_in_ledger] we do not have it
    [missing_at_provider] not on the system's list
    [ledger_differs] our record and the list differ
   *[other] { $problem }
}
returned-kind = { $kind ->
    [dispute] dispute
   *[refund] refund
}
returned-status = { $status ->
    [requested] asked for, not answered yet
    [pending] on its way
    [succeeded] done
    [failed] failed
    [rejected] refused by the system
    [inquiry] the bank asks, no money has moved
    [open] the bank took the money
    [won] decided for us
    [lost] decided for the payer
   *[other] { $status }
}
returned-state = { $state ->
    [booked] booked
    [undone] not booked or undone
   *[noted] waiting
}

admin-items = <b>Waiting for a decision</b>, oldest first
admin-items-none = Nothing waits for a decision.
admin-item-line = No. { $id } · { $at } · { provider } · { odd-problem } · <b>{ $amount }</b>
admin-item =
    <b>No. { $id }</b> · { provider } · { odd-problem }
    <code>{ $payment }</code>
    Noticed: { $at }
    The system says: { $received } · expected or booked: { $expected }
admin-item-operation = Deposit No. { $operation } of player No. { $player }: { $status ->
    [created] created
    [pending] waiting for payment
    [review] waiting for a decision
    [completed] credited
    [failed] failed
    [cancelled] cancelled
    [expired] expired
    [unknown] being checked
   *[other] { $status }
}
admin-item-suspense = Set aside: <b>{ $amount }</b>
admin-returned-line = { returned-kind } No. { $id }: { $amount }, { returned-status }, { returned-state }
admin-item-settled = Decided: { $status ->
    [credited] credited
    [sent_back] sent back to the payer
    [closed] closed
    [mended] agrees by itself
   *[other] { $status }
} · { $actor } · { $note }
admin-item-seen = looked into, it is right
admin-item-whose = Whose money is it? Type a Telegram id, a player's number, @name or the number of an operation, like #71.
admin-item-hit = No. { $player } · { $name } · @{ $username } · Telegram { $telegram }
admin-item-credit-sure = Credit { $amount } (item No. { $id })? Choose the player:
admin-item-send-back = Send { $amount } back to the payer via { provider }? Item No. { $id }. This cannot be undone.
admin-item-why = Why is it no difference? Type one sentence of up to 500 characters.

admin-debts = <b>What players owe</b>, oldest first
admin-debts-none = Nobody owes anything.
admin-debt-line = No. { $id } · { $at } · player No. { $player } · { returned-kind } · <b>{ $owed }</b>
admin-debt-forgive = Forgive the debt of { $owed } (return No. { $id })? The player will be told.
admin-returned =
    <b>{ returned-kind } No. { $id }</b> · { provider }
    Payment <code>{ $payment }</code>
    Amount: <b>{ $amount }</b> · { $at }
    State: { returned-status }; { returned-state }
    Deposit No. { $operation } · player No. { $player }
    From the balance { $taken } · owed { $owed } · forgiven { $forgiven } · from suspense { $suspended }
    Asked for by: { $actor }
admin-refund-which = Type the number of the deposit: /refund 71
admin-refund-amount =
    <b>Refund deposit No. { $operation }</b>
    Player No. { $player }, { $amount } via { provider }.

    Up to { $maximum } can be refunded now: what is left of the payment and what the player has. Type the amount or press the button.
admin-refund-sure = Refund { $amount } of deposit No. { $operation } of player No. { $player }? This cannot be undone.

admin-refund-booked =
    A refund of { $amount } via { provider }
    Payment <code>{ $payment }</code>. The player owes: { $owed }
admin-refund-failed =
    ⚠️ A refund of { $amount } via { provider } failed
    Payment <code>{ $payment }</code>. What was taken for it is back in its place.
admin-refund-refused =
    ⚠️ { provider } refused to refund { $amount }
    Payment <code>{ $payment }</code>. The money stayed where it was.
admin-refund-unanswered =
    ⚠️ { provider } never answered about a refund of { $amount }
    Payment <code>{ $payment }</code>. Look in the system's dashboard: if there is no refund, open this and say so.
admin-dispute =
    ⚠️ A dispute about { $amount } via { provider }: { returned-status }
    Payment <code>{ $payment }</code>. The player owes: { $owed }. Only an admin opens the player's withdrawals.
admin-odd-return =
    ⚠️ A return that cannot be booked
    { provider }, <code>{ $payment }</code>: { $amount }
    Its amount, currency or payment does not fit our records.
admin-differences = ⚠️ Comparing with { provider }: { $count ->
    [one] { $count } new difference
   *[other] { $count } new differences
}

admin-verify-running = Proving the books…
admin-verify =
    { $count ->
        [0] <b>The books are sound.</b>
        [one] <b>{ $count } finding</b>
       *[other] <b>{ $count } findings</b>
    }
    Journals: { $journals }
    End of the chain: { $seq }, fingerprint <code>{ $hash }</code>
admin-verify-finding = • { $rule }: <code>{ $detail }</code>
admin-books =
    <b>Comparison with the payment systems</b>

    The last ones:
admin-run = { $at } · { provider } since { $since }: { $state ->
    [failed] cut off ({ $error }), { $seen } seen, { $mended } booked
    [running] running, or cut off
   *[done] { $seen } seen, { $mended } booked, { $count } differences
}
admin-totals = By day (UTC): the system's list and ours, what came minus what went back
admin-total = { $day } · { provider } · { $count } · { $amount }
admin-total-differs = ≠ { $day } · { provider } · the system { $count }, { $amount } · we { $booked }, { $balance }
admin-reconcile-running = Comparing with { provider }: { $seen } seen…
