# Сотрудники: кому что можно

role = { $role ->
    [owner] владелец
    [cashier] кассир
    [support] поддержка
    [editor] редактор
   *[none] без роли
}

button-add-member = Добавить сотрудника
button-grant = Назначить: { role }
button-revoke = Забрать роль

admin-staff =
    <b>Сотрудники</b>

    Владелец может всё. Кассир — выводы, деньги и сверка. Поддержка — игроки, казино, недоставленное. Редактор — сигналы и рассылки.
admin-staff-none = Пока никого.
admin-member-line = • <b>{ $name }</b> · { $username } · <code>{ $telegram }</code> · { role }{ $source ->
    [settings] , из настроек
   *[granted] { "" }
}
admin-member-ask =
    <b>Кому дать роль?</b>

    Напишите Telegram id числом, перешлите сообщение этого человека или отправьте его контакт.
admin-member =
    <b>{ $name }</b> · { $username }
    Telegram <code>{ $telegram }</code>
    Сейчас: { role }
admin-member-in-settings = Владелец из настроек: изменить это можно только в ADMIN_IDS.
admin-member-granted = С { $at }, назначил <code>{ $admin }</code>
admin-member-unknown = Этот человек ещё не писал боту: о роли он узнает, когда откроет бота.
admin-grant-sure =
    <b>{ $name }</b> · { $username } · <code>{ $telegram }</code>
    Назначить роль «{ role }»?{ $own ->
        [yes] {" "}<b>Это вы сами:</b> то, чего новая роль не даёт, станет вам недоступно.
       *[no] { "" }
    }
admin-revoke-sure =
    <b>{ $name }</b> · { $username } · <code>{ $telegram }</code>
    Забрать роль «{ role }»?{ $own ->
        [yes] {" "}<b>Это вы сами:</b> рабочий стол для вас закроется.
       *[no] { "" }
    }
admin-role-granted = Вам дали роль: <b>{ role }</b>. Что с ней можно, покажет рабочий стол: /admin
admin-role-revoked = Роль «{ role }» у вас забрали. Всё, что доступно игрокам, работает как прежде.

not-a-telegram-id = Это не Telegram id. Напишите число, перешлите сообщение этого человека или отправьте его контакт.
owner-by-settings = Этот владелец записан в настройках (ADMIN_IDS): из чата его роль не изменить.
last-owner = Это последний владелец: сначала дайте эту роль кому-то ещё, иначе раздавать роли будет некому.
