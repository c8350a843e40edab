/// A blob that is handed over while it is still being made, so that its bytes leave memory before it is whole.
///
/// Nothing of it can be seen before `finish` returned; then it is durable and visible, as after a put. A writer that is
/// let go unfinished leaves nothing behind.
///
/// A call that throws may be repeated, unless the store can no longer vouch for bytes it took before (a failed sync): then
/// every later call throws the same error.
///
/// Concurrency and memory: `write`, `finish` and `discard` one at a time; `read` may run beside them. Holds at most 1 MiB
/// of what it was given.
///
/// Throws: `BlobError` with a code, or `CancellationError`.
public protocol BlobWriter: Sendable {
    /// Takes the bytes from `offset` on.
    ///
    /// - Parameter offset: of the first piece in the blob; not beyond what was taken so far. Bytes that an earlier call
    ///   took are skipped: they must be the same.
    func write(_ pieces: [[UInt8]], at offset: Int64) async throws

    /// Bytes that were taken.
    ///
    /// - Throws: `BlobError.Code.invalidRange` beyond them.
    func read(_ range: Range<Int64>) async throws -> [UInt8]

    /// Publishes the blob with the bytes taken so far.
    func finish() async throws

    /// Removes what was written; does nothing after `finish`.
    func discard() async
}

extension BlobStorage {
    public var takesBlobsInParts: Bool { false }
    public func makeWriter(_ id: BlobID) async throws -> (any BlobWriter)? { nil }
}
