# История, статистика, отчёты и выписки

button-filters = Фильтры
button-statistics = Статистика
button-export = Отчёт
button-show = Показать
button-dates = Свои даты
button-picture = График { $currency }
button-statements = Выписки за месяц
button-make = Сделать отчёт
button-format = { $format ->
    [csv] CSV, таблица
   *[pdf] PDF, документ
}
command-export = Отчёт в файле и выписки

period = { $period ->
    [today] Сегодня
    [week] 7 дней
    [thirty_days] 30 дней
    [month] Этот месяц
    [last_month] Прошлый месяц
    [year] Этот год
   *[all] Всё время
}
period-own = { $first } – { $last }
month = { $month ->
    [1] январь
    [2] февраль
    [3] март
    [4] апрель
    [5] май
    [6] июнь
    [7] июль
    [8] август
    [9] сентябрь
    [10] октябрь
    [11] ноябрь
   *[12] декабрь
} { $year }
month-short = { $month ->
    [1] янв
    [2] фев
    [3] мар
    [4] апр
    [5] май
    [6] июн
    [7] июл
    [8] авг
    [9] сен
    [10] окт
    [11] ноя
   *[12] дек
}
operation-status = { $status ->
    [created] ждёт ответа платёжной системы
    [pending] ждёт оплаты
    [unknown] уточняется
    [review] на проверке
    [approved] одобрено
    [sending] отправляется
    [completed] выполнено
    [failed] не прошло
    [cancelled] отменено
   *[expired] время вышло
}

# История

history-filters =
    <b>Фильтры истории</b>

    Отметьте, что показать, и нажмите «Показать».
history-kind = { $kind ->
    [deposits] Пополнения
    [withdrawals] Выводы
    [bets] Ставки
    [other] Другое
   *[all] Все виды
}
history-status = { $status ->
    [waiting] Ждут
    [failed] Не прошли
   *[done] Выполнены
}
history-any-provider = Все системы
history-any-currency = Все валюты
history-type-dates =
    <b>Свои даты</b>

    Напишите одну дату или две: 20.11.2026 или 01.11.2026–15.11.2026. Оба дня входят.
history-nothing =
    <b>История</b>
    { $filter }

    По этому фильтру ничего нет.
history-total = Всего: { $more ->
    [1] больше { $count }
   *[0] { $count }
}
history-asked =
    <b>{ $amount }</b> · { $kind ->
        [withdrawal] вывод
       *[deposit] пополнение через { provider }
    }
    { $at } · { operation-status }

story = <b>{ movement }</b>
story-asked = <b>{ $kind ->
    [withdrawal] Вывод
   *[deposit] Пополнение
}</b>
story-operation = { $kind ->
    [withdrawal] Вывод
   *[deposit] Пополнение
} № { $id } на { $amount }
story-status = Состояние: { operation-status }
story-asked-at = Заявка: { $at }
story-completed-at = Завершено: { $at }
story-provider = Платёжная система: { provider }
story-received = Пришло: { $received }
story-method = { $kind ->
    [withdrawal] Куда: { $method }
   *[deposit] Карта: { $method }
}
story-reference = Номер у платёжной системы или банка: <code>{ $reference }</code>
story-reason = Почему не прошло: { reason }
story-comment = Комментарий: { $comment }
story-note = Ответ: { $note }
story-amount = Сумма: <b>{ $amount }</b>
story-balance = Баланс: { $before } → { $after }
story-held = В ставках и на выводе: { $amount }
story-happened = Когда произошло: { $at }
story-booked = Записано: { $at }, запись № { $id }
story-adjustment = Причина корректировки: { $reason_given }
story-description = Пояснение: { $description }
story-steps = <b>Как шло</b>
story-step = { $at } · { movement } · { $amount }
story-returned = { $kind ->
    [dispute] Платёж оспорен в банке
   *[refund] Возврат платежа
}: { $amount }, { $at }

# Статистика

statistics =
    <b>Статистика</b>
    { $period }
statistics-empty = Пока пусто: деньги ещё не двигались.
statistics-wallet = <b>{ $currency }</b>
statistics-deposited = Пополнено
statistics-withdrawn = Выведено
statistics-returned = Возвращено плательщику
statistics-pending-deposits = Ждёт оплаты сейчас
statistics-pending-withdrawals = Ждёт вывода сейчас
statistics-stakes = Поставлено
statistics-turnover = Сыграло ставок на
statistics-payouts = Выплаты
statistics-bets = Ставки
statistics-counts = выиграно { $won }, проиграно { $lost }, возвращено { $void }
statistics-win-rate = Доля выигравших
statistics-net = Чистый итог
statistics-roi = ROI
statistics-payback = Возврат

