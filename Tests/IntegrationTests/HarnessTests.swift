import Testing

extension IntegrationTests {
    /// The servers themselves: what the other tests take for granted.
    struct Harness {
        @Test func theStandbyFollowsThePrimaryAndTheAdministratorIsNoSuperuser() async throws {
            let pair = try PostgresPair.running()
            try await pair.sql("CREATE DATABASE harness")
            try await pair.waitForStandby()
            let psql = Program(path: pair.bin + "/psql")
                .with(pair.adminEnvironment(host: pair.standby, database: "harness"))
            let facts = try await psql.succeed([
                "-X", "-A", "-t", "-c",
                "SELECT pg_is_in_recovery(), rolsuper FROM pg_roles WHERE rolname = current_user",
            ])
            #expect(facts.trimmed == "t|f")
            try await pair.sql("DROP DATABASE harness")
        }
    }
}
