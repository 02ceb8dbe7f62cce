# Staff: who may do what

role = { $role ->
    [owner] owner
    [cashier] cashier
    [support] support
    [editor] editor
   *[none] no role
}

button-add-member = Add somebody
button-grant = Make { role }
button-revoke = Take the role away

admin-staff =
    <b>Staff</b>

    An owner may do everything. A cashier: withdrawals, money, reconciliation. Support: players, casinos, what was not delivered. An editor: signals and broadcasts.
admin-staff-none = Nobody yet.
admin-member-line = • <b>{ $name }</b> · { $username } · <code>{ $telegram }</code> · { role }{ $source ->
    [settings] , from the settings
   *[granted] { "" }
}
admin-member-ask =
    <b>Who gets a role?</b>

    Type a Telegram id as a number, forward a message of that person, or send the contact.
admin-member =
    <b>{ $name }</b> · { $username }
    Telegram <code>{ $telegram }</code>
    Now: { role }
admin-member-in-settings = An owner by the settings: only ADMIN_IDS can change that.
admin-member-granted = Since { $at }, granted by <code>{ $admin }</code>
admin-member-unknown = This person has never written to the bot, and will learn of the role when opening it.
admin-grant-sure =
    <b>{ $name }</b> · { $username } · <code>{ $telegram }</code>
    Grant the role “{ role }”?{ $own ->
        [yes] {" "}<b>This is you:</b> what the new role does not allow will be closed to you.
       *[no] { "" }
    }
admin-revoke-sure =
    <b>{ $name }</b> · { $username } · <code>{ $telegram }</code>
    Take the role “{ role }” away?{ $own ->
        [yes] {" "}<b>This is you:</b> the desk will be closed to you.
       *[no] { "" }
    }
admin-role-granted = You have been given a role: <b>{ role }</b>. The desk shows what it allows: /admin
admin-role-revoked = The role “{ role }” was taken from you. Everything that players can do works as before.

not-a-telegram-id = This is no Telegram id. Type a number, forward a message of that person, or send the contact.
owner-by-settings = This owner stands in the settings (ADMIN_IDS): the chat cannot change that role.
last-owner = This is the last owner: give the role to somebody else first, or nobody could grant roles.
