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
  stripe_customer_id text UNIQUE,                     -- cus_…, made when the first card is to be kept
  frozen_at timestamptz,                              -- nothing goes out: no withdrawal is asked for, approved or sent
  frozen_reason text CHECK (length(frozen_reason) BETWEEN 1 AND 500),
  news_off_at timestamptz,                            -- wants no broadcasts
  signals_off_at timestamptz,                         -- wants no signals as messages; they can still be looked up
  seen_on date,                                       -- the last day of which `activity` has a line
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CHECK ((frozen_at IS NULL) = (frozen_reason IS NULL)));
CREATE INDEX users_username ON users (lower(username)) WHERE username IS NOT NULL;
CREATE INDEX users_created ON users (created_at);

-- Who wrote to the bot on which day, in the time zone of the reports.
CREATE TABLE activity (
  day date NOT NULL,
  user_id bigint NOT NULL REFERENCES users (id) ON DELETE RESTRICT,
  PRIMARY KEY (day, user_id));

-- Whom the owners let into the admins' rooms, beside those named in the settings, who are owners. Past grants are in audit_log.
CREATE TABLE staff (
  telegram_id bigint PRIMARY KEY CHECK (telegram_id > 0),
  role text NOT NULL CHECK (role IN ('owner', 'cashier', 'support', 'editor')),
  granted_by bigint NOT NULL,
  granted_at timestamptz NOT NULL DEFAULT now());

-- What holds for everybody: one row.
CREATE TABLE house (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  closed_at timestamptz,                              -- maintenance: players are asked to come back later
  closed_by bigint,
  watched_since timestamptz,                          -- since when somebody has looked after it without a break
  watched_at timestamptz,
  CHECK ((closed_at IS NULL) = (closed_by IS NULL)));
INSERT INTO house DEFAULT VALUES;

-- ==== ledger

-- Where money is, and how it got there. A movement is one journal with two lines or more, whose amounts sum to zero in each
-- currency: what one account gives, another gets. Plus means the holder got it, so a provider's account, where our money
-- lies, goes below zero. ledger_post is the only door; everything else here sees to that, or proves it afterwards.

-- Rules of single values are domains and not CHECKs of their tables: PostgreSQL parses a CHECK anew in every statement that writes
-- the table, which made a fifth of the cost of a posting, and a domain's once in a session.
CREATE DOMAIN available_minor   AS bigint CONSTRAINT available_not_negative   CHECK (VALUE >= 0);
CREATE DOMAIN bets_minor        AS bigint CONSTRAINT bets_not_negative        CHECK (VALUE >= 0);
CREATE DOMAIN withdrawals_minor AS bigint CONSTRAINT withdrawals_not_negative CHECK (VALUE >= 0);
CREATE DOMAIN total_minor       AS bigint CONSTRAINT total_not_negative       CHECK (VALUE >= 0);
CREATE DOMAIN leg_minor         AS bigint CONSTRAINT leg_not_zero             CHECK (VALUE <> 0);
CREATE DOMAIN ledger_key   AS text COLLATE "C" CONSTRAINT ledger_key_length  CHECK (length(VALUE) BETWEEN 3 AND 200);
CREATE DOMAIN ledger_actor AS text             CONSTRAINT ledger_actor_named CHECK (VALUE <> '');

-- Which currencies there are is said by the program, at its start.
CREATE TABLE currency (
  code text COLLATE "C" PRIMARY KEY CHECK (code ~ '^[A-Z]{3,5}$'),
  number smallint NOT NULL UNIQUE CHECK (number BETWEEN 1 AND 99),   -- part of the number of every account in it
  exponent smallint NOT NULL CHECK (exponent BETWEEN 0 AND 8),
  unit numeric NOT NULL GENERATED ALWAYS AS (round(10::numeric ^ -exponent, exponent)) STORED,   -- 0.01 for exponent 2
  UNIQUE (code, exponent),
  UNIQUE (code, unit));

-- Minor units as people write them: 1999 with exponent 2 is 19.99.
CREATE FUNCTION major(minor bigint, exponent smallint) RETURNS numeric LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  RETURN minor * (ARRAY[1, 0.1, 0.01, 0.001, 0.0001, 0.00001, 0.000001, 0.0000001, 0.00000001])[exponent + 1];

-- A player's wallet, one for each currency: the only row that a movement in it locks. It repeats what the lines say, so that
-- its types can refuse to spend what is not there.
CREATE TABLE wallet (
  id bigint NOT NULL UNIQUE,                          -- player and currency in one number, see ledger_account
  user_id bigint NOT NULL REFERENCES users (id) ON DELETE RESTRICT,
  currency text COLLATE "C" NOT NULL REFERENCES currency (code),
  seq bigint NOT NULL DEFAULT 0,                      -- movements so far, counted without a gap
  available_minor   available_minor   NOT NULL DEFAULT 0,
  bets_minor        bets_minor        NOT NULL DEFAULT 0,
  withdrawals_minor withdrawals_minor NOT NULL DEFAULT 0,
  deposited_minor   total_minor       NOT NULL DEFAULT 0,
  withdrawn_minor   total_minor       NOT NULL DEFAULT 0,
  bet_minor         total_minor       NOT NULL DEFAULT 0,  -- stakes that were not given back
  won_minor         total_minor       NOT NULL DEFAULT 0,  -- payouts, the stake in them
  lost_minor        total_minor       NOT NULL DEFAULT 0,
  last_transaction timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (user_id, currency)
) WITH (fillfactor = 70);                             -- room for a row's next version beside the old one

-- The same as people read it, in major units. Not columns of the wallet: each movement would have to work them all out anew.
CREATE VIEW users_balance AS
  SELECT w.user_id, w.currency, w.available_minor * y.unit AS balance,   -- what can be spent now
         w.bets_minor * y.unit AS locked_in_bets, w.withdrawals_minor * y.unit AS pending_withdrawals,
         w.deposited_minor * y.unit AS total_deposited, w.withdrawn_minor * y.unit AS total_withdrawn, w.bet_minor * y.unit AS total_bet,
         w.won_minor * y.unit AS total_won, w.lost_minor * y.unit AS total_lost, w.last_transaction, w.created_at, w.updated_at
    FROM wallet w JOIN currency y ON y.code = w.currency;

-- The chart of accounts. The first three places are a player's, in every wallet; the others are ours, once in each currency.
CREATE TABLE ledger_chart (
  number smallint PRIMARY KEY CHECK (number BETWEEN 1 AND 99),
  name text COLLATE "C" NOT NULL UNIQUE);
INSERT INTO ledger_chart (number, name) VALUES
  (1, 'available'), (2, 'bets'), (3, 'withdrawals'),
  (11, 'provider:stripe'), (12, 'provider:yookassa'), (13, 'provider:cryptocloud'),
  (20, 'payout'), (30, 'house'), (31, 'bonus'), (32, 'fee'), (33, 'revenue'), (40, 'fx'),
  (50, 'suspense'), (51, 'adjustment'), (52, 'receivable');

-- An account's number says everything about it, so that nothing has to be looked up to move money: player, currency, chart.
-- 420301 is player 42, currency 03, available; 311 is ours (no player), currency 03, provider:stripe. Two things follow: a line
-- cannot be in another currency than its account, and numbers in order are wallets in order. The code says the same to people.
CREATE TABLE ledger_account (
  id bigint PRIMARY KEY,
  code text COLLATE "C" NOT NULL UNIQUE,              -- player:42:available:USD, provider:stripe:USD
  kind text COLLATE "C" NOT NULL,                     -- available, provider, …
  user_id bigint REFERENCES users (id) ON DELETE RESTRICT,
  currency text COLLATE "C" NOT NULL REFERENCES currency (code),
  opened_at timestamptz CHECK ((opened_at IS NULL) = (user_id IS NULL)));
