# Letters: deliveries and messages that were given up

command-inbox = Deliveries and messages given up

button-replay = Try again
button-let-go = Let it go
button-messages = Not sent: { $count }
button-deliveries = Not processed: { $count }

admin-deliveries = <b>Notifications that could not be processed: { $count }</b>
admin-deliveries-none = All notifications are processed.
admin-delivery-line =
    No. { $id } · { provider } · { $kind }
    { $at } · { $error }
admin-delivery =
    <b>Notification No. { $id }</b> · { provider }
    What: <code>{ $kind }</code>
    Payment: <code>{ $payment }</code>
    Came { $at } from { $remote }, times: { $count }
    Attempts: { $attempts }, put back to work: { $replays }
    Error: { $error }
admin-delivery-unreadable = It cannot be read: { $count } bytes that are neither JSON nor a form.
admin-delivery-let-go =
    <b>Process notification No. { $id } no more?</b> · { provider }

    It stays in the database, but nobody comes back to it. If there is money in it, only the reconciliation will find it.
admin-messages = <b>Messages that could not be sent: { $count }</b>
admin-messages-none = All messages are sent.
admin-message-line =
    No. { $id } · { $kind } · Telegram { $telegram }
    { $at } · { $error }
admin-message =
    <b>Message No. { $id }</b>
    What: <code>{ $kind }</code>
    To: Telegram <code>{ $telegram }</code>, player No. { $player }
    Written { $at }
    Attempts: { $attempts }, put back to work: { $replays }
    Error: { $error }
admin-message-let-go =
    <b>Send message No. { $id } no more?</b> · Telegram { $telegram }

    The person it was written to will not see it.
admin-replayed = Put back to work
admin-let-go = Let go
source-gone = { $source } is not connected any more: nobody can process this. Bring its settings back.