picture-caption = Баланс в { $currency } за последний год: остаток и движение по месяцам.
picture-title = Баланс, { $currency }
picture-balance = Остаток
picture-flow = Ввод и вывод по месяцам
picture-came = ввод
picture-went = вывод
picture-nothing = движений не было

# Отчёты

report-periods =
    <b>Отчёт</b>

    За какое время? Выписки за готовые месяцы лежат отдельно.
report-formats =
    <b>Отчёт</b>
    { $period }

    CSV — таблица для Excel и других программ. PDF — документ с остатками, графиком и печатью книги.
report-parts =
    <b>Отчёт</b>
    { $period }, { $format ->
        [csv] CSV
       *[pdf] PDF
    }

    Отметьте, что включить. { $format ->
        [csv] В таблице только движения денег; статистика есть в PDF.
       *[pdf] Остатки на начало и конец есть всегда.
    }
report-part = { $part ->
    [operations] Операции
    [bets] Ставки
   *[statistics] Статистика
}
report-queued = Готовлю отчёт, файл придёт сюда. Меню работает как обычно: /menu
report-again = Этот отчёт уже заказан: он придёт или уже пришёл сюда.
report-progress = Готовлю отчёт… { $percent } %
report-done = Отчёт готов, файл ниже.
report-ready =
    Отчёт готов. Его же можно скачать по ссылке до { $until }: { $link }

    Не пересылайте ссылку тем, кому не показали бы отчёт.
report-large =
    Отчёт готов, но в файле { $size } МБ, а Telegram принимает до 50. Скачайте его по ссылке до { $until }: { $link }

    Не пересылайте ссылку тем, кому не показали бы отчёт.
report-file = Looseline { $period } № { $number }
report-days = { $first } – { $last }
report-until = по { $last }

report-title = Выписка № { $number }
report-month = За месяц
report-player = Клиент
report-name = { $name }, № { $id }
report-period = Период
report-made = Составлена
report-moment = { $at } ({ $zone })
report-contents = Содержание
report-seal = Печать книги
report-seal-seq = запись { $seq }
report-seal-short = Печать: { $seq } · { $hash }…
report-note = Суммы взяты из книги движений, записи которой не изменяются. Остаток на начало вместе с движениями равен остатку на конец: это проверено при составлении. Печать — отпечаток последней запечатанной записи книги на момент составления.
report-wallet = Кошелёк { $currency }
report-opening = Остаток на начало
report-closing = Остаток на конец
report-sum = { $sum ->
    [deposited] Пополнения
    [returned] Возвраты плательщику
    [held] Отложено на вывод
    [staked] Ставки
    [won] Выплаты по ставкам
   *[other] Прочее
}
report-held = Кроме того, на конец: в ставках { $bets }, на выводе { $withdrawals }
report-statistics = Статистика
report-chart = Остаток за период
report-column-date = Дата
report-column-kind = Движение
report-column-reference = Основание
report-column-amount = Сумма, { $currency }
report-column-balance = Остаток, { $currency }
report-nothing = Движений нет
report-not-shown = Движения, не включённые в перечень
report-moved = Итого движений
report-page = Страница { $page } из { $pages }
report-csv = { $column ->
    [number] Запись
    [booked] Записано
    [happened] Произошло
    [kind] Движение
    [code] Код
    [currency] Валюта
    [amount] Сумма
    [before] Баланс до
    [after] Баланс после
    [bets] Изменение в ставках
    [withdrawals] Изменение на выводе
    [provider] Платёжная система
    [reference] Номер платежа
    [entity] К чему относится
    [entity-number] Номер
    [method] Способ
    [comment] Комментарий
   *[note] Ответ
}

link-unknown = Такой ссылки нет.
link-expired = Срок ссылки истёк. Закажите отчёт ещё раз в боте: /export
link-busy = Сейчас готовится слишком много отчётов. Откройте ссылку через минуту.

# Выписки

statements =
    <b>Выписки</b>

    За каждый месяц, в котором двигались деньги. Готовы первого числа и больше не меняются.
statements-none =
    <b>Выписки</b>

    Пока нет ни одной. Выписка появится первого числа, если в прошедшем месяце двигались деньги.
statement-button = { month } · { $currency }
statement =
    <b>Выписка за { month }</b>
    { $currency }, № S-{ $id }

    Остаток на начало: { $opening }
    Пополнено: { $deposited }
    Выведено: { $withdrawn }
    Чистый итог ставок: { $net }
    Остаток на конец: <b>{ $closing }</b>
    Движений: { $count }

# Отказы

not-a-period = Не похоже на даты. Напишите, например, { $example } или одну дату.
nothing-to-report = Отчёт составлять не из чего: деньги ещё не двигались.
report-too-long = Для документа слишком длинно: больше { $limit } строк. Выберите CSV или период короче.
too-many-reports = За час можно заказать { $limit } отчётов. Попробуйте немного позже.
