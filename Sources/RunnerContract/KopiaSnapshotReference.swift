import GoFormats

/// The text a blueprint keeps as artifact `kopiaSnapshot`: `{"id":"…","logicalSize":n,"physicalSize":n}`, in that order.
///
/// Source: Kanister `pkg/kopia/snapshot`; kando writes `physicalSize` 0, we write the bytes uploaded.
public struct KopiaSnapshotReference: Sendable, Hashable {
    /// The manifest ID of the snapshot.
    public let id: String
    /// Bytes of all files, before deduplication and compression.
    public let logicalSize: Int64
    /// Bytes that were added to the storage.
    public let physicalSize: Int64

    public init(id: String, logicalSize: Int64, physicalSize: Int64) {
        self.id = id
        self.logicalSize = logicalSize
        self.physicalSize = physicalSize
    }

    public var json: String {
        GoJSON.text([
            "id": .string(id), "logicalSize": .integer(logicalSize), "physicalSize": .integer(physicalSize),
        ])
    }
}
