-- One of everything that a dump has to bring back. Run as superuser in a fresh database.
CREATE SCHEMA "Mixed Case";
CREATE SCHEMA "quo""ted";
CREATE EXTENSION pgcrypto;
CREATE EXTENSION citext SCHEMA "Mixed Case";
CREATE EXTENSION hstore;
CREATE EXTENSION ltree;
CREATE EXTENSION intarray;
CREATE EXTENSION pg_trgm;
CREATE EXTENSION btree_gist;

CREATE TYPE mood AS ENUM ('sad', 'it''s ok', 'happy');
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE TYPE pair AS (a integer, b text);
CREATE TYPE floatrange AS RANGE (subtype = float8, subtype_diff = float8mi);

CREATE TABLE "quo""ted"."Table ""with"" everything; -- " (
    "Id" integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    "double" integer GENERATED ALWAYS AS ("n" * 2) STORED,
    "n" positive,
    "small" smallint, "big" bigint, "num" numeric(30, 10), "real" real, "dbl" double precision, "cash" money,
    "text" text COLLATE "C", "char" char(5), "vc" varchar(20), "bytes" bytea, "flag" boolean,
    "ts" timestamp, "tstz" timestamptz, "d" date, "t" time, "ttz" timetz, "iv" interval,
    "uuid" uuid DEFAULT gen_random_uuid(), "json" json, "jsonb" jsonb, "xml" xml,
    "ints" integer[], "texts" text[][], "mood" mood, "moods" mood[], "pair" pair, "range" int4range, "multi" int4multirange,
    "fr" floatrange, "inet" inet, "cidr" cidr, "mac" macaddr, "mac8" macaddr8, "bits" bit(5), "vbits" bit varying,
    "point" point, "line" line, "lseg" lseg, "box" box, "path" path, "polygon" polygon, "circle" circle,
    "tsv" tsvector, "tsq" tsquery, "ci" "Mixed Case".citext, "hs" hstore, "tree" ltree, "cls" regclass, "typ" regtype, "lsn" pg_lsn,
    "o" oid, "snap" pg_snapshot
);
INSERT INTO "quo""ted"."Table ""with"" everything; -- " (
    "n", "small", "big", "num", "real", "dbl", "cash", "text", "char", "vc", "bytes", "flag", "ts", "tstz", "d", "t", "ttz", "iv",
    "json", "jsonb", "xml", "ints", "texts", "mood", "moods", "pair", "range", "multi", "fr", "inet", "cidr", "mac", "mac8", "bits", "vbits",
    "point", "line", "lseg", "box", "path", "polygon", "circle", "tsv", "tsq", "ci", "hs", "tree", "cls", "typ", "lsn", "o", "snap")
