import KopiaContent
import KopiaManifest
import KopiaObject
import KopiaSnapshot

/// Walks the snapshots and collects what is wrong.
struct Verifier {
    let repository: Repository
    private let options: VerifyOptions
    var report = VerificationReport()

    /// Files and directories that are known to be whole, of whichever snapshot.
    private var sound: Set<ObjectID> = []
    /// What is wrong with those that are not.
    private var broken: [ObjectID: [Finding]] = [:]
    /// Contents in packs that are missing or too short, with a sentence about the pack.
    var contentsOfBrokenPacks: [ContentID: Finding] = [:]

    /// Files verified in one go.
    private static let batchCount = 1024

    /// A problem of an object, before it is known where the object is used.
    struct Finding: Sendable {
        let content: String?
        let blob: String?
        let message: String
        let hint: String?
    }

    init(repository: Repository, options: VerifyOptions) {
        self.repository = repository
        self.options = options
    }

    mutating func add(
        _ severity: VerificationProblem.Severity, place: VerificationProblem.Place? = nil, _ finding: Finding
    ) {
        report.problems.append(
            VerificationProblem(
                severity: severity, place: place, content: finding.content, blob: finding.blob,
                message: finding.message, hint: finding.hint))
    }

    mutating func checkSnapshots() async throws {
        for snapshot in try await readableSnapshots() {
            report.snapshotCount += 1
            try await check(snapshot)
        }
    }

    // MARK: Manifests

    private mutating func readableSnapshots() async throws -> [Snapshot] {
        let labels = ["type": "snapshot"]
        let entries: [ManifestEntry]
        if let manifests = repository.blobs?.manifests {
            let (readable, problems) = try await manifests.findReadable(labels: labels)
            for (content, error) in problems.sorted(by: { $0.key < $1.key }) {
                let cause = Self.finding(error, content: content)
                add(
                    .damage,
                    Finding(
                        content: content.description, blob: cause.blob,
                        message: "manifests are lost, and with them snapshots may be: \(cause.message)",
                        hint: cause.hint))
            }
            entries = readable
        } else {
            entries = try await repository.manifests.find(labels: labels)
        }
        var snapshots: [Snapshot] = []
        for entry in entries {
            do {
                snapshots.append(try Snapshot(entry: entry))
            } catch {
                add(
                    .damage,
                    Finding(
                        content: nil, blob: nil, message: "snapshot \(entry.id) cannot be read: \(error.message)",
                        hint: "kopia hides such snapshots, and its maintenance removes their data"))
            }
        }
        guard let wanted = options.snapshots else { return snapshots.sorted { $0.startTime < $1.startTime } }
        return try wanted.map { id in
            guard let snapshot = snapshots.first(where: { $0.id == id }) else {
                throw RepositoryError(.snapshotNotFound, "there is no readable snapshot \(id) to verify")
            }
            return snapshot
        }
    }

    // MARK: Trees

    private struct Item: Sendable {
        let place: VerificationProblem.Place
        let entry: DirectoryEntry
    }

    private mutating func check(_ snapshot: Snapshot) async throws {
        let problemsBefore = report.problems.count
        var directories: [ObjectID] = []
        var files: [Item] = []
        var stack = [item(snapshot, snapshot.root, path: "")]
        while let item = stack.popLast() {
            try Task.checkCancellation()
            guard item.entry.kind == .directory else {
                files.append(item)
                if files.count >= Self.batchCount { try await check(&files) }
                continue
            }
            guard !sound.contains(item.entry.object) else { continue }
            guard let directory = try await read(item) else { continue }
            directories.append(item.entry.object)
            for entry in directory.entries.reversed() {
                let path = item.place.path.isEmpty ? entry.name : "\(item.place.path)/\(entry.name)"
                stack.append(self.item(snapshot, entry, path: path))
            }
        }
        try await check(&files)
        report.directoryCount += directories.count
        // Only whole trees are skipped later, so that a broken file is named for every snapshot that has it.
        if report.problems.count == problemsBefore { sound.formUnion(directories) }
    }

    private func item(_ snapshot: Snapshot, _ entry: DirectoryEntry, path: String) -> Item {
        Item(
            place: .init(snapshot: snapshot.id, source: snapshot.source, path: path, object: entry.object),
            entry: entry)
    }

    /// Nil when the directory cannot be read; then that is reported.
    private mutating func read(_ item: Item) async throws -> Directory? {
        do {
            let directory = try await Directory.read(item.entry.object, from: repository.contents)
            if let problem = directory.inconsistency {
                add(
                    .notice, place: item.place,
                    Finding(content: nil, blob: nil, message: "the directory is inconsistent: \(problem)", hint: nil))
            }
            return directory
        } catch let error as CancellationError {
            throw error
        } catch {
            let finding = Self.finding(error, content: nil)
            add(
                .damage, place: item.place,
                Finding(
                    content: finding.content, blob: finding.blob,
                    message: "the directory and everything in it is lost: \(finding.message)", hint: finding.hint))
            return nil
        }
    }

    /// Verifies the files not seen yet, several at a time, and reports in their order.
    private mutating func check(_ files: inout [Item]) async throws {
        var fresh: [Item] = []
        var chosen: Set<ObjectID> = []
        for file in files where !sound.contains(file.entry.object) && broken[file.entry.object] == nil {
            if chosen.insert(file.entry.object).inserted { fresh.append(file) }
        }
        let findings = try await findings(of: fresh)
        for (file, found) in zip(fresh, findings) {
            report.fileCount += 1
            report.byteCount += file.entry.size
            if found.isEmpty {
                sound.insert(file.entry.object)
            } else {
                broken[file.entry.object] = found
            }
        }
        for file in files {
            for finding in broken[file.entry.object] ?? [] { add(.damage, place: file.place, finding) }
        }
        files = []
    }

    private func findings(of files: [Item]) async throws -> [[Finding]] {
        var findings = Array(repeating: [Finding](), count: files.count)
        let limit = repository.parallelism
        try await withThrowingTaskGroup(of: (Int, [Finding]).self) { group in
            for (position, file) in files.enumerated() {
                if position >= limit, let (done, found) = try await group.next() { findings[done] = found }
                group.addTask { (position, try await self.findings(of: file.entry)) }
            }
            while let (done, found) = try await group.next() { findings[done] = found }
        }
        return findings
    }

    @concurrent
    private func findings(of entry: DirectoryEntry) async throws -> [Finding] {
        var findings: [Finding] = []
        do {
            let reader = try await ObjectReader.open(entry.object, in: repository.contents)
            if entry.kind == .file, reader.length != entry.size {
                findings.append(
                    Finding(
                        content: nil, blob: nil,
                        message: "the directory says \(entry.size) bytes, object \(entry.object) has \(reader.length)",
                        hint: nil))
            }
            if options.readsFiles {
                try await reader.forEachProblem(reading: true) { findings.append(Self.finding($1, content: $0)) }
            } else {
                findings += reader.contentIDs.compactMap { contentsOfBrokenPacks[$0] }
                try await reader.forEachProblem(reading: false) { findings.append(Self.finding($1, content: $0)) }
            }
        } catch let error as CancellationError {
            throw error
        } catch {
            findings.append(Self.finding(error, content: nil))
        }
        return findings
    }

    /// What an error says, and which content and blob it is about.
    static func finding(_ error: any Error, content: ContentID?) -> Finding {
        let content = (error as? ContentError)?.content ?? content
        let translated = RepositoryError.translating(error) as? RepositoryError
        return Finding(
            content: content?.description, blob: (error as? ContentError)?.blob,
            message: translated?.message ?? "\(error)", hint: translated?.hint)
    }
}
