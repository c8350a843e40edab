/// Who made a snapshot of what: `user@host:path`.
public struct SnapshotSource: Sendable, Hashable, Comparable, CustomStringConvertible {
    public let host: String
    public let userName: String
    /// Absolute for what kopia writes; kept as it is.
    public let path: String

    public init(host: String, userName: String, path: String) {
        self.host = host
        self.userName = userName
        self.path = path
    }

    /// Reads `user@host:path`; nil when one of the three is missing.
    public init?(_ text: String) {
        guard let colon = text.firstIndex(of: ":"), let at = text[..<colon].firstIndex(of: "@") else { return nil }
        let source = SnapshotSource(
            host: String(text[text.index(after: at)..<colon]), userName: String(text[..<at]),
            path: String(text[text.index(after: colon)...]))
        guard !source.host.isEmpty, !source.userName.isEmpty, !source.path.isEmpty else { return nil }
        self = source
    }

    public var description: String { "\(userName)@\(host):\(path)" }

    public static func < (left: SnapshotSource, right: SnapshotSource) -> Bool {
        left.description.utf8.lexicographicallyPrecedes(right.description.utf8)
    }

    /// What a manifest of this source is found by.
    var labels: [String: String] { ["hostname": host, "username": userName, "path": path] }
}
