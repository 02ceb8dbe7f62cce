# Withdrawals and payout details

button-withdraw = Withdraw
button-withdraw-all = All: { $amount }
button-withdraw-sure = Withdraw { $amount }
button-comment = Add a comment
button-other-comment = Another comment
button-without-comment = Without a comment
button-add-method = Add payout details
button-payee = To { $method }

command-withdraw = Withdraw money
command-withdrawals = Withdrawal requests

withdrawal-status = { $status ->
    [review] waiting for a decision
    [approved] approved
    [sending] being sent
    [completed] paid out
    [failed] did not go through
    [cancelled] rejected
    [unknown] the outcome is being checked
   *[other] { $status }
}

# Where a player is paid

method-kind = { $kind ->
    [ru_account] Russian bank account
    [iban] Account by IBAN
    [card] Card
    [TRC20] USDT TRC20
    [ERC20] USDT ERC20
    [BTC] Bitcoin
   *[other] { $kind }
}
method-state = { $state ->
    [pending] being checked
    [rejected] not accepted
    [cooling] usable from { $until }
   *[ready] usable
}
methods-payees = <b>Pay out to</b>
methods-no-payees =
    <b>Pay out to</b>

    Nothing here yet. Add an account, a card or a crypto wallet: a person checks it before the first withdrawal.
method-line = • { $method }: { method-state }{ $first ->
    [yes] , offered first
   *[no] { "" }
}{ $currency ->
    [any] { "" }
   *[other] , { $currency } only
}
method-kinds =
    <b>Pay out to</b>

    Choose what to add. Nobody needs a full card number: the last four digits and the code your bank gave are enough.
method-type =
    <b>{ method-kind }</b>

    { $kind ->
        [ru_account]
            Send the BIC (9 digits) and the account number (20 digits) in one message, with a space between. The holder's name, if needed, goes on the next line.

            For example:
            <code>044525225 40817810938160925982</code>
        [iban]
            Send the IBAN, spaces do no harm. The holder's name, if needed, goes on the next line.

            For example:
            <code>DE89 3704 0044 0532 0130 00</code>
        [card]
            Send the last four digits of the card and the code that your bank or payment service gave instead of its number.

            For example:
            <code>4242 pt_1aB2cD3eF4</code>

            Never send the whole card number: I will delete such a message.
        [TRC20] Send a wallet address of the TRON network: it begins with T.
        [ERC20] Send a wallet address of the Ethereum network: it begins with 0x. Capital and small letters matter: copy it from the wallet.
       *[BTC] Send a Bitcoin wallet address: it begins with 1, 3 or bc1.
    }
method-screen =
    <b>{ method-kind }</b>
    { $method }

    { $state ->
        [pending] A person is checking these details. I will write when you can withdraw.
        [rejected]
            These details were not accepted: { $note }

            Remove them and add the right ones.
        [cooling] These details are checked. New ones wait first, so that nobody else can run off with your money: you can withdraw from { $until }.
       *[ready] These details are checked, you can withdraw.
    }{ $currency ->
        [any] { "" }
       *[other] {" "}Only { $currency } is paid out here.
    }{ $first ->
        [yes] {" "}They are offered first.
       *[no] { "" }
    }
method-remove =
    Remove { $method }?

    You can add it again at any time, but checking and waiting begin anew.
method-removed = The details are removed.

withdrawal-method-verified =
    ✅ { $method } is checked. You can withdraw there: /withdraw
withdrawal-method-verified-later =
    ✅ { $method } is checked. New details wait first, so that nobody else can run off with your money: you can withdraw from { $until }.
withdrawal-method-rejected =
    { $method } was not accepted: { $note }

    Remove it and add the right details: /methods

# Withdrawing

withdraw-open = <b>On its way already</b>
withdraw-open-line = • No. { $id }: { $amount } to { $method }, { withdrawal-status }
withdraw-nothing =
    <b>Withdraw</b>

    There is no free money on your balance now.
withdraw-wallets =
    <b>Withdraw</b>

    From which wallet? The buttons say how much is free in it.
withdraw-methods =
    <b>Withdraw { $currency }</b>

    Where should the money go?
withdraw-no-method =
    <b>Withdraw { $currency }</b>

    There is nowhere to send it yet: checked details are needed that { $currency } can be paid out to.
withdraw-amounts =
    <b>Withdraw to { $method }</b>

    Available: { $available }
    Possible now: from { $minimum } to { $maximum }. Left for 24 hours: { $left }.
withdraw-type-amount =
    <b>Withdraw to { $method }</b>

    Type the amount in { $currency } as one number: 500, 1 000,50 or 19.99. Possible now: from { $minimum } to { $maximum }.
withdraw-too-little =
    <b>Withdraw to { $method }</b>

    Nothing can be withdrawn now: the least is { $minimum }, you have { $available }, and { $left } is left for 24 hours.