CREATE FUNCTION ledger_player(account bigint)   RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN nullif(account / 10000, 0);
CREATE FUNCTION ledger_currency(account bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN account / 100 % 100;
CREATE FUNCTION ledger_wallet(account bigint)   RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN account / 100;
CREATE FUNCTION ledger_place(account bigint)    RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN account % 100;

CREATE TYPE ledger_kind AS ENUM (
  'deposit', 'refund', 'chargeback', 'suspense', 'suspense_released', 'fee_charged',
  'withdrawal_hold', 'withdrawal_paid', 'withdrawal_release',
  'bet_placed', 'bet_won', 'bet_lost', 'bet_cancelled',
  'bonus_added', 'exchange', 'subscription', 'adjustment', 'reversal');

CREATE TABLE ledger_journal (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  idempotency_key ledger_key NOT NULL UNIQUE,         -- named after the money object: deposit:stripe:pi_1, bet:7:place
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
  xact_id xid8 NOT NULL);                             -- only ever compared with the running transaction
CREATE UNIQUE INDEX ledger_journal_reversed_once ON ledger_journal (reverses_id) WHERE reverses_id IS NOT NULL;
CREATE INDEX ledger_journal_history ON ledger_journal (user_id, id DESC) WHERE user_id IS NOT NULL;

CREATE TABLE ledger_entry (
  journal_id bigint NOT NULL,
  account_id bigint NOT NULL,
  amount_minor leg_minor NOT NULL,
  wallet_seq bigint,                                  -- the last three are for players' accounts
  balance_after total_minor,                         -- of this account
  available_after total_minor,                       -- of its wallet: what could be spent after this journal
  PRIMARY KEY (journal_id, account_id));
CREATE UNIQUE INDEX ledger_entry_wallet ON ledger_entry (account_id, wallet_seq) WHERE wallet_seq IS NOT NULL;
CREATE INDEX ledger_entry_ours ON ledger_entry (account_id, journal_id) INCLUDE (amount_minor) WHERE wallet_seq IS NULL;

CREATE TABLE ledger_unsealed (
  journal_id bigint PRIMARY KEY,
  digest bytea NOT NULL);

CREATE TABLE ledger_seal (
  seq bigint PRIMARY KEY,
  journal_id bigint NOT NULL UNIQUE REFERENCES ledger_journal (id),
  digest bytea NOT NULL,
  sealed_at timestamptz NOT NULL,
  hash bytea NOT NULL);

-- Each INSERT of lines brings whole journals: made in this transaction, two lines or more, zero in each currency, on accounts that
-- exist, with a wallet's numbers on players' accounts and nowhere else. This does the work of foreign keys too, which would
-- lock a provider's account in each of its deposits: since accounts and journals are never deleted, it is enough to look.
-- (No sequential scans: a session keeps its plans, and those made while the tables were small would serve when they are not.)
CREATE FUNCTION ledger_entry_whole() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp SET enable_seqscan = off AS $$
DECLARE bad record;
BEGIN
  PERFORM FROM new_lines n GROUP BY n.journal_id, ledger_currency(n.account_id)
    HAVING sum(n.amount_minor) <> 0 OR count(*) < 2
        OR count((SELECT a.id FROM ledger_account a WHERE a.id = n.account_id)) < count(*)
        OR (SELECT j.xact_id FROM ledger_journal j WHERE j.id = n.journal_id) IS DISTINCT FROM pg_current_xact_id()
        OR bool_or(num_nonnulls(n.wallet_seq, n.balance_after, n.available_after) <> CASE WHEN ledger_player(n.account_id) IS NULL THEN 0 ELSE 3 END);
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  FOR bad IN SELECT n.journal_id, n.account_id, a.id IS NULL AS unknown, j.xact_id IS DISTINCT FROM pg_current_xact_id() AS late
      FROM new_lines n LEFT JOIN ledger_account a ON a.id = n.account_id LEFT JOIN ledger_journal j ON j.id = n.journal_id LOOP
    IF bad.unknown THEN
      RAISE EXCEPTION 'there is no account %', bad.account_id USING ERRCODE = 'LB006';
    ELSIF bad.late THEN
      RAISE EXCEPTION 'journal % is closed: lines are added only where it was made', bad.journal_id USING ERRCODE = 'LB003';
    END IF;
  END LOOP;
  RAISE EXCEPTION 'journal % is not balanced: each currency needs two lines or more that sum to zero', bad.journal_id USING ERRCODE = 'LB002';
END $$;
CREATE TRIGGER ledger_entry_whole AFTER INSERT ON ledger_entry REFERENCING NEW TABLE AS new_lines
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_entry_whole();

CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% on % is forbidden: it is only added to', TG_OP, TG_TABLE_NAME USING ERRCODE = 'LB004';
END $$;
CREATE TRIGGER ledger_account_rows  BEFORE UPDATE OR DELETE ON ledger_account  FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER ledger_journal_rows  BEFORE UPDATE OR DELETE ON ledger_journal  FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER ledger_entry_rows    BEFORE UPDATE OR DELETE ON ledger_entry    FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER ledger_seal_rows     BEFORE UPDATE OR DELETE ON ledger_seal     FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER ledger_unsealed_rows BEFORE UPDATE           ON ledger_unsealed FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER wallet_rows          BEFORE DELETE           ON wallet          FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER ledger_account_truncate  BEFORE TRUNCATE ON ledger_account  FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER ledger_journal_truncate  BEFORE TRUNCATE ON ledger_journal  FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER ledger_entry_truncate    BEFORE TRUNCATE ON ledger_entry    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER ledger_seal_truncate     BEFORE TRUNCATE ON ledger_seal     FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER ledger_unsealed_truncate BEFORE TRUNCATE ON ledger_unsealed FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER wallet_truncate          BEFORE TRUNCATE ON wallet          FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- Opens a currency, and whatever accounts of the chart it has not got yet. For the owner; harmless when repeated.
CREATE FUNCTION currency_open(p_code text, p_number smallint, p_exponent smallint) RETURNS void
  LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE v_known currency;
BEGIN
  INSERT INTO currency (code, number, exponent) VALUES (p_code, p_number, p_exponent) ON CONFLICT (code) DO NOTHING;
  SELECT * INTO STRICT v_known FROM currency WHERE code = p_code;
  IF (v_known.number, v_known.exponent) <> (p_number, p_exponent) THEN
    RAISE EXCEPTION '% has number % and exponent %, not % and %: it cannot be renumbered or rescaled',
      p_code, v_known.number, v_known.exponent, p_number, p_exponent USING ERRCODE = 'LB009';
  END IF;
  INSERT INTO ledger_account (id, code, kind, currency)
    SELECT p_number * 100 + number, name || ':' || p_code, split_part(name, ':', 1), p_code FROM ledger_chart WHERE number > 3
    ON CONFLICT DO NOTHING;
END $$;

CREATE FUNCTION wallet_open(p_user bigint, p_currency text) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE v_currency currency;
BEGIN
  SELECT * INTO v_currency FROM currency WHERE code = p_currency;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'currency % is not open', p_currency USING ERRCODE = 'LB006';
  END IF;
  INSERT INTO wallet (id, user_id, currency) VALUES (p_user * 100 + v_currency.number, p_user, p_currency) ON CONFLICT DO NOTHING;
  IF FOUND THEN
    INSERT INTO ledger_account (id, code, kind, user_id, currency, opened_at)
      SELECT p_user * 10000 + v_currency.number * 100 + number, format('player:%s:%s:%s', p_user, name, p_currency), name, p_user, p_currency, now()
      FROM ledger_chart WHERE number <= 3;
  END IF;
END $$;

-- A journal's lines side by side, in the order of their accounts.
CREATE VIEW ledger_booked AS
  SELECT journal_id, array_agg(account_id ORDER BY account_id) AS accounts, array_agg(amount_minor::bigint ORDER BY account_id) AS amounts,
         array_agg(wallet_seq ORDER BY account_id) FILTER (WHERE wallet_seq IS NOT NULL) AS seqs,
         array_agg(balance_after::bigint ORDER BY account_id) FILTER (WHERE balance_after IS NOT NULL) AS balances,
         array_agg(available_after::bigint ORDER BY account_id) FILTER (WHERE available_after IS NOT NULL) AS availables
    FROM ledger_entry GROUP BY journal_id;

-- What a journal and its lines were when they were booked: every column, in a text that no setting of a session changes.
-- ROW()::text quotes its fields, so nothing can slip from one column into the next.
CREATE FUNCTION ledger_digest(j ledger_journal, accounts bigint[], amounts bigint[], seqs bigint[], balances bigint[], availables bigint[])
  RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE
  RETURN sha256(convert_to(ROW((j).id, (j).idempotency_key, (j).kind, (j).user_id, (j).entity_type, (j).entity_id, (j).reverses_id,
    (j).actor, (j).description, (j).metadata, extract(epoch FROM (j).effective_at), extract(epoch FROM (j).created_at), (j).xact_id,
    accounts, amounts, seqs, balances, availables)::text, 'UTF8'));

-- Moves money, once for each key. Legs come in the order of their accounts' numbers; a minus is what an account gives.
-- Who asked, when and with what remarks is not compared when a key comes again: a webhook and a poller may both tell of one payment.
-- A reversal takes back one journal exactly, its totals included: it counts as what it reverses.
CREATE FUNCTION ledger_post(p_key text, p_kind text, p_accounts bigint[], p_amounts bigint[], p_actor text,
    p_entity_type text DEFAULT NULL, p_entity_id bigint DEFAULT NULL, p_effective_at timestamptz DEFAULT NULL,
    p_description text DEFAULT NULL, p_metadata jsonb DEFAULT NULL, p_reverses bigint DEFAULT NULL,
    OUT journal_id bigint, OUT replayed boolean)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
  SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$   -- to plan again costs more than the plan
#variable_conflict use_column
DECLARE
  v_legs int := cardinality(p_accounts);
  v_journal ledger_journal;
  v_kind ledger_kind;                                 -- whose totals move
  v_wallet bigint; v_wallet_seq bigint; v_buckets bigint[];
  d_available bigint; d_bets bigint; d_withdrawals bigint;
  v_seqs bigint[]; v_balances bigint[]; v_availables bigint[];   -- of players' accounts
BEGIN
  IF v_legs IS NULL OR v_legs < 2 OR cardinality(p_amounts) IS DISTINCT FROM v_legs THEN
    RAISE EXCEPTION 'a movement has two legs or more, each an account and an amount' USING ERRCODE = 'LB005';
  END IF;

  INSERT INTO ledger_journal (idempotency_key, kind, user_id, entity_type, entity_id, reverses_id, actor, description, metadata,
      effective_at, created_at, xact_id)
    VALUES (p_key, p_kind::ledger_kind, ledger_player(p_accounts[v_legs]), p_entity_type, p_entity_id, p_reverses, p_actor, p_description,
      coalesce(p_metadata, '{}'), coalesce(p_effective_at, clock_timestamp()), clock_timestamp(), pg_current_xact_id())
    ON CONFLICT DO NOTHING RETURNING * INTO v_journal;
  IF NOT FOUND THEN                                   -- the key is taken, perhaps by a twin that has just committed, or it was reversed
    SELECT j.id, true INTO journal_id, replayed FROM ledger_journal j JOIN ledger_booked b ON b.journal_id = j.id
      WHERE j.idempotency_key = p_key AND b.accounts = p_accounts AND b.amounts = p_amounts
        AND (j.kind::text, j.entity_type, j.entity_id, j.reverses_id) IS NOT DISTINCT FROM (p_kind, p_entity_type, p_entity_id, p_reverses);
    IF NOT FOUND AND EXISTS (SELECT FROM ledger_journal WHERE idempotency_key = p_key) THEN
      RAISE EXCEPTION 'key % was used for another movement', p_key USING ERRCODE = 'LB001';
    ELSIF journal_id IS NULL THEN
      RAISE EXCEPTION 'journal % was reversed before', p_reverses USING ERRCODE = 'LB008';
    END IF;
    RETURN;
  END IF;

  v_kind := v_journal.kind;
  IF p_reverses IS NOT NULL OR v_kind = 'reversal' THEN
    SELECT j.kind INTO v_kind FROM ledger_journal j JOIN ledger_booked b ON b.journal_id = j.id
      WHERE v_kind = 'reversal' AND j.id = p_reverses AND j.kind <> 'reversal' AND b.accounts = p_accounts
        AND b.amounts = (SELECT array_agg(-l.amount ORDER BY l.nth) FROM unnest(p_amounts) WITH ORDINALITY AS l (amount, nth));
    IF NOT FOUND THEN
      RAISE EXCEPTION 'a reversal is the exact opposite of one journal that is no reversal itself' USING ERRCODE = 'LB008';
    END IF;
  END IF;

  FOR i IN 1 .. v_legs LOOP
    IF p_accounts[i] <= p_accounts[i - 1] THEN
      RAISE EXCEPTION 'account % is repeated or out of order', p_accounts[i] USING ERRCODE = 'LB006';
    END IF;
    CONTINUE WHEN ledger_player(p_accounts[i]) IS NULL;
    IF ledger_wallet(p_accounts[i]) IS DISTINCT FROM v_wallet THEN
      -- Wallets come in order, so that no two movements wait for each other. The UPDATE is the lock; its column types are the rule.
      v_wallet := ledger_wallet(p_accounts[i]);
      d_available   := coalesce(p_amounts[array_position(p_accounts, v_wallet * 100 + 1)], 0);
      d_bets        := coalesce(p_amounts[array_position(p_accounts, v_wallet * 100 + 2)], 0);
      d_withdrawals := coalesce(p_amounts[array_position(p_accounts, v_wallet * 100 + 3)], 0);
      UPDATE wallet w SET
          seq = seq + 1,
          available_minor   = available_minor   + d_available,
          bets_minor        = bets_minor        + d_bets,
          withdrawals_minor = withdrawals_minor + d_withdrawals,
          deposited_minor = deposited_minor + CASE WHEN v_kind IN ('deposit', 'suspense_released') THEN d_available   ELSE 0 END,
          withdrawn_minor = withdrawn_minor - CASE WHEN v_kind = 'withdrawal_paid'                 THEN d_withdrawals ELSE 0 END,
          bet_minor       = bet_minor       + CASE WHEN v_kind IN ('bet_placed', 'bet_cancelled')  THEN d_bets        ELSE 0 END,
          won_minor       = won_minor       + CASE WHEN v_kind = 'bet_won'                         THEN d_available   ELSE 0 END,
          lost_minor      = lost_minor      - CASE WHEN v_kind = 'bet_lost'                        THEN d_bets        ELSE 0 END,
          last_transaction = greatest(last_transaction, v_journal.created_at),
          updated_at = greatest(updated_at, v_journal.created_at)
        WHERE w.id = v_wallet AND w.user_id = v_journal.user_id
        RETURNING w.seq, ARRAY[w.available_minor, w.bets_minor, w.withdrawals_minor] INTO v_wallet_seq, v_buckets;
      IF NOT FOUND THEN
        RAISE EXCEPTION 'wallet % is not open, or not of player %', v_wallet, v_journal.user_id USING ERRCODE = 'LB007';
      END IF;
    END IF;
    v_seqs[i] := v_wallet_seq;
    v_balances[i] := v_buckets[ledger_place(p_accounts[i])];
    v_availables[i] := v_buckets[1];
  END LOOP;

  INSERT INTO ledger_entry (journal_id, account_id, amount_minor, wallet_seq, balance_after, available_after)
    SELECT v_journal.id, p_accounts[i], p_amounts[i], v_seqs[i], v_balances[i], v_availables[i] FROM generate_series(1, v_legs) AS i;
  INSERT INTO ledger_unsealed (journal_id, digest)
    VALUES (v_journal.id, ledger_digest(v_journal, p_accounts, p_amounts, v_seqs[:], v_balances[:], v_availables[:]));   -- [:] counts from 1
  journal_id := v_journal.id;
  replayed := false;
END $$;

-- ---- the proof: whoever changes a booked row, even past the triggers, leaves a row that no longer fits.
-- What cannot be seen from inside is a history cut off at its end, or written anew from some point to the end, wallets and all.
-- That shows outside: the head of the chain is told to the admins every day.

CREATE FUNCTION ledger_link(previous bytea, seq bigint, journal bigint, digest bytea, sealed_at timestamptz)
  RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE
  RETURN sha256(previous || digest || convert_to(ROW(seq, journal, extract(epoch FROM sealed_at))::text, 'UTF8'));

CREATE FUNCTION ledger_head(OUT seq bigint, OUT hash bytea, OUT journals bigint)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT coalesce(s.seq, 0), coalesce(s.hash, decode(repeat('00', 32), 'hex')), coalesce(s.seq, 0) + (SELECT count(*) FROM ledger_unsealed)
    FROM (VALUES (0)) AS start LEFT JOIN (SELECT * FROM ledger_seal ORDER BY seq DESC LIMIT 1) s ON true
$$;

-- Moves journals from the queue to the chain. From the queue, and not "all after the last one", because of two journals the
-- lower number may be the later commit.
CREATE FUNCTION ledger_seal(p_max int DEFAULT 1000) RETURNS int
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
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
    v_head.hash := ledger_link(v_head.hash, v_head.seq, v_next.journal_id, v_next.digest, v_now);
    INSERT INTO ledger_seal (seq, journal_id, digest, sealed_at, hash) VALUES (v_head.seq, v_next.journal_id, v_next.digest, v_now, v_head.hash);
  END LOOP;
  RETURN v_count;
END $$;

-- Every rule of the books, each finding with its place; sound books answer nothing. It counts by itself: nothing here calls what
-- ledger_post calls, but for the digest. (I17, the last balance is the wallet's, follows from I3 and I4.)
CREATE FUNCTION ledger_verify() RETURNS TABLE (rule text, detail text)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp SET work_mem = '64MB' SET jit = off AS $$
  WITH line AS NOT MATERIALIZED (
    SELECT e.*, ledger_player(e.account_id) AS player, ledger_wallet(e.account_id) AS wallet, ledger_place(e.account_id) AS place,
           ledger_currency(e.account_id) AS currency FROM ledger_entry e
  ), moved AS (                                       -- what its lines make of a wallet
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
      WHERE l.player > 0 GROUP BY 1
  ), account AS (                                     -- which accounts there must be
    SELECT w.user_id * 10000 + y.number * 100 + c.number AS id, format('player:%s:%s:%s', w.user_id, c.name, w.currency) AS code,
           c.name AS kind, w.user_id, w.currency, w.created_at AS opened_at
      FROM wallet w JOIN currency y ON y.code = w.currency JOIN ledger_chart c ON c.number <= 3
    UNION ALL
    SELECT y.number * 100 + c.number, c.name || ':' || y.code, split_part(c.name, ':', 1), NULL, y.code, NULL
      FROM currency y JOIN ledger_chart c ON c.number > 3
  )
  SELECT 'I1 all lines of a currency sum to zero', format('currency %s: %s', l.currency, sum(l.amount_minor))
    FROM line l GROUP BY l.currency HAVING sum(l.amount_minor) <> 0
  UNION ALL
  SELECT 'I2 each currency of a journal has two lines or more that sum to zero', format('journal %s, currency %s: %s lines, sum %s', l.journal_id, l.currency, count(*), sum(l.amount_minor))
    FROM line l GROUP BY l.journal_id, l.currency HAVING sum(l.amount_minor) <> 0 OR count(*) < 2
  UNION ALL
  SELECT v.rule, format('wallet %s (player %s, %s): %s is %s, should be %s', coalesce(w.id, m.wallet), w.user_id, w.currency, v.name, v.found, v.due)
    FROM wallet w FULL JOIN moved m ON m.wallet = w.id LEFT JOIN currency y ON y.code = w.currency CROSS JOIN LATERAL (VALUES
      ('I3 a bucket is the sum of its lines', 'available_minor', w.available_minor::numeric, coalesce(m.available, 0)),
      ('I3 a bucket is the sum of its lines', 'bets_minor', w.bets_minor, coalesce(m.bets, 0)),
      ('I3 a bucket is the sum of its lines', 'withdrawals_minor', w.withdrawals_minor, coalesce(m.withdrawals, 0)),
      ('I5 a wallet counts its movements', 'seq', w.seq, coalesce(m.seq, 0)),
      ('I7 no bucket is below zero', 'the lowest bucket', least(w.available_minor, w.bets_minor, w.withdrawals_minor, 0), 0),
      ('I11 a total is the sum of its kinds', 'deposited_minor', w.deposited_minor, coalesce(m.deposited, 0)),
      ('I11 a total is the sum of its kinds', 'withdrawn_minor', w.withdrawn_minor, coalesce(m.withdrawn, 0)),
      ('I11 a total is the sum of its kinds', 'bet_minor', w.bet_minor, coalesce(m.bet, 0)),
      ('I11 a total is the sum of its kinds', 'won_minor', w.won_minor, coalesce(m.won, 0)),
      ('I11 a total is the sum of its kinds', 'lost_minor', w.lost_minor, coalesce(m.lost, 0)),
      ('a wallet is a player''s in a currency', 'id', w.id, w.user_id * 100 + y.number),
      ('a wallet knows its last movement', 'last_transaction', extract(epoch FROM w.last_transaction), extract(epoch FROM m.last_transaction)),
      ('a wallet knows its last movement', 'updated_at', extract(epoch FROM w.updated_at), extract(epoch FROM greatest(w.created_at, m.last_transaction)))
    ) AS v (rule, name, found, due) WHERE v.found IS DISTINCT FROM v.due
  UNION ALL
  SELECT 'I4 a balance runs from line to line', format('journal %s, account %s: %s and %s is not %s', x.journal_id, x.account_id, x.before, x.amount_minor, x.balance_after)
    FROM (SELECT l.*, lag(l.balance_after::bigint, 1, 0::bigint) OVER (PARTITION BY l.account_id ORDER BY l.wallet_seq) AS before FROM line l WHERE l.player > 0) x
    WHERE x.before + x.amount_minor IS DISTINCT FROM x.balance_after
  UNION ALL
  SELECT 'I5 a wallet counts its movements', format('journal %s, account %s: seq %s is the %s. one, available_after %s should be %s', x.journal_id, x.account_id, x.wallet_seq, x.nth, x.available_after, x.available)
    FROM (SELECT l.*, dense_rank() OVER w AS nth, coalesce(sum(l.amount_minor) FILTER (WHERE l.place = 1) OVER w, 0) AS available
            FROM line l WHERE l.player > 0 WINDOW w AS (PARTITION BY l.wallet ORDER BY l.wallet_seq)) x
    WHERE x.nth IS DISTINCT FROM x.wallet_seq OR x.available IS DISTINCT FROM x.available_after
  UNION ALL
  SELECT 'I6 a journal is as it was booked', format('journal %s: %s', coalesce(j.id, b.journal_id), CASE
           WHEN j.id IS NULL THEN 'missing, its lines are there' WHEN b.journal_id IS NULL THEN 'its lines are missing'
           WHEN s.digest IS NULL AND u.digest IS NULL THEN 'neither sealed nor waiting for it' ELSE 'it, its lines or its digest were changed' END)
    FROM ledger_journal j FULL JOIN ledger_booked b ON b.journal_id = j.id
      LEFT JOIN ledger_seal s ON s.journal_id = j.id LEFT JOIN ledger_unsealed u ON u.journal_id = j.id
    WHERE coalesce(s.digest, u.digest) IS DISTINCT FROM ledger_digest(j, b.accounts, b.amounts, b.seqs, b.balances, b.availables)
  UNION ALL
  SELECT 'I6 a journal is sealed or waits for it', format('journal %s: seal %s, waiting %s', coalesce(s.journal_id, u.journal_id), s.seq, u.journal_id IS NOT NULL)
    FROM ledger_seal s FULL JOIN ledger_unsealed u ON u.journal_id = s.journal_id LEFT JOIN ledger_journal j ON j.id = coalesce(s.journal_id, u.journal_id)
    WHERE j.id IS NULL OR s.journal_id = u.journal_id
  UNION ALL
  SELECT 'I6 the chain is whole', format('seal %s, journal %s: %s', x.seq, x.journal_id, CASE WHEN x.seq = x.previous + 1 THEN 'its hash does not follow' ELSE 'the one before it is ' || x.previous END)
    FROM (SELECT s.*, lag(s.seq, 1, 0::bigint) OVER w AS previous, lag(s.hash, 1, decode(repeat('00', 32), 'hex')) OVER w AS before FROM ledger_seal s WINDOW w AS (ORDER BY s.seq)) x
    WHERE x.seq <> x.previous + 1 OR x.hash <> ledger_link(x.before, x.seq, x.journal_id, x.digest, x.sealed_at)
  UNION ALL
  SELECT 'accounts are those of the chart', format('account %s: %s, should be %s', coalesce(a.id, x.id), a, x)
    FROM ledger_account a FULL JOIN account x ON x.id = a.id
    WHERE (a.id, a.code, a.kind, a.user_id, a.currency, a.opened_at) IS DISTINCT FROM (x.id, x.code, x.kind, x.user_id, x.currency, x.opened_at)
  UNION ALL
  SELECT 'a line has an account', format('journal %s, account %s', l.journal_id, l.account_id)
    FROM line l LEFT JOIN ledger_account a ON a.id = l.account_id WHERE a.id IS NULL
$$;

-- The history as the requirements read it: one row for each journal and wallet, a lost bet with amount 0. The last columns say the same
-- in minor units. Newest first by transaction_id is the order of an index, so a page costs the same whatever the length.
CREATE VIEW balance_transactions AS
  SELECT j.id AS transaction_id, j.user_id, j.kind::text AS transaction_type, y.code AS currency,
         w.amount * y.unit AS amount, (w.available - w.amount) * y.unit AS balance_before, w.available * y.unit AS balance_after,
         'completed' AS status, j.description::text AS description, j.entity_type AS related_entity_type, j.entity_id AS related_entity_id,
         j.metadata ->> 'payment_intent' AS stripe_payment_intent_id, j.metadata ->> 'charge' AS stripe_charge_id,
         j.metadata, j.created_at, j.effective_at AS processed_at,
         w.seq AS wallet_seq, w.amount AS amount_minor, w.available - w.amount AS before_minor, w.available AS after_minor, w.locked AS locked_minor,
         (SELECT split_part(a.code, ':', 2) FROM ledger_entry e JOIN ledger_account a ON a.id = e.account_id
            WHERE e.journal_id = j.id AND a.kind = 'provider' LIMIT 1) AS provider
    FROM ledger_journal j
      CROSS JOIN LATERAL (
        SELECT ledger_currency(e.account_id) AS currency, max(e.wallet_seq) AS seq, max(e.available_after) AS available,
               coalesce(sum(e.amount_minor) FILTER (WHERE ledger_place(e.account_id) = 1), 0)::bigint AS amount,
               coalesce(sum(e.amount_minor) FILTER (WHERE ledger_place(e.account_id) > 1), 0)::bigint AS locked
          FROM ledger_entry e WHERE e.journal_id = j.id AND e.wallet_seq IS NOT NULL GROUP BY 1) w
      JOIN currency y ON y.number = w.currency;

-- ==== methods: what a player pays with, and where a player is paid

-- Cards and wallets kept at a provider with the player's consent. What is here can be shown; it pays nothing without our keys.
CREATE TABLE payment_methods (
  method_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id bigint NOT NULL REFERENCES users (id) ON DELETE RESTRICT,
  provider text NOT NULL CHECK (provider IN ('stripe', 'yookassa')),
  provider_ref text NOT NULL,                         -- pm_… at Stripe, payment_method.id at YooKassa
  payment_type text NOT NULL CHECK (payment_type IN ('card', 'wallet', 'bank_account')),
  card_brand text CHECK (length(card_brand) <= 30),
  card_last4 text CHECK (card_last4 ~ '^[0-9]{4}$'),
  card_exp_month smallint CHECK (card_exp_month BETWEEN 1 AND 12),
  card_exp_year smallint CHECK (card_exp_year BETWEEN 2000 AND 2200),
  is_default boolean NOT NULL DEFAULT false,
  is_active boolean NOT NULL DEFAULT true,            -- false: removed by the player, or withdrawn at the provider
  forget_at timestamptz,                              -- removed here, and still to be removed at the provider
  created_at timestamptz NOT NULL DEFAULT now(),
  last_used timestamptz,
  UNIQUE (provider, provider_ref),
  CHECK (is_active OR NOT is_default),
  CHECK (NOT is_active OR forget_at IS NULL));
CREATE UNIQUE INDEX payment_methods_default ON payment_methods (user_id) WHERE is_default;
CREATE INDEX payment_methods_user ON payment_methods (user_id, method_id) WHERE is_active;
CREATE INDEX payment_methods_forget ON payment_methods (forget_at) WHERE forget_at IS NOT NULL;

-- Where a player is paid. The destination itself is encrypted with a key that the database does not have; `masked` is for eyes,
-- `fingerprint` (keyed too) finds the same destination again. A destination is never changed: another one is another method.
CREATE TABLE withdrawal_methods (
  method_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id bigint NOT NULL REFERENCES users (id) ON DELETE RESTRICT,
  withdrawal_type text NOT NULL CHECK (withdrawal_type IN ('iban', 'ru_account', 'card', 'crypto')),
  network text CHECK (network IN ('TRC20', 'ERC20', 'BTC')),
  currency text REFERENCES currency (code),           -- the only wallet it can pay out; null: any
  destination bytea NOT NULL,
  fingerprint bytea NOT NULL,
  masked text NOT NULL CHECK (length(masked) BETWEEN 1 AND 80),
  is_default boolean NOT NULL DEFAULT false,
  is_active boolean NOT NULL DEFAULT true,
  verification_status text NOT NULL DEFAULT 'pending' CHECK (verification_status IN ('pending', 'verified', 'rejected')),
  is_verified boolean GENERATED ALWAYS AS (verification_status = 'verified') STORED,
  usable_at timestamptz NOT NULL,                     -- the end of the cooling time
  verified_at timestamptz,
  decided_by text,
  note text CHECK (length(note) <= 500),              -- why it was rejected
  created_at timestamptz NOT NULL DEFAULT now(),
  CHECK ((withdrawal_type = 'crypto') = (network IS NOT NULL)),
  CHECK ((verification_status = 'verified') = (verified_at IS NOT NULL)),
  CHECK (is_active OR NOT is_default));
CREATE UNIQUE INDEX withdrawal_methods_default ON withdrawal_methods (user_id) WHERE is_default;
CREATE UNIQUE INDEX withdrawal_methods_once ON withdrawal_methods (user_id, fingerprint) WHERE is_active;
CREATE INDEX withdrawal_methods_same ON withdrawal_methods (fingerprint);
CREATE INDEX withdrawal_methods_pending ON withdrawal_methods (method_id) WHERE verification_status = 'pending' AND is_active;

CREATE FUNCTION withdrawal_method_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.user_id, NEW.withdrawal_type, NEW.network, NEW.currency, NEW.fingerprint, NEW.masked, NEW.usable_at)
       IS DISTINCT FROM
     (OLD.user_id, OLD.withdrawal_type, OLD.network, OLD.currency, OLD.fingerprint, OLD.masked, OLD.usable_at) THEN
    RAISE EXCEPTION 'withdrawal method %: what it is cannot be changed', OLD.method_id USING ERRCODE = 'LB011';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER withdrawal_method_guard BEFORE UPDATE ON withdrawal_methods FOR EACH ROW EXECUTE FUNCTION withdrawal_method_guard();

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
  save_method boolean NOT NULL DEFAULT false,                 -- a deposit whose card is to be kept
  payment_method_id bigint REFERENCES payment_methods (method_id) ON DELETE RESTRICT,        -- a deposit by a kept card
  withdrawal_method_id bigint REFERENCES withdrawal_methods (method_id) ON DELETE RESTRICT,  -- where a withdrawal goes
  comment text CHECK (length(comment) BETWEEN 1 AND 500),     -- what the player says a withdrawal is for
  note text CHECK (length(note) BETWEEN 1 AND 500),           -- what the admin said who rejected it or saw it fail
  reminded_at timestamptz,                                    -- when the admins were last told that it waits
  message_id bigint,                                          -- the chat message that shows the link
  actor text NOT NULL,                                        -- who changed it last, for the audit log
  checks int NOT NULL DEFAULT 0,
  checked_at timestamptz,                             -- when a player last had the provider asked
  next_check_at timestamptz,                                  -- when to ask the provider; null: nothing left to ask
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  completed_at timestamptz,
  expires_at timestamptz,
  UNIQUE (user_id, request_key),
  UNIQUE (provider, provider_ref),
  FOREIGN KEY (currency, exponent) REFERENCES currency (code, exponent),
  CHECK ((status = 'completed') = (completed_at IS NOT NULL)),
  CHECK ((operation_type = 'deposit') = (expires_at IS NOT NULL)),
  CHECK ((operation_type = 'withdrawal') = (withdrawal_method_id IS NOT NULL)),
  CHECK (operation_type = 'deposit' OR (payment_method_id IS NULL AND NOT save_method)),
  CHECK ((status = 'completed') = (received_minor IS NOT NULL)),
  CHECK (operation_type = 'deposit' OR received_minor = amount_minor),
  CHECK (status <> 'completed' OR payment_ref IS NOT NULL));
