public import GoFormats
import KopiaBlob
import KopiaContent
import KopiaFormat

/// What kopia's maintenance has to do in a repository, who does it and when it last did.
///
/// Source: kopia `repo/maintenance/maintenance_params.go`, `maintenance_schedule.go`; `kopia-format` §7.4, §7.6.
public struct MaintenanceReport: Sendable, Hashable {
    /// Quick or full maintenance.
    public struct Cycle: Sendable, Hashable {
        public internal(set) var isEnabled = false
        public internal(set) var intervalSeconds: Int64 = 0
        /// Nil when it never ran.
        public internal(set) var next: Timestamp?

        public func isDue(at now: Timestamp) -> Bool { isEnabled && next.map { $0 <= now } ?? true }
    }

    /// One task of maintenance, as it ran last.
    public struct Run: Sendable, Hashable {
        public let task: String
        public let start: Timestamp
        /// Nil when it succeeded.
        public let error: String?
    }

    /// `user@host` that may run maintenance; nil when nobody is named, and then nobody does.
    public internal(set) var owner: String?
    public internal(set) var quick = Cycle()
    public internal(set) var full = Cycle()
    /// The newest run of each task, by name.
    public internal(set) var lastRuns: [Run] = []
    /// Contents, and those of them that are marked as deleted.
    public internal(set) var contentCount = 0
    public internal(set) var deletedCount = 0
    public internal(set) var deletedBytes: Int64 = 0
    /// Packs that no index names: of writers at work, interrupted ones, or emptied.
    public internal(set) var unindexedPackCount = 0
    public internal(set) var unindexedBytes: Int64 = 0
    /// Of writers at work or interrupted ones.
    public internal(set) var sessionMarkerCount = 0
    public internal(set) var indexBlobCount = 0
    /// Of a folder: files that no listing shows, of writers at work or killed ones. kopia's maintenance leaves them, too.
    public internal(set) var unfinishedFiles: [UnfinishedFile] = []
}

extension Repository {
    /// Looks at what maintenance is due. Writes nothing and does no maintenance: see `ARCHITECTURE.md`.
    ///
    /// Memory: about 150 bytes a pack.
    ///
    /// - Throws: `RepositoryError.Code.damaged` when `kopia.maintenance` or the maintenance manifest cannot be read, which
    ///   also stops kopia's maintenance.
    public func maintenanceReport() async throws -> MaintenanceReport {
        guard !status.isServer else {
            throw RepositoryError(
                .unsupportedLocation, "\(status.location) is a server: its maintenance cannot be seen from here",
                hint: "look with 'kopia maintenance info' where the server keeps the repository")
        }
        return try await translatingErrors {
            var report = MaintenanceReport()
            try await self.readParameters(&report)
            guard let blobs = self.blobs else { return report }
            try await self.readSchedule(blobs, &report)
            let comparison = try await blobs.contents.comparePacks()
            report.unindexedPackCount = comparison.unindexed.count
            report.unindexedBytes = comparison.unindexed.reduce(0) { $0 + $1.length }
            if let folder = blobs.storage as? FilesystemBlobStorage {
                report.unfinishedFiles = try await folder.unfinishedFiles()
            }
            report.sessionMarkerCount = try await blobs.storage.list(prefix: "s").count
            for prefix in ["n", "xn", "xs", "xr"] {
                report.indexBlobCount += try await blobs.storage.list(prefix: prefix).count
            }
            var (count, deleted, deletedBytes) = (0, 0, Int64(0))
            blobs.contents.forEachEntry { entry in
                count += 1
                guard entry.isDeleted else { return }
                deleted += 1
                deletedBytes += Int64(entry.packedLength)
            }
            (report.contentCount, report.deletedCount, report.deletedBytes) = (count, deleted, deletedBytes)
            return report
        }
    }

    private func readParameters(_ report: inout MaintenanceReport) async throws {
        guard let manifest = try await manifests.find(labels: ["type": "maintenance"]).last else { return }
        let owner = manifest.payload["owner"]?.stringValue ?? ""
        report.owner = owner.isEmpty ? nil : owner
        func cycle(_ name: String) -> MaintenanceReport.Cycle {
            var cycle = MaintenanceReport.Cycle()
            cycle.isEnabled = manifest.payload[name]?["enabled"]?.boolValue ?? false
            cycle.intervalSeconds = (manifest.payload[name]?["interval"]?.integerValue ?? 0) / 1_000_000_000
            return cycle
        }
        report.quick = cycle("quick")
        report.full = cycle("full")
    }

    private func readSchedule(_ blobs: BlobSide, _ report: inout MaintenanceReport) async throws {
        guard let format = blobs.format, let id = BlobID("kopia.maintenance") else { return }
        let stored: [UInt8]
        do {
            stored = try await blobs.storage.get(id, range: nil)
        } catch let error as BlobError where error.code == .notFound {
            return
        }
        let json: JSONValue
        do {
            json = try JSONParser.parse(try format.openMaintenanceSchedule(stored))
        } catch let error as FormatError {
            throw error
        } catch {
            throw RepositoryError(
                .damaged, "blob 'kopia.maintenance' is no JSON: \(error)",
                hint: "kopia's maintenance does not run until it is removed; only the schedule is lost with it")
        }
        report.quick.next = json["nextQuickMaintenance"]?.stringValue.flatMap { Timestamp(rfc3339: $0) }
        report.full.next = json["nextFullMaintenance"]?.stringValue.flatMap { Timestamp(rfc3339: $0) }
        for member in json["runs"]?.objectValue?.members ?? [] {
            // Newest first.
            guard let run = member.value.arrayValue?.first,
                let start = run["start"]?.stringValue.flatMap({ Timestamp(rfc3339: $0) })
            else { continue }
            let isSuccess = run["success"]?.boolValue ?? false
            report.lastRuns.append(
                .init(
                    task: member.key, start: start,
                    error: isSuccess ? nil : run["error"]?.stringValue ?? "it did not say why"))
        }
        report.lastRuns.sort { $0.task.utf8.lexicographicallyPrecedes($1.task.utf8) }
    }
}
