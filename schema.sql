-- The database of Looseline, read from top to bottom: people, the ledger, operations, what comes in, what goes out.
-- Applied once, by its owner, in one transaction. Rules that must hold whatever the program does stand here.
-- Money is bigint minor units with a currency; times are timestamptz; history is never changed, only added to.

CREATE TABLE users (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  telegram_id bigint NOT NULL UNIQUE,
  username text CHECK (length(username) <= 64),
  name text NOT NULL DEFAULT '' CHECK (length(name) <= 128),
  language text NOT NULL CHECK (language IN ('ru', 'en')),
  start_link text CHECK (length(start_link) <= 64),   -- what came with the first /start
  accepted_at timestamptz,                            -- 18 or older, and the rules taken
  bot_blocked_at timestamptz,                         -- set when Telegram says so; cleared by the next word
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now());

-- ==== ledger

-- Where money is and how it got there. A movement is one journal with two or more lines (entries) whose sum is zero
-- in each currency: what one account gives, another receives. Plus means the holder got it, so a provider's account, which
-- holds our money, goes below zero. ledger_post is the only door; everything else here makes sure of that, or proves it.

CREATE TABLE currency (
  code text COLLATE "C" PRIMARY KEY CHECK (code ~ '^[A-Z]{3,5}$'),
  number smallint NOT NULL UNIQUE CHECK (number BETWEEN 1 AND 99),
  exponent smallint NOT NULL CHECK (exponent BETWEEN 0 AND 8),
  unit numeric GENERATED ALWAYS AS (round(10::numeric ^ -exponent, exponent)) STORED,
  UNIQUE (code, exponent), UNIQUE (code, unit));

-- Minor units as people write them: 1999 with exponent 2 is 19.99. Exact, and never slower than a multiplication.
CREATE FUNCTION major(minor bigint, exponent smallint) RETURNS numeric LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  RETURN minor * (ARRAY[1, 0.1, 0.01, 0.001, 0.0001, 0.00001, 0.000001, 0.0000001, 0.00000001])[exponent + 1];

-- Rules of single values are domains and not CHECKs of their tables: PostgreSQL reads a CHECK anew in every statement, a domain once.
CREATE DOMAIN available_minor   AS bigint CONSTRAINT available_not_negative   CHECK (VALUE >= 0);
CREATE DOMAIN bets_minor        AS bigint CONSTRAINT bets_not_negative        CHECK (VALUE >= 0);
CREATE DOMAIN withdrawals_minor AS bigint CONSTRAINT withdrawals_not_negative CHECK (VALUE >= 0);
CREATE DOMAIN total_minor       AS bigint CONSTRAINT total_not_negative       CHECK (VALUE >= 0);
CREATE DOMAIN leg_minor         AS bigint CONSTRAINT leg_not_zero             CHECK (VALUE <> 0);
CREATE DOMAIN hash              AS bytea  CONSTRAINT hash_is_sha256           CHECK (octet_length(VALUE) = 32);
CREATE DOMAIN ledger_key AS text COLLATE "C" CONSTRAINT ledger_key_length CHECK (length(VALUE) BETWEEN 3 AND 200);
CREATE DOMAIN ledger_actor AS text CONSTRAINT ledger_actor_named CHECK (VALUE <> '');

-- A player's wallet: one for each currency, and the only row that a movement of that wallet locks. It repeats what the entries
-- say, so that a CHECK can refuse to spend what is not there. Without "_minor" a column is for reading: major units, not writable.
CREATE TABLE users_balance (
  id bigint NOT NULL UNIQUE,                          -- player and currency in one number, as in its accounts' numbers
  user_id bigint NOT NULL REFERENCES users (id) ON DELETE RESTRICT,
  currency text COLLATE "C" NOT NULL,
  unit numeric NOT NULL,
  seq bigint NOT NULL DEFAULT 0,                      -- movements so far, without a gap
  available_minor   available_minor   NOT NULL DEFAULT 0,
  bets_minor        bets_minor        NOT NULL DEFAULT 0,
  withdrawals_minor withdrawals_minor NOT NULL DEFAULT 0,
  deposited_minor   total_minor       NOT NULL DEFAULT 0,
  withdrawn_minor   total_minor       NOT NULL DEFAULT 0,
  bet_minor         total_minor       NOT NULL DEFAULT 0,
  won_minor         total_minor       NOT NULL DEFAULT 0,
  lost_minor        total_minor       NOT NULL DEFAULT 0,
  balance             numeric GENERATED ALWAYS AS (available_minor * unit) STORED,   -- what can be spent now
  locked_in_bets      numeric GENERATED ALWAYS AS (bets_minor * unit) STORED,
  pending_withdrawals numeric GENERATED ALWAYS AS (withdrawals_minor * unit) STORED,
  total_deposited     numeric GENERATED ALWAYS AS (deposited_minor * unit) STORED,
  total_withdrawn     numeric GENERATED ALWAYS AS (withdrawn_minor * unit) STORED,
  total_bet           numeric GENERATED ALWAYS AS (bet_minor * unit) STORED,
  total_won           numeric GENERATED ALWAYS AS (won_minor * unit) STORED,
  total_lost          numeric GENERATED ALWAYS AS (lost_minor * unit) STORED,
  last_transaction timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (user_id, currency),
  FOREIGN KEY (currency, unit) REFERENCES currency (code, unit)
) WITH (fillfactor = 70);                             -- room for the next version of a row beside the old one

-- The chart of accounts. The first three are a player's, in every wallet; the others exist once for each currency.
CREATE TABLE ledger_chart (number smallint PRIMARY KEY CHECK (number BETWEEN 1 AND 99), name text COLLATE "C" NOT NULL UNIQUE);
INSERT INTO ledger_chart (number, name) VALUES
  (1, 'available'), (2, 'bets'), (3, 'withdrawals'),
  (11, 'provider:stripe'), (12, 'provider:yookassa'), (13, 'provider:cryptocloud'),
  (20, 'payout'), (30, 'house'), (31, 'bonus'), (32, 'fee'), (33, 'revenue'), (40, 'fx'),
  (50, 'suspense'), (51, 'adjustment'), (52, 'receivable');

