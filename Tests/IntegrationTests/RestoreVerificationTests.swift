import Glibc
import ProcessIO
import Testing

extension IntegrationTests {
    /// A dump that is not what was backed up, or that the server does not take, never reaches the live database.
    struct RestoreVerification {
        struct Case: Sendable, CustomTestStringConvertible {
            let id: String
            let find: String
            let replacement: String
            let exit: Int32
            let messages: [String]
            var testDescription: String { id }
        }

        static let cases: [Case] = [
            Case(
                id: "one row changed", find: "\n7\t", replacement: "\n7777\t", exit: 6,
                messages: [
                    "the dump in the snapshot is not the one that was recorded with it, in 1 table:",
                    "\"public\".\"items\": expected 300 rows ", ", found 300 rows ",
                    "hint: database \"tampereddb\" was not touched",
                ]),
            Case(
                id: "rows added by a statement", find: "ALTER TABLE ONLY \"public\".\"items\"\n    ADD CONSTRAINT",
                replacement:
                    "INSERT INTO public.items (id, name) VALUES (999, 'x');\nALTER TABLE ONLY \"public\".\"items\"\n    ADD CONSTRAINT",
                exit: 6,
                messages: [
                    "the restored rows are not those of the backup, in 1 table:", "expected 300 rows ",
                    ", found 301 rows ",
                ]),
            Case(
                id: "a grant taken away", find: "GRANT SELECT ON TABLE \"public\".\"items\"",
                replacement: "-- GRANT SELECT ON TABLE \"public\".\"items\"", exit: 6,
                messages: [
                    "1 owner or privilege of the backup is lost in the restored database:",
                    "SELECT on table public.items to tamperedreader",
                ]),
            Case(
                id: "an SQL error", find: "ALTER TABLE ONLY \"public\".\"items\"\n    ADD CONSTRAINT",
                replacement: "ALTER TABLE ONLY \"public\".\"nothing\"\n    ADD CONSTRAINT", exit: 4,
                messages: [
                    "of the dump: ERROR: relation \"public.nothing\" does not exist",
                    "statement: ALTER TABLE ONLY \"public\".\"nothing\"     ADD CONSTRAINT",
                ]),
            Case(
                id: "a row that is none", find: "\n7\t", replacement: "\nseven\t", exit: 4,
                messages: [
                    "of the dump: ERROR: invalid input syntax for type integer: \"seven\"",
                    "statement: COPY \"public\".\"items\" (",
                ]),
            Case(
                id: "a command of psql", find: "\n-- PostgreSQL database dump complete",
                replacement: "\n\\! touch /tmp/never-made\n-- PostgreSQL database dump complete", exit: 4,
                messages: ["of the dump has psql's command \\!, which is never run"]),
            Case(
                id: "no end", find: "-- PostgreSQL database dump complete", replacement: "--", exit: 4,
                messages: ["the dump is incomplete: it has pg_dump's beginning but not its end"]),
        ]

        @Test func whatIsWrongIsFoundBeforeTheSwap() async throws {
            let pair = try PostgresPair.running()
            try await pair.sql("DROP ROLE IF EXISTS tamperedreader")
            try await pair.sql("CREATE ROLE tamperedreader")
            try await RestoreScene.with(
                "tampered", setup: "GRANT SELECT ON items TO tamperedreader"
            ) { bench, scene in
                try await pair.sql("DELETE FROM items WHERE id > 100", database: "tampereddb")
                let before = try await pair.itemsHash("tampered")
                for item in Self.cases {
                    let id = try await scene.tampered(bench) { $0.replacingFirst(item.find, with: item.replacement) }
                    let outcome = try await scene.runner.run(scene.arguments(restoring: id))
                    #expect(outcome.exit == .exited(item.exit), "\(item.id): \(outcome.testDescription)")
                    for message in item.messages {
                        #expect(outcome.errors.contains(message), "\(item.id): \(outcome.errors)")
                    }
                    #expect(try await pair.itemsHash("tampered") == before, "\(item.id)")
                    #expect(try await scene.leftovers() == "", "\(item.id)")
                }
                #expect(access("/tmp/never-made", F_OK) != 0)
                // Settings of newer servers are harmless and left out by list.
                let newer = try await scene.tampered(bench) {
                    $0.replacingFirst("SET lock_timeout = 0;", with: "SET transaction_timeout = 0;")
                }
                let restored = try await scene.runner.run(scene.arguments(restoring: newer))
                #expect(restored.exit == .exited(0), "\(restored.testDescription)")
                #expect(restored.errors.contains("left out, unknown or not allowed here: SET transaction_timeout = 0;"))
                #expect(try await pair.itemsHash("tampered") == scene.hash)
            }
            try await pair.sql("DROP ROLE tamperedreader")
        }