CREATE UNIQUE INDEX wallet_operations_payment ON wallet_operations (provider, payment_ref) WHERE payment_ref IS NOT NULL;
CREATE INDEX wallet_operations_user ON wallet_operations (user_id, operation_id DESC);
CREATE INDEX wallet_operations_due ON wallet_operations (provider, next_check_at) WHERE next_check_at IS NOT NULL;
CREATE INDEX wallet_operations_queue ON wallet_operations (operation_id)
  WHERE operation_type = 'withdrawal' AND status IN ('review', 'approved', 'sending', 'unknown');
-- What was taken and paid in a period, and how many attempts it took, are told from these two alone.
CREATE INDEX wallet_operations_completed ON wallet_operations (completed_at)
  INCLUDE (operation_type, provider, currency, received_minor, user_id) WHERE completed_at IS NOT NULL;
CREATE INDEX wallet_operations_asked ON wallet_operations (created_at) INCLUDE (operation_type, provider, currency, status);
CREATE INDEX wallet_operations_open ON wallet_operations (user_id) WHERE status IN ('created', 'pending', 'unknown');

-- Which way a status may go. A deposit that failed, expired or was cancelled can still be paid: that is real money.
-- A withdrawal begins in review, where its money is held already; what ended stays as it ended.
CREATE TABLE operation_transition (
  operation_type text NOT NULL,
  old operation_status NOT NULL,
  new operation_status NOT NULL,
  PRIMARY KEY (operation_type, old, new));
