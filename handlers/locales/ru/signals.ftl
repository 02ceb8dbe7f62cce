# Сигналы: условия доступа, список, учёт; и то, что видит администратор

command-signals = Сигналы и их учёт
command-signal = Новый сигнал

button-signals = Сигналы
button-step-account = Счёт в { $title }
button-step-deposit = Депозит в { $title }
button-step-channel = Открыть канал
button-check-again = Проверить ещё раз
button-new-signal = Новый сигнал
button-all-signals = Все сигналы
button-no-note = Без заметки
button-publish = Опубликовать
button-rewrite = Написать заново
button-withdraw-signal = Отозвать сигнал
button-result-won = Сыграл
button-result-lost = Не сыграл
button-result-void = Возврат

# Игроку

signals = <b>Сигналы</b>
signals-none = Сигналов пока не было.
signals-closed =
    <b>Сигналы</b>

    Это прогнозы наших редакторов: событие, выбор, коэффициент и время начала. Каждый опубликован до начала и остаётся в учёте, чем бы он ни закончился.

    Раздел открывается, когда выполнено всё из списка:
signals-step-account = { $done ->
    [yes] ✅
   *[no] ⬜
} Ваш счёт в { $casino } связан с ботом
signals-step-deposit = { $done ->
    [yes] ✅
   *[no] ⬜
} { $casino } сообщил о депозите
signals-step-channel = { $done ->
    [yes] ✅
   *[no] ⬜
} Вы состоите в нашем канале
signals-unsure = Telegram сейчас не отвечает, состоите ли вы в канале. Проверьте немного позже.
signal-footer = 18+ · Ставки — риск потерять деньги

signal-line =
    <b>{ $event }</b>
    { $pick } · коэффициент { $odds }
    Начало: { $starts }{ $note }
    { $state ->
        [open] Событие ещё не началось
        [started] Событие началось, результата пока нет
        [won] Результат: сыграл
        [lost] Результат: не сыграл
       *[void] Результат: возврат
    }{ $withdrawn ->
        [yes] {" "}· сигнал отозван
       *[no] {""}
    }
signal-record =
    <b>Учёт всех сигналов</b>
    Сигналов: { $whole_number }, отозвано: { $whole_withdrawn }, без результата: { $whole_waiting }
    Сыграло — не сыграло — возвратов: { $whole_won }–{ $whole_lost }–{ $whole_void }
    Средний коэффициент: { $whole_odds }
    ROI по опубликованным коэффициентам: { $whole_rate ->
        [none] мало данных
       *[other] { $whole_rate } %
    }

    <b>Из них за 30 дней</b>
    Сигналов: { $recent_number }, отозвано: { $recent_withdrawn }, без результата: { $recent_waiting }
    Сыграло — не сыграло — возвратов: { $recent_won }–{ $recent_lost }–{ $recent_void }
    Средний коэффициент: { $recent_odds }
    ROI по опубликованным коэффициентам: { $recent_rate ->
        [none] мало данных
       *[other] { $recent_rate } %
    }

    Прошлые результаты не обещают будущих.
signal-published =
    <b>Сигнал</b>

    <b>{ $event }</b>
    { $pick } · коэффициент { $odds }
    Начало: { $starts }{ $note }

    { signal-record }

    { signal-footer }
signal-withdrawn =
    <b>Сигнал отозван</b>

    <b>{ $event }</b>
    { $pick } · коэффициент { $odds }
    Начало: { $starts }

    В учёте он остаётся.

    { signal-record }

    { signal-footer }
signal-result =
    <b>{ $result ->
        [won] Сигнал сыграл
        [lost] Сигнал не сыграл
       *[void] Сигнал: возврат
    }</b>

    <b>{ $event }</b>
    { $pick } · коэффициент { $odds }
    Начало: { $starts }

    { signal-record }

    { signal-footer }

# Администратору

admin-signals =
    <b>Сигналы</b>

    Ждут результата: { $count }, они сверху.
admin-signal-number = <b>№ { $id }</b>
admin-signal-facts =
    Опубликовал: администратор { $admin }, { $at }
    Отозван: { $withdrawn }
    Отправлен: { $sent }, ждут отправки: { $waiting }
admin-signal-event =
    <b>Новый сигнал</b>

    Напишите событие: кто с кем, турнир. До 120 знаков.
admin-signal-pick = Что выбираете? До 120 знаков. Например: «Тотал больше 2.5».
admin-signal-odds = Какой коэффициент? От 1.01 до 1000, до двух знаков после точки или запятой. Например: 1.85.
admin-signal-start =
    Когда начало? День и время по часовому поясу { $zone }, сейчас там { $at }.

    Например: { $example }. Год можно не писать.
admin-signal-note = Заметка к сигналу, до 250 знаков. Её прочитают игроки.
admin-signal-preview = Так сигнал увидят игроки. Опубликованный сигнал изменить нельзя, отозванный остаётся в учёте.
admin-signal-withdraw-sure = Отозвать этот сигнал? Кто его получил, узнает об этом. Из учёта сигнал не исчезнет.
admin-signal-result-sure = Внести результат «{ $result ->
    [won] сыграл
    [lost] не сыграл
   *[void] возврат
}»? Изменить его потом нельзя.

banned-wording = Так игрокам писать нельзя: «{ $phrase }». Нельзя обещать выигрыш, скрывать риск и торопить. Напишите иначе.
wrong-length = Нужно от { $minimum } до { $maximum } знаков. Напишите ещё раз.
bad-odds = Напишите коэффициент числом от 1.01 до 1000, до двух знаков после точки. Например: 1.85.
bad-start = { $problem ->
    [passed] Это время уже прошло.
    [far] Это больше чем через год.
   *[shape] Не получилось прочитать время.
} Напишите день и время начала ({ $zone }), например: { $example }.
signal-started = Событие уже началось: сигнал больше не отзывается, остаётся внести результат.
signal-not-started = Событие ещё не началось: результата быть не может.
