# Выводы и реквизиты

button-withdraw = Вывести
button-withdraw-all = Всё: { $amount }
button-withdraw-sure = Вывести { $amount }
button-comment = Добавить комментарий
button-other-comment = Другой комментарий
button-without-comment = Без комментария
button-add-method = Добавить реквизиты
button-payee = На { $method }

command-withdraw = Вывести деньги
command-withdrawals = Заявки на вывод

withdrawal-status = { $status ->
    [review] ждёт решения
    [approved] одобрен
    [sending] отправляется
    [completed] выплачен
    [failed] не прошёл
    [cancelled] отклонён
    [unknown] исход уточняется
   *[other] { $status }
}

# Куда платить игроку

method-kind = { $kind ->
    [ru_account] Счёт в российском банке
    [iban] Счёт по IBAN
    [card] Карта
    [TRC20] USDT TRC20
    [ERC20] USDT ERC20
    [BTC] Bitcoin
   *[other] { $kind }
}
method-state = { $state ->
    [pending] проверяется
    [rejected] не подошли
    [cooling] можно выводить с { $until }
   *[ready] можно выводить
}
methods-payees = <b>Куда выводить</b>
methods-no-payees =
    <b>Куда выводить</b>

    Реквизитов пока нет. Добавьте счёт, карту или криптокошелёк: человек проверит их до первого вывода.
method-line = • { $method }: { method-state }{ $first ->
    [yes] , предлагаются первыми
   *[no] { "" }
}{ $currency ->
    [any] { "" }
   *[other] , только { $currency }
}
method-kinds =
    <b>Куда выводить</b>

    Выберите, что добавить. Полный номер карты никому не нужен: хватит последних четырёх цифр и кода, который выдал банк.
method-type =
    <b>{ method-kind }</b>

    { $kind ->
        [ru_account]
            Напишите одним сообщением БИК (9 цифр) и номер счёта (20 цифр) через пробел. Имя получателя, если нужно, — на следующей строке.

            Например:
            <code>044525225 40817810938160925982</code>
        [iban]
            Напишите IBAN, пробелы не мешают. Имя получателя, если нужно, — на следующей строке.

            Например:
            <code>DE89 3704 0044 0532 0130 00</code>
        [card]
            Напишите последние четыре цифры карты и код, который дал ваш банк или платёжный сервис вместо номера.

            Например:
            <code>4242 pt_1aB2cD3eF4</code>

            Номер карты целиком присылать нельзя: такое сообщение я удалю.
        [TRC20] Напишите адрес кошелька в сети TRON: он начинается с T.
        [ERC20] Напишите адрес кошелька в сети Ethereum: он начинается с 0x. Большие и маленькие буквы важны: скопируйте адрес из кошелька.
       *[BTC] Напишите адрес кошелька Bitcoin: он начинается с 1, 3 или bc1.
    }
method-screen =
    <b>{ method-kind }</b>
    { $method }

    { $state ->
        [pending] Реквизиты проверяет человек. Я напишу, когда можно будет выводить.
        [rejected]
            Реквизиты не подошли: { $note }

            Удалите их и добавьте правильные.
        [cooling] Реквизиты проверены. Новые реквизиты сначала ждут, чтобы никто другой не успел вывести ваши деньги: выводить можно с { $until }.
       *[ready] Реквизиты проверены, выводить можно.
    }{ $currency ->
        [any] { "" }
       *[other] {" "}Сюда выводится только { $currency }.
    }{ $first ->
        [yes] {" "}При выводе предлагаются первыми.
       *[no] { "" }
    }
method-remove =
    Удалить { $method }?

    Добавить их снова можно в любой момент, но проверка и ожидание начнутся заново.
method-removed = Реквизиты удалены.

withdrawal-method-verified =
    ✅ Реквизиты { $method } проверены. Выводить на них можно: /withdraw
withdrawal-method-verified-later =
    ✅ Реквизиты { $method } проверены. Новые реквизиты сначала ждут, чтобы никто другой не успел вывести ваши деньги: выводить можно с { $until }.
withdrawal-method-rejected =
    Реквизиты { $method } не подошли: { $note }

    Удалите их и добавьте правильные: /methods

# Вывод