INSERT INTO operation_transition (operation_type, old, new)
  SELECT 'deposit', old::operation_status, unnest(new)::operation_status FROM (VALUES
    ('created',   ARRAY['pending', 'unknown', 'failed', 'cancelled', 'expired', 'completed', 'review']),
    ('unknown',   ARRAY['pending', 'failed', 'cancelled', 'expired', 'completed', 'review']),
    ('pending',   ARRAY['unknown', 'failed', 'cancelled', 'expired', 'completed', 'review']),
    ('failed',    ARRAY['completed', 'review']),
    ('expired',   ARRAY['completed', 'review']),
    ('cancelled', ARRAY['completed', 'review']),
    ('review',    ARRAY['completed', 'cancelled'])) AS ways (old, new)
  UNION ALL
  SELECT 'withdrawal', old::operation_status, unnest(new)::operation_status FROM (VALUES
    ('review',    ARRAY['approved', 'cancelled']),
    ('approved',  ARRAY['sending', 'cancelled']),
    ('sending',   ARRAY['completed', 'failed', 'unknown']),
    ('unknown',   ARRAY['completed', 'failed', 'sending'])) AS ways (old, new);

CREATE FUNCTION operation_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.status <> OLD.status AND NOT EXISTS (SELECT FROM public.operation_transition t   -- and not somebody's own in pg_temp
      WHERE t.operation_type = OLD.operation_type AND t.old = OLD.status AND t.new = NEW.status) THEN
    RAISE EXCEPTION '% %: % to % is not allowed', OLD.operation_type, OLD.operation_id, OLD.status, NEW.status USING ERRCODE = 'LB010';
  END IF;
  IF (NEW.user_id, NEW.operation_type, NEW.provider, NEW.currency, NEW.amount_minor, NEW.request_key, NEW.public_id,
        NEW.save_method, NEW.payment_method_id, NEW.withdrawal_method_id)
       IS DISTINCT FROM
     (OLD.user_id, OLD.operation_type, OLD.provider, OLD.currency, OLD.amount_minor, OLD.request_key, OLD.public_id,
        OLD.save_method, OLD.payment_method_id, OLD.withdrawal_method_id)
     OR (OLD.provider_ref IS NOT NULL AND NEW.provider_ref IS DISTINCT FROM OLD.provider_ref)
     OR (OLD.status = 'completed' AND NEW.payment_ref IS DISTINCT FROM OLD.payment_ref) THEN
    RAISE EXCEPTION 'operation %: what it is cannot be changed', OLD.operation_id USING ERRCODE = 'LB011';
  END IF;
  NEW.updated_at := clock_timestamp();
  RETURN NEW;
END $$;
CREATE TRIGGER operation_guard BEFORE UPDATE ON wallet_operations FOR EACH ROW EXECUTE FUNCTION operation_guard();

CREATE FUNCTION operation_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.status <> (CASE NEW.operation_type WHEN 'deposit' THEN 'created' ELSE 'review' END)::operation_status THEN
    RAISE EXCEPTION 'a % does not begin as %', NEW.operation_type, NEW.status USING ERRCODE = 'LB010';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER operation_begins BEFORE INSERT ON wallet_operations FOR EACH ROW EXECUTE FUNCTION operation_begins();

-- Corrections by hand: plus gives to the player, minus takes. Above a limit a second admin has to agree.
CREATE TABLE adjustment (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id bigint NOT NULL REFERENCES users (id) ON DELETE RESTRICT,
  currency text NOT NULL REFERENCES currency (code),
  amount_minor bigint NOT NULL CHECK (amount_minor <> 0),
  reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
  status text NOT NULL DEFAULT 'proposed' CHECK (status IN ('proposed', 'posted', 'declined')),
  request_key text NOT NULL UNIQUE CHECK (length(request_key) <= 100),
  proposed_by bigint NOT NULL,                        -- Telegram ids of admins
  decided_by bigint,
  created_at timestamptz NOT NULL DEFAULT now(),
  decided_at timestamptz,
  CHECK ((status = 'proposed') = (decided_by IS NULL)),
  CHECK ((decided_by IS NULL) = (decided_at IS NULL)));
CREATE INDEX adjustment_open ON adjustment (id) WHERE status = 'proposed';
CREATE INDEX adjustment_user ON adjustment (user_id, id DESC);

-- Which admins agreed to a withdrawal: nobody counts twice.
CREATE TABLE approval (
  operation_id bigint NOT NULL REFERENCES wallet_operations (operation_id) ON DELETE RESTRICT,
  admin_id bigint NOT NULL,                           -- Telegram id
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (operation_id, admin_id));

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

-- ==== returns: money that a provider gave back, or that a bank took back

-- A refund or a dispute. Once booked, its amount is: taken from what the player had, owed because the player no longer had it,
-- forgiven by an admin, or taken from suspense when it had never been credited. Undone (a refund that failed, a dispute that was
-- won) all of it has gone back.
CREATE TABLE returned_payment (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  public_id uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),   -- what the provider knows a refund of ours by
  kind text NOT NULL CHECK (kind IN ('refund', 'dispute')),
  provider text NOT NULL CHECK (provider IN ('stripe', 'yookassa', 'cryptocloud')),
  provider_ref text,                                  -- re_…, du_…; null: asked for, and not answered yet
  payment_ref text NOT NULL,
  operation_id bigint REFERENCES wallet_operations (operation_id) ON DELETE RESTRICT,   -- null: of no operation
  user_id bigint REFERENCES users (id) ON DELETE RESTRICT,
  currency text NOT NULL REFERENCES currency (code),
  amount_minor bigint NOT NULL CHECK (amount_minor > 0),
  state text NOT NULL CHECK (state IN ('noted', 'booked', 'undone')),
  provider_state text NOT NULL,                       -- requested, pending, succeeded, failed, inquiry, open, won, lost
  taken_minor     bigint NOT NULL DEFAULT 0 CHECK (taken_minor >= 0),
  owed_minor      bigint NOT NULL DEFAULT 0 CHECK (owed_minor >= 0),
  forgiven_minor  bigint NOT NULL DEFAULT 0 CHECK (forgiven_minor >= 0),
  suspended_minor bigint NOT NULL DEFAULT 0 CHECK (suspended_minor >= 0),
  requested_by text,                                  -- the admin who had it sent back
  next_check_at timestamptz,                          -- when to ask the provider about one of ours
  occurred_at timestamptz NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (provider, kind, provider_ref),
  CHECK (taken_minor + owed_minor + forgiven_minor + suspended_minor = CASE state WHEN 'booked' THEN amount_minor ELSE 0 END));
CREATE INDEX returned_payment_debts ON returned_payment (id) WHERE owed_minor > 0;
CREATE INDEX returned_payment_user ON returned_payment (user_id, id DESC);
CREATE INDEX returned_payment_payment ON returned_payment (provider, payment_ref);
CREATE INDEX returned_payment_due ON returned_payment (next_check_at) WHERE next_check_at IS NOT NULL;

-- ==== reconciliation: money that fits no operation, and differences, until an admin settles them

-- What a provider says it did, as its lists tell.
CREATE TABLE provider_transaction (
  provider text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('payment', 'refund', 'dispute')),
  provider_ref text NOT NULL,
  payment_ref text,
  state text NOT NULL,
  currency text,                                      -- null: an amount that we cannot keep
  amount_minor bigint,
  occurred_at timestamptz NOT NULL,
  seen_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (provider, kind, provider_ref));
CREATE INDEX provider_transaction_time ON provider_transaction (provider, occurred_at);

CREATE TABLE recon_run (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  provider text NOT NULL,
  since timestamptz NOT NULL,
  actor text NOT NULL,
  seen int NOT NULL DEFAULT 0,
  mended int NOT NULL DEFAULT 0,                      -- booked late, by the normal path
  differences int NOT NULL DEFAULT 0,
  error text,
  started_at timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz);

CREATE TABLE recon_item (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  provider text NOT NULL,
  provider_ref text NOT NULL,
  problem text NOT NULL CHECK (problem IN ('unknown_payment', 'amount_differs', 'currency_differs', 'paid_twice',
    'missing_in_ledger', 'missing_at_provider', 'ledger_differs')),
  operation_id bigint REFERENCES wallet_operations (operation_id) ON DELETE RESTRICT,
  journal_id bigint REFERENCES ledger_journal (id) ON DELETE RESTRICT,   -- null: money in a currency we do not keep
  currency text,
  provider_minor bigint,
  ledger_minor bigint,
  state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'resolved')),
  decision text CHECK (decision IN ('credited', 'sent_back', 'closed', 'mended')),
  note text CHECK (length(note) <= 500),
  resolved_by text,
  resolved_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (provider, provider_ref, problem),
  CHECK ((state = 'open') = (resolved_at IS NULL)),
  CHECK ((state = 'open') = (decision IS NULL)));
CREATE INDEX recon_item_open ON recon_item (id) WHERE state = 'open';

-- ==== statements and reports: what the ledger says of a wallet, range by range

-- A wallet's movements in their order, as its player sees them. A wallet's number is its account's without the place: 4203 is player
-- 42 in currency 03. Three index scans merged, so that a range costs the same wherever it lies, and nothing is sorted.
CREATE FUNCTION wallet_lines(bigint, bigint, bigint)
  RETURNS TABLE (seq bigint, journal_id bigint, available bigint, bets bigint, withdrawals bigint, available_after bigint)
  LANGUAGE sql STABLE ROWS 5000 AS $$
  SELECT e.wallet_seq, min(e.journal_id),
         coalesce(sum(e.amount_minor) FILTER (WHERE e.place = 1), 0)::bigint,
         coalesce(sum(e.amount_minor) FILTER (WHERE e.place = 2), 0)::bigint,
         coalesce(sum(e.amount_minor) FILTER (WHERE e.place = 3), 0)::bigint, min(e.available_after)::bigint
    FROM (SELECT 1 AS place, * FROM ledger_entry WHERE account_id = $1 * 100 + 1 AND wallet_seq BETWEEN $2 AND $3
          UNION ALL
          SELECT 2, * FROM ledger_entry WHERE account_id = $1 * 100 + 2 AND wallet_seq BETWEEN $2 AND $3
          UNION ALL
          SELECT 3, * FROM ledger_entry WHERE account_id = $1 * 100 + 3 AND wallet_seq BETWEEN $2 AND $3) e
    GROUP BY e.wallet_seq ORDER BY e.wallet_seq
$$;

-- When a wallet's movement was booked, and what could be spent after it: null, and 0, for the beginning.
CREATE FUNCTION wallet_booked(bigint, bigint) RETURNS timestamptz LANGUAGE sql STABLE AS $$
  SELECT j.created_at FROM ledger_entry e JOIN ledger_journal j ON j.id = e.journal_id
    WHERE e.account_id IN ($1 * 100 + 1, $1 * 100 + 2, $1 * 100 + 3) AND e.wallet_seq = $2 LIMIT 1
