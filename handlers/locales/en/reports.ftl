# History, statistics, reports and statements

button-filters = Filters
button-statistics = Statistics
button-export = Report
button-show = Show
button-dates = Own dates
button-picture = Chart { $currency }
button-statements = Monthly statements
button-make = Make the report
button-format = { $format ->
    [csv] CSV, a table
   *[pdf] PDF, a document
}
command-export = A report as a file, and statements

period = { $period ->
    [today] Today
    [week] 7 days
    [thirty_days] 30 days
    [month] This month
    [last_month] Last month
    [year] This year
   *[all] All time
}
period-own = { $first } – { $last }
month = { $month ->
    [1] January
    [2] February
    [3] March
    [4] April
    [5] May
    [6] June
    [7] July
    [8] August
    [9] September
    [10] October
    [11] November
   *[12] December
} { $year }
month-short = { $month ->
    [1] Jan
    [2] Feb
    [3] Mar
    [4] Apr
    [5] May
    [6] Jun
    [7] Jul
    [8] Aug
    [9] Sep
    [10] Oct
    [11] Nov
   *[12] Dec
}
operation-status = { $status ->
    [created] waiting for the payment system
    [pending] waiting for the payment
    [unknown] being looked into
    [review] being checked
    [approved] approved
    [sending] being sent
    [completed] done
    [failed] did not go through
    [cancelled] cancelled
   *[expired] time ran out
}

# History

history-filters =
    <b>History filters</b>

    Choose what to show and press “Show”.
history-kind = { $kind ->
    [deposits] Deposits
    [withdrawals] Withdrawals
    [bets] Bets
    [other] Other
   *[all] All kinds
}
history-status = { $status ->
    [waiting] Waiting
    [failed] Failed
   *[done] Done
}
history-any-provider = All systems
history-any-currency = All currencies
history-type-dates =
    <b>Own dates</b>

    Type one date or two: 20.11.2026 or 01.11.2026–15.11.2026. Both days are in it.
history-nothing =
    <b>History</b>
    { $filter }

    Nothing passes this filter.
history-total = In all: { $more ->
    [1] more than { $count }
   *[0] { $count }
}
history-asked =
    <b>{ $amount }</b> · { $kind ->
        [withdrawal] withdrawal
       *[deposit] deposit via { provider }
    }
    { $at } · { operation-status }

story = <b>{ movement }</b>
story-asked = <b>{ $kind ->
    [withdrawal] Withdrawal
   *[deposit] Deposit
}</b>
story-operation = { $kind ->
    [withdrawal] Withdrawal
   *[deposit] Deposit
} No. { $id } of { $amount }
story-status = Status: { operation-status }
story-asked-at = Asked for: { $at }
story-completed-at = Finished: { $at }
story-provider = Payment system: { provider }
story-received = Received: { $received }
story-method = { $kind ->
    [withdrawal] To: { $method }
   *[deposit] Card: { $method }
}
story-reference = Number at the payment system or bank: <code>{ $reference }</code>
story-reason = Why it did not go through: { reason }
story-comment = Comment: { $comment }
story-note = Answer: { $note }
story-amount = Amount: <b>{ $amount }</b>
story-balance = Balance: { $before } → { $after }
story-held = In bets and withdrawals: { $amount }
story-happened = Happened: { $at }
story-booked = Booked: { $at }, record No. { $id }
story-adjustment = Reason of the correction: { $reason_given }
story-description = Explanation: { $description }
story-steps = <b>How it went</b>
story-step = { $at } · { movement } · { $amount }
story-returned = { $kind ->
    [dispute] Payment disputed at the bank
   *[refund] Payment refunded
}: { $amount }, { $at }

# Statistics

statistics =
    <b>Statistics</b>
    { $period }
statistics-empty = Nothing here yet: no money has moved.
statistics-wallet = <b>{ $currency }</b>
statistics-deposited = Deposited
statistics-withdrawn = Withdrawn
statistics-returned = Given back to the payer
statistics-pending-deposits = Waiting to be paid now
statistics-pending-withdrawals = Waiting to be paid out now
statistics-stakes = Staked
statistics-turnover = Stakes of settled bets
statistics-payouts = Payouts
statistics-bets = Bets
statistics-counts = won { $won }, lost { $lost }, void { $void }
statistics-win-rate = Win rate
statistics-net = Net result
statistics-roi = ROI
statistics-payback = Payback

