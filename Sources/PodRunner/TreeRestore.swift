import Glibc
import KopiaRepository
import ProcessIO
import RunnerContract

/// Writes a snapshot's root to this machine: a file to a file, a folder to a folder, as kando does for a target that is
/// a path. Files that exist are overwritten from their start and cut to their new length.
struct TreeRestore {
    let repository: Repository

    /// - Throws: `DescriptorError`, `PodRunnerError`, `RepositoryError`.
    func restore(_ root: DirectoryEntry, to target: String) async throws {
        guard root.kind == .directory else {
            let file = try DescriptorStream(writing: target)
            return try await repository.openFile(root).forEachChunk { chunk in try await file.write(chunk) }
        }
        try makeFolder(target)
        try await repository.forEachEntry(of: root, recursive: true) { found in
            // Names come from the repository: nothing may lead out of the target.
            let parts = found.path.split(separator: "/", omittingEmptySubsequences: false)
            guard !parts.contains(where: { $0.isEmpty || $0 == "." || $0 == ".." }), !found.path.utf8.contains(0) else {
                throw PodRunnerError(.repository, "the snapshot has the unusable path \"\(found.path)\"")
            }
            let path = "\(target)/\(found.path)"
            switch found.entry.kind {
            case .directory: try makeFolder(path)
            case .file: try await restoreFile(found.entry, to: path)
            case .symlink: try await restoreLink(found.entry, to: path)
            }
        }
    }

    private func restoreFile(_ entry: DirectoryEntry, to path: String) async throws {
        var status = stat()
        // Writing through a link made by an earlier entry could leave the target.
        if lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFLNK { unlink(path) }
        let file = try DescriptorStream(writing: path, mode: 0o644)
        try await repository.openFile(entry).forEachChunk { chunk in try await file.write(chunk) }
        _ = chmod(path, mode_t(entry.mode.bits & 0o777))
    }

    private func restoreLink(_ entry: DirectoryEntry, to path: String) async throws {
        let target = try await repository.openFile(entry).readAll(limit: 4096)
        unlink(path)
        guard symlink(String(decoding: target, as: UTF8.self), path) == 0 else {
            throw PodRunnerError(.input, "cannot make the link \(path): \(SystemError.text(errno))")
        }
    }

    private func makeFolder(_ path: String) throws {
        var status = stat()
        if lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { return }
        guard mkdir(path, 0o755) == 0 else {
            throw PodRunnerError(.input, "cannot make the folder \(path): \(SystemError.text(errno))")
        }
    }
}
