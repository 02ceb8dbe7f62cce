# The admins' desk: players and corrections

command-admin = The desk: what waits for a decision
command-player = A player: money, operations, audit

button-find = Find another
button-to-player = To the player
button-section-operations = Operations
button-section-movements = Movements
button-section-methods = Methods
button-section-audit = Audit
button-correct = Correct balance
button-freeze = Stop withdrawals
button-unfreeze = Allow withdrawals
button-confirm-correction = Confirm the correction
button-corrections = Waiting corrections: { $count }
button-agree = Agree to No. { $id }
button-decline = Decline No. { $id }
button-take-back = Take back No. { $id }

adjustment-posted =
    { $direction ->
        [credit] Correction: <b>{ $amount }</b> was added to your balance.
       *[debit] Correction: <b>{ $amount }</b> was taken from your balance.
    }
    Reason: { $note }

    Available: { $balance }
    If something is not right, write to us: /paysupport
account-frozen =
    Withdrawals from your account are stopped for now: there is something we have to check. Your money is safe; deposits and history work as usual.

    { support }
account-unfrozen = Withdrawals from your account are possible again. Thank you for your patience.

not-a-change = Type the amount with its sign: plus gives to the player, minus takes. For example: +50 or -20,50.
more-than-available = The player has only { $available } available: no more can be taken.
own-proposal = You proposed this correction yourself. Another admin has to agree.
proposer-gone = Whoever proposed this correction is no admin any more. Decline it and propose it anew.
reason-needed = Type the reason: a word at least, and no more than { $limit } characters.
nobody-found = Nobody was found. Type a Telegram id, a player number, an @name or an operation number like #71.

admin-help = <b>For admins</b>
admin-player-ask =
    <b>Who is it?</b>

    Type a Telegram id, a player number, an @name or the number of an operation: 123456789, @anna, #71.
admin-player-several = <b>Which of them?</b>
admin-player-hit =
    No. { $player } · <b>{ $name }</b> · { $username } · Telegram <code>{ $telegram }</code>
    Found by { $by ->
        [telegram] Telegram id
        [operation] operation number
        [username] Telegram name
       *[player] player number
    }
admin-player =
    <b>{ $name }</b> · { $username }
    Player No. { $player } · Telegram <code>{ $telegram }</code>
    Language: { $language } · with us since { $since }
    Rules accepted: { $accepted }
admin-player-blocked = The player has blocked the bot since { $at }
admin-player-frozen = <b>Withdrawals are stopped</b> since { $at }: { $note }
admin-player-wallet =
    <b>{ $available }</b> available · in bets { $in_bets } · in withdrawals { $in_withdrawals }
    Deposited in total { $deposited } · withdrawn { $withdrawn }
admin-player-no-wallets = No wallets yet.
admin-player-debt = <b>Owes us { $amount }</b>: a payment was refunded or disputed
admin-player-count = { $kind ->
    [withdrawal] Withdrawals
   *[deposit] Deposits
}, { status }: { $count }
admin-player-operations = <b>Operations of player No. { $player }</b>
admin-player-movements = <b>Money movements of player No. { $player }</b>
admin-player-methods = <b>Methods of player No. { $player }</b>
admin-player-audit = <b>Audit log of player No. { $player }</b>
admin-player-nothing = There is nothing here.
admin-operation-line =
    No. { $id } · { $at } · { $kind ->
        [withdrawal] withdrawal
       *[deposit] deposit
    } · <b>{ $amount }</b> · { status }
    { $provider } <code>{ $reference }</code>
admin-operation =
    <b>{ $kind ->
        [withdrawal] Withdrawal
       *[deposit] Deposit
    } No. { $id }</b>: { $amount }, { status }
    Player No. { $player } · { $provider }
    Reference: <code>{ $reference }</code>
    Payment: <code>{ $payment }</code>
    Received: { $received }
    Goes to: { $method }
    Created: { $asked }
    Completed: { $completed }
    Reason: { $why }
    The player's words: { $comment }
    The admin's words: { $note }
admin-operation-step = { $at } · { status } · { $actor }
admin-movement = No. { $id } · { $at } · { movement } · <b>{ $amount }</b> · set aside { $locked } · available { $after }
admin-card = Card No. { $id } · { $provider } · { $brand } •••• { $last4 } · until { $expiry }
admin-destination =
    Payout No. { $id } · { $kind ->
        [iban] IBAN account
        [ru_account] bank account
        [card] card
       *[crypto] crypto wallet
    } · network { $network } · <code>{ $masked }</code>
    { $status ->
        [verified] verified
        [rejected] rejected
       *[pending] waits for a check
    }, can be used from { $at }