picture-caption = The balance in { $currency } over the last year: what there was, and what moved by month.
picture-title = Balance, { $currency }
picture-balance = Balance over time
picture-flow = In and out by month
picture-came = in
picture-went = out
picture-nothing = nothing moved

# Reports

report-periods =
    <b>Report</b>

    For which time? Statements of finished months are kept apart.
report-formats =
    <b>Report</b>
    { $period }

    CSV is a table for Excel and other programs. PDF is a document with balances, a chart and the seal of the ledger.
report-parts =
    <b>Report</b>
    { $period }, { $format ->
        [csv] CSV
       *[pdf] PDF
    }

    Choose what to include. { $format ->
        [csv] The table has movements of money only; statistics are in the PDF.
       *[pdf] The opening and closing balances are always in it.
    }
report-part = { $part ->
    [operations] Operations
    [bets] Bets
   *[statistics] Statistics
}
report-queued = Making the report, the file will come here. The menu works as usual: /menu
report-again = This report has been ordered already: it will come, or is here.
report-progress = Making the report… { $percent } %
report-done = The report is ready, the file is below.
report-ready =
    The report is ready. Until { $until } it can also be downloaded here: { $link }

    Do not pass the link to anybody who should not see the report.
report-large =
    The report is ready, but the file has { $size } MB and Telegram takes up to 50. Download it here until { $until }: { $link }

    Do not pass the link to anybody who should not see the report.
report-file = Looseline { $period } No { $number }
report-days = { $first } – { $last }
report-until = until { $last }

report-title = Statement No. { $number }
report-month = For the month
report-player = Client
report-name = { $name }, No. { $id }
report-period = Period
report-made = Made
report-moment = { $at } ({ $zone })
report-contents = Contents
report-seal = Seal of the ledger
report-seal-seq = record { $seq }
report-seal-short = Seal: { $seq } · { $hash }…
report-note = The amounts are taken from a ledger whose records are never changed. The opening balance together with the movements is the closing balance: this was checked when the document was made. The seal is the fingerprint of the last sealed record of the ledger at that time.
report-wallet = Wallet { $currency }
report-opening = Opening balance
report-closing = Closing balance
report-sum = { $sum ->
    [deposited] Deposits
    [returned] Given back to the payer
    [held] Set aside for withdrawals
    [staked] Stakes
    [won] Payouts of bets
   *[other] Other
}
report-held = Besides, at the end: in bets { $bets }, in withdrawals { $withdrawals }
report-statistics = Statistics
report-chart = Balance over the period
report-column-date = Date
report-column-kind = Movement
report-column-reference = Reference
report-column-amount = Amount, { $currency }
report-column-balance = Balance, { $currency }
report-nothing = No movements
report-not-shown = Movements not listed
report-moved = All movements
report-page = Page { $page } of { $pages }
report-csv = { $column ->
    [number] Record
    [booked] Booked
    [happened] Happened
    [kind] Movement
    [code] Code
    [currency] Currency
    [amount] Amount
    [before] Balance before
    [after] Balance after
    [bets] Change in bets
    [withdrawals] Change in withdrawals
    [provider] Payment system
    [reference] Payment number
    [entity] Belongs to
    [entity-number] Number
    [method] Method
    [comment] Comment
   *[note] Answer
}

link-unknown = There is no such link.
link-expired = The link has expired. Ask the bot for the report again: /export
link-busy = Too many reports are being made right now. Please open the link again in a minute.

# Statements

statements =
    <b>Statements</b>

    For every month in which money moved. Ready on the 1st, and never changed afterwards.
statements-none =
    <b>Statements</b>

    There are none yet. One appears on the 1st when money has moved in the month before.
statement-button = { month } · { $currency }
statement =
    <b>Statement for { month }</b>
    { $currency }, No. S-{ $id }

    Opening balance: { $opening }
    Deposited: { $deposited }
    Withdrawn: { $withdrawn }
    Net result of bets: { $net }
    Closing balance: <b>{ $closing }</b>
    Movements: { $count }

# Refusals

not-a-period = That does not look like dates. Type, for example, { $example } or one date.
nothing-to-report = There is nothing to report: no money has moved yet.
report-too-long = Too long for a document: more than { $limit } lines. Choose CSV or a shorter period.
too-many-reports = You can ask for { $limit } reports an hour. Please try again a little later.
