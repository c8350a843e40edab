/// How a gRPC call ended.
///
/// Source: `grpc/doc/statuscodes.md`; the message is percent-encoded, `grpc/doc/PROTOCOL-HTTP2.md`, Status-Message.
struct GRPCStatus: Equatable, CustomStringConvertible {
    let code: Int
    let message: String

    static let ok = 0

    /// Nil without a `grpc-status` that is a number.
    init?(code: String?, message: String?) {
        guard let code, let number = Int(code), number >= 0 else { return nil }
        self.code = number
        self.message = Self.decoded(message ?? "")
    }

    init(_ code: Int, _ message: String = "") {
        self.code = code
        self.message = message
    }

    private static let names = [
        "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
        "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
        "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
    ]

    var name: String { code < Self.names.count ? Self.names[code] : "status \(code)" }
    var description: String { message.isEmpty ? name : "\(name), \(message)" }

    /// What is not a valid escape stays as it is.
    private static func decoded(_ text: String) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension GRPCStatus {
    /// What the end of a session with this status means.
    ///
    /// - Parameters:
    ///   - isOpen: the session had begun.
    ///   - user: `user@host`, for messages.
    func error(isOpen: Bool, server: String, user: String) -> ServerError {
        switch code {
        case 7, 16:
            guard isOpen else {
                return ServerError(
                    .credentials, "\(server) does not let \(user) in: \(message.isEmpty ? name : message)",
                    hint: "check user name, host name (upper and lower case count) and the user's password; a user "
                        + "added while the server runs is known to it after 'kopia server refresh'")
            }
            return ServerError(.accessDenied, "\(server) ended the session of \(user): \(self)")
        case 8:
            return ServerError(
                .tooLarge, "\(server) ended the session: \(self)", hint: "use a splitter with smaller chunks")
        case 12:
            return ServerError(
                .notARepositoryServer, "\(server) does not know kopia's repository sessions: \(self)",
                hint: "it must be 'kopia server start'; very old versions had no gRPC interface")
        case 14:
            return ServerError(
                .unreachable, "\(server) is not available: \(self)",
                hint: "check that the server is running and connected to its repository", isTransient: true)
        case 2 where !isOpen:
            return ServerError(.refused, "\(server) refused a session: \(self)")
        case Self.ok, 1, 2, 4, 10, 13, 15:
            return ServerError(
                .interrupted, "\(server) ended the session: \(self)",
                hint: "look at the server's log", isTransient: true)
        default:
            return ServerError(.refused, "\(server) ended the session: \(self)", hint: "look at the server's log")
        }
    }
}