withdraw-open = <b>Уже в работе</b>
withdraw-open-line = • № { $id }: { $amount } на { $method }, { withdrawal-status }
withdraw-nothing =
    <b>Вывод</b>

    Свободных денег на балансе сейчас нет.
withdraw-wallets =
    <b>Вывод</b>

    Из какого кошелька? На кнопках — сколько в нём свободно.
withdraw-methods =
    <b>Вывод, { $currency }</b>

    Куда отправить деньги?
withdraw-no-method =
    <b>Вывод, { $currency }</b>

    Отправить пока некуда: нужны проверенные реквизиты, на которые можно выводить { $currency }.
withdraw-amounts =
    <b>Вывод на { $method }</b>

    Доступно: { $available }
    Сейчас можно вывести от { $minimum } до { $maximum }. За 24 часа осталось: { $left }.
withdraw-type-amount =
    <b>Вывод на { $method }</b>

    Напишите сумму в { $currency } одним числом: 500, 1 000,50 или 19.99. Сейчас можно от { $minimum } до { $maximum }.
withdraw-too-little =
    <b>Вывод на { $method }</b>

    Сейчас вывести нельзя: наименьшая сумма { $minimum }, доступно { $available }, а за 24 часа осталось { $left }.
withdraw-type-comment = Напишите комментарий к выводу, до 250 знаков. Его увидит тот, кто отправляет деньги.
withdraw-confirm =
    <b>Вывести { $amount } на { $method }?</b>

    Комментарий: { $comment }

    Деньги сразу откладываются и ждут решения, обычно до { $hours } часов. Отозвать заявку самому нельзя: если передумали, напишите в /paysupport.{ $kind ->
        [crypto] {" "}Монеты отправляются по курсу на момент отправки.
       *[money] { "" }
    }
withdraw-done =
    ✅ Заявка № { $id } принята.

    Обычно деньги уходят в течение { $hours } часов. Я напишу о каждом шаге.

withdrawal-requested =
    Вывод № { $id }: <b>{ $amount }</b> на { $method }. Деньги отложены и ждут решения, обычно до { $hours } часов.
withdrawal-approved = Вывод № { $id } одобрен: <b>{ $amount }</b> отправляем на { $method }.
withdrawal-completed =
    ✅ <b>{ $amount }</b> отправлены на { $method }.

    Номер платежа: <code>{ $reference }</code>
    Номер вывода: { $id }
withdrawal-cancelled =
    Вывод № { $id } на { $amount } отклонён: { $note }

    Деньги снова на балансе. Доступно: { $balance }
withdrawal-failed =
    Вывод № { $id } на { $amount } не прошёл: { $note }

    Деньги снова на балансе. Доступно: { $balance }
withdrawal-refused =
    Вывод № { $id } на { $amount } не прошёл: платёжная система не приняла { $method }.

    Деньги снова на балансе. Доступно: { $balance }

# Отказы