-- An account's number says it all: owner (0: ourselves), currency, place in the chart. 420301 is player 42, currency 03, available.
-- So no entry can be in another currency than its account, and numbers in ascending order are wallets in ascending order.
CREATE TABLE ledger_account (
  id bigint PRIMARY KEY,
  code text COLLATE "C" NOT NULL UNIQUE,              -- for people and programs: player:42:available:USD, provider:stripe:USD
  kind text COLLATE "C" NOT NULL,                     -- available, provider, …
  user_id bigint REFERENCES users (id) ON DELETE RESTRICT,
  currency text COLLATE "C" NOT NULL REFERENCES currency (code),
  opened_at timestamptz CHECK ((opened_at IS NULL) = (user_id IS NULL)));

CREATE TYPE ledger_kind AS ENUM (
  'deposit', 'refund', 'chargeback', 'suspense', 'suspense_released', 'fee_charged',
  'withdrawal_hold', 'withdrawal_paid', 'withdrawal_release',
  'bet_placed', 'bet_won', 'bet_lost', 'bet_cancelled',
  'bonus_added', 'exchange', 'subscription', 'adjustment', 'reversal');

CREATE TABLE ledger_journal (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  idempotency_key ledger_key NOT NULL UNIQUE,
  request_hash hash NOT NULL,
  kind ledger_kind NOT NULL,
  user_id bigint,                                     -- whose wallets it moves; null: nobody's
  entity_type text,
  entity_id bigint,
  reverses_id bigint REFERENCES ledger_journal (id),
  actor ledger_actor NOT NULL,
  description text,
  metadata jsonb NOT NULL,
  effective_at timestamptz NOT NULL,                  -- when it happened, by the provider's clock
  created_at timestamptz NOT NULL,                    -- when it was booked, by ours
  xact_id xid8 NOT NULL);
CREATE UNIQUE INDEX ledger_journal_reversed_once ON ledger_journal (reverses_id) WHERE reverses_id IS NOT NULL;
CREATE INDEX ledger_journal_history ON ledger_journal (user_id, id DESC) WHERE user_id IS NOT NULL;

CREATE TABLE ledger_entry (
  journal_id bigint NOT NULL,                         -- both are looked up by ledger_entry_balanced
  account_id bigint NOT NULL,
  amount_minor leg_minor NOT NULL,
  wallet_seq bigint,                                  -- the last three only on a player's account
  balance_after total_minor,
  available_after total_minor,
  PRIMARY KEY (journal_id, account_id));
CREATE UNIQUE INDEX ledger_entry_wallet ON ledger_entry (account_id, wallet_seq) WHERE wallet_seq IS NOT NULL;
CREATE INDEX ledger_entry_system ON ledger_entry (account_id, journal_id) INCLUDE (amount_minor) WHERE wallet_seq IS NULL;

CREATE TABLE ledger_unsealed (
  journal_id bigint PRIMARY KEY,
  digest hash NOT NULL);

CREATE TABLE ledger_seal (
  seq bigint PRIMARY KEY,
  journal_id bigint NOT NULL UNIQUE REFERENCES ledger_journal (id),
  digest bytea NOT NULL CHECK (octet_length(digest) = 32),
  sealed_at timestamptz NOT NULL,
  hash bytea NOT NULL CHECK (octet_length(hash) = 32));

-- Each INSERT into ledger_entry must bring whole journals, made in this transaction: two lines or more, zero in each currency,
-- every account known. It stands for foreign keys too: journals and accounts are never changed or deleted, so to look is enough,
-- while a foreign key would lock the provider's account in every deposit, and all deposits would queue to write that lock.
CREATE FUNCTION ledger_entry_balanced() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE bad record;
BEGIN
  SELECT n.journal_id, n.account_id / 100 % 100 AS currency, sum(n.amount_minor) AS total, count(*) AS lines, count(a.id) AS known,
         bool_and(j.xact_id IS NOT DISTINCT FROM pg_current_xact_id()) AS own INTO bad
    FROM new_rows n
      LEFT JOIN LATERAL (SELECT x.id FROM ledger_account x WHERE x.id = n.account_id LIMIT 1) a ON true
      LEFT JOIN LATERAL (SELECT x.xact_id FROM ledger_journal x WHERE x.id = n.journal_id LIMIT 1) j ON true
    GROUP BY 1, 2
    HAVING sum(n.amount_minor) <> 0 OR count(*) < 2 OR count(a.id) < count(*)
      OR NOT bool_and(j.xact_id IS NOT DISTINCT FROM pg_current_xact_id())
      OR NOT bool_and(num_nulls(n.wallet_seq, n.balance_after, n.available_after) = CASE WHEN n.account_id < 10000 THEN 3 ELSE 0 END)
    LIMIT 1;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  IF NOT bad.own THEN
    RAISE EXCEPTION 'journal % is closed: lines are added only in the transaction that made it', bad.journal_id USING ERRCODE = 'LB003';
  END IF;
  IF bad.known < bad.lines THEN
    RAISE EXCEPTION 'journal % has a line of an account that does not exist', bad.journal_id USING ERRCODE = 'LB006';
  END IF;
  RAISE EXCEPTION 'journal % is not balanced in currency %, or lacks balances: sum % over % lines', bad.journal_id, bad.currency, bad.total, bad.lines
    USING ERRCODE = 'LB002';
END $$;
CREATE TRIGGER ledger_entry_balanced AFTER INSERT ON ledger_entry REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_entry_balanced();

CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% on % is forbidden: it is only added to', TG_OP, TG_TABLE_NAME USING ERRCODE = 'LB004';
END $$;
CREATE TRIGGER ledger_account_rows  BEFORE UPDATE OR DELETE ON ledger_account  FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER ledger_journal_rows  BEFORE UPDATE OR DELETE ON ledger_journal  FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER ledger_entry_rows    BEFORE UPDATE OR DELETE ON ledger_entry    FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER ledger_seal_rows     BEFORE UPDATE OR DELETE ON ledger_seal     FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER ledger_unsealed_rows BEFORE UPDATE           ON ledger_unsealed FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER users_balance_rows   BEFORE DELETE           ON users_balance   FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER ledger_account_truncate  BEFORE TRUNCATE ON ledger_account  FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER ledger_journal_truncate  BEFORE TRUNCATE ON ledger_journal  FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER ledger_entry_truncate    BEFORE TRUNCATE ON ledger_entry    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER ledger_seal_truncate     BEFORE TRUNCATE ON ledger_seal     FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER ledger_unsealed_truncate BEFORE TRUNCATE ON ledger_unsealed FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER users_balance_truncate   BEFORE TRUNCATE ON users_balance   FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- Opens a currency and whatever accounts of the chart it has not got yet. Owner only; harmless when repeated.
CREATE FUNCTION currency_open(p_code text, p_number smallint, p_exponent smallint) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE known currency;
BEGIN
  LOCK TABLE currency IN SHARE ROW EXCLUSIVE MODE;
  INSERT INTO currency (code, number, exponent) VALUES (p_code, p_number, p_exponent) ON CONFLICT (code) DO NOTHING;
  SELECT * INTO STRICT known FROM currency WHERE code = p_code;
  IF (known.number, known.exponent) <> (p_number, p_exponent) THEN
    RAISE EXCEPTION '% has number % and exponent %, not % and %: books cannot be renumbered or rescaled',
      p_code, known.number, known.exponent, p_number, p_exponent USING ERRCODE = 'LB009';
  END IF;
  INSERT INTO ledger_account (id, code, kind, currency)
    SELECT known.number * 100 + number, name || ':' || p_code, split_part(name, ':', 1), p_code FROM ledger_chart WHERE number > 3
    ON CONFLICT DO NOTHING;