$$;
CREATE FUNCTION wallet_available(bigint, bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT coalesce((SELECT e.available_after FROM ledger_entry e
    WHERE e.account_id IN ($1 * 100 + 1, $1 * 100 + 2, $1 * 100 + 3) AND e.wallet_seq = $2 LIMIT 1), 0)::bigint
$$;

-- The last movement of a wallet booked before a moment; 0: none. Times run almost as the numbers do (who waited for the wallet
-- may have begun earlier), so the place is halved down to with an hour to spare and then walked back to.
CREATE FUNCTION wallet_seq_before(p_wallet bigint, p_moment timestamptz) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_wallet wallet;
  v_low bigint := 0;
  v_high bigint;
  v_middle bigint;
BEGIN
  SELECT * INTO v_wallet FROM wallet WHERE id = p_wallet;
  IF v_wallet.seq IS NULL OR v_wallet.seq = 0 THEN
    RETURN 0;
  ELSIF v_wallet.last_transaction < p_moment THEN
    RETURN v_wallet.seq;
  END IF;
  v_high := v_wallet.seq + 1;
  WHILE v_low + 1 < v_high LOOP
    v_middle := (v_low + v_high) / 2;
    IF wallet_booked(p_wallet, v_middle) < p_moment + interval '1 h' THEN
      v_low := v_middle;
    ELSE
      v_high := v_middle;
    END IF;
  END LOOP;
  WHILE v_low > 0 AND wallet_booked(p_wallet, v_low) >= p_moment LOOP
    v_low := v_low - 1;
  END LOOP;
  RETURN v_low;
END $$;

-- What a range of a wallet's movements adds up to. A bet counts when it is settled; one that was settled wrongly and taken back
-- counts as minus one.
CREATE FUNCTION wallet_moved(bigint, bigint, bigint)
  RETURNS TABLE (deposited bigint, returned bigint, held bigint, staked bigint, won bigint, other bigint, withdrawn bigint,
    turnover bigint, lost bigint, bets_won bigint, bets_lost bigint, bets_void bigint)
  LANGUAGE sql STABLE ROWS 1 AS $$
  SELECT coalesce(sum(l.available) FILTER (WHERE k.kind IN ('deposit', 'suspense_released')), 0)::bigint,
         coalesce(sum(l.available) FILTER (WHERE k.kind IN ('refund', 'chargeback')), 0)::bigint,
         coalesce(sum(l.available) FILTER (WHERE k.kind IN ('withdrawal_hold', 'withdrawal_paid', 'withdrawal_release')), 0)::bigint,
         coalesce(sum(l.available) FILTER (WHERE k.kind IN ('bet_placed', 'bet_cancelled', 'bet_lost')), 0)::bigint,
         coalesce(sum(l.available) FILTER (WHERE k.kind = 'bet_won'), 0)::bigint,
         coalesce(sum(l.available) FILTER (WHERE k.kind NOT IN ('deposit', 'suspense_released', 'refund', 'chargeback', 'withdrawal_hold',
           'withdrawal_paid', 'withdrawal_release', 'bet_placed', 'bet_cancelled', 'bet_lost', 'bet_won')), 0)::bigint,
         coalesce(sum(-l.withdrawals) FILTER (WHERE k.kind = 'withdrawal_paid'), 0)::bigint,
         coalesce(sum(-l.bets) FILTER (WHERE k.kind IN ('bet_won', 'bet_lost')), 0)::bigint,
         coalesce(sum(-l.bets) FILTER (WHERE k.kind = 'bet_lost'), 0)::bigint,
         coalesce(sum(k.sign) FILTER (WHERE k.kind = 'bet_won'), 0),
         coalesce(sum(k.sign) FILTER (WHERE k.kind = 'bet_lost'), 0),
         coalesce(sum(k.sign) FILTER (WHERE k.kind = 'bet_cancelled'), 0)
    FROM wallet_lines($1, $2, $3) l JOIN ledger_journal j ON j.id = l.journal_id LEFT JOIN ledger_journal r ON r.id = j.reverses_id
      CROSS JOIN LATERAL (SELECT coalesce(r.kind, j.kind)::text AS kind, CASE WHEN r.id IS NULL THEN 1 ELSE -1 END AS sign) k
$$;

-- What a wallet's movements add up to from the first on, noted at every thousandth: so a long range costs no more than a short one.
-- A job writes them, and nothing but the speed of statistics depends on it.
CREATE TABLE wallet_checkpoint (
  wallet bigint NOT NULL REFERENCES wallet (id),
  seq bigint NOT NULL CHECK (seq > 0 AND seq % 1000 = 0),
  deposited bigint NOT NULL,
  returned bigint NOT NULL,
  held bigint NOT NULL,
  staked bigint NOT NULL,
  won bigint NOT NULL,
  other bigint NOT NULL,
  withdrawn bigint NOT NULL,
  turnover bigint NOT NULL,
  lost bigint NOT NULL,
  bets_won bigint NOT NULL,
  bets_lost bigint NOT NULL,
  bets_void bigint NOT NULL,
  PRIMARY KEY (wallet, seq));
CREATE TRIGGER wallet_checkpoint_rows BEFORE UPDATE OR DELETE ON wallet_checkpoint FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER wallet_checkpoint_truncate BEFORE TRUNCATE ON wallet_checkpoint FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- The sums from the first movement to this one: those of the last checkpoint on the way, and the rest.
CREATE FUNCTION wallet_sums(bigint, bigint) RETURNS SETOF wallet_checkpoint LANGUAGE sql STABLE ROWS 1 AS $$
  SELECT $1, $2, coalesce(c.deposited, 0) + m.deposited,
         coalesce(c.returned, 0) + m.returned,
         coalesce(c.held, 0) + m.held,
         coalesce(c.staked, 0) + m.staked,
         coalesce(c.won, 0) + m.won,
         coalesce(c.other, 0) + m.other,
         coalesce(c.withdrawn, 0) + m.withdrawn,
         coalesce(c.turnover, 0) + m.turnover,
         coalesce(c.lost, 0) + m.lost,
         coalesce(c.bets_won, 0) + m.bets_won,
         coalesce(c.bets_lost, 0) + m.bets_lost,
         coalesce(c.bets_void, 0) + m.bets_void
    FROM (SELECT) one LEFT JOIN LATERAL (SELECT * FROM wallet_checkpoint WHERE wallet = $1 AND seq <= $2 ORDER BY seq DESC LIMIT 1) c ON true
      CROSS JOIN LATERAL wallet_moved($1, coalesce(c.seq, 0) + 1, $2) m
$$;

-- Notes what is due, at most so many; answers how many. Called by the program, which may not write the table itself.
CREATE FUNCTION wallet_checkpoints(p_limit int) RETURNS int
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  v_due record;
  v_made int := 0;
BEGIN
  FOR v_due IN
      SELECT w.id, w.seq, coalesce((SELECT max(c.seq) FROM wallet_checkpoint c WHERE c.wallet = w.id), 0) AS noted
        FROM wallet w WHERE w.seq >= 1000 LOOP
    FOR v_seq IN v_due.noted / 1000 + 1 .. v_due.seq / 1000 LOOP
      EXIT WHEN v_made >= p_limit;
      INSERT INTO wallet_checkpoint SELECT * FROM wallet_sums(v_due.id, v_seq * 1000) ON CONFLICT DO NOTHING;
      v_made := v_made + 1;
    END LOOP;
  END LOOP;
  RETURN v_made;
END $$;

-- What a range of a wallet's movements comes to. The seven that begin with opening, moved by the next six, give closing.
CREATE FUNCTION wallet_summary(p_wallet bigint, p_first bigint, p_last bigint)
  RETURNS TABLE (movements bigint, opening bigint, deposited bigint, returned bigint, held bigint, staked bigint, won bigint,
    other bigint, closing bigint, withdrawn bigint, turnover bigint, lost bigint, bets_won bigint, bets_lost bigint, bets_void bigint)
  LANGUAGE plpgsql STABLE ROWS 1 AS $$
BEGIN
  IF p_last - p_first < 1000 THEN
    RETURN QUERY SELECT p_last - p_first + 1, wallet_available(p_wallet, p_first - 1), m.deposited, m.returned, m.held, m.staked, m.won,
        m.other, wallet_available(p_wallet, p_last), m.withdrawn, m.turnover, m.lost, m.bets_won, m.bets_lost, m.bets_void
      FROM wallet_moved(p_wallet, p_first, p_last) m;
  ELSE
    RETURN QUERY SELECT p_last - p_first + 1, wallet_available(p_wallet, p_first - 1), t.deposited - f.deposited,
        t.returned - f.returned, t.held - f.held, t.staked - f.staked, t.won - f.won, t.other - f.other,
        wallet_available(p_wallet, p_last), t.withdrawn - f.withdrawn, t.turnover - f.turnover, t.lost - f.lost,
        t.bets_won - f.bets_won, t.bets_lost - f.bets_lost, t.bets_void - f.bets_void
      FROM wallet_sums(p_wallet, p_last) t, wallet_sums(p_wallet, p_first - 1) f;
  END IF;
END $$;

-- A wallet's month, made once when it is over. The range of movements says exactly what is in it, so it can be told again from the
-- ledger at any time: it begins where the one before it ended, whatever the clock said while midnight passed.
CREATE TABLE monthly_statements (
  statement_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id bigint NOT NULL REFERENCES users (id) ON DELETE RESTRICT,
  currency text COLLATE "C" NOT NULL,
  unit numeric NOT NULL,
  year smallint NOT NULL CHECK (year BETWEEN 2000 AND 2999),
  month smallint NOT NULL CHECK (month BETWEEN 1 AND 12),
  first_seq bigint NOT NULL CHECK (first_seq > 0),
  last_seq bigint NOT NULL,
  opening_minor     bigint NOT NULL CHECK (opening_minor >= 0),
  closing_minor     bigint NOT NULL CHECK (closing_minor >= 0),
  deposits_minor    bigint NOT NULL,
  withdrawals_minor bigint NOT NULL,                  -- paid out in this month
  bets_minor        bigint NOT NULL,                  -- stakes placed in this month, less those given back
  turnover_minor    bigint NOT NULL,                  -- stakes of the bets settled in this month
  wins_minor        bigint NOT NULL,                  -- their payouts, the stake in them
  losses_minor      bigint NOT NULL,
  won_count int NOT NULL,
  lost_count int NOT NULL,
  void_count int NOT NULL,
  opening_balance   numeric GENERATED ALWAYS AS (opening_minor * unit) STORED,
  closing_balance   numeric GENERATED ALWAYS AS (closing_minor * unit) STORED,
  total_deposits    numeric GENERATED ALWAYS AS (deposits_minor * unit) STORED,
  total_withdrawals numeric GENERATED ALWAYS AS (withdrawals_minor * unit) STORED,
  total_bets        numeric GENERATED ALWAYS AS (bets_minor * unit) STORED,
  total_wins        numeric GENERATED ALWAYS AS (wins_minor * unit) STORED,
  total_losses      numeric GENERATED ALWAYS AS (losses_minor * unit) STORED,
  net_profit        numeric GENERATED ALWAYS AS ((wins_minor - turnover_minor) * unit) STORED,
  bets_count int GENERATED ALWAYS AS (won_count + lost_count) STORED,
  win_rate_percent numeric GENERATED ALWAYS AS (round(100.0 * won_count / nullif(greatest(won_count + lost_count, 0), 0), 2)) STORED,
  roi_percent numeric GENERATED ALWAYS AS (round(100.0 * (wins_minor - turnover_minor) / nullif(greatest(turnover_minor, 0), 0), 2)) STORED,
  transaction_count bigint GENERATED ALWAYS AS (last_seq - first_seq + 1) STORED,
  generated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (user_id, currency, year, month),
  UNIQUE (user_id, currency, first_seq),
  FOREIGN KEY (currency, unit) REFERENCES currency (code, unit),
  CHECK (last_seq >= first_seq));
CREATE TRIGGER monthly_statements_rows BEFORE UPDATE OR DELETE ON monthly_statements FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER monthly_statements_truncate BEFORE TRUNCATE ON monthly_statements FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- What a player asked to have in writing. Ranges of movements and not times: whenever it is written, it says the same.
CREATE TABLE report (
  report_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id bigint NOT NULL REFERENCES users (id) ON DELETE RESTRICT,
  request_key text NOT NULL CHECK (length(request_key) <= 100),
  format text NOT NULL CHECK (format IN ('csv', 'pdf')),
  language text NOT NULL CHECK (language IN ('ru', 'en')),
  operations boolean NOT NULL,
  bets boolean NOT NULL,
  statistics boolean NOT NULL,
  since timestamptz,                                  -- null: from the beginning
  until timestamptz NOT NULL,
  statement_id bigint REFERENCES monthly_statements (statement_id) ON DELETE RESTRICT,
  name text NOT NULL,                                 -- the player's, on the day
  currencies text[] NOT NULL,
  first_seqs bigint[] NOT NULL,
  last_seqs bigint[] NOT NULL,                        -- one less than the first: no movement in the period
  sealed_seq bigint NOT NULL,                         -- the head of the ledger's chain when it was asked for
  sealed_hash bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,                    -- of its link
  UNIQUE (user_id, request_key),
  CHECK (operations OR bets OR statistics),
  CHECK (cardinality(currencies) = cardinality(first_seqs) AND cardinality(currencies) = cardinality(last_seqs)));
CREATE INDEX report_user ON report (user_id, report_id DESC);
CREATE TRIGGER report_rows BEFORE UPDATE OR DELETE ON report FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER report_truncate BEFORE TRUNCATE ON report FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- A text that a spreadsheet program will not take for a formula, whoever wrote it: https://owasp.org/www-community/attacks/CSV_Injection
CREATE FUNCTION csv_text(text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN regexp_replace($1, '(^|;)(\s*[-=+@＝＋－＠\t\r\n])', '\1''\2', 'g');   -- where ; parts cells, each begins anew

-- ==== inbox: what a provider delivered, kept before it is acted on

CREATE TABLE webhook_inbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  provider text NOT NULL CHECK (provider IN ('stripe', 'yookassa', 'cryptocloud') OR provider ~ '^casino:[a-z0-9]{1,20}$'),
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
  replays int NOT NULL DEFAULT 0,                     -- how often an admin had it tried again after it was given up
  lease uuid,
  run_at timestamptz NOT NULL DEFAULT now(),
  last_error text,
  received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  done_at timestamptz,
  UNIQUE (provider, event_id));
CREATE INDEX webhook_inbox_dead ON webhook_inbox (id) WHERE state = 'dead';
CREATE INDEX webhook_inbox_bodies ON webhook_inbox (received_at) WHERE body <> '';
CREATE INDEX webhook_inbox_due ON webhook_inbox (rereads, run_at, id) WHERE state = 'queued';

-- ==== casinos: what their affiliate programmes report of players who came by our links. It is no money of ours: no wallet knows it.

-- A player's own link to a programme. The click id is random and the only thing the programme learns of the player.
CREATE TABLE casino_click (
  click_id text COLLATE "C" PRIMARY KEY CHECK (click_id ~ '^[0-9a-f]{16,64}$'),
  programme text COLLATE "C" NOT NULL CHECK (programme ~ '^[a-z0-9]{1,20}$'),
  user_id bigint NOT NULL REFERENCES users (id) ON DELETE RESTRICT,
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (programme, user_id));

-- Whose account at the casino is whose: bound once, never moved.
CREATE TABLE casino_account (
  programme text COLLATE "C" NOT NULL CHECK (programme ~ '^[a-z0-9]{1,20}$'),
  casino_id text COLLATE "C" NOT NULL CHECK (length(casino_id) BETWEEN 1 AND 64),
  user_id bigint NOT NULL REFERENCES users (id) ON DELETE RESTRICT,
  bound_by text NOT NULL,                             -- `postback`, or `admin:<telegram id>`
  bound_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (programme, casino_id),
  UNIQUE (programme, user_id));

CREATE INDEX casino_account_bound ON casino_account (bound_at) INCLUDE (programme, user_id);

-- What happened at the casino, each thing once, however often and under however many words it was reported.
CREATE TABLE casino_event (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  programme text COLLATE "C" NOT NULL CHECK (programme ~ '^[a-z0-9]{1,20}$'),
  kind text NOT NULL CHECK (kind IN ('registration', 'deposit', 'withdrawal', 'win', 'unknown')),
  dedupe_key text COLLATE "C" NOT NULL CHECK (length(dedupe_key) BETWEEN 1 AND 255),
  weak boolean NOT NULL,                              -- no transaction id: told apart by who, how much and when
  words text[] NOT NULL,                              -- the event words it was reported under
  first boolean NOT NULL DEFAULT false,               -- one of them says that it is the player's first deposit
  casino_id text COLLATE "C",
  click_id text,                                      -- as it came; not every one is ours
  user_id bigint REFERENCES users (id) ON DELETE RESTRICT,   -- null: waits for its player
  amount numeric CHECK (amount > 0 AND amount < 1e15),
  currency text CHECK (currency ~ '^[A-Z]{3,5}$'),
  country text,
  problem text,                                       -- why it is only kept and shown, and counts nowhere
  occurred_at timestamptz NOT NULL,                   -- by the casino's word, else when it was received
  received_at timestamptz NOT NULL,
  linked_at timestamptz,
  delivery_id bigint REFERENCES webhook_inbox (id),
  seen_at timestamptz,                                -- when an admin had looked at what is odd
  UNIQUE (programme, dedupe_key),
  CHECK ((user_id IS NULL) = (linked_at IS NULL)),
  CHECK ((amount IS NULL) = (currency IS NULL)),
  CHECK (problem IS NOT NULL OR kind = 'registration' OR (kind IN ('deposit', 'withdrawal', 'win') AND amount IS NOT NULL)));
-- The deposits that count: who has one, when the first came, how many followed.
CREATE INDEX casino_event_deposits ON casino_event (user_id, occurred_at) INCLUDE (programme)
  WHERE kind = 'deposit' AND problem IS NULL AND user_id IS NOT NULL;
CREATE INDEX casino_event_player ON casino_event (user_id, id DESC) WHERE user_id IS NOT NULL;
CREATE INDEX casino_event_waiting ON casino_event (programme, casino_id) WHERE user_id IS NULL;
CREATE INDEX casino_event_unseen ON casino_event (id) WHERE problem IS NOT NULL AND seen_at IS NULL;
CREATE INDEX casino_event_odd ON casino_event (id) WHERE problem IS NOT NULL;
CREATE INDEX casino_event_weak ON casino_event (programme, coalesce(casino_id, click_id), received_at) WHERE weak;
CREATE INDEX casino_event_programme ON casino_event (programme, id DESC);
CREATE INDEX casino_event_kind ON casino_event (kind, occurred_at);

-- When something was told last that is told only so often: a player's wins, odd postbacks.
CREATE TABLE told_lately (
  what text COLLATE "C" PRIMARY KEY,
  told_at timestamptz NOT NULL DEFAULT now());

-- Who is in the channel that must be joined before signals open, as Telegram said last.
CREATE TABLE channel_member (
  user_id bigint PRIMARY KEY REFERENCES users (id) ON DELETE RESTRICT,
  member boolean NOT NULL,
  checked_at timestamptz NOT NULL DEFAULT now());

-- ==== signals: an admin's picks, written down before the start and never changed

CREATE TABLE signal (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  request_key text NOT NULL UNIQUE CHECK (length(request_key) <= 100),
  event text NOT NULL CHECK (length(event) BETWEEN 3 AND 200),
  pick text NOT NULL CHECK (length(pick) BETWEEN 1 AND 200),
  odds numeric(6, 2) NOT NULL CHECK (odds BETWEEN 1.01 AND 1000),
  starts_at timestamptz NOT NULL,
  note text CHECK (length(note) BETWEEN 1 AND 500),
  published_by bigint NOT NULL,
  published_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  withdrawn_at timestamptz,                           -- the record still counts it
  withdrawn_by bigint,
  result text CHECK (result IN ('won', 'lost', 'void')),
  result_at timestamptz,
  result_by bigint,
  CHECK (published_at < starts_at),
  CHECK ((withdrawn_at IS NULL) = (withdrawn_by IS NULL)),
  CHECK ((result IS NULL) = (result_at IS NULL) AND (result IS NULL) = (result_by IS NULL)),
  CHECK (result_at > starts_at));
CREATE INDEX signal_waiting ON signal (starts_at) WHERE result IS NULL;
-- Nothing is dated back, and nothing published is changed.
CREATE FUNCTION signal_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF greatest(NEW.withdrawn_at, NEW.result_at, NEW.published_at) > clock_timestamp() THEN
    RAISE EXCEPTION 'nothing happened to a signal in the future';
  END IF;
  IF TG_OP = 'INSERT' THEN
    IF NEW.published_at < clock_timestamp() - interval '1 minute' OR NEW.withdrawn_at IS NOT NULL OR NEW.result IS NOT NULL THEN
      RAISE EXCEPTION 'a signal is published now';
    END IF;
    RETURN NEW;
  END IF;
  IF (OLD.id, OLD.request_key, OLD.event, OLD.pick, OLD.odds, OLD.starts_at, OLD.note, OLD.published_by, OLD.published_at)
      IS DISTINCT FROM (NEW.id, NEW.request_key, NEW.event, NEW.pick, NEW.odds, NEW.starts_at, NEW.note, NEW.published_by, NEW.published_at)
    OR (OLD.withdrawn_at IS NOT NULL AND (OLD.withdrawn_at, OLD.withdrawn_by) IS DISTINCT FROM (NEW.withdrawn_at, NEW.withdrawn_by))
    OR (OLD.result IS NOT NULL AND (OLD.result, OLD.result_at, OLD.result_by) IS DISTINCT FROM (NEW.result, NEW.result_at, NEW.result_by)) THEN
    RAISE EXCEPTION 'a published signal is not changed';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER signal_guard BEFORE INSERT OR UPDATE ON signal FOR EACH ROW EXECUTE FUNCTION signal_guard();
CREATE TRIGGER signal_rows BEFORE DELETE ON signal FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER signal_truncate BEFORE TRUNCATE ON signal FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- ==== broadcasts: one message to many, sent behind everything else

CREATE TABLE broadcast (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  request_key text NOT NULL UNIQUE CHECK (length(request_key) <= 100),
  text text NOT NULL CHECK (length(text) BETWEEN 1 AND 4096),
  entities jsonb NOT NULL DEFAULT '[]',               -- its formatting, as Telegram gave it: nothing in the text is markup
  photo text CHECK (length(photo) <= 255),            -- Telegram's file_id
  button_text text CHECK (length(button_text) BETWEEN 1 AND 64),
  button_url text CHECK (length(button_url) <= 500),
  language text CHECK (language IN ('ru', 'en')),     -- the audience; null: any
  deposited boolean,                                  -- has, or has never, paid in: here or at a casino
  inactive_days int CHECK (inactive_days BETWEEN 1 AND 3650),   -- not seen for so long
  linked boolean,                                     -- has, or has no, account at a casino
  state text NOT NULL DEFAULT 'sending' CHECK (state IN ('sending', 'paused', 'stopped', 'done')),
  total int NOT NULL CHECK (total >= 0),              -- how many were counted when it began
  walks_to bigint NOT NULL CHECK (walks_to >= 0),     -- the newest player when it began: who comes later gets none
  walked_to bigint NOT NULL DEFAULT 0,                -- players up to this one have their messages in the outbox
  created_by bigint NOT NULL,
  message_id bigint,                                  -- the admin's message that shows how far it is; null: none, or it shows the end
  shown text,                                         -- what it shows
  shown_at timestamptz,                               -- and since when: Telegram takes an edit in some seconds
  created_at timestamptz NOT NULL DEFAULT now(),
  ended_at timestamptz,                               -- when the last of its messages was sent or given up
  CHECK ((button_text IS NULL) = (button_url IS NULL)),
  CHECK (CASE state WHEN 'done' THEN ended_at IS NOT NULL WHEN 'stopped' THEN true ELSE ended_at IS NULL END));
CREATE INDEX broadcast_open ON broadcast (id) WHERE ended_at IS NULL;
CREATE INDEX broadcast_shown ON broadcast (id) WHERE message_id IS NOT NULL;

-- ==== outbox: what a person will be told, written in the transaction of the fact it tells

CREATE TABLE outbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  dedupe_key text NOT NULL UNIQUE,
  chat_id bigint NOT NULL,
  text_id text NOT NULL,
  arguments jsonb NOT NULL,
  edits bigint,                                       -- the message to change; null: send a new one
  shows_operation bigint REFERENCES wallet_operations (operation_id),   -- the message will show its payment link
  report_id bigint REFERENCES report (report_id),     -- the document to be made and sent; `edits` then shows how far it is
  broadcast_id bigint REFERENCES broadcast (id),      -- the message is this one's
  signal_id bigint REFERENCES signal (id),            -- the message is this signal: who was sent it hears what becomes of it
  priority smallint NOT NULL DEFAULT 5,               -- 0 money, 5 the rest, 7 signals, 9 broadcasts
  state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'held', 'sent', 'dead')),   -- held: its broadcast is paused
  let_go_at timestamptz,                              -- dead, and nobody's work: an admin says so, or the chat cannot be reached
  attempts int NOT NULL DEFAULT 0,
  replays int NOT NULL DEFAULT 0,                     -- how often an admin had it tried again after it was given up
  lease uuid,
  run_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,                             -- stale news is dropped
  last_error text,
  telegram_message_id bigint,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  tried_at timestamptz,                               -- the first attempt: a day after it a message is given up
  done_at timestamptz);
