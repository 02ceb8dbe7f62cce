"""The program's role: it can do what docs/security.md says, and nothing else. Whatever else there is, is tried."""

from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from itertools import chain

import asyncpg
import pytest

from db.database import APP_ROLE, Database, Tx
from tests.unit.test_security_page import Rights, functions, tables

DENIED = "42501"


@pytest.fixture
async def role(database: Database) -> AsyncIterator[Tx]:
    """The program's login, outside the pool: what is tried here may leave traces in the session."""
    assert database.restricted
    async with database.outside() as connection:
        yield connection


async def refused(role: Tx, statement: str) -> str | None:
    """The code with which it is refused; None: it is not. Nothing of it stays."""
    tried = role.transaction()
    await tried.start()
    try:
        await role.execute(statement)
    except asyncpg.PostgresError as error:
        return error.sqlstate
    finally:
        await tried.rollback()
    return None


async def relations(role: Tx) -> dict[str, list[str]]:
    """Tables and views with their columns."""
    found = await role.fetch(
        """
        SELECT c.relname, array_agg(a.attname::text ORDER BY a.attnum) AS columns
          FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
          WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f') GROUP BY 1
        """
    )
    return {row["relname"]: row["columns"] for row in found}


async def views(role: Tx) -> set[str]:
    found = await role.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'v'"
    )
    return {row["relname"] for row in found}


async def granted(role: Tx) -> dict[str, Rights]:
    """By the catalogs, with whatever everybody may do."""
    rights = {}
    for name, columns in (await relations(role)).items():
        row = await role.fetchrow(
            """
            SELECT has_table_privilege($1, 'SELECT') AS read, has_any_column_privilege($1, 'INSERT') AS added,
              array(SELECT c FROM unnest($2::text[]) AS c WHERE has_column_privilege($1, c, 'UPDATE')) AS changed,
              has_table_privilege($1, 'DELETE') AS deleted
            """,
            name,
            columns,
        )
        assert row is not None
        rights[name] = Rights(row["read"], row["added"], frozenset(row["changed"]), row["deleted"])
    return rights


async def test_the_rights_in_every_table_are_those_of_the_page(role: Tx) -> None:
    assert await granted(role) == tables()


async def test_the_role_is_nothing_but_a_login(role: Tx) -> None:
    """The other rights there are: of itself, in tables, in everything else."""
    itself = await role.fetchrow(
        "SELECT rolcanlogin, rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls AS more,"
        " EXISTS (SELECT FROM pg_auth_members WHERE oid IN (member, roleid)) AS related"
        " FROM pg_roles r WHERE rolname = current_user"
    )
    assert itself is not None
    assert tuple(itself) == (True, False, False)
    assert not await role.fetchval(
        "SELECT array_agg(relname) FROM pg_class, unnest(ARRAY['TRUNCATE', 'REFERENCES', 'TRIGGER']) AS p"
        " WHERE relnamespace = 'public'::regnamespace AND relkind <> 'S' AND relkind NOT IN ('i', 'c')"
        " AND has_table_privilege(oid, p)"
    )
    assert not await role.fetchval(
        "SELECT array_agg(relname) FROM pg_class"
        " WHERE CASE relkind WHEN 'S' THEN has_sequence_privilege(oid, 'USAGE, SELECT, UPDATE') END"
    )
    assert not await role.fetchval(
        "SELECT array_agg(nspname) FROM pg_namespace WHERE has_schema_privilege(oid, 'CREATE')"
    )
    assert not await role.fetchval("SELECT has_database_privilege(current_database(), 'CREATE, TEMPORARY')")
    assert not await role.fetchval(
        "SELECT array_agg(objid) FROM pg_shdepend WHERE refobjid = current_user::regrole AND deptype = 'o'"
    )
    called = await role.fetch(
        "SELECT proname FROM pg_proc"
        " WHERE pronamespace = 'public'::regnamespace AND has_function_privilege(oid, 'EXECUTE')"
    )
    assert {row["proname"] for row in called} == functions()


