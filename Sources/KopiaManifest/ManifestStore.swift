public import GoFormats

/// The random name of a manifest: 32 lower-case hex digits.
public struct ManifestID: Sendable, Hashable, Comparable, CustomStringConvertible {
    public let description: String

    /// Nil when empty, over 128 bytes, or with a character that is no ASCII letter or digit.
    public init?(_ text: String) {
        guard !text.isEmpty, text.utf8.count <= 128,
            text.utf8.allSatisfy({ byte in
                (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
            })
        else { return nil }
        description = text
    }

    public static func < (left: ManifestID, right: ManifestID) -> Bool { left.description < right.description }
}

/// A labelled JSON document of the repository.
public struct ManifestEntry: Sendable, Hashable {
    public let id: ManifestID
    public let labels: [String: String]
    public let modified: Timestamp
    public let payload: JSONValue

    public init(id: ManifestID, labels: [String: String], modified: Timestamp, payload: JSONValue) {
        self.id = id
        self.labels = labels
        self.modified = modified
        self.payload = payload
    }
}

/// Keeps manifests. Implemented by `m` contents (`ContentManifestStore`) and by a kopia repository server.
///
/// What `put` and `delete` did is durable and visible after `flush`.
///
/// Throws: `ManifestError.Code.lost` from any call that changes something when what was put before is gone: a server may
/// be restarted. Then everything since the last flush has to be done again.
public protocol ManifestStore: Sendable {
    /// - Parameter labels: must contain `type`.
    func put(labels: [String: String], payload: JSONValue) async throws -> ManifestID
    /// Nil when there is none or it was deleted.
    func get(_ id: ManifestID) async throws -> ManifestEntry?
    /// All whose labels contain every pair of `labels`, oldest `modified` first.
    func find(labels: [String: String]) async throws -> [ManifestEntry]
    /// Deleting a missing manifest succeeds.
    func delete(_ id: ManifestID) async throws
    func flush() async throws
}