bad-holder = Имя получателя — это буквы, от 2 до 80. Напишите его на отдельной строке или не пишите совсем.
bad-iban = { $problem ->
    [shape] Это не похоже на IBAN. Он начинается с двух букв страны и двух цифр, например DE89 3704 0044 0532 0130 00.
    [country] Страны { $country } среди стран с IBAN нет. Проверьте первые две буквы.
    [structure] У этого IBAN ({ $country }) не та длина или не те знаки, что приняты в стране. Сверьте его с банком.
   *[checksum] Контрольная сумма IBAN не сходится: где-то ошибка в цифре или букве. Сверьте его с банком.
}
bad-bic = { $problem ->
    [missing] Не вижу БИК. Напишите его перед счётом, 9 цифр: 044525225 40817810938160925982.
    [country] БИК российского банка начинается с 04. Сверьте его с банком.
   *[length] В БИК 9 цифр, а у вас { $digits }. Напишите БИК, пробел и номер счёта.
}
bad-account = { $problem ->
    [missing] Не вижу номера счёта. Напишите его после БИК, 20 цифр: 044525225 40817810938160925982.
    [currency] По этому счёту не видно рублей, долларов или евро: в 6–8 цифрах бывает 810, 840 или 978.
    [correspondent] Это корреспондентский счёт банка, а нужен ваш. Он указан в реквизитах как счёт получателя.
    [key] Номер счёта не подходит к этому БИК: ошибка в одной из цифр. Сверьте БИК и счёт с банком.
   *[length] В номере счёта 20 цифр, а у вас { $digits }.
}
full-card-number = Похоже на полный номер карты. Его нельзя писать никому, и мне тоже: сообщение удалено, номер не сохранён. Хватит последних четырёх цифр.
bad-card-token = { $problem ->
    [ending] Сначала последние четыре цифры карты: ровно четыре, потом пробел и код от банка.
    [token] Код от банка — это от 8 до 100 латинских букв, цифр, _ и -, например pt_1aB2cD3eF4.
   *[shape] Напишите две части через пробел: последние четыре цифры карты и код от банка, например 4242 pt_1aB2cD3eF4.
}
bad-address = { $problem ->
    [checksum] Контрольная сумма адреса не сходится: какой-то знак не тот. Скопируйте адрес из кошелька целиком.
    [case] В адресе одинаковые буквы, без контрольной суммы. Скопируйте его из кошелька с большими и маленькими буквами.
    [testnet] Это адрес тестовой сети, настоящие деньги туда не приходят.
    [nobody] Это адрес, у которого нет владельца: деньги там пропадут.
    [other] Это адрес сети { $found }, а выбрана { $network }. Вернитесь в /methods и выберите { $found }.
   *[shape] Это не похоже на адрес { $network }. Скопируйте его из кошелька целиком.
}
too-many-methods = Реквизитов уже { $limit }, больше нельзя. Удалите ненужные: /methods
too-many-new-methods = За сутки можно добавить не больше { $limit } реквизитов: каждые проверяет человек. Попробуйте завтра.
method-in-use = На эти реквизиты идёт вывод № { $id }. Удалить их можно, когда он закончится.
method-not-verified = Эти реквизиты ещё проверяет человек. Я напишу, когда можно будет выводить.
method-rejected = Эти реквизиты не подошли. Почему — видно в /methods; добавьте правильные.
method-cooling = Эти реквизиты новые: выводить на них можно с { $until }.
method-wrong-currency = На эти реквизиты выводится только { $currency }. Выберите другие: /withdraw
not-enough-money = Столько на балансе нет: доступно { $available }.
daily-limit-reached = За 24 часа можно вывести до { $limit }. Сейчас осталось { $left }.
comment-too-long = Комментарий — от 1 до 250 знаков. Напишите короче.

# Администраторам

admin-method-added = Новые реквизиты № { $id } ждут проверки: { $method }
admin-withdrawal-requested = Заявка на вывод № { $id }: <b>{ $amount }</b> на { $method }
admin-withdrawal-second =
    Вывод № { $id } на <b>{ $amount }</b> ждёт второго согласия. Первое дал администратор { $admin }.
admin-withdrawal-unknown =
    ⚠️ Вывод № { $id } на <b>{ $amount }</b>: платёжная система не ответила, ушли ли деньги. Деньги остаются отложенными, я спрашиваю дальше.
admin-withdrawal-unreadable =
    ⚠️ Вывод № { $id } на <b>{ $amount }</b> одобрен, но реквизиты { $method } не прочитать: их ключа нет в ENCRYPTION_KEY. Верните ключ или отклоните вывод.
admin-withdrawal-paid-anyway =
    ⚠️ Вывод № { $id } на <b>{ $amount }</b> уже закрыт администратором, а платёжная система сообщает, что деньги отправлены. Проверьте, не ушли ли они дважды или после возврата.
admin-withdrawals-wait =
    ⚠️ { $count ->
        [one] { $count } вывод ждёт
        [few] { $count } вывода ждут
       *[many] { $count } выводов ждут
    } дольше четырёх часов. Самый старый — № { $id } на { $amount }, с { $since }.

button-open = Открыть
button-queue = Все выводы
button-method-queue = Все на проверке
button-new-methods = Проверить реквизиты: { $count }
button-next-page = Дальше →
button-first-page = В начало
button-approve = Одобрить
button-reject = Отклонить…
button-destination = Показать реквизиты
button-sent = Отправлено…
button-failed = Не прошло…
button-verify = Подтвердить
button-hide = Скрыть реквизиты