async def test_nothing_here_is_anybodys(database: Database) -> None:
    """A login that somebody else of this server has may do nothing at all."""
    async with database.owner() as owner:
        assert not await owner.fetchval(
            """
            SELECT array_agg(name) FROM (
              SELECT relname AS name, relacl AS acl FROM pg_class WHERE relnamespace = 'public'::regnamespace
              UNION ALL
              SELECT proname, coalesce(proacl, acldefault('f', proowner)) FROM pg_proc
                WHERE pronamespace = 'public'::regnamespace
              UNION ALL
              SELECT attname, attacl FROM pg_attribute WHERE attacl IS NOT NULL AND attrelid IN
                (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)) x
              WHERE EXISTS (SELECT FROM aclexplode(acl) WHERE grantee = 0)
            """
        )


def tried(name: str, columns: list[str], rights: Rights) -> Iterator[tuple[str, bool]]:
    """Statements and whether they are allowed; what is rolled back touches no row, or a new one."""
    yield f"SELECT {', '.join(columns)} FROM {name} LIMIT 0", rights.read
    yield f"INSERT INTO {name} DEFAULT VALUES", rights.added
    for column in columns:
        yield f"UPDATE {name} SET {column} = DEFAULT WHERE false", column in rights.changed
    yield f"DELETE FROM {name} WHERE false", rights.deleted
    yield f"TRUNCATE {name} CASCADE", False


async def test_what_is_not_in_the_page_is_refused_table_by_table_and_column_by_column(role: Tx) -> None:
    page, no_tables = tables(), await views(role)
    for name, columns in (await relations(role)).items():
        for statement, allowed in tried(name, columns, page[name]):
            code = await refused(role, statement)
            # A view of more than one table cannot be written by anybody.
            assert (code == DENIED) is not allowed or (name in no_tables and code in ("55000", "42809")), (
                f"{statement}: {code}"
            )


OF_ITSELF = (
    "SET session_replication_role = replica",
    "SET session_authorization = {owner}",
    "SET ROLE {owner}",
    "ALTER ROLE {role} SUPERUSER",
    "ALTER ROLE {role} CREATEROLE CREATEDB",
    "ALTER ROLE {owner} PASSWORD 'x'",
    "GRANT {owner} TO {role}",
    "GRANT pg_read_server_files TO {role}",
    "CREATE ROLE thief LOGIN",
    "ALTER DATABASE {database} OWNER TO {role}",
    "ALTER DATABASE {database} SET search_path = x",
)
OF_THE_MACHINE = (
    "COPY users TO PROGRAM 'cat'",
    "COPY fsm_state FROM PROGRAM 'id'",
    "COPY fsm_state FROM '/etc/passwd'",
    "COPY users TO '/tmp/users'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_read_binary_file('postgresql.conf')",
    "SELECT pg_ls_dir('.')",
    "SELECT pg_stat_file('.')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT lo_export(1, '/tmp/x')",
    "SELECT rolpassword FROM pg_authid",
    "SELECT * FROM pg_hba_file_rules",
    "SELECT * FROM pg_file_settings",
    "SELECT pg_reload_conf()",
    "SELECT pg_rotate_logfile()",
    "SELECT pg_switch_wal()",
    "SELECT pg_create_restore_point('x')",
    "CREATE FUNCTION pg_temp.x() RETURNS int LANGUAGE c AS 'x'",
    "LOAD '/tmp/x.so'",
)
OF_THE_SCHEMA = (
    "CREATE TABLE mine (id int)",
    "CREATE TEMPORARY TABLE currency (id int)",
    "CREATE VIEW mine AS SELECT 1",
    "CREATE SCHEMA mine",
    "CREATE SEQUENCE mine",
    "CREATE TYPE mine AS ENUM ('x')",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE OR REPLACE FUNCTION ledger_head(OUT seq bigint, OUT hash bytea, OUT journals bigint) LANGUAGE sql"
    " AS 'SELECT 1::bigint, ''''::bytea, 1::bigint'",
    "CREATE OPERATOR public.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = int8ne)",
    "CREATE CAST (text AS ledger_kind) WITH INOUT AS IMPLICIT",
    "CREATE EVENT TRIGGER mine ON ddl_command_end EXECUTE FUNCTION append_only()",
    "ALTER FUNCTION ledger_post SECURITY INVOKER",
    "ALTER FUNCTION ledger_post RESET search_path",
    "ALTER FUNCTION append_only() RENAME TO nothing",
    "DROP FUNCTION append_only() CASCADE",
    "ALTER DOMAIN available_minor DROP CONSTRAINT available_not_negative",
    "ALTER TYPE ledger_kind ADD VALUE 'gift'",
    "ALTER TYPE operation_status RENAME VALUE 'review' TO 'completed'",
    "DROP SCHEMA public CASCADE",
    "ALTER SCHEMA public OWNER TO {role}",
    "SELECT setval('users_id_seq', 1)",
    "SELECT nextval('ledger_journal_id_seq')",
    "CREATE PUBLICATION mine FOR ALL TABLES",
)
OF_A_TABLE = (
    "ALTER TABLE {table} DISABLE TRIGGER ALL",
    "ALTER TABLE {table} ADD COLUMN mine int",
    "ALTER TABLE {table} DROP COLUMN {column}",
    "ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT NULL",
    "ALTER TABLE {table} OWNER TO {role}",
    "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE {table} RENAME TO mine",
    "DROP TABLE {table} CASCADE",
    "CREATE TRIGGER mine BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "CREATE RULE mine AS ON INSERT TO {table} DO INSTEAD NOTHING",
    "CREATE POLICY mine ON {table}",
    "CREATE INDEX mine ON {table} ({column})",
    "REINDEX TABLE {table}",
    "COMMENT ON TABLE {table} IS 'mine'",
)
# Refused with a warning only, so the rights are looked at afterwards.
IN_VAIN = (
    "GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}",
    "GRANT UPDATE ON wallet TO {role}",
    "GRANT SELECT ON users TO PUBLIC",
    "GRANT CREATE ON SCHEMA public TO {role}",
    "GRANT TEMPORARY ON DATABASE {database} TO {role}",
    "GRANT EXECUTE ON FUNCTION currency_open TO {role}",
)