END $$;

CREATE FUNCTION wallet_open(p_user bigint, p_currency text) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  INSERT INTO users_balance (id, user_id, currency, unit)
    SELECT p_user * 100 + number, p_user, code, unit FROM currency WHERE code = p_currency
    ON CONFLICT DO NOTHING;
  INSERT INTO ledger_account (id, code, kind, user_id, currency, opened_at)
    SELECT p_user * 10000 + c.number * 100 + a.number, format('player:%s:%s:%s', p_user, a.name, c.code), a.name, p_user, c.code, now()
    FROM ledger_chart a, currency c WHERE a.number <= 3 AND c.code = p_currency
    ON CONFLICT DO NOTHING;
$$;

-- What a journal and its lines were when they were booked, every column of them; as text without time zone or collation in it.
-- ROW()::text quotes its fields, so nothing can move from one column into the next.
CREATE FUNCTION ledger_digest(j ledger_journal, accounts bigint[], amounts bigint[], seqs bigint[], balances bigint[], availables bigint[])
  RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE
  RETURN sha256((j).request_hash || convert_to(ROW((j).id, (j).idempotency_key, (j).kind, (j).user_id, (j).entity_type, (j).entity_id,
    (j).reverses_id, (j).actor, (j).description, (j).metadata, extract(epoch FROM (j).effective_at), extract(epoch FROM (j).created_at),
    (j).xact_id, accounts, amounts, seqs, balances, availables)::text, 'UTF8'));

-- What was asked for. Who asked, when and with which remarks is not in it: a webhook and a poller may both report one payment.
CREATE FUNCTION ledger_request(kind ledger_kind, entity_type text, entity_id bigint, reverses bigint, accounts bigint[], amounts bigint[])
  RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE
  RETURN sha256(convert_to(ROW(kind, entity_type, entity_id, reverses, accounts, amounts)::text, 'UTF8'));

-- Accounts are given by number, in ascending order: nothing has to be looked up, and no two movements wait for each other crosswise.
CREATE FUNCTION ledger_post(p_key text, p_kind text, p_accounts bigint[], p_amounts bigint[], p_actor text,
    p_entity_type text DEFAULT NULL, p_entity_id bigint DEFAULT NULL, p_effective_at timestamptz DEFAULT NULL,
    p_description text DEFAULT NULL, p_metadata jsonb DEFAULT NULL, p_reverses bigint DEFAULT NULL)
  RETURNS TABLE (journal_id bigint, replayed boolean)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_now timestamptz := clock_timestamp();
  v_kind ledger_kind := p_kind;
  v_counts ledger_kind := v_kind;                     -- the kind whose totals move: a reversal takes back what it reverses
  v_legs int := cardinality(p_accounts);
  v_hash bytea;
  v_journal ledger_journal;
  v_wallet users_balance;
  v_seq bigint[]; v_balance bigint[]; v_available bigint[];
  v_first int := 1; d_available bigint := 0; d_bets bigint := 0; d_withdrawals bigint := 0;
