import Glibc
import GoFormats
import KopiaRepository
import ProcessIO
import RunnerContract

/// Writes a snapshot's root, or a part of it, to this machine: a file to a file, a folder to a folder. A file appears whole
/// or not at all; what is in its place is replaced, not written into, so that neither links nor hard links lead elsewhere.
///
/// Names come from the repository and are not trusted: `..`, empty names and NUL are refused, and nothing is written
/// through a symbolic link below the target.
///
/// Concurrency and memory: one file at a time; holds the folders when attributes are kept.
struct TreeRestore {
    let repository: Repository
    /// Replaces files that exist. Else the target must be absent or an empty folder.
    var overwrites = true
    /// What is set of files, folders and links; nil for kando's way: the permissions of files only.
    var attributes: RestoredAttributes?

    /// What was written.
    struct Figures: Sendable {
        var files = 0
        var directories = 0
        var links = 0
        var bytes: Int64 = 0
    }

    /// - Throws: `DescriptorError`, `PodRunnerError`, `RepositoryError`.
    @discardableResult
    func restore(_ root: DirectoryEntry, to target: String) async throws -> Figures {
        var figures = Figures()
        try checkTarget(target)
        guard root.kind == .directory else {
            if attributes != nil {
                try await restoreLeaf(root, to: target, &figures)
            } else {
                // As kando: into whatever the caller named, which may be a pipe or a link.
                let file = try DescriptorStream(writing: target)
                try await repository.openFile(root).forEachChunk { chunk in try await file.write(chunk) }
            }
            return figures
        }
        try makeFolder(target, followingLinks: true)
        var folders = [(path: target, entry: root)]
        try await repository.forEachEntry(of: root, recursive: true) { found in
            let path = "\(target)/\(try Self.checked(found.path))"
            guard found.entry.kind == .directory else {
                return try await restoreLeaf(found.entry, to: path, &figures)
            }
            try makeFolder(path)
            figures.directories += 1
            if attributes != nil { folders.append((path, found.entry)) }
        }
        // Last and from below: writing into a folder changes its time, and its permissions may forbid writing.
        for folder in folders.reversed() { try setAttributes(of: folder) }
        return figures
    }

    static func checked(_ path: String) throws -> String {
        let parts = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        let isUsable = parts.allSatisfy { !$0.isEmpty && !$0.elementsEqual(".".utf8) && !$0.elementsEqual("..".utf8) }
        guard isUsable, !path.utf8.contains(0) else {
            throw PodRunnerError(
                .repository, "the snapshot has the unusable path \"\(Listing.safe(path))\"",
                hint: "what was restored before it is complete; restore other parts of it with --path")
        }
        return path
    }

    private func checkTarget(_ target: String) throws {
        guard !overwrites else { return }
        var status = stat()
        guard lstat(target, &status) == 0 else { return }
        guard stat(target, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, isEmpty(target) else {
            throw PodRunnerError(
                .input, "\(target) exists and is not an empty folder",
                hint: "choose another target, or give --overwrite to replace files of the same names")
        }
    }

    private func isEmpty(_ folder: String) -> Bool {
        guard let stream = opendir(folder) else { return false }
        defer { closedir(stream) }
        var count = 0
        while readdir(stream) != nil { count += 1 }
        return count <= 2
    }

    private func restoreLeaf(_ entry: DirectoryEntry, to path: String, _ figures: inout Figures) async throws {
        if entry.kind == .symlink {
            try await restoreLink(entry, to: path)
            figures.links += 1
        } else {
            try await restoreFile(entry, to: path)
            figures.files += 1
            figures.bytes += entry.size
        }
    }

    private func restoreFile(_ entry: DirectoryEntry, to path: String) async throws {
        try makeRoom(for: path)
        let part = "\(path).restoring-\(getpid())"
        unlink(part)
        let file = try DescriptorStream(creating: part, mode: 0o600)
        do {
            try await repository.openFile(entry).forEachChunk { chunk in try await file.write(chunk) }
            if let attributes {
                try attributes.set(entry, of: part, shownAs: path)
            } else {
                let mode = entry.mode.bits & 0o777
                guard chmod(part, mode_t(mode == 0 ? 0o644 : mode)) == 0 else {
                    throw failure("set the permissions of", path)
                }
            }
            guard rename(part, path) == 0 else { throw failure("make the file", path) }
        } catch {
            unlink(part)
            throw error
        }
    }

    private func restoreLink(_ entry: DirectoryEntry, to path: String) async throws {
        try makeRoom(for: path)
        let target = try await repository.openFile(entry).readAll(limit: 4096)
        guard !target.isEmpty, !target.contains(0) else {
            throw PodRunnerError(.repository, "the link \(path) of the snapshot has no usable target")
        }
        unlink(path)
        let made = (target + [0]).withUnsafeBytes { bytes in
            bytes.baseAddress.map { symlink($0.assumingMemoryBound(to: CChar.self), path) } ?? -1
        }
        guard made == 0 else { throw failure("make the link", path) }
        try attributes?.set(entry, of: path, shownAs: path)
    }

    /// A folder is never replaced by something else.
    private func makeRoom(for path: String) throws {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT != S_IFDIR else {
            throw PodRunnerError(
                .input, "\(path) is a folder; the snapshot has a file or link of that name",
                hint: "remove the folder, or restore to another target")
        }
        guard [S_IFREG, S_IFLNK].contains(status.st_mode & S_IFMT) else {
            throw PodRunnerError(.input, "\(path) is a device, pipe or socket, which is not replaced")
        }
        guard overwrites else {
            // The target was empty: the snapshot names it twice, or somebody else writes here.
            throw PodRunnerError(.input, "\(path) appeared meanwhile", hint: "restore to a folder nobody else uses")
        }
    }

    private func makeFolder(_ path: String, followingLinks: Bool = false) throws {
        var status = stat()
        let found = followingLinks ? stat(path, &status) : lstat(path, &status)
        if found == 0, status.st_mode & S_IFMT == S_IFDIR { return }
        guard mkdir(path, 0o755) == 0 else { throw failure("make the folder", path) }
    }

    private func setAttributes(of folder: (path: String, entry: DirectoryEntry)) throws {
        // The root of a stream was never a folder: kopia gives it everything for everybody and a time before 1970.
        if let modified = folder.entry.modified, modified.seconds < 0 { return }
        try attributes?.set(folder.entry, of: folder.path, shownAs: folder.path)
    }

    private func failure(_ what: String, _ path: String) -> PodRunnerError { .local(what, path) }
}