async def test_there_is_no_way_round(database: Database, role: Tx) -> None:
    async with database.owner() as owner:
        names = await owner.fetchrow(
            "SELECT quote_ident(current_user) AS owner, quote_ident(current_database()) AS database"
        )
        guards = await owner.fetch(
            "SELECT format('ALTER TABLE %s DISABLE TRIGGER %I', tgrelid::regclass, tgname) AS disable,"
            " format('DROP TRIGGER %I ON %s', tgname, tgrelid::regclass) AS drop FROM pg_trigger WHERE NOT tgisinternal"
        )
    assert names is not None
    known = {"owner": names["owner"], "database": names["database"], "role": APP_ROLE}
    statements = [each.format(**known) for each in (*OF_ITSELF, *OF_THE_MACHINE, *OF_THE_SCHEMA)]
    statements += chain.from_iterable((guard["disable"], guard["drop"]) for guard in guards)
    for name, columns in (await relations(role)).items():
        statements += [each.format(table=name, column=columns[0], **known) for each in OF_A_TABLE]
    no_tables, allowed = await views(role), []
    for statement in statements:
        code = await refused(role, statement)
        odd = any(view in statement for view in no_tables) and code == "42809"  # that can be done to no view
        if code != DENIED and not odd:
            allowed.append(f"{statement}: {code}")
    assert not allowed


async def test_rights_cannot_be_handed_on(role: Tx) -> None:
    database = await role.fetchval("SELECT quote_ident(current_database())")
    for statement in IN_VAIN:
        with suppress(asyncpg.InsufficientPrivilegeError):
            await role.execute(statement.format(role=APP_ROLE, database=database))
    await test_the_rights_in_every_table_are_those_of_the_page(role)
    await test_the_role_is_nothing_but_a_login(role)