BEGIN
  IF v_legs IS NULL OR v_legs < 2 OR cardinality(p_amounts) IS DISTINCT FROM v_legs THEN
    RAISE EXCEPTION 'a movement is two legs or more, each an account and an amount' USING ERRCODE = 'LB005';
  END IF;
  FOR i IN 2 .. v_legs LOOP
    IF (p_accounts[i] > p_accounts[i - 1]) IS NOT TRUE THEN
      RAISE EXCEPTION 'accounts must ascend and not repeat: %', p_accounts USING ERRCODE = 'LB006';
    END IF;
  END LOOP;
  v_hash := ledger_request(v_kind, p_entity_type, p_entity_id, p_reverses, p_accounts, p_amounts);

  INSERT INTO ledger_journal (idempotency_key, request_hash, kind, user_id, entity_type, entity_id, reverses_id, actor, description, metadata, effective_at, created_at, xact_id)
    VALUES (p_key, v_hash, v_kind, nullif(p_accounts[v_legs] / 10000, 0), p_entity_type, p_entity_id, p_reverses, p_actor, p_description, coalesce(p_metadata, '{}'), coalesce(p_effective_at, v_now), v_now, pg_current_xact_id())
    ON CONFLICT (idempotency_key) DO NOTHING RETURNING * INTO v_journal;
  IF v_journal.id IS NULL THEN                        -- the key is taken, perhaps by a twin that has just committed
    SELECT j.* INTO STRICT v_journal FROM ledger_journal j WHERE j.idempotency_key = p_key;
    IF v_journal.request_hash <> v_hash THEN
      RAISE EXCEPTION 'key % was used for another movement', p_key USING ERRCODE = 'LB001';
    END IF;
    RETURN QUERY SELECT v_journal.id, true;
    RETURN;
  END IF;

  IF (v_kind = 'reversal') <> (p_reverses IS NOT NULL) THEN
    RAISE EXCEPTION 'a reversal names the journal it reverses, and nothing else does' USING ERRCODE = 'LB008';
  END IF;
  IF p_reverses IS NOT NULL THEN
    SELECT j.kind INTO v_counts FROM ledger_journal j WHERE j.id = p_reverses AND j.kind <> 'reversal';
    IF NOT FOUND OR EXISTS (
        SELECT FROM unnest(p_accounts, p_amounts) AS l (account_id, amount)
          FULL JOIN (SELECT e.account_id, e.amount_minor FROM ledger_entry e WHERE e.journal_id = p_reverses) e USING (account_id)
          WHERE l.amount IS DISTINCT FROM -e.amount_minor) THEN
      RAISE EXCEPTION 'journal % can only be reversed as it was booked, and a reversal not at all', p_reverses USING ERRCODE = 'LB008';
    END IF;
  END IF;

  -- The UPDATE is the lock of a wallet; its CHECKs are the rule.
  FOR i IN 1 .. v_legs LOOP
    CASE WHEN p_accounts[i] < 10000 THEN
        v_first := i + 1; v_seq[i] := NULL; v_balance[i] := NULL; v_available[i] := NULL;
        CONTINUE;
      WHEN p_accounts[i] % 100 = 1 THEN d_available := p_amounts[i];
      WHEN p_accounts[i] % 100 = 2 THEN d_bets := p_amounts[i];
      ELSE d_withdrawals := p_amounts[i];
    END CASE;
    CONTINUE WHEN p_accounts[i + 1] / 100 = p_accounts[i] / 100;
    UPDATE users_balance w SET
        seq = seq + 1,
        available_minor   = available_minor   + d_available,
        bets_minor        = bets_minor        + d_bets,
        withdrawals_minor = withdrawals_minor + d_withdrawals,
        deposited_minor = deposited_minor + CASE WHEN v_counts IN ('deposit', 'suspense_released') THEN d_available   ELSE 0 END,
        withdrawn_minor = withdrawn_minor - CASE WHEN v_counts = 'withdrawal_paid'                 THEN d_withdrawals ELSE 0 END,
        bet_minor       = bet_minor       + CASE WHEN v_counts IN ('bet_placed', 'bet_cancelled')  THEN d_bets        ELSE 0 END,
        won_minor       = won_minor       + CASE WHEN v_counts = 'bet_won'                         THEN d_available   ELSE 0 END,
        lost_minor      = lost_minor      - CASE WHEN v_counts = 'bet_lost'                        THEN d_bets        ELSE 0 END,
        last_transaction = greatest(last_transaction, v_now), updated_at = greatest(updated_at, v_now)
      WHERE w.id = p_accounts[i] / 100 RETURNING w.* INTO v_wallet;
    IF NOT FOUND THEN
      RAISE EXCEPTION 'wallet % is not open', p_accounts[i] / 100 USING ERRCODE = 'LB007';
    END IF;
    FOR k IN v_first .. i LOOP
      v_seq[k] := v_wallet.seq;
      v_balance[k] := CASE p_accounts[k] % 100 WHEN 1 THEN v_wallet.available_minor WHEN 2 THEN v_wallet.bets_minor ELSE v_wallet.withdrawals_minor END;
      v_available[k] := v_wallet.available_minor;
    END LOOP;
    v_first := i + 1; d_available := 0; d_bets := 0; d_withdrawals := 0;
  END LOOP;

  INSERT INTO ledger_entry (journal_id, account_id, amount_minor, wallet_seq, balance_after, available_after)
    SELECT v_journal.id, l.* FROM unnest(p_accounts, p_amounts, v_seq, v_balance, v_available) AS l;
  INSERT INTO ledger_unsealed (journal_id, digest)
    VALUES (v_journal.id, ledger_digest(v_journal, p_accounts, p_amounts, v_seq, v_balance, v_available));
  RETURN QUERY SELECT v_journal.id, false;
END $$;

-- ---- ledger: proof. Whoever changes a booked row, even past the triggers, leaves a row that fits no longer.

CREATE FUNCTION ledger_chain(previous bytea, seq bigint, journal bigint, digest bytea, sealed_at timestamptz)
  RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE
  RETURN sha256(previous || digest || convert_to(ROW(seq, journal, extract(epoch FROM sealed_at))::text, 'UTF8'));

-- The end of the chain. Told to people outside every day: a chain that was cut or rewritten as a whole can be seen only there.
CREATE FUNCTION ledger_head() RETURNS TABLE (seq bigint, hash bytea, journals bigint)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
  SELECT coalesce(s.seq, 0), coalesce(s.hash, decode(repeat('00', 32), 'hex')), coalesce(s.seq, 0) + (SELECT count(*) FROM ledger_unsealed)
    FROM (VALUES (1)) AS always LEFT JOIN LATERAL (SELECT * FROM ledger_seal ORDER BY seq DESC LIMIT 1) s ON true;
END;

-- Moves journals from the queue to the chain. The queue, and not "everything after the last one sealed", because a journal with a
-- lower number may commit later.
CREATE FUNCTION ledger_seal(p_max int DEFAULT 1000) RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  v_now timestamptz := clock_timestamp();
  v_head record;
  v_next ledger_unsealed;
  v_count int := 0;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('ledger_seal'));
  SELECT h.seq, h.hash INTO v_head FROM ledger_head() h;
  FOR v_next IN
    WITH taken AS (DELETE FROM ledger_unsealed u WHERE u.journal_id IN (SELECT q.journal_id FROM ledger_unsealed q ORDER BY 1 LIMIT p_max) RETURNING u.*)
    SELECT * FROM taken ORDER BY journal_id
  LOOP
    v_count := v_count + 1;
    v_head.seq := v_head.seq + 1;
    v_head.hash := ledger_chain(v_head.hash, v_head.seq, v_next.journal_id, v_next.digest, v_now);
    INSERT INTO ledger_seal (seq, journal_id, digest, sealed_at, hash) VALUES (v_head.seq, v_next.journal_id, v_next.digest, v_now, v_head.hash);
  END LOOP;
  RETURN v_count;
END $$;

