/// Plain objects of a bucket or container, by name: what `kando` keeps when a profile names object storage. No repository.
///
/// Names are used as they are; making them safe is the caller's.
///
/// Concurrency and memory: all calls may run concurrently. An upload holds `StreamUpload.bytesInFlightMax` and one part
/// (see `PartPlan`), a download one chunk.
///
/// Throws: `BlobError` with the service's words and a hint, or `CancellationError`.
public protocol ObjectStore: Sendable {
    /// Bucket or container, for messages; without secrets.
    var displayName: String { get }

    /// Stores a stream as one object. It appears whole, when everything is stored, or not at all.
    ///
    /// - Parameters:
    ///   - length: when it is known; a hint for the size of parts.
    ///   - next: the next bytes; nil at the end. What it throws ends the upload: nothing appears.
    /// - Returns: bytes stored.
    func upload(_ name: String, length: Int64?, next: () async throws -> [UInt8]?) async throws -> Int64

    /// Hands over the bytes of an object in order. A connection that breaks is continued where it broke.
    ///
    /// - Throws: `BlobError.Code.notFound`; what `sink` throws.
    func download(_ name: String, to sink: ([UInt8]) async throws -> Void) async throws

    /// A missing object is deleted.
    func delete(_ name: String) async throws

    /// The names that start with `prefix`, page by page.
    func forEachPage(ofNamesWithPrefix prefix: String, _ body: ([String]) async throws -> Void) async throws
}

extension ObjectStore {
    /// Deletes the object of this name and everything below it as a folder (`name/…`), but not what only starts with
    /// the same letters. Nothing there is fine.
    public func deleteTree(_ name: String) async throws {
        try await delete(name)
        try await forEachPage(ofNamesWithPrefix: name + "/") { names in
            for below in names { try await delete(below) }
        }
    }
}