admin-withdrawals = <b>Выводы в работе: { $count }</b>
admin-withdrawals-none = Никто не ждёт.
admin-withdrawals-line = № { $id } · <b>{ $amount }</b> · { withdrawal-status } · { $at }
admin-withdrawal =
    <b>Вывод № { $id }: { $amount }</b>
    Сейчас: { withdrawal-status }
    Куда: { $method }
    Заявка: { $at }
    Комментарий: { $comment }
    Согласий: { $agreed } из { $needed } ({ $admins })
admin-withdrawal-player =
    <b>{ $name }</b> · { $username } · игрок № { $player }, Telegram <code>{ $telegram }</code>
    Счёт открыт: { $since }
    Реквизиты добавлены: { $added }
    Выплачено раньше: { $count }
    Доступно { $available }, отложено { $held }
    Внесено { $deposited }, выведено { $withdrawn }
    Ставки { $bet }, выигрыши { $won }
admin-withdrawal-note = Причина: { $note }
admin-withdrawal-reference = Номер платежа: <code>{ $reference }</code>
admin-risks = <b>Обратить внимание</b>
admin-risk-frozen = • выводы остановлены: { $note }
admin-risk-debt = • игрок должен { $debt }
admin-risk-disputed = • были возвраты или споры с банком
admin-risk-shared = • те же реквизиты есть у другого игрока
admin-risk-unexplained = • выводит больше, чем внёс и выиграл
admin-risk-first = • первый вывод
admin-risk-new-account = • счёту меньше 7 дней
admin-risk-new-method = • реквизитам меньше 3 дней
admin-risk-no-bets = • после последнего пополнения ставок не было
admin-risk-little-play = • ставок меньше, чем внесено
admin-risk-near-limit = • за 24 часа запрошено { $sum }: больше 80 % предела
admin-withdrawal-pay = <b>Отправить { $amount }, вывод № { $id }</b>
admin-destination-part = { $part ->
    [kind] Вид
    [iban] IBAN
    [bic] БИК
    [account] Счёт
    [holder] Получатель
    [last4] Карта, последние цифры
    [token] Код карты
    [network] Сеть
    [address] Адрес
   *[other] { $part }
}: <code>{ $value }</code>
admin-withdrawal-why = Почему отклонён вывод № { $id }? Это прочитает игрок, до 250 знаков.
admin-withdrawal-which = Под каким номером отправлены деньги по выводу № { $id }? Напишите номер платежа в банке или хеш перевода.
admin-withdrawal-what-failed = Почему вывод № { $id } не прошёл? Это прочитает игрок, до 250 знаков. Деньги вернутся ему на баланс.
admin-methods = <b>Реквизиты на проверке: { $count }</b>
admin-methods-none = Проверять нечего.
admin-methods-line = № { $id } · { $method } · игрок № { $player } · { $at }
admin-method =
    <b>Реквизиты № { $id }: { method-kind }</b>
    { $method }

    Сейчас: { $status ->
        [pending] ждут проверки
        [verified] проверены
        [rejected] не подошли: { $note }
       *[removed] удалены игроком
    }
    Игрок № { $player }, Telegram <code>{ $telegram }</code>
    Добавлены: { $at }
    Выводить можно не раньше: { $until }
    Те же реквизиты у других игроков: { $sharers }
admin-method-in-full = <b>Реквизиты № { $id } целиком</b>
admin-method-why = Почему не подошли реквизиты № { $id }? Это прочитает игрок, до 250 знаков.

bad-reference = Номер платежа — одна строка от 3 до 100 знаков.
reference-used = Этот номер платежа уже стоит у вывода № { $id }. Проверьте, тот ли это платёж.
player-is-frozen = Выводы этого игрока остановлены. Сначала снимите остановку в /player или отклоните вывод.
own-money = Это касается ваших собственных денег: решить должен другой администратор.
second-admin-needed = Ваше согласие уже есть. Нужен другой администратор: { $missing }.
another-pays = Эти реквизиты недавно открыл администратор { $admin }: возможно, он уже платит. Спросите его или вернитесь через { $minutes } мин.
destination-unreadable = Реквизиты не прочитать: их ключа больше нет в ENCRYPTION_KEY.