-- Every rule of the books; each finding says where. Sound books answer nothing.
CREATE FUNCTION ledger_verify() RETURNS TABLE (rule text, detail text)
  LANGUAGE sql STABLE SET search_path = public, pg_temp SET work_mem = '64MB' SET jit = off AS $$
  WITH line AS (
    SELECT e.*, e.account_id / 100 AS wallet, e.account_id % 100 AS place FROM ledger_entry e
  ), moved AS (                                       -- what the lines make of each wallet
    SELECT l.wallet, max(l.wallet_seq) AS seq, max(j.created_at) AS last_transaction,
           coalesce(sum(l.amount_minor) FILTER (WHERE l.place = 1), 0) AS available,
           coalesce(sum(l.amount_minor) FILTER (WHERE l.place = 2), 0) AS bets,
           coalesce(sum(l.amount_minor) FILTER (WHERE l.place = 3), 0) AS withdrawals,
           coalesce(sum( l.amount_minor) FILTER (WHERE l.place = 1 AND k.kind IN ('deposit', 'suspense_released')), 0) AS deposited,
           coalesce(sum(-l.amount_minor) FILTER (WHERE l.place = 3 AND k.kind = 'withdrawal_paid'), 0) AS withdrawn,
           coalesce(sum( l.amount_minor) FILTER (WHERE l.place = 2 AND k.kind IN ('bet_placed', 'bet_cancelled')), 0) AS bet,
           coalesce(sum( l.amount_minor) FILTER (WHERE l.place = 1 AND k.kind = 'bet_won'), 0) AS won,
           coalesce(sum(-l.amount_minor) FILTER (WHERE l.place = 2 AND k.kind = 'bet_lost'), 0) AS lost
      FROM line l JOIN ledger_journal j ON j.id = l.journal_id LEFT JOIN ledger_journal r ON r.id = j.reverses_id
        CROSS JOIN LATERAL (SELECT coalesce(r.kind, j.kind) AS kind) k
      WHERE l.wallet >= 100 GROUP BY 1
  ), wallet AS (                                      -- what the wallets say
    SELECT w.*, w.user_id * 100 + c.number AS wallet, c.unit AS currency_unit FROM users_balance w LEFT JOIN currency c ON c.code = w.currency
  ), account AS (                                     -- which accounts there must be
    SELECT w.wallet * 100 + c.number AS id, format('player:%s:%s:%s', w.user_id, c.name, w.currency) AS code, c.name AS kind, w.user_id, w.currency, w.created_at AS opened_at
      FROM wallet w, ledger_chart c WHERE c.number <= 3
    UNION ALL
    SELECT y.number * 100 + c.number, c.name || ':' || y.code, split_part(c.name, ':', 1), NULL, y.code, NULL FROM currency y, ledger_chart c WHERE c.number > 3
  ), booked AS (
    SELECT l.journal_id, array_agg(l.account_id ORDER BY l.account_id) AS accounts, array_agg(l.amount_minor ORDER BY l.account_id) AS amounts,
           array_agg(l.wallet_seq ORDER BY l.account_id) AS seqs, array_agg(l.balance_after ORDER BY l.account_id) AS balances,
           array_agg(l.available_after ORDER BY l.account_id) AS availables
      FROM line l GROUP BY 1
  )
  SELECT 'I1 all lines of a currency sum to zero', format('currency %s: %s', l.wallet % 100, sum(l.amount_minor))
    FROM line l GROUP BY l.wallet % 100 HAVING sum(l.amount_minor) <> 0
  UNION ALL
  SELECT 'I2 a journal has two lines or more, and each currency in it sums to zero', format('journal %s: %s lines in currency %s, sum %s', l.journal_id, count(*), l.wallet % 100, sum(l.amount_minor))
    FROM line l GROUP BY l.journal_id, l.wallet % 100 HAVING sum(l.amount_minor) <> 0 OR count(*) < 2
  UNION ALL
  SELECT v.rule, format('wallet %s (player %s, %s): %s is %s, should be %s', coalesce(w.wallet, m.wallet), coalesce(w.user_id, m.wallet / 100), w.currency, v.name, v.found, v.right)
    FROM wallet w FULL JOIN moved m USING (wallet) CROSS JOIN LATERAL (VALUES
      ('I3 a bucket is the sum of its lines', 'available_minor', w.available_minor::numeric, coalesce(m.available, 0)),
      ('I3 a bucket is the sum of its lines', 'bets_minor', w.bets_minor, coalesce(m.bets, 0)),
      ('I3 a bucket is the sum of its lines', 'withdrawals_minor', w.withdrawals_minor, coalesce(m.withdrawals, 0)),
      ('I5 a wallet counts its movements without a gap', 'seq', w.seq, coalesce(m.seq, 0)),
      ('I7 no bucket is below zero', 'the lowest bucket', least(w.available_minor, w.bets_minor, w.withdrawals_minor, 0), 0),
      ('I11 a total is the sum of its kind', 'deposited_minor', w.deposited_minor, coalesce(m.deposited, 0)),
      ('I11 a total is the sum of its kind', 'withdrawn_minor', w.withdrawn_minor, coalesce(m.withdrawn, 0)),
      ('I11 a total is the sum of its kind', 'bet_minor', w.bet_minor, coalesce(m.bet, 0)),
      ('I11 a total is the sum of its kind', 'won_minor', w.won_minor, coalesce(m.won, 0)),
      ('I11 a total is the sum of its kind', 'lost_minor', w.lost_minor, coalesce(m.lost, 0)),
      ('a wallet has the number of its accounts', 'id', w.id, w.wallet),
      ('a wallet has the unit of its currency', 'unit', w.unit, w.currency_unit),
      ('a wallet knows its last movement', 'last_transaction', extract(epoch FROM w.last_transaction), extract(epoch FROM m.last_transaction)),
      ('a wallet knows its last movement', 'updated_at', extract(epoch FROM w.updated_at), extract(epoch FROM greatest(w.created_at, m.last_transaction)))
    ) AS v (rule, name, found, "right") WHERE v.found IS DISTINCT FROM v.right
  UNION ALL
  SELECT 'I4 balances run from line to line', format('journal %s, account %s: %s + %s is not %s', x.journal_id, x.account_id, x.before, x.amount_minor, x.balance_after)
    FROM (SELECT l.*, lag(l.balance_after, 1, 0::bigint) OVER (PARTITION BY l.account_id ORDER BY l.wallet_seq) AS before FROM line l WHERE l.wallet >= 100) x
    WHERE x.before + x.amount_minor IS DISTINCT FROM x.balance_after
  UNION ALL
  SELECT 'I5 a wallet counts its movements without a gap', format('journal %s, account %s: seq %s is number %s, available_after %s is %s', x.journal_id, x.account_id, x.wallet_seq, x.nth, x.available_after, x.available)
    FROM (SELECT l.*, dense_rank() OVER w AS nth, coalesce(sum(l.amount_minor) FILTER (WHERE l.place = 1) OVER w, 0) AS available
            FROM line l WHERE l.wallet >= 100 WINDOW w AS (PARTITION BY l.wallet ORDER BY l.wallet_seq)) x
    WHERE x.nth IS DISTINCT FROM x.wallet_seq OR x.available IS DISTINCT FROM x.available_after
  UNION ALL
  SELECT 'I6 a journal is as it was booked', format('journal %s: %s', coalesce(j.id, b.journal_id), CASE
           WHEN j.id IS NULL THEN 'missing, its lines are there'
           WHEN b.journal_id IS NULL THEN 'has no lines'
           WHEN j.request_hash <> ledger_request(j.kind, j.entity_type, j.entity_id, j.reverses_id, b.accounts, b.amounts) THEN 'not what was asked for'
           ELSE 'the journal or its lines were changed' END)
    FROM ledger_journal j FULL JOIN booked b ON b.journal_id = j.id LEFT JOIN ledger_seal s ON s.journal_id = j.id LEFT JOIN ledger_unsealed u ON u.journal_id = j.id
    WHERE coalesce(s.digest, u.digest) IS DISTINCT FROM ledger_digest(j, b.accounts, b.amounts, b.seqs, b.balances, b.availables)
       OR j.request_hash <> ledger_request(j.kind, j.entity_type, j.entity_id, j.reverses_id, b.accounts, b.amounts)
  UNION ALL
  SELECT 'I6 a journal is sealed once or waits for it', format('journal %s: seal %s, waiting %s', coalesce(j.id, s.journal_id, u.journal_id), s.seq, u.journal_id IS NOT NULL)
    FROM ledger_journal j FULL JOIN ledger_seal s ON s.journal_id = j.id FULL JOIN ledger_unsealed u ON u.journal_id = j.id
    WHERE j.id IS NULL OR (s.journal_id IS NULL) = (u.journal_id IS NULL)
  UNION ALL
  SELECT 'I6 the chain is whole', format('seal %s, journal %s: %s', x.seq, x.journal_id, CASE WHEN x.seq = x.previous + 1 THEN 'its hash does not follow' ELSE 'the one before it is ' || x.previous END)
    FROM (SELECT s.*, lag(s.seq, 1, 0::bigint) OVER w AS previous, lag(s.hash, 1, decode(repeat('00', 32), 'hex')) OVER w AS before FROM ledger_seal s WINDOW w AS (ORDER BY s.seq)) x
    WHERE x.seq <> x.previous + 1 OR x.hash <> ledger_chain(x.before, x.seq, x.journal_id, x.digest, x.sealed_at)
  UNION ALL
  SELECT 'accounts are those of the chart', format('account %s: is %s, should be %s', coalesce(a.id, x.id), a, x)
    FROM ledger_account a FULL JOIN account x ON x.id = a.id
    WHERE (a.id, a.code, a.kind, a.user_id, a.currency, a.opened_at) IS DISTINCT FROM (x.id, x.code, x.kind, x.user_id, x.currency, x.opened_at)
  UNION ALL
  SELECT 'a line has an account', format('journal %s, account %s', l.journal_id, l.account_id)
    FROM line l LEFT JOIN ledger_account a ON a.id = l.account_id WHERE a.id IS NULL
