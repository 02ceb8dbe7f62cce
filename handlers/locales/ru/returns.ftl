# Возвраты, споры, деньги без адресата, сверка

command-money = Деньги, которые ждут решения
command-reconcile = Сверка с платёжными системами
command-verify = Проверка книг

button-look = Открыть
button-further = Дальше →
button-debts = Долги: { $count }
button-odd-money = Ждут решения: { $count }
button-odd-list = К списку
button-books = Сверка
button-credit = Зачислить игроку операции
button-credit-other = Зачислить другому игроку
button-send-back = Вернуть плательщику
button-close = Проверено, закрыть
button-close-noted = Закрыть с пометкой
button-returned = Возврат № { $id }
button-collect = Списать с баланса, сколько есть
button-forgive = Простить долг
button-give-up-refund = Возврата не было
button-give-back = Вернуть плательщику
button-refund = Вернуть { $amount }
button-reconcile = { provider }: { $count } дн.

deposit-sent-back =
    Платёж { $amount } через { provider } возвращён плательщику: он не совпал с пополнением. Деньги придут туда, откуда платили.

    Номер пополнения: { $id }
money-found =
    ✅ Нашёлся платёж <b>{ $amount }</b> через { provider }: он зачислен на ваш баланс.

    Доступно: { $balance }
return-refunded =
    Возврат <b>{ $amount }</b> через { provider }: деньги идут туда, откуда вы платили, и с баланса списано столько же.
return-refunded-owing =
    Возврат <b>{ $amount }</b> через { provider }: деньги идут туда, откуда вы платили.

    На балансе было не всё: списано { $taken }, остаётся долг <b>{ $owed }</b>. Пока он есть, выводы остановлены. Кому написать: /paysupport
return-disputed =
    Банк отозвал ваш платёж <b>{ $amount }</b> через { provider }, и он снят с баланса.

    Пока человек не разберётся, выводы остановлены. Если это ошибка, напишите: /paysupport
return-disputed-owing =
    Банк отозвал ваш платёж <b>{ $amount }</b> через { provider }.

    На балансе было не всё: списано { $taken }, остаётся долг <b>{ $owed }</b>. Пока человек не разберётся, выводы остановлены. Если это ошибка, напишите: /paysupport
return-undone =
    Возврат платежа <b>{ $amount }</b> через { provider } отменён: всё, что было списано за него, снова на балансе.

    Если выводы были остановлены, их откроет человек: /paysupport
return-lost = Спор о платеже <b>{ $amount }</b> через { provider } закончен: банк оставил деньги плательщику.
return-collected =
    За возвращённый платёж через { provider } с баланса списано <b>{ $amount }</b>.

    Остаётся долг: { $owed }
return-forgiven = Долг <b>{ $amount }</b> за возвращённый платёж через { provider } списан: платить его не нужно.

refund-too-large = Столько вернуть нельзя. Сейчас можно не больше { $maximum }.
nothing-there = Здесь нет денег, которые можно было бы перевести.
money-lies-there = Эту запись нельзя закрыть, пока за ней лежат деньги: зачислите их или верните.

odd-problem = { $problem ->
    [unknown_payment] платёж без заказа
    [amount_differs] другая сумма
    [currency_differs] другая валюта
    [paid_twice] оплачено второй раз
    [missing_in_ledger] у нас этого нет
    [missing_at_provider] в списке системы этого нет
    [ledger_differs] у нас и в списке по-разному
   *[other] { $problem }
}
returned-kind = { $kind ->
    [dispute] спор
   *[refund] возврат
}
returned-status = { $status ->
    [requested] запрошен, ответа ещё нет
    [pending] идёт
    [succeeded] сделан
    [failed] не прошёл
    [rejected] система отказала
    [inquiry] банк спрашивает, деньги на месте
    [open] банк забрал деньги
    [won] решён в нашу пользу
    [lost] решён в пользу плательщика
   *[other] { $status }
}
returned-state = { $state ->
    [booked] проведён
    [undone] не проведён или отменён
   *[noted] ждёт
}

admin-items = <b>Ждут решения</b>, сначала давние
admin-items-none = Ничего не ждёт решения.
admin-item-line = № { $id } · { $at } · { provider } · { odd-problem } · <b>{ $amount }</b>
admin-item =
    <b>№ { $id }</b> · { provider } · { odd-problem }
    <code>{ $payment }</code>
    Замечено: { $at }
    У системы: { $received } · ждали или записано у нас: { $expected }