CREATE INDEX outbox_due ON outbox (priority, run_at, id) WHERE state = 'queued';
CREATE INDEX outbox_dead ON outbox (id) WHERE state = 'dead' AND let_go_at IS NULL AND broadcast_id IS NULL;
CREATE INDEX outbox_broadcast ON outbox (broadcast_id, state) WHERE broadcast_id IS NOT NULL;
CREATE INDEX outbox_signal ON outbox (signal_id) WHERE signal_id IS NOT NULL;
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
  found int,                                          -- how many things are wrong, if that is what the job looks for
  created_at timestamptz NOT NULL DEFAULT now(),
  done_at timestamptz);
CREATE INDEX job_due ON job (run_at, id) WHERE state = 'queued';

-- ==== alerts: what somebody should look into; each is told when it opens, and is open until it is over

CREATE TABLE alert (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('silence', 'queue', 'conversion')),
  subject text NOT NULL,                              -- who or what: stripe, casino:1win, inbox
  since timestamptz NOT NULL,                         -- from when on it was wrong
  opened_at timestamptz NOT NULL DEFAULT now(),
  closed_at timestamptz);
CREATE UNIQUE INDEX alert_open ON alert (kind, subject) WHERE closed_at IS NULL;

-- ==== figures: for monitoring, how often operations came to each status

-- Added up from the audit log once a minute up to the line in operation_tallied, so that nobody has to count a long history.
CREATE TABLE operation_tally (
  operation_type text NOT NULL,
  provider text NOT NULL,
  currency text NOT NULL,
  status text NOT NULL,
  operations bigint NOT NULL,
  minor numeric NOT NULL,
  PRIMARY KEY (operation_type, provider, currency, status));
CREATE TABLE operation_tallied (
  through bigint NOT NULL);
