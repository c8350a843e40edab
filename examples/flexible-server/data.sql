-- What an application keeps: several schemas, every kind of ownership and grant that a restore must bring back.
-- Run by the application's own role. psql variables: rows (number of customers), seed.
\set QUIET on
SELECT setseed(:seed) \g /dev/null

CREATE TYPE order_status AS ENUM ('new', 'paid', 'shipped', 'returned');
CREATE DOMAIN email_address AS text CHECK (VALUE LIKE '%@%');

CREATE TABLE example_table (id serial PRIMARY KEY, name text, created_at timestamptz DEFAULT now());

CREATE TABLE customers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    email email_address NOT NULL UNIQUE,
    profile jsonb NOT NULL DEFAULT '{}',
    joined timestamptz NOT NULL
);

CREATE TABLE orders (
    id bigserial PRIMARY KEY,
    customer bigint NOT NULL REFERENCES customers ON DELETE CASCADE,
    status order_status NOT NULL DEFAULT 'new',
    amount numeric(12, 2) NOT NULL CHECK (amount >= 0),
    lines text[] NOT NULL,
    receipt bytea,
    placed timestamptz NOT NULL,
    note text
);
CREATE INDEX orders_by_customer ON orders (customer, placed DESC);
CREATE INDEX orders_open ON orders (placed) WHERE status IN ('new', 'paid');

INSERT INTO customers (name, email, profile, joined)
SELECT initcap(word || ' ' || substr(md5(n::text), 1, 8)), 'user' || n || '@example.org',
       jsonb_build_object('level', n % 7, 'tags', jsonb_build_array(word, md5((n * 31)::text))),
       timestamptz '2020-01-01 00:00:00+00' + n * interval '7 minutes'
FROM generate_series(1, :rows) AS n,
     LATERAL (SELECT (ARRAY ['amber', 'birch', 'cedar', 'dune', 'ember', 'fjord'])[1 + n % 6]) AS words (word);

INSERT INTO orders (customer, status, amount, lines, receipt, placed, note)
SELECT 1 + floor(random() * :rows)::bigint, (ARRAY ['new', 'paid', 'shipped', 'returned'])[1 + n % 4]::order_status,
       round((random() * 1000)::numeric, 2), ARRAY [md5(n::text), md5((n + 1)::text)],
       CASE WHEN n % 10 = 0 THEN decode(md5(random()::text), 'hex') END,
       timestamptz '2024-01-01 00:00:00+00' + n * interval '13 seconds',
       CASE WHEN n % 3 = 0 THEN E'tab\there, back\\slash, quote '' and é' END
FROM generate_series(1, :rows * 4) AS n;

INSERT INTO example_table (name) SELECT 'row' FROM generate_series(1, 100);

CREATE VIEW open_orders AS
SELECT o.id, c.name, o.amount FROM orders o JOIN customers c ON c.id = o.customer WHERE o.status IN ('new', 'paid');

CREATE MATERIALIZED VIEW revenue AS
SELECT date_trunc('day', placed) AS day, sum(amount) AS amount FROM orders WHERE status <> 'returned' GROUP BY 1;

CREATE SCHEMA audit;
CREATE TABLE audit.changes (at timestamptz NOT NULL DEFAULT now(), "Table" text NOT NULL, row_id bigint);
CREATE FUNCTION audit.record() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit.changes ("Table", row_id) VALUES (TG_TABLE_NAME, NEW.id);
    RETURN NEW;
END $$;
CREATE TRIGGER orders_changed AFTER UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION audit.record();
UPDATE orders SET status = 'paid' WHERE id % 50 = 0 AND status = 'new';

GRANT USAGE ON SCHEMA audit TO reporting;
GRANT SELECT ON orders, open_orders, revenue TO reporting;
GRANT SELECT (id, name) ON customers TO reporting;
REVOKE ALL ON FUNCTION audit.record() FROM PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA audit GRANT SELECT ON TABLES TO reporting;
COMMENT ON TABLE orders IS 'One row an order; "lines" are its positions';