        /// Bytes of a pack are not what they were: which snapshot, which content, and what has become of the database.
        @Test func aDamagedRepositoryLeavesTheDatabase() async throws {
            try await RestoreScene.with("eaten", rows: 20_000) { bench, scene in
                try await scene.pair.sql("DELETE FROM items WHERE id > 100", database: scene.database)
                let before = try await scene.pair.itemsHash("eaten")
                // In the middle of the only pack with data.
                try await Program(path: "/bin/bash").succeed([
                    "-euc",
                    #"pack=$(find "$1/p" -name "*.f" -size +200k); n=$(stat -c %s "$pack"); chmod u+w "$pack"; "#
                        + #"dd if=/dev/urandom of="$pack" bs=1 seek=$((n / 2)) count=64 conv=notrunc 2> /dev/null"#,
                    "bash", bench.repositoryFolder,
                ])
                let damage = "snapshot \(scene.snapshot) is damaged: content "
                for flags in [[], ["--in-place", "--yes-drop-first"]] {
                    let restore = try await scene.runner.run(scene.arguments + flags)
                    #expect(restore.exit == .exited(5), "\(restore.testDescription)")
                    #expect(restore.errors.contains("pod-runner: error: \(damage)"), "\(restore.errors)")
                    #expect(restore.errors.contains("encrypted bytes did not authenticate"))
                    #expect(
                        restore.errors.contains("restore another snapshot (`snapshot verify` says which are whole)"))
                    // In place too: nothing is dropped before the whole snapshot was read.
                    #expect(restore.errors.contains("database \"eatendb\" is as it was"), "\(restore.errors)")
                    #expect(try await scene.pair.itemsHash("eaten") == before)
                    #expect(try await scene.leftovers() == "")
                }
                let drill = try await scene.runner.run([
                    "verify", "--repository", scene.repositoryURL, "--kopia-snapshot", scene.snapshot, "--restore-into",
                    "scratch", "--no-store",
                ])
                #expect(drill.exit == .exited(6), "\(drill.testDescription)")
                #expect(drill.errors.contains(damage))
                let read = try await scene.runner.run([
                    "snapshot", "verify", "--repository", scene.repositoryURL, scene.snapshot,
                ])
                #expect(read.exit == .exited(6), "\(read.testDescription)")
                #expect(
                    read.errors.contains("'backup.sql' of snapshot \(scene.snapshot)")
                        || read.output.contains("'backup.sql' of snapshot \(scene.snapshot)"))
            }
        }

        /// The line is that of the dump, found by counting.
        @Test func anErrorNamesItsLine() async throws {
            try await RestoreScene.with("lines") { bench, scene in
                let line = Mutable(0)
                let id = try await scene.tampered(bench) { text in
                    let changed = text.replacingFirst("\n7\t", with: "\nseven\t")
                    let lines = changed.split(separator: "\n", omittingEmptySubsequences: false)
                    line.value = try #require(lines.firstIndex { $0.hasPrefix("seven\t") }) + 1
                    return changed
                }
                let outcome = try await scene.runner.run(scene.arguments(restoring: id))
                #expect(outcome.errors.contains("failed at line \(line.value) of the dump: "), "\(outcome.errors)")
            }
        }

        private final class Mutable<Value> {
            var value: Value
            init(_ value: Value) { self.value = value }
        }
    }
}

extension String {
    /// Without Foundation.
    func replacingFirst(_ text: String, with replacement: String) -> String {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) {
                return self[..<start] + replacement + self[index(start, offsetBy: text.count)...]
            }
            start = index(after: start)
        }
        return self
    }
}
