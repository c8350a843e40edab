-- Everything a restore must bring back, as text that two runs can compare: rows (as an order-independent hash), owners,
-- grants, default privileges, constraints, indexes, the database itself and the role. Sequences are in sequences.sql.
\pset format unaligned
\pset tuples_only on
SET search_path = pg_catalog;
SET TIME ZONE 'UTC';
SET extra_float_digits = 3;

SELECT 'database', datname, pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate, datctype, datconnlimit,
       (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(datacl) a)
FROM pg_database WHERE datname = current_database();

SELECT 'role', rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolconnlimit FROM pg_roles
WHERE rolname = :'role';
SELECT 'member', pg_get_userbyid(roleid), pg_get_userbyid(member) FROM pg_auth_members
WHERE pg_get_userbyid(member) = :'role' ORDER BY 2;

SELECT 'schema', nspname, pg_get_userbyid(nspowner), (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(nspacl) a)
FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY 2;

SELECT 'relation', n.nspname, c.relname, c.relkind, pg_get_userbyid(c.relowner),
       (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(c.relacl) a), obj_description(c.oid, 'pg_class')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 2, 3;

SELECT 'column', c.oid::regclass, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
       pg_get_expr(d.adbin, d.adrelid), (SELECT array_agg(x::text ORDER BY x::text) FROM unnest(a.attacl) x)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname, c.relname, a.attnum;

SELECT 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated FROM pg_constraint
WHERE connamespace IN (SELECT oid FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema')
ORDER BY conrelid::regclass::text, conname;
SELECT 'index', schemaname, indexname, indexdef FROM pg_indexes WHERE schemaname !~ '^pg_' ORDER BY 2, 3;
SELECT 'trigger', tgrelid::regclass, tgname, pg_get_triggerdef(oid), tgenabled FROM pg_trigger WHERE NOT tgisinternal
ORDER BY tgrelid::regclass::text, tgname;
SELECT 'function', p.oid::regprocedure, pg_get_userbyid(proowner), md5(prosrc),
       (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(proacl) a)
FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY p.oid::regprocedure::text;
SELECT 'type', t.oid::regtype, typtype, pg_get_userbyid(typowner),
       (SELECT array_agg(enumlabel ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid)
FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace
WHERE typtype IN ('e', 'd') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY t.oid::regtype::text;
SELECT 'default privileges', pg_get_userbyid(defaclrole), defaclnamespace::regnamespace, defaclobjtype,
       (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(defaclacl) a)
FROM pg_default_acl ORDER BY 2, 3, 4;

-- Rows need one statement a table.
SELECT format(
    'SELECT ''rows'', %L, count(*), coalesce(sum((''x'' || substr(md5(t::text), 1, 16))::bit(64)::bigint::numeric), 0) FROM %s t',
    c.oid::regclass, c.oid::regclass)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname, c.relname
\gexec
