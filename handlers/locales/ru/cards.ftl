# Сохранённые карты

card-brand = { $brand ->
    [visa] Visa
    [mastercard] Mastercard
    [mir] Мир
    [amex] American Express
    [unionpay] UnionPay
    [jcb] JCB
    [discover] Discover
    [diners] Diners Club
    [maestro] Maestro
    [card] Карта
    [wallet] Кошелёк
    [bank_account] Банковский счёт
    [unknown] Карта
   *[other] { $brand }
}
card-name = { card-brand } •• { $last4 }
card-line = • { $card }, { provider }{ $expiry ->
    [none] { "" }
   *[other] , { $state ->
        [expired] срок истёк { $expiry }
       *[kept] до { $expiry }
    }
}{ $state ->
    [default] , предлагается первой
   *[kept] { "" }
}
card-screen =
    <b>{ $card }</b>

    Хранится в { provider } для ваших пополнений, номер карты бот не видит.
    { $expiry ->
        [none] Срок действия: платёжная система не сообщила
       *[other] Срок действия: { $expiry }
    }
    { $state ->
        [default] При пополнении предлагается первой.
        [expired] Срок карты истёк, заплатить ею нельзя. Удалите её и сохраните новую при следующем пополнении.
       *[kept] Первой при пополнении предлагается другая карта или другой способ.
    }
card-remove =
    Удалить { $card }?

    Карта удалится и здесь, и в { provider }. Пополненные деньги останутся. Сохранить карту снова можно при следующем пополнении.
card-removed = Карта удалена: заплатить ею отсюда больше нельзя.

deposit-by-card = Платит { $card }, без страницы оплаты. Перед списанием я спрошу ещё раз.
deposit-keeps-card = { provider } сохранит карту, которой вы заплатите, для следующих пополнений. Удалить её можно в любой момент: /methods
deposit-confirm =
    Пополнить на <b>{ $amount }</b>, платит { $card }?

    { provider } спишет деньги сразу. Иногда банк просит подтверждение: тогда я покажу его страницу.
deposit-charging = Списываю { $amount }, платит { $card }…
deposit-charge-pending =
    <b>{ $amount } через { provider }</b>

    Банк пока не ответил. Если деньги спишутся, они зачислятся сами и один раз, и я напишу сюда: повторять не нужно.

    Номер пополнения: { $id }
deposit-bank-asks =
    <b>{ $amount } через { provider }</b>

    Банк просит подтвердить этот платёж. Деньги ещё не списаны: откройте страницу по кнопке и заплатите там. Тогда деньги зачислятся, и я напишу сюда.

    Номер пополнения: { $id }
deposit-card-failed =
    Пополнение на <b>{ $amount }</b> через { provider } с вашей карты не прошло: { reason }. Баланс не изменился.{ $reason ->
        [permission-revoked] {" "}Заплатить этой картой больше нельзя, в списке её уже нет.
        [card-expired] {" "}Удалите карту в /methods и сохраните новую при следующем пополнении.
        [provider-unavailable] {" "}Если деньги всё же списались, они зачислятся, когда платёжная система это подтвердит.
       *[other] { "" }
    }

    Номер пополнения: { $id }

button-new-card = Новая карта или другой способ
button-keep-on = ☑ Сохранить карту
button-keep-off = ☐ Сохранить карту
button-pay-with = Пополнить этой картой
button-make-default = Предлагать первой
button-remove = Удалить
button-remove-sure = Да, удалить
button-another-way = Заплатить иначе
button-methods = Карты и вывод

command-methods = Карты и куда выводить деньги

card-not-found = Эта карта больше не сохранена: её удалили или отозвали. Ваши карты: /methods
card-expired = Срок этой карты истёк. Выберите другую или заплатите по ссылке: /deposit

methods-cards =
    <b>Откуда платить</b>

    { $cards }
methods-no-cards =
    <b>Откуда платить</b>

    Сохранённых карт пока нет. Нажмите «Сохранить карту» при пополнении, и следующее обойдётся без страницы оплаты.