admin-item-operation = Пополнение № { $operation } игрока № { $player }: { $status ->
    [created] создано
    [pending] ждёт оплаты
    [review] ждёт решения
    [completed] зачислено
    [failed] не удалось
    [cancelled] отменено
    [expired] истекло
    [unknown] проверяется
   *[other] { $status }
}
admin-item-suspense = Отложено: <b>{ $amount }</b>
admin-returned-line = { returned-kind } № { $id }: { $amount }, { returned-status }, { returned-state }
admin-item-settled = Решено: { $status ->
    [credited] зачислено
    [sent_back] возвращено плательщику
    [closed] закрыто
    [mended] сошлось само
   *[other] { $status }
} · { $actor } · { $note }
admin-item-seen = проверено, всё верно
admin-item-whose = Чьи это деньги? Напишите Telegram id, номер игрока, @имя или номер операции, например #71.
admin-item-hit = № { $player } · { $name } · @{ $username } · Telegram { $telegram }
admin-item-credit-sure = Зачислить { $amount } (запись № { $id })? Выберите игрока:
admin-item-send-back = Вернуть { $amount } плательщику через { provider }? Запись № { $id }. Отменить это потом нельзя.
admin-item-why = Почему это не расхождение? Напишите одной фразой, до 500 знаков.

admin-debts = <b>Долги игроков</b>, сначала давние
admin-debts-none = Никто ничего не должен.
admin-debt-line = № { $id } · { $at } · игрок № { $player } · { returned-kind } · <b>{ $owed }</b>
admin-debt-forgive = Простить долг { $owed } (возврат № { $id })? Игрок узнает об этом.
admin-returned =
    <b>{ returned-kind } № { $id }</b> · { provider }
    Платёж <code>{ $payment }</code>
    Сумма: <b>{ $amount }</b> · { $at }
    Состояние: { returned-status }; { returned-state }
    Пополнение № { $operation } · игрок № { $player }
    С баланса { $taken } · долг { $owed } · прощено { $forgiven } · из отложенных { $suspended }
    Запросил: { $actor }
admin-refund-which = Напишите номер пополнения: /refund 71
admin-refund-amount =
    <b>Вернуть пополнение № { $operation }</b>
    Игрок № { $player }, { $amount } через { provider }.

    Сейчас можно вернуть до { $maximum }: столько осталось от платежа и есть у игрока. Напишите сумму или нажмите кнопку.
admin-refund-sure = Вернуть { $amount } по пополнению № { $operation } игрока № { $player }? Отменить это потом нельзя.

admin-refund-booked =
    Возврат { $amount } через { provider }
    Платёж <code>{ $payment }</code>. Долг игрока: { $owed }
admin-refund-failed =
    ⚠️ Возврат { $amount } через { provider } не прошёл
    Платёж <code>{ $payment }</code>. Что было списано, снова на месте.
admin-refund-refused =
    ⚠️ { provider } отказал в возврате { $amount }
    Платёж <code>{ $payment }</code>. Деньги остались на месте.
admin-refund-unanswered =
    ⚠️ { provider } так и не ответил о возврате { $amount }
    Платёж <code>{ $payment }</code>. Посмотрите в кабинете системы: если возврата нет, откройте и отметьте это.
admin-dispute =
    ⚠️ Спор о платеже { $amount } через { provider }: { returned-status }
    Платёж <code>{ $payment }</code>. Долг игрока: { $owed }. Выводы игрока открывает только администратор.
admin-odd-return =
    ⚠️ Возврат, который нельзя провести
    { provider }, <code>{ $payment }</code>: { $amount }
    Сумма, валюта или платёж не сходятся с нашими записями.
admin-differences = ⚠️ Сверка с { provider }: { $count ->
    [one] { $count } новое расхождение
    [few] { $count } новых расхождения
   *[many] { $count } новых расхождений
}

admin-verify-running = Проверяю книги…
admin-verify =
    { $count ->
        [0] <b>Книги сходятся.</b>
        [one] <b>{ $count } расхождение</b>
        [few] <b>{ $count } расхождения</b>
       *[many] <b>{ $count } расхождений</b>
    }
    Записей в журнале: { $journals }
    Конец цепи: { $seq }, отпечаток <code>{ $hash }</code>
admin-verify-finding = • { $rule }: <code>{ $detail }</code>
admin-books =
    <b>Сверка с платёжными системами</b>

    Последние сверки:
admin-run = { $at } · { provider } с { $since }: { $state ->
    [failed] прервана ({ $error }), просмотрено { $seen }, проведено { $mended }
    [running] идёт или оборвалась
   *[done] просмотрено { $seen }, проведено { $mended }, расхождений { $count }
}
admin-totals = По дням (UTC): у системы и у нас, поступления минус возвраты
admin-total = { $day } · { provider } · { $count } шт. · { $amount }
admin-total-differs = ≠ { $day } · { provider } · у системы { $count } шт., { $amount } · у нас { $booked } шт., { $balance }
admin-reconcile-running = Сверяю с { provider }: просмотрено { $seen }…
