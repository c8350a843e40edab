import GoFormats
import KopiaBlob

extension Repository {
    /// kopia's limit: maintenance is refused beyond it, and with `KOPIA_ENABLE_CLOCK_SKEW_CHECK` any writing.
    public static let clockSkewSecondsMax: Double = 300

    /// This machine's clock less the storage's; nil where the storage has none of its own, as a folder, or does not tell.
    ///
    /// Times of contents decide which copy of one counts, and locks are dated from this clock.
    ///
    /// Source: kopia `repo/content/content_manager.go`, session markers; `repo/maintenance`.
    public func clockSkewSeconds() async throws -> Double? {
        guard let storage = blobs?.storage as? any LockingBlobStorage else { return nil }
        return try await translatingErrors {
            let time = try await storage.lockSupport().time
            return time.map { self.clock().secondsSince($0) }
        }
    }
}