INSERT INTO operation_tallied (through) VALUES (0);

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
      LEFT JOIN LATERAL (
        SELECT sum(e.amount_minor) AS amount, bool_or(j.kind = 'deposit') AS as_asked
          FROM ledger_journal j JOIN ledger_entry e ON e.journal_id = j.id JOIN ledger_account a ON a.id = e.account_id
          WHERE (j.idempotency_key, j.kind::text) IN (
              ('deposit:' || o.provider || ':' || o.payment_ref, 'deposit'),
              ('suspense:' || o.provider || ':' || o.payment_ref || ':credit', 'suspense_released'))
            AND j.entity_type = 'operation' AND j.entity_id = o.operation_id AND j.user_id = o.user_id
            AND a.kind = 'available' AND a.currency = o.currency AND a.user_id = o.user_id) e ON true
      WHERE o.operation_type = 'deposit' AND o.status = 'completed'
        AND (e.amount IS DISTINCT FROM o.received_minor OR (e.as_asked AND o.received_minor <> o.amount_minor));
  RETURN QUERY  -- and no other deposit has one
    SELECT 'I10 deposit journal has its completed operation', format('journal %s', j.id)
      FROM ledger_journal j
      LEFT JOIN wallet_operations o ON j.entity_type = 'operation' AND o.operation_id = j.entity_id
        AND j.idempotency_key = 'deposit:' || o.provider || ':' || o.payment_ref AND o.status = 'completed'
      WHERE j.kind = 'deposit' AND o.operation_id IS NULL;
  RETURN QUERY  -- an operation is what the audit log, which a trigger writes, said of it last: whose, how much, where, how it stands
    SELECT 'operation is what the audit log says', format('operation %s', coalesce(o.operation_id, l.entity_id))
      FROM wallet_operations o
      FULL JOIN (SELECT DISTINCT ON (l.entity_id) l.* FROM audit_log l
          WHERE l.entity_type = 'operation' AND l.action IN ('deposit', 'withdrawal') ORDER BY l.entity_id, l.log_id DESC) l
        ON l.entity_id = o.operation_id
      LEFT JOIN currency y ON y.code = o.currency AND y.exponent = o.exponent
      WHERE y.code IS NULL OR (o.operation_type, o.status::text, o.user_id, o.amount_minor, o.currency, o.provider)
          IS DISTINCT FROM (l.action, l.status, l.user_id, l.amount_minor, l.currency, l.details ->> 'provider')
        OR (o.status IN ('completed', 'review') AND o.payment_ref IS DISTINCT FROM l.details ->> 'payment');
  RETURN QUERY  -- what is held is what is on its way
    SELECT 'I9 money held for withdrawals is that of open withdrawals', format('player %s, %s', w.user_id, w.currency)
      FROM wallet w
      LEFT JOIN LATERAL (SELECT coalesce(sum(o.amount_minor), 0) AS amount FROM wallet_operations o
        WHERE o.user_id = w.user_id AND o.currency = w.currency AND o.operation_type = 'withdrawal'
          AND o.status IN ('review', 'approved', 'sending', 'unknown')) o ON true
      WHERE w.withdrawals_minor <> o.amount;
  RETURN QUERY  -- a withdrawal was held, and ended in the ledger as it ended in its row, each time in full and in its player's wallet
    SELECT 'I9 withdrawal has its journals', format('operation %s', o.operation_id)
      FROM wallet_operations o JOIN currency y ON y.code = o.currency
      CROSS JOIN LATERAL (SELECT (o.user_id * 100 + y.number) * 100 + 3 AS account) w
      LEFT JOIN ledger_journal h ON h.idempotency_key = 'withdrawal:' || o.operation_id || ':hold' AND h.kind = 'withdrawal_hold'
      LEFT JOIN ledger_entry held ON held.journal_id = h.id AND held.account_id = w.account
      LEFT JOIN ledger_journal e ON e.idempotency_key = 'withdrawal:' || o.operation_id || ':end'
      LEFT JOIN ledger_entry ended ON ended.journal_id = e.id AND ended.account_id = w.account
      WHERE o.operation_type = 'withdrawal' AND (e.kind::text IS DISTINCT FROM
        CASE o.status WHEN 'completed' THEN 'withdrawal_paid' WHEN 'failed' THEN 'withdrawal_release'
          WHEN 'cancelled' THEN 'withdrawal_release' END
        OR held.amount_minor IS DISTINCT FROM o.amount_minor OR (e.id IS NOT NULL AND ended.amount_minor IS DISTINCT FROM -o.amount_minor));
  RETURN QUERY  -- nothing goes out that nobody agreed to, or to where no admin has verified that its player is paid
    SELECT 'withdrawal was agreed to and goes to a verified method of its player', format('operation %s', o.operation_id)
      FROM wallet_operations o LEFT JOIN withdrawal_methods m ON m.method_id = o.withdrawal_method_id
      WHERE o.operation_type = 'withdrawal' AND (m.user_id IS DISTINCT FROM o.user_id OR m.verification_status <> 'verified'
        OR (o.status NOT IN ('review', 'cancelled') AND NOT EXISTS (SELECT FROM approval a WHERE a.operation_id = o.operation_id)));
  RETURN QUERY  -- who agreed left a line of it
    SELECT 'approval is in the audit log', format('operation %s, admin %s', a.operation_id, a.admin_id)
      FROM approval a
      WHERE NOT EXISTS (SELECT FROM audit_log l WHERE l.entity_type = 'operation' AND l.entity_id = a.operation_id
        AND l.actor = 'admin:' || a.admin_id AND (l.action, l.status) IN (('withdrawal', 'approved'), ('withdrawal-agreed', 'review')));
  RETURN QUERY
    SELECT 'withdrawal journal has its operation', format('journal %s', j.id)
      FROM ledger_journal j
      LEFT JOIN wallet_operations o ON o.operation_type = 'withdrawal' AND j.entity_type = 'operation' AND o.operation_id = j.entity_id
        AND j.idempotency_key IN ('withdrawal:' || o.operation_id || ':hold', 'withdrawal:' || o.operation_id || ':end')
      WHERE j.kind IN ('withdrawal_hold', 'withdrawal_paid', 'withdrawal_release') AND o.operation_id IS NULL;
  RETURN QUERY  -- a correction that counts was agreed to, and the other way round
    SELECT 'adjustment has its journal', coalesce('adjustment ' || a.id, format('journal %s, %s', j.id, j.idempotency_key))
      FROM (SELECT * FROM adjustment WHERE status = 'posted') a
      FULL JOIN (SELECT j.*, e.amount, e.currency FROM ledger_journal j
          CROSS JOIN LATERAL (SELECT sum(e.amount_minor) AS amount, min(c.currency) AS currency FROM ledger_entry e
              JOIN ledger_account c ON c.id = e.account_id AND c.kind = 'available'
            WHERE e.journal_id = j.id) e
          WHERE j.kind = 'adjustment' AND j.entity_type = 'adjustment') j
        ON j.idempotency_key = 'adjustment:' || a.id AND j.user_id = a.user_id
      WHERE (j.amount, j.currency, j.actor::text, j.description)
        IS DISTINCT FROM (a.amount_minor, a.currency, 'admin:' || a.decided_by, a.reason);
  RETURN QUERY  -- what players owe us is what the ledger says they owe
    SELECT 'receivables are what players owe', coalesce(d.currency, l.currency)
      FROM (SELECT r.currency, sum(r.owed_minor) AS amount FROM returned_payment r GROUP BY 1) d
      FULL JOIN (SELECT a.currency, -sum(e.amount_minor) AS amount FROM ledger_entry e JOIN ledger_account a ON a.id = e.account_id
          WHERE a.kind = 'receivable' GROUP BY 1) l ON l.currency = d.currency
      WHERE coalesce(d.amount, 0) <> coalesce(l.amount, 0);
  RETURN QUERY  -- a refund or dispute is booked if and only if it says so, and split as it says
    SELECT 'returned payment has its journals', format('returned payment %s', r.id)
      FROM returned_payment r
      LEFT JOIN ledger_journal b ON b.idempotency_key = r.kind || ':' || r.provider || ':' || r.provider_ref
      LEFT JOIN ledger_journal u ON u.idempotency_key = r.kind || ':' || r.provider || ':' || r.provider_ref || ':undo'
      CROSS JOIN LATERAL (
        SELECT coalesce(sum(e.amount_minor) FILTER (WHERE j.id = b.id AND c.code = 'provider:' || r.provider || ':' || r.currency), 0) AS whole,
            coalesce(sum(e.amount_minor) FILTER (WHERE j.id = u.id AND c.code = 'provider:' || r.provider || ':' || r.currency), 0) AS undone,
            coalesce(-sum(e.amount_minor) FILTER (WHERE c.kind = 'available' AND c.user_id = r.user_id), 0) AS taken,
            coalesce(-sum(e.amount_minor) FILTER (WHERE c.kind = 'receivable'), 0) AS owed,
            coalesce(-sum(e.amount_minor) FILTER (WHERE c.kind = 'adjustment'), 0) AS forgiven,
            coalesce(-sum(e.amount_minor) FILTER (WHERE c.kind = 'suspense'), 0) AS suspended
          FROM ledger_journal j JOIN ledger_entry e ON e.journal_id = j.id JOIN ledger_account c ON c.id = e.account_id
          WHERE j.id IN (b.id, u.id) OR (j.idempotency_key >= 'debt:' || r.id || ':' AND j.idempotency_key < 'debt:' || r.id || ';')) l
      WHERE CASE r.state WHEN 'booked' THEN b.id IS NULL OR u.id IS NOT NULL WHEN 'noted' THEN b.id IS NOT NULL
        ELSE (b.id IS NULL) <> (u.id IS NULL) END
        OR l.whole <> CASE WHEN b.id IS NULL THEN 0 ELSE r.amount_minor END
        OR l.undone <> CASE WHEN u.id IS NULL THEN 0 ELSE -r.amount_minor END
        OR (r.taken_minor, r.owed_minor, r.forgiven_minor, r.suspended_minor) IS DISTINCT FROM (l.taken, l.owed, l.forgiven, l.suspended)
        OR (b.id IS NOT NULL AND r.payment_ref IS DISTINCT FROM b.metadata ->> CASE r.provider WHEN 'stripe' THEN 'payment_intent' ELSE 'payment' END)
        OR (b.entity_type = 'operation' AND b.entity_id IS DISTINCT FROM r.operation_id);
  RETURN QUERY  -- and takes from, or is owed by, who had that payment's money then, if anybody
    SELECT 'returned payment is its payer''s', format('returned payment %s', r.id)
      FROM returned_payment r JOIN ledger_journal b ON b.idempotency_key = r.kind || ':' || r.provider || ':' || r.provider_ref
      CROSS JOIN LATERAL (
        SELECT array_agg(j.user_id) AS holders FROM ledger_journal j
          WHERE j.id < b.id AND j.user_id IS NOT NULL AND (j.idempotency_key = 'deposit:' || r.provider || ':' || r.payment_ref
            OR (j.idempotency_key >= 'suspense:' || r.provider || ':' || r.payment_ref || ':credit'   -- and :2, :3, …
              AND j.idempotency_key < 'suspense:' || r.provider || ':' || r.payment_ref || ':credit;'))) h
      WHERE r.taken_minor + r.owed_minor + r.forgiven_minor > 0
        AND (r.user_id = ANY (h.holders) OR (r.user_id IS NULL AND h.holders IS NULL)) IS NOT TRUE;
  RETURN QUERY
    SELECT 'return journal has its returned payment', format('journal %s, %s', j.id, j.idempotency_key)
      FROM ledger_journal j
      LEFT JOIN returned_payment r ON r.kind || ':' || r.provider || ':' || r.provider_ref = regexp_replace(j.idempotency_key, ':undo$', '')
      LEFT JOIN returned_payment d ON 'debt:' || d.id = substring(j.idempotency_key FROM '^debt:[0-9]+')
      WHERE j.kind IN ('refund', 'chargeback') AND r.id IS NULL AND d.id IS NULL;
  RETURN QUERY  -- nobody is credited in silence
    SELECT 'I12 credited player has a message', format('operation %s', o.operation_id)
      FROM wallet_operations o
      WHERE o.operation_type = 'deposit' AND o.status = 'completed'
        AND NOT EXISTS (SELECT FROM outbox x JOIN users u ON u.telegram_id = x.chat_id
          WHERE x.dedupe_key = 'deposit-credited:' || o.operation_id AND u.id = o.user_id);
  RETURN QUERY
    SELECT 'I12 ended withdrawal has a message', format('operation %s', o.operation_id)
      FROM wallet_operations o
      WHERE o.operation_type = 'withdrawal' AND o.status IN ('completed', 'failed', 'cancelled')
        AND NOT EXISTS (SELECT FROM outbox x JOIN users u ON u.telegram_id = x.chat_id
          WHERE x.dedupe_key = 'withdrawal-' || o.status || ':' || o.operation_id AND u.id = o.user_id);
  RETURN QUERY
    SELECT 'I12 corrected player has a message', format('adjustment %s', a.id)
      FROM adjustment a
      WHERE a.status = 'posted' AND NOT EXISTS (SELECT FROM outbox x JOIN users u ON u.telegram_id = x.chat_id
        WHERE x.dedupe_key = 'adjustment-posted:' || a.id AND u.id = a.user_id);
  RETURN QUERY  -- money in suspense waits for somebody, as the payment that it is
    SELECT 'suspense has an item to settle', format('journal %s', coalesce(j.id, r.journal_id))
      FROM (SELECT j.id, j.idempotency_key, e.amount_minor, a.currency
          FROM ledger_journal j JOIN ledger_entry e ON e.journal_id = j.id JOIN ledger_account a ON a.id = e.account_id AND a.kind = 'suspense'
          WHERE j.kind = 'suspense') j
        FULL JOIN (SELECT * FROM recon_item WHERE journal_id IS NOT NULL) r ON r.journal_id = j.id
      WHERE (j.idempotency_key, j.amount_minor, j.currency)
        IS DISTINCT FROM ('deposit:' || r.provider || ':' || r.provider_ref, r.provider_minor, r.currency);
  RETURN QUERY
    SELECT 'deposit in review has an item to settle', format('operation %s', o.operation_id)
      FROM wallet_operations o
      WHERE o.operation_type = 'deposit' AND o.status = 'review' AND NOT EXISTS (SELECT FROM recon_item i
        WHERE i.operation_id = o.operation_id AND i.provider = o.provider AND i.provider_ref = o.payment_ref);
  RETURN QUERY  -- and is not forgotten: as long as some of it is there, its item is open or it was asked to be sent back
    SELECT 'money in suspense waits for a decision', format('item %s', i.id)
      FROM recon_item i JOIN ledger_journal j ON j.id = i.journal_id AND j.kind = 'suspense'
        JOIN ledger_entry e ON e.journal_id = j.id AND e.amount_minor > 0
      WHERE i.state = 'resolved'
        AND e.amount_minor > coalesce((SELECT sum(r.suspended_minor) FROM returned_payment r
            WHERE r.provider = i.provider AND r.payment_ref = i.provider_ref AND r.state = 'booked'), 0)
          - coalesce((SELECT sum(c.amount_minor) FROM ledger_journal k JOIN ledger_entry c ON c.journal_id = k.id AND c.account_id = e.account_id
            WHERE k.idempotency_key >= 'suspense:' || i.provider || ':' || i.provider_ref || ':credit'   -- and :2, :3, …
              AND k.idempotency_key < 'suspense:' || i.provider || ':' || i.provider_ref || ':credit;'), 0)
        AND NOT EXISTS (SELECT FROM returned_payment r WHERE r.provider = i.provider AND r.payment_ref = i.provider_ref
          AND r.state = 'noted' AND r.provider_state = 'requested');
  RETURN QUERY  -- a statement is what the ledger says of its movements
    SELECT 'statement is what the ledger says', format('statement %s (player %s, %s)', s.statement_id, s.user_id, s.currency)
      FROM monthly_statements s JOIN currency y ON y.code = s.currency
      CROSS JOIN LATERAL (
        SELECT count(DISTINCT e.wallet_seq) AS movements, coalesce(sum(e.amount_minor) FILTER (WHERE p.place = 1), 0) AS moved,
            coalesce(sum( e.amount_minor) FILTER (WHERE p.place = 1 AND k.kind IN ('deposit', 'suspense_released')), 0) AS deposits,
            coalesce(sum(-e.amount_minor) FILTER (WHERE p.place = 3 AND k.kind = 'withdrawal_paid'), 0) AS withdrawals,
            coalesce(sum( e.amount_minor) FILTER (WHERE p.place = 2 AND k.kind IN ('bet_placed', 'bet_cancelled')), 0) AS bets,
            coalesce(sum(-e.amount_minor) FILTER (WHERE p.place = 2 AND k.kind IN ('bet_won', 'bet_lost')), 0) AS turnover,
            coalesce(sum( e.amount_minor) FILTER (WHERE p.place = 1 AND k.kind = 'bet_won'), 0) AS wins,
            coalesce(sum(-e.amount_minor) FILTER (WHERE p.place = 2 AND k.kind = 'bet_lost'), 0) AS losses,
            coalesce(sum(k.sign) FILTER (WHERE p.place = 2 AND k.kind = 'bet_won'), 0) AS won_count,
            coalesce(sum(k.sign) FILTER (WHERE p.place = 2 AND k.kind = 'bet_lost'), 0) AS lost_count,
            coalesce(sum(k.sign) FILTER (WHERE p.place = 2 AND k.kind = 'bet_cancelled'), 0) AS void_count,
            max(j.created_at) AS last_booked
          FROM unnest(ARRAY[1, 2, 3]) AS p (place)
            JOIN ledger_entry e ON e.account_id = (s.user_id * 100 + y.number) * 100 + p.place AND e.wallet_seq BETWEEN s.first_seq AND s.last_seq
            JOIN ledger_journal j ON j.id = e.journal_id LEFT JOIN ledger_journal r ON r.id = j.reverses_id
            CROSS JOIN LATERAL (SELECT coalesce(r.kind, j.kind) AS kind, CASE WHEN r.id IS NULL THEN 1 ELSE -1 END AS sign) k) l
      WHERE (s.last_seq - s.first_seq + 1, s.closing_minor - s.opening_minor, s.deposits_minor, s.withdrawals_minor, s.bets_minor,
             s.turnover_minor, s.wins_minor, s.losses_minor, s.won_count, s.lost_count, s.void_count, s.unit)
          IS DISTINCT FROM (l.movements, l.moved, l.deposits, l.withdrawals, l.bets, l.turnover, l.wins, l.losses, l.won_count, l.lost_count,
             l.void_count, y.unit)
        OR l.last_booked NOT BETWEEN make_timestamptz(s.year, s.month, 1, 0, 0, 0, 'UTC') - interval '1 day'   -- whatever the time zone
          AND make_timestamptz(s.year, s.month, 1, 0, 0, 0, 'UTC') + interval '1 month 1 day';
  RETURN QUERY  -- a wallet's noted sums are what the ledger says, each from the one before it
    SELECT 'checkpoint is what the ledger says', format('wallet %s, movement %s', c.wallet, c.seq)
      FROM wallet_checkpoint c LEFT JOIN wallet_checkpoint b ON b.wallet = c.wallet AND b.seq = c.seq - 1000
        CROSS JOIN LATERAL wallet_moved(c.wallet, c.seq - 999, c.seq) m
      WHERE (b.seq IS NULL AND c.seq > 1000) OR (c.deposited - coalesce(b.deposited, 0), c.returned - coalesce(b.returned, 0), c.held - coalesce(b.held, 0), c.staked - coalesce(b.staked, 0),
          c.won - coalesce(b.won, 0), c.other - coalesce(b.other, 0), c.withdrawn - coalesce(b.withdrawn, 0), c.turnover - coalesce(b.turnover, 0),
          c.lost - coalesce(b.lost, 0), c.bets_won - coalesce(b.bets_won, 0), c.bets_lost - coalesce(b.bets_lost, 0), c.bets_void - coalesce(b.bets_void, 0))
        IS DISTINCT FROM (m.deposited, m.returned, m.held, m.staked, m.won, m.other, m.withdrawn, m.turnover, m.lost, m.bets_won, m.bets_lost, m.bets_void);
  RETURN QUERY  -- and goes on where the one before it ended
    SELECT 'statement follows the one before it', format('statement %s (player %s, %s)', s.statement_id, s.user_id, s.currency)
      FROM (SELECT m.*, lag(m.last_seq, 1, 0::bigint) OVER w AS last_before, lag(m.closing_minor, 1, 0::bigint) OVER w AS closing_before
          FROM monthly_statements m WINDOW w AS (PARTITION BY m.user_id, m.currency ORDER BY m.year, m.month)) s
      WHERE s.first_seq <> s.last_before + 1 OR s.opening_minor <> s.closing_before;
  RETURN QUERY  -- what happened at a casino belongs to whom its account or, where no account is named, its click id belongs
    SELECT 'casino event belongs to its account''s player', format('casino event %s', c.id)
      FROM casino_event c
        LEFT JOIN casino_account a ON a.programme = c.programme AND a.casino_id = c.casino_id
        LEFT JOIN casino_click k ON k.programme = c.programme AND k.click_id = c.click_id
      WHERE c.user_id IS DISTINCT FROM CASE WHEN c.casino_id IS NULL THEN k.user_id ELSE a.user_id END;
  RETURN QUERY  -- an account is somebody's because the casino named the click id with it, or because an admin said so
    SELECT 'casino account was bound by a report or an admin', format('%s %s', a.programme, a.casino_id)
      FROM casino_account a
      WHERE CASE WHEN a.bound_by = 'postback' THEN NOT EXISTS (
          SELECT FROM casino_event c JOIN casino_click k ON k.programme = c.programme AND k.click_id = c.click_id
            WHERE c.programme = a.programme AND c.casino_id = a.casino_id AND c.problem IS NULL AND k.user_id = a.user_id)
        ELSE NOT EXISTS (SELECT FROM audit_log l WHERE l.action = 'casino' AND l.status = 'bound' AND l.actor = a.bound_by
          AND l.user_id = a.user_id AND l.details ->> 'programme' = a.programme AND l.details ->> 'casino_id' = a.casino_id) END;
  RETURN QUERY  -- and none of it is money of ours
    SELECT 'no journal names a casino', format('journal %s', j.id)
      FROM ledger_journal j WHERE j.idempotency_key LIKE '%casino%' OR j.entity_type LIKE 'casino%';
