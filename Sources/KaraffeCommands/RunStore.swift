import ActionEngine
import Glibc
import GoFormats

/// Local runs on disk: one folder a run.
///
/// ```
/// $KARAFFE_STATE_DIR/runs/20260102T030405.123456Z-backup-1a2b/
///     run.json          what was asked for, states, outputs, artifacts; no secrets
///     phases/1-dump.yaml  each phase as it was rendered, secrets masked
///     log.txt           what the phases wrote, secrets masked
///     lock              locked while the run goes on
/// ```
///
/// Folders are for their owner only. Files are written whole or not at all. Artifacts are kept as they are, because a later
/// run needs them to the byte.
struct RunStore: Sendable {
    let folder: String

    /// `$KARAFFE_STATE_DIR`, `$XDG_STATE_HOME/karaffe`, or `~/.local/state/karaffe`.
    ///
    /// - Throws: `RunStoreError` when none of them is known.
    static func standard() throws(RunStoreError) -> RunStore {
        func variable(_ name: String) -> String? {
            getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
        }
        if let folder = variable("KARAFFE_STATE_DIR") { return RunStore(folder: folder) }
        if let folder = variable("XDG_STATE_HOME") { return RunStore(folder: folder + "/karaffe") }
        if let home = variable("HOME") { return RunStore(folder: home + "/.local/state/karaffe") }
        throw RunStoreError("there is no place for runs", hint: "set KARAFFE_STATE_DIR to a folder")
    }

    private var runsFolder: String { folder + "/runs" }

    /// IDs of all runs, oldest first.
    func identifiers() -> [String] {
        ((try? Files.entries(of: runsFolder)) ?? []).filter { Files.isFolder("\(runsFolder)/\($0)") }
    }

    /// The folder of a run.
    ///
    /// - Parameter reference: an ID, a unique beginning of one, or `last`.
    /// - Throws: `RunStoreError` when there is no such run, or several.
    func resolve(_ reference: String) throws(RunStoreError) -> String {
        let all = identifiers()
        if reference == "last" {
            guard let last = all.last else {
                throw RunStoreError("there are no runs in \(runsFolder)", hint: "karaffe run makes one")
            }
            return last
        }
        let matching = all.contains(reference) ? [reference] : all.filter { $0.hasPrefix(reference) }
        if matching.count == 1 { return matching[0] }
        if matching.isEmpty {
            throw RunStoreError("there is no run '\(reference)' in \(runsFolder)", hint: "karaffe runs lists them")
        }
        throw RunStoreError(
            "'\(reference)' is the beginning of \(matching.count) runs",
            hint: "they are: \(matching.suffix(5).joined(separator: ", "))")
    }

    /// - Throws: `RunStoreError` when its record cannot be read.
    func record(of identifier: String) throws(RunStoreError) -> RunRecord {
        let path = "\(runsFolder)/\(identifier)/run.json"
        let bytes: [UInt8]
        do throws(FileError) { bytes = try Files.read(path) } catch { throw RunStoreError(error.message, hint: nil) }
        guard let json = try? JSONParser.parse(bytes), let document = json.objectValue else {
            throw RunStoreError("\(path) is not JSON", hint: "remove the folder if you do not need the run")
        }
        var record = RunRecord(identifier: identifier, folder: "\(runsFolder)/\(identifier)", document: document)
        if record.state == .running, !isLocked(identifier) { record.isAbandoned = true }
        return record
    }

    /// Artifacts of a run that is complete.
    ///
    /// - Parameter reference: as for `resolve`; `last` means the last run that left artifacts.
    /// - Throws: `RunStoreError` when the run did not complete or has none.
    func artifacts(of reference: String) throws(RunStoreError) -> [RenderedArtifact] {
        if reference == "last" {
            for identifier in identifiers().reversed() {
                guard let record = try? record(of: identifier), record.state == .complete else { continue }
                if !record.artifacts.isEmpty { return record.artifacts }
            }
            throw RunStoreError(
                "no run in \(runsFolder) left artifacts",
                hint: "karaffe run of an action with outputArtifacts makes one")
        }
        let record = try record(of: try resolve(reference))
        guard record.state == .complete else {
            throw RunStoreError(
                "run \(record.identifier) is \(record.shownState), so it has no artifacts",
                hint: "give a run that is complete; karaffe runs lists them")
        }
        guard !record.artifacts.isEmpty else {
            throw RunStoreError(
                "run \(record.identifier) of action \(record.text("action")) left no artifacts",
                hint: "give the run of an action that has outputArtifacts")
        }
        return record.artifacts
    }