$$;

-- The history as the requirements read it, one row for each journal and wallet; the last columns are the same in minor units.
-- Newest first by transaction_id is the order of an index, so a page costs the same at any length.
CREATE VIEW balance_transactions AS
  SELECT j.id AS transaction_id, j.user_id, j.kind::text AS transaction_type, c.code AS currency,
         w.amount * c.unit AS amount, (w.available - w.amount) * c.unit AS balance_before, w.available * c.unit AS balance_after,
         'completed' AS status, j.description, j.entity_type AS related_entity_type, j.entity_id AS related_entity_id,
         j.metadata ->> 'payment_intent' AS stripe_payment_intent_id, j.metadata ->> 'charge' AS stripe_charge_id,
         j.metadata, j.created_at, j.effective_at AS processed_at,
         w.seq AS wallet_seq, w.amount AS amount_minor, w.available - w.amount AS before_minor, w.available AS after_minor, w.locked AS locked_minor,
         (SELECT split_part(a.code, ':', 2) FROM ledger_entry e JOIN ledger_account a ON a.id = e.account_id WHERE e.journal_id = j.id AND a.kind = 'provider' LIMIT 1) AS provider
    FROM ledger_journal j
      CROSS JOIN LATERAL (
        SELECT e.account_id / 100 % 100 AS currency, max(e.wallet_seq) AS seq, max(e.available_after) AS available,
               coalesce(sum(e.amount_minor) FILTER (WHERE e.account_id % 100 = 1), 0)::bigint AS amount,
               coalesce(sum(e.amount_minor) FILTER (WHERE e.account_id % 100 > 1), 0)::bigint AS locked
          FROM ledger_entry e WHERE e.journal_id = j.id AND e.wallet_seq IS NOT NULL GROUP BY 1) w
      JOIN currency c ON c.number = w.currency;

DO $$ BEGIN
  REVOKE ALL ON FUNCTION currency_open, wallet_open, ledger_post, ledger_seal, ledger_head, ledger_verify FROM PUBLIC;
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'lb_app') THEN
    GRANT SELECT ON currency, users_balance, ledger_chart, ledger_account, ledger_journal, ledger_entry, ledger_unsealed, ledger_seal, balance_transactions TO lb_app;
    GRANT EXECUTE ON FUNCTION wallet_open, ledger_post, ledger_seal, ledger_head, ledger_verify TO lb_app;
  END IF;
END $$;

-- ==== operations: what a player asked for and a provider does

CREATE TYPE operation_status AS ENUM
  ('created', 'pending', 'review', 'approved', 'sending', 'completed', 'failed', 'cancelled', 'expired', 'unknown');