withdraw-type-comment = Type a comment for this withdrawal, up to 250 characters. Whoever sends the money will see it.
withdraw-confirm =
    <b>Withdraw { $amount } to { $method }?</b>

    Comment: { $comment }

    The money is set aside at once and waits for a decision, usually up to { $hours } hours. You cannot take the request back yourself: if you change your mind, write to /paysupport.{ $kind ->
        [crypto] {" "}Coins are sent at the rate of the moment they are sent.
       *[money] { "" }
    }
withdraw-done =
    ✅ Request No. { $id } is accepted.

    The money usually leaves within { $hours } hours. I will write about each step.

withdrawal-requested =
    Withdrawal No. { $id }: <b>{ $amount }</b> to { $method }. The money is set aside and waits for a decision, usually up to { $hours } hours.
withdrawal-approved = Withdrawal No. { $id } is approved: <b>{ $amount }</b> is being sent to { $method }.
withdrawal-completed =
    ✅ <b>{ $amount }</b> sent to { $method }.

    Payment reference: <code>{ $reference }</code>
    Withdrawal number: { $id }
withdrawal-cancelled =
    Withdrawal No. { $id } of { $amount } was rejected: { $note }

    The money is on your balance again. Available: { $balance }
withdrawal-failed =
    Withdrawal No. { $id } of { $amount } did not go through: { $note }

    The money is on your balance again. Available: { $balance }
withdrawal-refused =
    Withdrawal No. { $id } of { $amount } did not go through: the payment system did not accept { $method }.

    The money is on your balance again. Available: { $balance }

# Refusals

bad-holder = A holder's name is letters, from 2 to 80. Type it on a line of its own, or leave it out.
bad-iban = { $problem ->
    [shape] That does not look like an IBAN. It begins with two letters of the country and two digits, like DE89 3704 0044 0532 0130 00.
    [country] { $country } is no country that has IBANs. Check the first two letters.
    [structure] This IBAN ({ $country }) has a wrong length or wrong characters for its country. Compare it with your bank.
   *[checksum] The check digits of this IBAN do not fit: some digit or letter is wrong. Compare it with your bank.
}
bad-bic = { $problem ->
    [missing] I see no BIC. Type it before the account, 9 digits: 044525225 40817810938160925982.
    [country] The BIC of a Russian bank begins with 04. Compare it with your bank.
   *[length] A BIC has 9 digits, yours has { $digits }. Type the BIC, a space and the account number.
}
bad-account = { $problem ->
    [missing] I see no account number. Type it after the BIC, 20 digits: 044525225 40817810938160925982.
    [currency] This account is not in roubles, dollars or euros: digits 6 to 8 are then 810, 840 or 978.
    [correspondent] That is the bank's correspondent account, and yours is needed: the beneficiary's account.
    [key] The account number does not fit this BIC: one of the digits is wrong. Compare both with your bank.
   *[length] An account number has 20 digits, yours has { $digits }.
}
full-card-number = That looks like a full card number. Never send it to anybody, not even me: the message is deleted, the number is not kept. The last four digits are enough.
bad-card-token = { $problem ->
    [ending] First the last four digits of the card: exactly four, then a space and the bank's code.
    [token] The bank's code is 8 to 100 Latin letters, digits, _ and -, like pt_1aB2cD3eF4.
   *[shape] Type two parts with a space between: the last four digits of the card and the bank's code, like 4242 pt_1aB2cD3eF4.
}
bad-address = { $problem ->
    [checksum] The checksum of this address does not fit: some character is wrong. Copy the whole address from the wallet.
    [case] The letters are all of one size, so there is no checksum. Copy the address from the wallet with capital and small letters.
    [testnet] That is an address of a test network, real money does not arrive there.
    [nobody] That is an address without an owner: money would be lost there.
    [other] That is an address of { $found }, and { $network } was chosen. Go back to /methods and choose { $found }.
   *[shape] That does not look like an address of { $network }. Copy the whole of it from the wallet.
}
too-many-methods = You have { $limit } payout details already, no more are possible. Remove some: /methods
too-many-new-methods = No more than { $limit } payout details can be added in 24 hours: a person checks each of them. Please try again tomorrow.
method-in-use = Withdrawal No. { $id } goes there. You can remove it when that has ended.
method-not-verified = A person is still checking these details. I will write when you can withdraw.
method-rejected = These details were not accepted. /methods says why; add the right ones.
method-cooling = These details are new: you can withdraw there from { $until }.
method-wrong-currency = Only { $currency } is paid out there. Choose other details: /withdraw
not-enough-money = There is not that much on your balance: { $available } is available.
daily-limit-reached = In 24 hours you can withdraw up to { $limit }. { $left } is left now.
comment-too-long = A comment has 1 to 250 characters. Please make it shorter.

# For admins

admin-method-added = New payout details No. { $id } wait to be checked: { $method }
admin-withdrawal-requested = Withdrawal request No. { $id }: <b>{ $amount }</b> to { $method }
admin-withdrawal-second =
    Withdrawal No. { $id } of <b>{ $amount }</b> waits for a second agreement. Admin { $admin } gave the first.
