import BlockingIO
import Glibc
import GoFormats
import KopiaRepository
import ProcessIO
import RunnerContract

/// A file or folder of this machine that becomes a snapshot's root.
///
/// Concurrency and memory: holds the names of one folder per level.
struct LocalTree: Sendable {
    /// As given, made absolute.
    let sourcePath: String
    private let realPath: String
    private let root: LocalEntry

    /// - Throws: `PodRunnerError` with exit code 3 when there is nothing to read.
    init(_ path: String) throws {
        sourcePath = Self.absolute(path)
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        guard realpath(path, &buffer) != nil else {
            throw PodRunnerError(.input, "cannot read \(path): \(SystemError.text(errno))")
        }
        realPath = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        root = try LocalEntry(realPath)
    }

    private static func absolute(_ path: String) -> String {
        var parts: [Substring] = []
        var base = ""
        if !path.hasPrefix("/") {
            var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
            if getcwd(&buffer, buffer.count) != nil {
                base = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            }
        }
        let whole = "\(base)/\(path)"
        for part in whole.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }

    private var name: String { sourcePath.split(separator: "/").last.map(String.init) ?? "/" }

    func apply(to options: inout SnapshotOptions) {
        options.rootName = name
        options.rootMode = FileMode(bits: root.permissions)
        options.rootModified = root.modified
        options.rootIsOnlyFile = root.kind == .file
    }

    func store(in writer: SnapshotWriter) async throws {
        switch root.kind {
        case .file: try await storeFile(realPath, as: name, root, in: writer)
        case .directory: try await storeFolder(realPath, as: "", in: writer)
        default: throw PodRunnerError(.input, "\(sourcePath) is neither a file nor a folder")
        }
    }

    private func storeFolder(_ folder: String, as path: String, in writer: SnapshotWriter) async throws {
        for name in try LocalEntry.names(in: folder) {
            try Task.checkCancellation()
            let local = "\(folder)/\(name)"
            let inside = path.isEmpty ? name : "\(path)/\(name)"
            let entry = try LocalEntry(local)
            switch entry.kind {
            case .file: try await storeFile(local, as: inside, entry, in: writer)
            case .symlink:
                try await writer.addSymlink(inside, target: LocalEntry.linkTarget(local), modified: entry.modified)
            case .directory:
                try writer.addDirectory(inside, mode: FileMode(bits: entry.permissions), modified: entry.modified)
                try await storeFolder(local, as: inside, in: writer)
            case .other: continue  // sockets, FIFOs and devices: kopia leaves them out as well
            }
        }
    }

    private func storeFile(
        _ local: String, as inside: String, _ entry: LocalEntry, in writer: SnapshotWriter
    ) async throws {
        let file = try DescriptorStream(reading: local)
        try await file.readingAhead { next in
            _ = try await writer.addFile(
                inside, mode: FileMode(bits: entry.permissions), modified: entry.modified, from: next)
        }
    }
}

/// What the system says about a path.
private struct LocalEntry {
    enum Kind { case file, directory, symlink, other }
    let kind: Kind
    let permissions: UInt32
    let modified: Timestamp

    init(_ path: String) throws {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            throw PodRunnerError(.input, "cannot read \(path): \(SystemError.text(errno))")
        }
        switch status.st_mode & S_IFMT {
        case S_IFREG: kind = .file
        case S_IFDIR: kind = .directory
        case S_IFLNK: kind = .symlink
        default: kind = .other
        }
        permissions = status.st_mode & 0o777
        modified = Timestamp(seconds: Int64(status.st_mtim.tv_sec), nanoseconds: Int64(status.st_mtim.tv_nsec))
    }

    static func names(in folder: String) throws -> [String] {
        guard let stream = opendir(folder) else {
            throw PodRunnerError(.input, "cannot read the folder \(folder): \(SystemError.text(errno))")
        }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let bytes = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            guard let name = String(validating: bytes, as: UTF8.self) else {
                throw PodRunnerError(.input, "the folder \(folder) has a name that is not UTF-8")
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    static func linkTarget(_ path: String) throws -> String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink(path, &buffer, buffer.count)
        guard count >= 0 else {
            throw PodRunnerError(.input, "cannot read the link \(path): \(SystemError.text(errno))")
        }
        return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
