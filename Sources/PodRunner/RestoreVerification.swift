import KopiaRepository
import PostgresDump
import RunnerContract
import Synchronization

extension RestoreRun {
    /// Compares rows, owners and grants of the side database with what the backup recorded, and tries the application's
    /// login there: whatever is wrong is found before the live database is touched.
    ///
    /// - Throws: `PodRunnerError` with exit code 6 for any difference.
    func verify(
        _ server: TargetServer, _ plan: Plan, _ journal: inout RestoreJournal, _ report: inout RestoreReport
    ) async throws {
        try await enter("verify", &journal, server)
        let side = self.side(journal)
        if let tables = record?.tables {
            try await verifyRows(tables, in: side, &report)
        } else {
            context.note("note: the snapshot has no hashes: rows are not compared")
        }
        if let privileges = record?.privileges { try await verifyPrivileges(privileges, server, in: side, &report) }
        try await tryLoginAside(journal, &report)
        context.pass("verified")
    }

    private func verifyRows(
        _ tables: TableDigests, in side: PostgresSettings, _ report: inout RestoreReport
    ) async throws {
        let beat = Heartbeat(
            "verified",
            of: tables.tables.reduce(0) { $0.addingReportingOverflow(Int64(clamping: $1.bytes)).partialValue }, context)
        let differences = try await beat.during(every: choices.heartbeat) {
            try await tables.differences(in: side, jobs: choices.jobs) { [context] tables, connections in
                guard connections > 1 else { return }
                context.note(
                    "comparing \(Figures.count(tables, "table")) over \(Figures.count(connections, "connection"))")
            } progress: {
                beat.add(Int(clamping: $0))
            }
        }
        let (tolerated, wrong) = differences.partitioned { isChangeOfText($0) }
        report.warnings += tolerated.map {
            "\($0.table) has as many rows as in the backup, but their text differs, as that of floating-point numbers does from "
                + "PostgreSQL 12 on"
        }
        guard wrong.isEmpty else {
            throw verificationError(wrong, what: "the restored rows are not those of the backup")
        }
        report.verified = (tables.tables.count, tables.rows)
    }

    /// PostgreSQL 12 changed how floating-point numbers are written.
    private func isChangeOfText(_ difference: TableDifference) -> Bool {
        guard let record, record.serverMajor < 12 else { return false }
        return difference.expected?.rows == difference.found?.rows
    }

    /// - Parameter what: what is wrong with the tables, in a sentence.
    func verificationError(_ differences: [TableDifference], what: String) -> PodRunnerError {
        PodRunnerError(
            .verification,
            "\(what), in \(differences.count) \(differences.count == 1 ? "table" : "tables"):\n"
                + differences.prefix(20).map { "  \($0)" }.joined(separator: "\n")
                + (differences.count > 20 ? "\n  and \(differences.count - 20) more" : ""),
            hint: "database \"\(database)\" was not touched; restore another snapshot")
    }
}

extension Array {
    /// Those the test holds for, and the others.
    func partitioned(_ test: (Element) throws -> Bool) rethrows -> (matching: [Element], rest: [Element]) {
        (try filter(test), try filter { try !test($0) })
    }
}
