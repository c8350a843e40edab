import KopiaBlob
import KopiaContent
import KopiaFormat
import KopiaManifest
import KopiaObject
import KopiaServer
import KopiaSnapshot

extension RepositoryError {
    /// The same message with a code of this room, so that callers need not know the rooms below. Errors that are none of
    /// theirs pass through.
    static func translating(_ error: any Error) -> any Error {
        switch error {
        case let error as BlobError:
            return RepositoryError(.storage, error.message, hint: error.hint, isTransient: error.isTransient)
        case let error as ContentError:
            return RepositoryError(code(of: error), error.message, hint: error.hint)
        case let error as FormatError:
            return RepositoryError(code(of: error), error.message, hint: error.hint)
        case let error as ManifestError:
            return RepositoryError(
                error.code == .invalid ? .invalidArgument : .damaged, error.message, hint: error.hint)
        case let error as ObjectError:
            let code: Code = error.code == .unsupported ? .unsupportedFormat : .damaged
            return RepositoryError(code, error.message, hint: error.hint)
        case let error as SnapshotError:
            return RepositoryError(
                error.code == .invalid ? .invalidArgument : .damaged, error.message, hint: error.hint)
        case let error as ServerError:
            return RepositoryError(code(of: error), error.message, hint: error.hint, isTransient: error.isTransient)
        default:
            return error
        }
    }

    private static func code(of error: ServerError) -> Code {
        switch error.code {
        case .invalidAddress: return .invalidLocation
        case .credentials: return .wrongPassword
        case .accessDenied: return .accessDenied
        case .notARepositoryServer: return .notInitialized
        case .unsupported, .tooLarge: return .unsupportedFormat
        default: return .storage
        }
    }

    private static func code(of error: FormatError) -> Code {
        switch error.code {
        case .notInitialized: return .notInitialized
        case .alreadyInitialized: return .alreadyExists
        case .wrongPassword: return .wrongPassword
        case .unsupported, .requiredFeature: return .unsupportedFormat
        case .upgradeInProgress: return .upgradeInProgress
        case .invalidParameter: return .invalidArgument
        default: return .damaged
        }
    }

    private static func code(of error: ContentError) -> Code {
        switch error.code {
        case .readOnly: return .readOnly
        case .notCommitted: return .notCommitted
        case .unsupported: return .unsupportedFormat
        default: return .damaged
        }
    }
}

/// Runs a step of this room and gives its errors a code of this room.
func translatingErrors<Result>(_ body: () async throws -> Result) async throws -> Result {
    do { return try await body() } catch { throw RepositoryError.translating(error) }
}
