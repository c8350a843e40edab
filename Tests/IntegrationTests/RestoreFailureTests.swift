import Glibc
import ProcessIO
import Testing

extension IntegrationTests {
    /// The server fails a restore: the live database stays, and the next restore comes to its end.
    struct RestoreFailure {
        /// Large enough that rows are still on their way when something is done to the server.
        static let rows = 400_000

        @Test func aConnectionThatIsCut() async throws {
            try await failing(
                "severed",
                { scene in
                    try await scene.pair.whileLoading(scene.database) { pid in "SELECT pg_terminate_backend(\(pid))" }
                }, ["the connection to the server was lost; trying again may help"])
        }

        /// Two tables are read at the same time, one of them to the end.
        @Test func aConnectionThatIsCutWhileRowsAreCompared() async throws {
            try await failing(
                "compared", setup: "CREATE TABLE others AS SELECT * FROM items WHERE id < 100",
                { scene in
                    let comparing = try await scene.pair.loader(scene.database, "COPY %items% TO STDOUT")
                    try await scene.pair.sql("SELECT pg_terminate_backend(\(comparing))")
                }, ["pod-runner: error: database \"compareddb__restore_", "try again later"])
        }

        @Test func aFileThatCannotGrow() async throws {
            try await failing(
                "limited",
                { scene in
                    try await scene.pair.whileLoading(scene.database) { _ in "SELECT 1" }
                    let pid = try await scene.pair.loader(scene.database)
                    try await scene.pair.asServerUser(["/usr/bin/prlimit", "--pid", "\(pid)", "--fsize=16777216"])
                    // Whether it grows the file or writes a page behind the limit depends on who is faster.
                }, ["ERROR: could not ", "File too large", "statement: COPY", "hint: "])
        }

        @Test func aServerThatStops() async throws {
            try await failing(
                "halted",
                { scene in
                    let pair = scene.pair
                    _ = try await pair.loader(scene.database)
                    try await pair.crashPrimary()
                }, ["hint: "])
        }

        private func failing(
            _ name: String, setup: String = "", _ strike: @escaping @Sendable (RestoreScene) async throws -> Void,
            _ messages: [String]
        ) async throws {
            try await RestoreScene.with(name, rows: Self.rows, setup: setup) { bench, scene in
                try await scene.pair.sql("DELETE FROM items WHERE id > 100", database: scene.database)
                let before = try await scene.pair.itemsHash(name)
                let failed = try await scene.runner.run(scene.arguments) { _ in try await strike(scene) }
                #expect(failed.exit == .exited(4), "\(failed.testDescription)")
                for message in messages + ["database \"\(scene.database)\" is as it was\n"] {
                    #expect(failed.errors.contains(message), "\(failed.errors)")
                }
                try await scene.pair.waitUntilUp()
                #expect(try await scene.pair.itemsHash(name) == before)
                let again = try await scene.runner.run(scene.arguments)
                #expect(again.exit == .exited(0), "\(again.testDescription)")
                #expect(try await scene.pair.itemsHash(name) == scene.hash)
                #expect(try await scene.leftovers() == "")
            }
        }
    }
}

extension PostgresPair {
    /// The server process that takes the rows of a restore, or does whatever the pattern says.
    func loader(_ database: String, _ query: String = "COPY %") async throws -> Int32 {
        for _ in 0..<3000 {
            let pid = try await sql(
                "SELECT pid FROM pg_stat_activity WHERE datname LIKE '\(database)\\_\\_restore\\_%' AND state = 'active' "
                    + "AND query LIKE '\(query)' LIMIT 1"
            ).trimmed
            if let pid = Int32(pid) { return pid }
            try await Task.sleep(for: .milliseconds(10))
        }
        throw Processes.Missing(description: "no restore of \(database) copies rows after thirty seconds")
    }

    func whileLoading(_ database: String, _ statement: (Int32) -> String) async throws {
        try await sql(statement(try await loader(database)))
    }

    /// Stops the primary as a crash does, and starts it again.
    func crashPrimary() async throws {
        let data = folder + "/pair/primary"
        let first = try await Program(path: "/usr/bin/head").succeed(["-1", data + "/postmaster.pid"]).trimmed
        kill(try #require(Int32(first)), SIGQUIT)
        try await Processes.waitUntilGone(try #require(Int32(first)))
        let start = [bin + "/pg_ctl", "-D", data, "-l", folder + "/pair/primary.log", "-w", "-t", "60", "start"]
        // The server it starts must not hold the pipe that is read here.
        let quoted = start.map { "'\($0)'" }.joined(separator: " ")
        try await asServerUser(["/bin/sh", "-c", "\(quoted) > /dev/null 2>&1 < /dev/null"])
    }

    /// PostgreSQL does not run as root.
    func asServerUser(_ command: [String]) async throws {
        let whole = getuid() == 0 ? ["/sbin/runuser", "-u", "postgres", "--"] + command : command
        try await Program(path: whole[0]).succeed(Array(whole.dropFirst()))
    }

    func waitUntilUp() async throws {
        for _ in 0..<400 {
            if (try? await sql("SELECT 1")) != nil { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        Issue.record("the primary does not answer after twenty seconds")
    }
}
