import ProcessIO
import Testing

extension IntegrationTests {
    /// Indexes and constraints are built over several connections.
    struct RestoreParallel {
        private static let setup = """
            CREATE INDEX by_name ON items (name);
            CREATE INDEX by_at ON items (at DESC, id) WHERE id % 2 = 0;
            COMMENT ON INDEX by_name IS 'of an index';
            COMMENT ON CONSTRAINT items_pkey ON items IS 'of a key';
            ALTER TABLE items CLUSTER ON by_name;
            CREATE TABLE "Odd ""one" (id int NOT NULL, "on ON" int REFERENCES items, peer int, UNIQUE (id, peer));
            CREATE UNIQUE INDEX "; USING" ON "Odd ""one" (id);
            ALTER TABLE "Odd ""one" REPLICA IDENTITY USING INDEX "; USING";
            ALTER TABLE items ADD FOREIGN KEY (id) REFERENCES items;
            CREATE TABLE parts (id int, item int REFERENCES items, PRIMARY KEY (id)) PARTITION BY RANGE (id);
            CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
            CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (100) TO (900);
            CREATE INDEX parts_item ON parts (item);
            CREATE TABLE whole (part int REFERENCES parts, during int4range, EXCLUDE USING gist (during WITH &&));
            ALTER TABLE parts_1 ADD FOREIGN KEY (id) REFERENCES items;
            INSERT INTO parts SELECT i, i FROM generate_series(1, 300) i;
            INSERT INTO "Odd ""one" SELECT i, i FROM generate_series(1, 300) i;
            CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM items;
            CREATE UNIQUE INDEX ON counted (count);
            """

        @Test(arguments: [1, 4]) func everythingIsAsItWas(_ jobs: Int) async throws {
            try await RestoreScene.with("parallel", setup: Self.setup) { bench, scene in
                let dump = Program(path: bench.pair.bin + "/pg_dump").with(
                    bench.pair.adminEnvironment(host: bench.pair.primary, database: scene.database))
                func schema() async throws -> String {
                    try await dump.succeed(["--schema-only"]).split(separator: "\n").filter { !$0.hasPrefix("\\") }
                        .joined(separator: "\n")
                }
                let before = try await schema()
                let restored = try await scene.runner.run(scene.arguments + ["--jobs", "\(jobs)"])
                #expect(restored.exit == .exited(0), "\(restored.testDescription)")
                #expect(try await schema() == before)
                #expect(restored.errors.contains("indexes and constraints over 4 connections") == (jobs == 4))
                #expect(restored.errors.contains("comparing 5 tables over 4 connections") == (jobs == 4))
                let without = try await bench.pair.sql(
                    """
                    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                    WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND c.relname <> 'whole'
                      AND NOT EXISTS (SELECT FROM pg_statistic s WHERE s.starelid = c.oid)
                    """, database: scene.database)
                #expect(without.trimmed == "", "tables that were not analyzed")
            }
        }

        @Test func theFirstErrorEndsAllOfThem() async throws {
            try await RestoreScene.with("parallel", setup: Self.setup) { bench, scene in
                let before = try await bench.pair.itemsHash("parallel")
                let snapshot = try await scene.tampered(bench) { dump in
                    dump.replacing("\n2\t", with: "\n1\t")
                }
                let failed = try await scene.runner.run(scene.arguments(restoring: snapshot) + ["--jobs", "3"])
                #expect(failed.exit == .exited(4), "\(failed.testDescription)")
                #expect(failed.errors.contains("could not create unique index"))
                #expect(failed.errors.contains("\nstatement: "))
                #expect(try await bench.pair.itemsHash("parallel") == before)
                #expect(try await scene.leftovers() == "")
            }
        }
    }
}