admin-withdrawal-unknown =
    ⚠️ Withdrawal No. { $id } of <b>{ $amount }</b>: the payment system did not say whether the money left. It stays set aside, and I keep asking.
admin-withdrawal-unreadable =
    ⚠️ Withdrawal No. { $id } of <b>{ $amount }</b> is approved, but { $method } cannot be read: its key is not in ENCRYPTION_KEY. Put the key back or reject the withdrawal.
admin-withdrawal-paid-anyway =
    ⚠️ Withdrawal No. { $id } of <b>{ $amount }</b> was closed by an admin, and the payment system says the money was sent. Check that it did not leave twice, or after it was given back.
admin-withdrawals-wait =
    ⚠️ { $count ->
        [one] { $count } withdrawal waits
       *[other] { $count } withdrawals wait
    } longer than four hours. The oldest is No. { $id } of { $amount }, since { $since }.

button-open = Open
button-queue = All withdrawals
button-method-queue = All to be checked
button-new-methods = Check payout details: { $count }
button-next-page = Next →
button-first-page = To the beginning
button-approve = Approve
button-reject = Reject…
button-destination = Show the details
button-sent = Sent…
button-failed = Failed…
button-verify = Verify
button-hide = Hide the details

admin-withdrawals = <b>Withdrawals open: { $count }</b>
admin-withdrawals-none = Nobody is waiting.
admin-withdrawals-line = No. { $id } · <b>{ $amount }</b> · { withdrawal-status } · { $at }
admin-withdrawal =
    <b>Withdrawal No. { $id }: { $amount }</b>
    Now: { withdrawal-status }
    To: { $method }
    Asked for: { $at }
    Comment: { $comment }
    Agreed: { $agreed } of { $needed } ({ $admins })
admin-withdrawal-player =
    <b>{ $name }</b> · { $username } · player No. { $player }, Telegram <code>{ $telegram }</code>
    Account since: { $since }
    Payout details since: { $added }
    Paid out before: { $count }
    Available { $available }, set aside { $held }
    Deposited { $deposited }, withdrawn { $withdrawn }
    Bets { $bet }, winnings { $won }
admin-withdrawal-note = Reason: { $note }
admin-withdrawal-reference = Payment reference: <code>{ $reference }</code>
admin-risks = <b>Look twice</b>
admin-risk-frozen = • withdrawals are stopped: { $note }
admin-risk-debt = • the player owes { $debt }
admin-risk-disputed = • there were refunds or disputes
admin-risk-shared = • another player has the same payout details
admin-risk-unexplained = • more than was deposited and won
admin-risk-first = • the first withdrawal
admin-risk-new-account = • the account is younger than 7 days
admin-risk-new-method = • the payout details are younger than 3 days
admin-risk-no-bets = • no bets since the last deposit
admin-risk-little-play = • staked less than deposited
admin-risk-near-limit = • { $sum } asked for in 24 hours: more than 80 % of the limit
admin-withdrawal-pay = <b>Send { $amount }, withdrawal No. { $id }</b>
admin-destination-part = { $part ->
    [kind] Kind
    [iban] IBAN
    [bic] BIC
    [account] Account
    [holder] Holder
    [last4] Card, last digits
    [token] Card code
    [network] Network
    [address] Address
   *[other] { $part }
}: <code>{ $value }</code>
admin-withdrawal-why = Why is withdrawal No. { $id } rejected? The player will read it, up to 250 characters.
admin-withdrawal-which = Under which reference was the money of withdrawal No. { $id } sent? Type the bank's payment number or the transfer's hash.
admin-withdrawal-what-failed = Why did withdrawal No. { $id } not go through? The player will read it, up to 250 characters. The money goes back to the balance.
admin-methods = <b>Payout details to check: { $count }</b>
admin-methods-none = There is nothing to check.
admin-methods-line = No. { $id } · { $method } · player No. { $player } · { $at }
admin-method =
    <b>Payout details No. { $id }: { method-kind }</b>
    { $method }

    Now: { $status ->
        [pending] to be checked
        [verified] verified
        [rejected] not accepted: { $note }
       *[removed] removed by the player
    }
    Player No. { $player }, Telegram <code>{ $telegram }</code>
    Added: { $at }
    Usable not before: { $until }
    Other players with the same details: { $sharers }
admin-method-in-full = <b>Payout details No. { $id } in full</b>
admin-method-why = Why are payout details No. { $id } not accepted? The player will read it, up to 250 characters.

bad-reference = A payment reference is one line of 3 to 100 characters.
reference-used = Withdrawal No. { $id } has this payment reference already. Check that it is the right payment.
player-is-frozen = This player's withdrawals are stopped. Lift that in /player first, or reject the withdrawal.
own-money = This is about your own money: another admin has to decide.
second-admin-needed = You have agreed already. Another admin is needed: { $missing }.
another-pays = Admin { $admin } has just opened these details and may be paying. Ask them, or come back in { $minutes } min.
destination-unreadable = The details cannot be read: their key is not in ENCRYPTION_KEY any more.