    /// Makes the folder of a new run and locks it for as long as the value lives.
    ///
    /// - Throws: `FileError`.
    func begin(action: String, at time: Timestamp) throws(FileError) -> RunFolder {
        try Files.makeFolder(runsFolder)
        // Microseconds keep runs of one second in order.
        let micros = String(1_000_000 + Int(time.nanoseconds) / 1000).dropFirst()
        let stamp = String(time.description.prefix(19)).filter { $0 != "-" && $0 != ":" } + ".\(micros)"
        let name = action.filter { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") }
        for _ in 0..<100 {
            let suffix = String(UInt16.random(in: 0x1000...0xffff), radix: 16)
            let identifier = "\(stamp)Z-\(name)-\(suffix)"
            let path = "\(runsFolder)/\(identifier)"
            if mkdir(path, 0o700) == 0 { return try RunFolder(identifier: identifier, path: path) }
            guard errno == EEXIST else { throw FileError("cannot make folder \(path)", errno) }
        }
        throw FileError(message: "cannot find a free name in \(runsFolder)")
    }

    private func isLocked(_ identifier: String) -> Bool {
        let descriptor = open("\(runsFolder)/\(identifier)/lock", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return flock(descriptor, LOCK_SH | LOCK_NB) != 0
    }
}

/// Why a run cannot be used.
struct RunStoreError: Error, Sendable, Hashable, CustomStringConvertible {
    let message: String
    let hint: String?

    init(_ message: String, hint: String?) {
        self.message = message
        self.hint = hint
    }

    var description: String { hint.map { "\(message)\nhint: \($0)" } ?? message }
}

/// The folder of a run that is going on. The lock ends with the process, however it ends.
final class RunFolder: Sendable {
    let identifier: String
    let path: String
    private let lock: Int32
    let logDescriptor: Int32

    fileprivate init(identifier: String, path: String) throws(FileError) {
        self.identifier = identifier
        self.path = path
        lock = open("\(path)/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0, flock(lock, LOCK_EX | LOCK_NB) == 0 else { throw FileError("cannot lock \(path)/lock", errno) }
        logDescriptor = open("\(path)/log.txt", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard logDescriptor >= 0 else { throw FileError("cannot write \(path)/log.txt", errno) }
        try Files.makeFolder("\(path)/phases")
    }

    deinit {
        close(logDescriptor)
        close(lock)
    }

    /// Forgets the run: nothing of it happened.
    func remove() {
        for file in ["log.txt", "run.json", "lock"] { unlink("\(path)/\(file)") }
        rmdir("\(path)/phases")
        rmdir(path)
    }

    /// - Throws: `FileError`.
    func write(record: JSONObject) throws(FileError) {
        let style = GoJSON.Style(escapesHTML: false, indent: "  ", endsWithNewline: true)
        try Files.replace("\(path)/run.json", with: GoJSON.encode(.object(record), style: style))
    }

    /// - Throws: `FileError`.
    func write(phase index: Int, name: String, _ text: String) throws(FileError) {
        let safe = String(name.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") ? $0 : "_" })
        try Files.replace("\(path)/phases/\(index)-\(safe).yaml", with: Array(text.utf8))
    }
}

/// A run as its `run.json` has it.
struct RunRecord {
    let identifier: String
    let folder: String
    let document: JSONObject
    /// Its process ended without writing an end.
    var isAbandoned = false

    var state: ExecutionState { ExecutionState(rawValue: text("state")) ?? .failed }
    var shownState: String { isAbandoned ? "abandoned" : state.rawValue }

    func text(_ key: String) -> String { document[key]?.stringValue ?? "" }

    var artifacts: [RenderedArtifact] {
        (document["artifacts"]?.objectValue?.members ?? []).map { member in
            let pairs = member.value["keyValue"]?.objectValue?.members ?? []
            return RenderedArtifact(
                name: member.key,
                keyValue: pairs.compactMap { pair in pair.value.stringValue.map { .init(key: pair.key, value: $0) } },
                kopiaSnapshot: member.value["kopiaSnapshot"]?.stringValue)
        }
    }
}
