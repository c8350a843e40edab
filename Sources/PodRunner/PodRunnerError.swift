import Glibc
import KopiaCloud
import KopiaRepository
import PostgresDump
import ProcessIO
import RunnerContract

/// What a command could not do, with the exit code that says whose fault it is.
struct PodRunnerError: Error, Sendable, Hashable, CustomStringConvertible {
    let exitCode: ExitCode
    /// A whole sentence without the hint.
    let message: String
    let hint: String?

    init(_ exitCode: ExitCode, _ message: String, hint: String? = nil) {
        self.exitCode = exitCode
        self.message = message
        self.hint = hint
    }

    /// Any error of the rooms below. A wrong password, a folder that is no repository and damage are the repository's
    /// (5); a location, a snapshot or a path that does not exist is the caller's (3).
    init(_ error: any Error) {
        switch error {
        case let error as PodRunnerError: self = error
        case let error as PostgresError:
            let code: ExitCode = error.code == .otherDump ? .verification : .database
            self.init(error.code == .settings ? .input : code, error.message, hint: error.hint)
        case let error as RepositoryError:
            let code: ExitCode = error.code.isCallersMistake ? .input : .repository
            self.init(error.code == .notImmutable ? .verification : code, error.message, hint: error.hint)
        case let error as BlobError:
            self.init(error.code == .notFound ? .input : .repository, error.message, hint: error.hint)
        case let error as KopiaSnapshotReferenceError:
            self.init(
                .input, error.description,
                hint:
                    "--kopia-snapshot takes the artifact's JSON, @FILE, env:NAME or an ID, as 'snapshot list' shows them"
            )
        case let error as PhaseOutputKeyError: self.init(.input, error.description)
        case let error as DescriptorError: self.init(.input, error.message)
        case let error as ChildError: self.init(.database, error.message)
        case let error as Interrupted:
            self.init(ExitCode(rawValue: error.exitCode) ?? .interrupted, error.description)
        case is CancellationError: self.init(.interrupted, "interrupted")
        default: self.init(.repository, "\(error)")
        }
    }

    /// Runs `body`, which reads a snapshot; damage that it meets is said of which one, and what to do.
    ///
    /// - Parameters:
    ///   - exitCode: of damage.
    ///   - hint: what has become of what was to be done, and what else may help.
    static func namingDamage<Value>(
        of snapshot: String, _ exitCode: ExitCode, hint: String, _ body: () async throws -> Value
    ) async throws -> Value {
        do {
            return try await body()
        } catch let error as RepositoryError where error.code == .damaged {
            throw PodRunnerError(
                exitCode, "snapshot \(snapshot) is damaged: \(error.message)",
                hint: error.hint.map { "\(hint), or \($0)" } ?? hint)
        }
    }

    /// What the system refused to do to a file of this machine, with `errno` as it is now.
    static func local(_ what: String, _ path: String) -> PodRunnerError {
        PodRunnerError(.input, "cannot \(what) \(path): \(SystemError.text(errno))")
    }

    var description: String { hint.map { "\(message)\nhint: \($0)" } ?? message }
}