CREATE TABLE wallet_operations (
  operation_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  public_id uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),   -- what the provider knows it by: idempotency key and metadata
  user_id bigint NOT NULL REFERENCES users (id) ON DELETE RESTRICT,
  operation_type text NOT NULL CHECK (operation_type IN ('deposit', 'withdrawal')),
  provider text NOT NULL CHECK (provider IN ('stripe', 'yookassa', 'cryptocloud', 'manual')),
  currency text NOT NULL,
  exponent smallint NOT NULL,
  amount_minor bigint NOT NULL CHECK (amount_minor > 0),
  received_minor bigint CHECK (received_minor > 0),
  amount numeric GENERATED ALWAYS AS (major(amount_minor, exponent)) STORED,
  status operation_status NOT NULL DEFAULT 'created',
  provider_ref text,                                          -- cs_… at Stripe, the payment's id at YooKassa
  payment_ref text,                                           -- the money object itself: pi_…, the payment's id
  pay_url text,
  return_url text NOT NULL DEFAULT '',
  language text NOT NULL DEFAULT 'ru' CHECK (language IN ('ru', 'en')),   -- the player's when it was made
  reason text,                                                -- why it failed, in our own words
  request_key text NOT NULL CHECK (length(request_key) <= 100),   -- one per wish: double taps collapse
  message_id bigint,                                          -- the chat message that shows the link
  actor text NOT NULL,                                        -- who changed it last, for the audit log
  checks int NOT NULL DEFAULT 0,
  checked_at timestamptz,                             -- when a player last had the provider asked
  next_check_at timestamptz,                                  -- when to ask the provider; null: nothing left to ask
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  completed_at timestamptz,
  expires_at timestamptz NOT NULL,
  UNIQUE (user_id, request_key),
  UNIQUE (provider, provider_ref),
  FOREIGN KEY (currency, exponent) REFERENCES currency (code, exponent),
  CHECK ((status = 'completed') = (completed_at IS NOT NULL)),
  CHECK (status <> 'completed' OR operation_type <> 'deposit' OR (received_minor = amount_minor AND payment_ref IS NOT NULL)));
CREATE UNIQUE INDEX wallet_operations_payment ON wallet_operations (provider, payment_ref) WHERE payment_ref IS NOT NULL;
CREATE INDEX wallet_operations_user ON wallet_operations (user_id, operation_id DESC);
CREATE INDEX wallet_operations_due ON wallet_operations (provider, next_check_at) WHERE next_check_at IS NOT NULL;
CREATE INDEX wallet_operations_open ON wallet_operations (user_id) WHERE status IN ('created', 'pending', 'unknown');

-- Which way a status may go. A deposit that failed, expired or was cancelled can still be paid: that is real money.
CREATE TABLE operation_transition (old operation_status NOT NULL, new operation_status NOT NULL, PRIMARY KEY (old, new));
INSERT INTO operation_transition (old, new) VALUES
  ('created', 'pending'), ('created', 'unknown'), ('created', 'failed'), ('created', 'cancelled'), ('created', 'expired'),
  ('created', 'completed'), ('created', 'review'),
  ('unknown', 'pending'), ('unknown', 'failed'), ('unknown', 'cancelled'), ('unknown', 'expired'), ('unknown', 'completed'),
  ('unknown', 'review'),
  ('pending', 'unknown'), ('pending', 'failed'), ('pending', 'cancelled'), ('pending', 'expired'), ('pending', 'completed'),
  ('pending', 'review'),
  ('failed', 'completed'), ('failed', 'review'), ('expired', 'completed'), ('expired', 'review'),
  ('cancelled', 'completed'), ('cancelled', 'review'),
  ('review', 'approved'), ('review', 'completed'), ('review', 'cancelled'),
  ('approved', 'sending'), ('approved', 'cancelled'),
  ('sending', 'completed'), ('sending', 'failed'), ('sending', 'unknown');

CREATE FUNCTION operation_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.status <> OLD.status THEN
    IF NOT EXISTS (SELECT FROM operation_transition t WHERE t.old = OLD.status AND t.new = NEW.status) THEN
      RAISE EXCEPTION 'operation %: % to % is not allowed', OLD.operation_id, OLD.status, NEW.status USING ERRCODE = 'LB010';
    END IF;
    IF OLD.operation_type = 'withdrawal' AND OLD.status IN ('completed', 'failed', 'cancelled', 'expired') THEN
      RAISE EXCEPTION 'withdrawal % is final', OLD.operation_id USING ERRCODE = 'LB012';
    END IF;
  END IF;
  IF (NEW.user_id, NEW.operation_type, NEW.provider, NEW.currency, NEW.amount_minor, NEW.request_key, NEW.public_id)
       IS DISTINCT FROM
     (OLD.user_id, OLD.operation_type, OLD.provider, OLD.currency, OLD.amount_minor, OLD.request_key, OLD.public_id)
     OR (OLD.provider_ref IS NOT NULL AND NEW.provider_ref IS DISTINCT FROM OLD.provider_ref)
     OR (OLD.status = 'completed' AND NEW.payment_ref IS DISTINCT FROM OLD.payment_ref) THEN
    RAISE EXCEPTION 'operation %: what it is cannot be changed', OLD.operation_id USING ERRCODE = 'LB011';
  END IF;
  NEW.updated_at := clock_timestamp();
  RETURN NEW;
END $$;
CREATE TRIGGER operation_guard BEFORE UPDATE ON wallet_operations FOR EACH ROW EXECUTE FUNCTION operation_guard();

-- ==== audit: who did what; added to and never changed

CREATE TABLE audit_log (
  log_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id bigint REFERENCES users (id) ON DELETE RESTRICT,   -- null: a forged delivery has no player
  actor text NOT NULL CHECK (actor <> ''),
  action text NOT NULL CHECK (action <> ''),
  status text NOT NULL,
  amount_minor bigint,
  currency text REFERENCES currency (code),
  ip_address inet,
  user_agent text,
  entity_type text,
  entity_id bigint,
  details jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE INDEX audit_log_user ON audit_log (user_id, log_id DESC);
CREATE INDEX audit_log_entity ON audit_log (entity_type, entity_id);
CREATE TRIGGER audit_log_rows BEFORE UPDATE OR DELETE ON audit_log FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER audit_log_truncate BEFORE TRUNCATE ON audit_log FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- Every operation and every change of its status leaves a line, whoever makes it.
CREATE FUNCTION operation_audit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  INSERT INTO audit_log (user_id, actor, action, status, amount_minor, currency, entity_type, entity_id, details)
    VALUES (NEW.user_id, NEW.actor, NEW.operation_type, NEW.status, NEW.amount_minor, NEW.currency, 'operation', NEW.operation_id,
            jsonb_build_object('provider', NEW.provider, 'payment', NEW.payment_ref, 'reason', NEW.reason));
  RETURN NULL;
END $$;
CREATE TRIGGER operation_audit_new AFTER INSERT ON wallet_operations FOR EACH ROW EXECUTE FUNCTION operation_audit();
CREATE TRIGGER operation_audit_status AFTER UPDATE OF status ON wallet_operations FOR EACH ROW
  WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION operation_audit();

-- ==== reconciliation: money that fits no operation, and differences, until an admin settles them

CREATE TABLE recon_item (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  provider text NOT NULL,
  provider_ref text NOT NULL,
  problem text NOT NULL CHECK (problem IN ('unknown_payment', 'amount_differs', 'currency_differs', 'paid_twice')),
  operation_id bigint REFERENCES wallet_operations (operation_id) ON DELETE RESTRICT,
  journal_id bigint REFERENCES ledger_journal (id) ON DELETE RESTRICT,   -- null: money in a currency we do not keep
  currency text,
  provider_minor bigint,
  ledger_minor bigint,
  state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'resolved')),
  resolved_by text,
  resolved_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (provider, provider_ref));

