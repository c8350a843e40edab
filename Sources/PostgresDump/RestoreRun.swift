import ProcessIO
import Synchronization

/// Runs a plain dump with psql.
public struct RestoreOptions: Sendable {
    public var program: PostgresProgram
    public var settings: PostgresSettings
    public var targetMajor: Int
    /// Where `PATH` and `HOME` come from.
    public var environment: [String: String]
    /// Random text that no dump can know.
    public var restrictKey: String

    /// - Parameter restrictKey: letters and digits.
    public init(
        program: PostgresProgram, settings: PostgresSettings, targetMajor: Int, environment: [String: String],
        restrictKey: String
    ) {
        self.program = program
        self.settings = settings
        self.targetMajor = targetMajor
        self.environment = environment
        self.restrictKey = restrictKey
    }

    /// No start file, stop at the first error, never ask, messages with the line of the dump.
    public var arguments: [String] {
        ["--no-psqlrc", "--no-password", "--quiet", "--set=ON_ERROR_STOP=1", "--echo-errors", "--file=-"]
    }

    /// psql executes `\` commands of what it reads; only versions with `\restrict` can be told not to.
    public func checkProgram() throws(PostgresError) {
        guard !program.knowsRestrict else { return }
        throw PostgresError(
            .version, "psql \(program.version) (\(program.path)) cannot be kept from running commands inside a dump",
            hint: "install psql 13.22, 14.19, 15.14, 16.10, 17.6, 18 or newer (CVE-2025-8714)")
    }
}

/// What a finished restore says.
public struct RestoreReport: Sendable {
    /// Bytes of the dump.
    public let bytes: Int64
    /// Settings that were left out because the target does not know them.
    public let leftOut: [String]
    /// DROPs of a `--clean` dump, left out because the database is new.
    public let leftOutDrops: Int
}

extension RestoreOptions {
    /// Feeds a dump to psql until its end.
    ///
    /// - Parameters:
    ///   - standardError: psql's messages, as they come.
    ///   - source: calls its argument with the dump's bytes in order; what it throws ends psql before psql can take the
    ///     part for the whole.
    /// - Throws: `PostgresError.Code.restore` with psql's first error; what `source` throws; `CancellationError`.
    public func run(
        standardError: @escaping @Sendable ([UInt8]) -> Void,
        source: @escaping @Sendable (_ write: @Sendable ([UInt8]) async throws -> Void) async throws -> Void
    ) async throws -> RestoreReport {
        try checkProgram()
        let feed = RestoreFeed(targetMajor: targetMajor)
        var environment = settings.childEnvironment(base: environment)
        environment["PGAPPNAME"] = "pod-runner"
        environment["PGCLIENTENCODING"] = "UTF8"
        let command = ChildCommand(program.path, arguments, environment: environment)
        let result: ChildResult<Void>
        do {
            result = try await withChild(
                command,
                input: .producer { [self] writer in
                    try await writer.write(Array("\\restrict \(restrictKey)\n".utf8))
                    try await source { chunk in try await writer.write(feed.pass(chunk)) }
                    try await writer.write(try feed.finish())
                    try await writer.write(Array("\n\\unrestrict \(restrictKey)\n".utf8))
                },
                standardError: standardError
            ) { output in
                // Results of SELECTs; nobody needs them, but psql must not wait.
                while try await output.read() != nil {}
            }
        } catch let error as ChildError {
            throw PostgresError(.missingProgram, "psql cannot be run: \(error)")
        }
        guard result.exit.isSuccess, result.tookAllInput else {
            throw failure(result.exit, result.standardErrorText)
        }
        return feed.report
    }

    /// psql's own line comes one later, because of ours in front.
    private func failure(_ exit: ChildExit, _ standardError: String) -> PostgresError {
        let lines = standardError.split(separator: "\n")
        guard let position = lines.firstIndex(where: { $0.contains("ERROR:") || $0.contains("FATAL:") }) else {
            let last = lines.last.map { ": \($0)" } ?? ""
            return PostgresError(.restore, "psql on \(settings) \(exit)\(last)")
        }
        var message = String(lines[position])
        var place = ""
        let parts = message.split(separator: ":", maxSplits: 3, omittingEmptySubsequences: false)
        if parts.count == 4, parts[0] == "psql", let line = Int(parts[2]) {
            message = String(parts[3].drop { $0 == " " })
            place = " at line \(line - 1) of the dump"
        }
        let rest = lines[(position + 1)...].prefix(6).map { line in
            let parts = line.split(separator: ":", maxSplits: 3, omittingEmptySubsequences: false)
            return parts.count == 4 && parts[0] == "psql" ? String(parts[3].drop { $0 == " " }) : String(line)
        }
        let detail = rest.isEmpty ? "" : "\n" + rest.joined(separator: "\n")
        return PostgresError(.restore, "restore into \(settings) failed\(place): \(message)\(detail)")
    }
}

/// The filter and the count, between the source and psql.
private final class RestoreFeed: Sendable {
    private let state: Mutex<(filter: DumpFilter, bytes: Int64)>

    init(targetMajor: Int) { state = Mutex((DumpFilter(targetMajor: targetMajor), 0)) }

    func pass(_ chunk: [UInt8]) -> [UInt8] {
        state.withLock { state in
            state.bytes += Int64(chunk.count)
            return state.filter.filter(chunk)
        }
    }

    func finish() throws(PostgresError) -> [UInt8] {
        try state.withLock { state throws(PostgresError) in
            let rest = state.filter.finish()
            guard state.filter.isComplete else {
                throw PostgresError(
                    .restore,
                    "the dump is incomplete: it has pg_dump's beginning but not its end (\(state.bytes) bytes)",
                    hint: "the program that made it died while dumping; restore another snapshot")
            }
            return rest
        }
    }

    var report: RestoreReport {
        state.withLock {
            RestoreReport(bytes: $0.bytes, leftOut: $0.filter.leftOut, leftOutDrops: $0.filter.leftOutDrops)
        }
    }
}