END $$;

-- ==== rights: the program logs in as lb_app, which can move money only through ledger_post. docs/security.md has them as a table.

REVOKE CREATE ON SCHEMA public FROM PUBLIC;           -- as it is by default, but not where the server was upgraded
REVOKE ALL ON FUNCTION major, csv_text, ledger_player, ledger_currency, ledger_wallet, ledger_place, currency_open, wallet_open,
  ledger_post, ledger_digest, ledger_link, ledger_head, ledger_seal, ledger_verify, ledger_entry_whole, append_only,
  withdrawal_method_guard, operation_guard, operation_begins, operation_audit, signal_guard, wallet_lines, wallet_booked, wallet_available,
  wallet_seq_before, wallet_moved, wallet_sums, wallet_checkpoints, wallet_summary, business_verify FROM PUBLIC;
DO $$ BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'lb_app') THEN
    GRANT SELECT ON ALL TABLES IN SCHEMA public TO lb_app;
    GRANT INSERT ON users, activity, staff, payment_methods, withdrawal_methods, wallet_operations, adjustment, approval, audit_log,
      returned_payment, provider_transaction, recon_run, recon_item, monthly_statements, report, webhook_inbox, casino_click,
      casino_account, casino_event, told_lately, channel_member, signal, broadcast, outbox, job, alert, operation_tally, fsm_state TO lb_app;
    -- What a row is stays as it was made: whose it is, how much, when. Only what happens to it changes.
    GRANT UPDATE (username, name, language, start_link, accepted_at, bot_blocked_at, stripe_customer_id, frozen_at, frozen_reason,
      news_off_at, signals_off_at, seen_on, updated_at) ON users TO lb_app;
    GRANT UPDATE (role, granted_by, granted_at) ON staff TO lb_app;
    GRANT UPDATE (closed_at, closed_by, watched_since, watched_at) ON house TO lb_app;
    GRANT UPDATE (card_brand, card_last4, card_exp_month, card_exp_year, is_default, is_active, forget_at, last_used) ON payment_methods TO lb_app;
    GRANT UPDATE (is_default, is_active, verification_status, verified_at, decided_by, note) ON withdrawal_methods TO lb_app;
    GRANT UPDATE (status, received_minor, provider_ref, payment_ref, pay_url, reason, note, reminded_at, message_id, actor, checks,
      checked_at, next_check_at, completed_at) ON wallet_operations TO lb_app;
    GRANT UPDATE (status, decided_by, decided_at) ON adjustment TO lb_app;
    GRANT UPDATE (provider_ref, operation_id, user_id, amount_minor, state, provider_state, taken_minor, owed_minor, forgiven_minor,
      suspended_minor, requested_by, next_check_at, occurred_at, updated_at) ON returned_payment TO lb_app;
    GRANT UPDATE (payment_ref, state, currency, amount_minor, occurred_at, seen_at) ON provider_transaction TO lb_app;
    GRANT UPDATE (seen, mended, differences, error, finished_at) ON recon_run TO lb_app;
    GRANT UPDATE (provider_minor, ledger_minor, state, decision, note, resolved_by, resolved_at) ON recon_item TO lb_app;
    GRANT UPDATE (body, state, deliveries, attempts, replays, lease, run_at, last_error, done_at) ON webhook_inbox TO lb_app;
    GRANT UPDATE (words, first, casino_id, click_id, user_id, linked_at, seen_at) ON casino_event TO lb_app;
    GRANT UPDATE (told_at) ON told_lately TO lb_app;
    GRANT UPDATE (member, checked_at) ON channel_member TO lb_app;
    GRANT UPDATE (withdrawn_at, withdrawn_by, result, result_at, result_by) ON signal TO lb_app;
    GRANT UPDATE (state, walked_to, message_id, shown, shown_at, ended_at) ON broadcast TO lb_app;
    GRANT UPDATE (chat_id, state, let_go_at, attempts, replays, lease, run_at, expires_at, last_error, telegram_message_id, tried_at,
      done_at) ON outbox TO lb_app;
    GRANT UPDATE (state, attempts, run_at, last_error, found, done_at) ON job TO lb_app;
    GRANT UPDATE (closed_at) ON alert TO lb_app;
    GRANT UPDATE (operations, minor) ON operation_tally TO lb_app;
    GRANT UPDATE (through) ON operation_tallied TO lb_app;
    GRANT UPDATE (state, data, updated_at) ON fsm_state TO lb_app;
    GRANT DELETE ON fsm_state, staff TO lb_app;
    GRANT EXECUTE ON FUNCTION wallet_open, ledger_post, ledger_seal, ledger_head, ledger_verify, business_verify, wallet_checkpoints, major,
      csv_text, ledger_player, ledger_currency, ledger_wallet, ledger_place, wallet_lines, wallet_booked, wallet_available, wallet_seq_before,
      wallet_moved, wallet_sums, wallet_summary TO lb_app;
  END IF;
END $$;