admin-audit-line = { $at } · { $actor } · { $action }{ $entity }: { $status }{ $amount }{ $details }
admin-freeze-ask =
    <b>Stop withdrawals: { $name }</b> · { $username } · No. { $player } · <code>{ $telegram }</code>

    Type the reason. Admins will see it; the player is told that withdrawals are stopped and whom to write to.
admin-unfreeze-ask =
    <b>Allow withdrawals: { $name }</b> · { $username } · No. { $player } · <code>{ $telegram }</code>

    Stopped because: { $note }
    The player is told that withdrawals are possible again.
admin-correction-currency = Correcting the balance of player No. { $player }. In which currency?
admin-correction-amount =
    <b>Correction in { $currency }</b>, player No. { $player }

    Type the amount with its sign: +50 gives to the player, -20,50 takes.
admin-correction-reason =
    <b>Correction { $amount }</b>, player No. { $player }

    Type the reason. The player will see it, in a message and in the history.
admin-correction-sure =
    <b>Correction { $amount }</b>, player No. { $player }
    Reason: { $note }

    Available now: { $available }, afterwards: { $after }
    { $admins ->
        [1] It is posted at once, and the player gets a message.
       *[other] The amount is above the limit: it is posted when another admin agrees.
    }
admin-correction = Correction No. { $id }: player No. { $player }, <b>{ $amount }</b>. { $note } · proposed by <code>{ $admin }</code>
admin-correction-now =
    <b>Correction No. { $id }: { status }</b>
    Player No. { $player }, { $amount }
    Reason: { $note }
admin-corrections = <b>Corrections that wait for a second admin</b>
admin-corrections-none = Nothing is waiting now.
admin-correction-asked =
    ⚠️ Correction No. { $id } waits for a second admin
    Player No. { $player }, <b>{ $amount }</b>
    Reason: { $note }
    Proposed by <code>{ $admin }</code>
admin-correction-answered = Correction No. { $id }, player No. { $player }, { $amount }: { status }. Decided by <code>{ $admin }</code>

not-allowed = Your role, { $role }, does not allow this. Owners grant roles.

# The desk

button-desk = Desk
button-counted = { $label }: { $count }
button-desk-withdrawals = Withdrawals
button-desk-methods = Payout details
button-desk-odd = Odd money
button-desk-debts = Debts
button-desk-corrections = Corrections
button-desk-books = Reconciliation
button-desk-verify = The books
button-desk-players = Players
button-desk-casino = Casino
button-desk-signals = Signals
button-desk-broadcasts = Broadcasts
button-desk-statistics = Statistics
button-desk-deliveries = Not processed
button-desk-messages = Not sent
button-desk-health = Health
button-desk-staff = Staff
button-house-close = Close the bot for maintenance
button-house-reopen = Open the bot to players
button-refresh = Refresh

admin-desk =
    <b>Desk</b>

    { $count ->
        [0] Nothing waits for a decision.
       *[other] Waiting for a decision: <b>{ $count }</b>
    }
admin-desk-closed = 🔧 The bot has been closed to players since { $at }.
admin-close-sure =
    <b>Close the bot for maintenance?</b>

    Players will see a request to come back later and nothing else. Payments, withdrawals under way and notifications go on. The staff works as usual.
admin-reopen-sure =
    <b>Open the bot to players?</b>

    Everything works again at once. Those who came while it was closed are not told.
maintenance = 🔧 Maintenance is under way, and the bot is closed for a little while. Your money is safe; payments and withdrawals under way go on. Please come back soon.

admin-health =
    <b>Health</b>

    Database: answers
    Telegram: { $telegram ->
        [ok] answers
        [standby] another process receives the updates
        [starting] starting
       *[unreachable] <b>does not answer</b>
    }
    Waiting longest: a notification { $inbox } s, a message { $outbox } s, a job { $jobs } s
    The process has been up for { $hours } h
admin-health-source = { provider }: { $state ->
    [silent] <b>nothing came in { $days } days</b>
   *[heard] last notification { $at }, last one processed { $until }
}
admin-health-books =
    Books sealed { $at }, waiting for the seal: { $count }
    Proven { $until }, findings: { $findings }
    Jobs failed in a week: { $jobs }