-- ==== inbox: what a provider delivered, kept before it is acted on

CREATE TABLE webhook_inbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  provider text NOT NULL CHECK (provider IN ('stripe', 'yookassa', 'cryptocloud', 'onewin')),
  event_id text NOT NULL CHECK (length(event_id) <= 255),
  event_type text NOT NULL,
  payment_ref text,
  rereads boolean NOT NULL,                           -- must be read again at the provider before it is believed
  headers jsonb NOT NULL,
  body bytea NOT NULL,                                -- emptied after 90 days; the hash stays
  body_sha256 bytea NOT NULL,
  remote_ip inet,
  verified_by text NOT NULL,
  state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'done', 'ignored', 'dead')),
  deliveries int NOT NULL DEFAULT 1,
  attempts int NOT NULL DEFAULT 0,
  lease uuid,
  run_at timestamptz NOT NULL DEFAULT now(),
  last_error text,
  received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  done_at timestamptz,
  UNIQUE (provider, event_id));
CREATE INDEX webhook_inbox_bodies ON webhook_inbox (received_at) WHERE body <> '';
CREATE INDEX webhook_inbox_due ON webhook_inbox (rereads, run_at, id) WHERE state = 'queued';

-- ==== outbox: what a person will be told, written in the transaction of the fact it tells

CREATE TABLE outbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  dedupe_key text NOT NULL UNIQUE,
  chat_id bigint NOT NULL,
  text_id text NOT NULL,
  arguments jsonb NOT NULL,
  edits bigint,                                       -- the message to change; null: send a new one
  shows_operation bigint REFERENCES wallet_operations (operation_id),   -- the message will show its payment link
  priority smallint NOT NULL DEFAULT 5,               -- 0 money, 5 the rest, 9 broadcasts
  state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sent', 'dead')),
  attempts int NOT NULL DEFAULT 0,
  lease uuid,
  run_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,                             -- stale news is dropped
  last_error text,
  telegram_message_id bigint,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  tried_at timestamptz,                               -- the first attempt: a day after it a message is given up
  done_at timestamptz);
CREATE INDEX outbox_due ON outbox (priority, run_at, id) WHERE state = 'queued';
CREATE INDEX outbox_chat ON outbox (chat_id, priority, id) WHERE state = 'queued';

-- ==== jobs: work that is due once; the key names the period, so a doubled tick adds nothing

CREATE TABLE job (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind text NOT NULL,
  dedupe_key text NOT NULL UNIQUE,
  state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'done', 'dead')),
  attempts int NOT NULL DEFAULT 0,
  run_at timestamptz NOT NULL DEFAULT now(),
  last_error text,
  created_at timestamptz NOT NULL DEFAULT now(),
  done_at timestamptz);
CREATE INDEX job_due ON job (run_at, id) WHERE state = 'queued';

-- ==== dialogs: where each chat stands

CREATE TABLE fsm_state (
  key text PRIMARY KEY,
  state text,
  data jsonb NOT NULL DEFAULT '{}',
  updated_at timestamptz NOT NULL DEFAULT now());

-- ==== proof: what must be true between the ledger and the business around it (the ledger proves itself)

CREATE FUNCTION business_verify() RETURNS TABLE (rule text, detail text) LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN QUERY  -- a completed deposit has its journal, of the amount received, in its player's wallet
    SELECT 'I10 completed deposit has its journal', format('operation %s', o.operation_id)
      FROM wallet_operations o
      LEFT JOIN ledger_journal j ON j.idempotency_key = 'deposit:' || o.provider || ':' || o.payment_ref AND j.kind = 'deposit'
        AND j.entity_type = 'operation' AND j.entity_id = o.operation_id AND j.user_id = o.user_id
      LEFT JOIN LATERAL (SELECT sum(e.amount_minor) AS amount FROM ledger_entry e JOIN ledger_account a ON a.id = e.account_id
        WHERE e.journal_id = j.id AND a.kind = 'available' AND a.currency = o.currency AND a.user_id = o.user_id) e ON true
      WHERE o.operation_type = 'deposit' AND o.status = 'completed' AND e.amount IS DISTINCT FROM o.received_minor;
  RETURN QUERY  -- and no other deposit has one
    SELECT 'I10 deposit journal has its completed operation', format('journal %s', j.id)
      FROM ledger_journal j
      LEFT JOIN wallet_operations o ON j.entity_type = 'operation' AND o.operation_id = j.entity_id
        AND j.idempotency_key = 'deposit:' || o.provider || ':' || o.payment_ref AND o.status = 'completed'
      WHERE j.kind = 'deposit' AND o.operation_id IS NULL;
  RETURN QUERY  -- nobody is credited in silence
    SELECT 'I12 credited player has a message', format('operation %s', o.operation_id)
      FROM wallet_operations o
      WHERE o.operation_type = 'deposit' AND o.status = 'completed'
        AND NOT EXISTS (SELECT FROM outbox x WHERE x.dedupe_key = 'deposit-credited:' || o.operation_id);
  RETURN QUERY  -- money in suspense waits for somebody
    SELECT 'suspense has an item to settle', format('journal %s', j.id)
      FROM ledger_journal j LEFT JOIN recon_item r ON r.journal_id = j.id
      WHERE j.kind = 'suspense' AND r.id IS NULL;
END $$;

-- ==== rights: the program logs in as lb_app, which can move money only through ledger_post

DO $$ BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'lb_app') THEN
    GRANT SELECT ON ALL TABLES IN SCHEMA public TO lb_app;
    GRANT INSERT, UPDATE ON users, wallet_operations, recon_item, webhook_inbox, outbox, job TO lb_app;
    GRANT INSERT ON audit_log TO lb_app;
    GRANT INSERT, UPDATE, DELETE ON fsm_state TO lb_app;
    GRANT EXECUTE ON FUNCTION business_verify TO lb_app;
  END IF;
END $$;