async def test_the_schemas_own_functions_cannot_be_called(role: Tx) -> None:
    """Those that the ledger is made of, and triggers by themselves."""
    others = await role.fetch(
        """
        SELECT p.proname, (SELECT string_agg('NULL::' || format_type(t, NULL), ', ' ORDER BY n)
            FROM unnest(p.proargtypes) WITH ORDINALITY AS a (t, n)) AS arguments
          FROM pg_proc p WHERE pronamespace = 'public'::regnamespace AND proname <> ALL ($1)
        """,
        list(functions()),
    )
    assert {"currency_open", "ledger_digest", "append_only", "operation_audit"} <= {row["proname"] for row in others}
    for row in others:
        assert await refused(role, f"SELECT {row['proname']}({row['arguments'] or ''})") == DENIED, row["proname"]


async def test_tables_of_ones_own_stand_in_for_nobodys(database: Database) -> None:
    """Should the role be let make temporary tables after all: functions of the owner's do not take them for ours."""
    async with database.owner() as owner:
        here = await owner.fetchval("SELECT quote_ident(current_database())")
        await owner.execute(f"GRANT TEMPORARY ON DATABASE {here} TO {APP_ROLE}")
        player = await owner.fetchval("INSERT INTO users (telegram_id, language) VALUES (1, 'en') RETURNING id")
    async with database.outside() as role:
        await role.execute("SELECT wallet_open($1, 'USD')", player)
        await role.execute(
            "INSERT INTO withdrawal_methods (user_id, withdrawal_type, destination, fingerprint, masked, usable_at)"
            " VALUES ($1, 'card', 'x', 'x', 'x', now())",
            player,
        )
        await role.execute(
            "INSERT INTO wallet_operations (user_id, operation_type, provider, currency, exponent, amount_minor,"
            " status, request_key, actor, withdrawal_method_id)"
            " SELECT $1, 'withdrawal', 'manual', 'USD', 2, 100, 'review', 'k', 'test', method_id"
            " FROM withdrawal_methods",
            player,
        )
        real = await role.fetchval("SELECT count(*) FROM public.audit_log")
        for name in (await relations(role)).keys() - await views(role):
            await role.execute(f"CREATE TEMPORARY TABLE {name} (LIKE public.{name})")
        await role.execute("INSERT INTO pg_temp.currency (code, number, exponent, unit) VALUES ('XXX', 9, 2, 0.01)")
        await role.execute("INSERT INTO pg_temp.wallet SELECT * FROM public.wallet")
        await role.execute("UPDATE pg_temp.wallet SET available_minor = 1000000")
        await role.execute(
            "INSERT INTO pg_temp.operation_transition SELECT t, a, b FROM unnest(ARRAY['deposit', 'withdrawal']) t,"
            " unnest(enum_range(NULL::operation_status)) a, unnest(enum_range(NULL::operation_status)) b"
        )
        for statement, code in (
            (f"SELECT public.ledger_post('x:1', 'refund', ARRAY[111, {player}0101], ARRAY[100, -100], 'x')", "23514"),
            (f"SELECT public.wallet_open({player}, 'XXX')", "LB006"),
            ("UPDATE public.wallet_operations SET status = 'completed', actor = 'x'", "LB010"),
        ):
            assert await refused(role, statement) == code, statement
        await role.execute("UPDATE public.wallet_operations SET status = 'cancelled', actor = 'x'")
        assert await role.fetchval("SELECT count(*) FROM public.audit_log") == real + 1
        assert await role.fetchval("SELECT count(*) FROM pg_temp.audit_log") == 0
        assert await role.fetchval("SELECT public.ledger_seal(10)") == 0


async def test_what_the_role_did_to_its_own_login_is_undone_by_the_next_start(database_url: str) -> None:
    async with Database.open(database_url) as database, database.outside() as role:
        here = await role.fetchval("SELECT quote_ident(current_database())")
        for name, value in (("statement_timeout", "0"), ("search_path", "pg_temp, public")):
            await role.execute(f"ALTER ROLE {APP_ROLE} IN DATABASE {here} SET {name} = {value}")
    async with Database.open(database_url) as database, database.connection() as tx:
        assert await tx.fetchval("SELECT current_setting('statement_timeout')") == "5s"
        assert await tx.fetchval("SELECT current_setting('search_path')") == "public"
