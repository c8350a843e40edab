/// What went wrong with a repository server.
public struct ServerError: Error, Sendable, Hashable, CustomStringConvertible {
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        private enum Kind: String, Sendable, Hashable {
            case invalidAddress, unreachable, certificate, notARepositoryServer, credentials, accessDenied
            case unsupported, tooLarge, interrupted, protocolViolation, refused
        }
        private let kind: Kind

        /// Address, certificate or credentials cannot be used as they are.
        public static let invalidAddress = Code(kind: .invalidAddress)
        /// Nobody answers.
        public static let unreachable = Code(kind: .unreachable)
        /// The server shows another certificate than the pinned one, or none that is trusted.
        public static let certificate = Code(kind: .certificate)
        /// Whatever answers does not speak kopia's protocol.
        public static let notARepositoryServer = Code(kind: .notARepositoryServer)
        /// Unknown user or wrong password.
        public static let credentials = Code(kind: .credentials)
        /// The user may not do this.
        public static let accessDenied = Code(kind: .accessDenied)
        /// The server, or this program, does not know a request, an algorithm or a size.
        public static let unsupported = Code(kind: .unsupported)
        /// A message is larger than the protocol allows.
        public static let tooLarge = Code(kind: .tooLarge)
        /// The session ended before the answer came.
        public static let interrupted = Code(kind: .interrupted)
        /// The server breaks the rules of the protocol.
        public static let protocolViolation = Code(kind: .protocolViolation)
        /// The server could not do what was asked: its storage failed, or it did not like the request.
        public static let refused = Code(kind: .refused)

        public var description: String { kind.rawValue }
    }

    public let code: Code
    /// A whole sentence without the hint and without secrets.
    public let message: String
    public let hint: String?
    /// Whether a new session may succeed.
    public let isTransient: Bool

    public init(_ code: Code, _ message: String, hint: String? = nil, isTransient: Bool = false) {
        self.code = code
        self.message = message
        self.hint = hint
        self.isTransient = isTransient
    }

    public var description: String { hint.map { "\(message)\nhint: \($0)" } ?? message }

    /// The same with something said before it.
    func prefixed(_ text: String) -> ServerError {
        ServerError(code, "\(text): \(message)", hint: hint, isTransient: isTransient)
    }
}