VALUES
    (1, -32768, 9223372036854775807, 12345678901234567890.0123456789, 1.1, 0.1 + 0.2, 1234.56,
     E'tab\tline\nreturn\rback\\slash \\. \\N ''quote'' "double" ü € 漢字 😀', 'ab', '', decode('00ff0a5c2e', 'hex'), true,
     'infinity', '2026-03-29 01:59:59.999999+01', '0044-03-15 BC', '24:00', '12:34:56.789+05:30', '1 year -2 days 03:04:05.6',
     '{"a": 1,  "a": 2}', '{"b": [1, 2, null], "a": "é\n"}', '<a>&amp;</a>', '{1,NULL,3}', '{{"a,b","c\"d"},{"NULL",NULL}}', 'it''s ok',
     '{sad,happy}', '(1,"x, y")', '[1,10)', '{[1,3),[5,7)}', '[0.1,0.3)', '192.168.0.1/24', '10.0.0.0/8', '08:00:2b:01:02:03',
     '08:00:2b:01:02:03:04:05', '10101', '1', '(1,2)', '{1,2,3}', '[(1,2),(3,4)]', '(3,4),(1,2)', '((1,2),(3,4))', '((1,2),(3,4),(5,6))',
     '<(1,2),3>', 'a:1 fat:2 cat:3', 'fat & (rat | cat)', 'CaSe', 'a=>1, b=>NULL', 'top.science', '"quo""ted"."Table ""with"" everything; -- "', 'mood', '16/B374D848',
     4294967295, '10:20:10,14,15'),
    (2, NULL, NULL, 'NaN', 'NaN', '-Infinity', NULL, '', NULL, NULL, '', NULL, '-infinity', 'infinity', 'infinity', NULL, NULL, NULL,
     NULL, NULL, NULL, '{}', NULL, NULL, NULL, NULL, 'empty', '{}', '(,)', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
     NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE big (id bigserial PRIMARY KEY, body text, raw bytea);
INSERT INTO big (body, raw)
SELECT repeat(md5(n::text), 32768), decode(repeat(md5(n::text), 16384), 'hex') FROM generate_series(1, 6) n;

CREATE TABLE parent (id integer NOT NULL, region text NOT NULL, note text) PARTITION BY LIST (region);
CREATE TABLE parent_eu PARTITION OF parent FOR VALUES IN ('eu') PARTITION BY RANGE (id);
CREATE TABLE parent_eu_1 PARTITION OF parent_eu FOR VALUES FROM (1) TO (1000);
CREATE TABLE parent_eu_2 PARTITION OF parent_eu FOR VALUES FROM (1000) TO (2000);
CREATE TABLE parent_us PARTITION OF parent FOR VALUES IN ('us') PARTITION BY HASH (id);
CREATE TABLE parent_us_0 PARTITION OF parent_us FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE parent_us_1 PARTITION OF parent_us FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE parent_rest PARTITION OF parent DEFAULT;
INSERT INTO parent SELECT n, (ARRAY['eu', 'us', 'ap'])[n % 3 + 1], md5(n::text) FROM generate_series(1, 1900) n;
CREATE INDEX ON parent (id);

CREATE TABLE base (a integer); CREATE TABLE derived (b text) INHERITS (base);
INSERT INTO base VALUES (1); INSERT INTO derived VALUES (2, 'x');
CREATE TABLE nothing (); INSERT INTO nothing DEFAULT VALUES; INSERT INTO nothing DEFAULT VALUES;
CREATE TABLE empty_table (a integer);
CREATE TABLE renamed (a integer, dropped text, c text); ALTER TABLE renamed DROP COLUMN dropped; INSERT INTO renamed VALUES (1, 'c');
CREATE UNLOGGED TABLE unlogged (a integer);

CREATE SEQUENCE counter START 42 INCREMENT -7 MINVALUE -1000 MAXVALUE 1000 CYCLE; SELECT nextval('counter');
CREATE FUNCTION copies() RETURNS text LANGUAGE plpgsql AS $body$
BEGIN
  -- A body that looks like a dump.
  RETURN '
COPY big (id) FROM stdin;
1
\.
';
END
$body$;
CREATE FUNCTION sql_body(a integer) RETURNS integer BEGIN ATOMIC SELECT a + 1; END;
CREATE FUNCTION event() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN RAISE DEBUG ''%'', tg_tag; END';
CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION event();
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER touch BEFORE INSERT ON big FOR EACH ROW EXECUTE FUNCTION touch();
CREATE VIEW seen AS SELECT id, region FROM parent WHERE note IS NOT NULL;
CREATE MATERIALIZED VIEW counted AS SELECT region, count(*) AS n FROM parent GROUP BY region;
CREATE UNIQUE INDEX ON counted (region);
CREATE RULE nowhere AS ON INSERT TO seen DO INSTEAD NOTHING;
CREATE TABLE guarded (owner name DEFAULT current_user, secret text);
INSERT INTO guarded VALUES ('somebody', 'x');
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON guarded USING (owner = current_user);
CREATE STATISTICS stat (dependencies) ON id, region FROM parent;
CREATE PUBLICATION some_tables FOR TABLE big;
CREATE AGGREGATE total(integer) (sfunc = int4pl, stype = integer, initcond = '0');
CREATE OPERATOR === (leftarg = integer, rightarg = integer, function = int4eq);
CREATE CAST (pair AS text) WITH INOUT;
CREATE TEXT SEARCH CONFIGURATION own_english (COPY = english);
CREATE COLLATION german (provider = icu, locale = 'de');
CREATE TABLE excluded (during int4range, EXCLUDE USING gist (during WITH &&)); INSERT INTO excluded VALUES ('[1,2)');
CREATE TABLE refers (id integer PRIMARY KEY, up integer REFERENCES refers DEFERRABLE INITIALLY DEFERRED);
INSERT INTO refers VALUES (1, 2), (2, 1);
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO everything_app;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO everything_app;
COMMENT ON TABLE big IS E'a comment with ''quotes'', a \\ and a line\nbreak;\nCOPY x FROM stdin;';
SELECT lo_from_bytea(424242, decode(repeat('00ff5c0a', 4096), 'hex'));
SELECT lo_from_bytea(424243, '');
GRANT SELECT ON LARGE OBJECT 424242 TO everything_app;
COMMENT ON LARGE OBJECT 424242 IS 'large';
