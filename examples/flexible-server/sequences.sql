-- The next value of each sequence. Apart from describe.sql, because a standby shows a sequence up to 32 values ahead of the
-- primary (PostgreSQL logs that many at once): after a restore it must not be lower, and at most 32 higher.
\pset format unaligned
\pset tuples_only on
SET search_path = pg_catalog;
SELECT format('SELECT %L, last_value + is_called::int FROM %s', c.oid::regclass, c.oid::regclass)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'S' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY n.nspname, c.relname
\gexec
