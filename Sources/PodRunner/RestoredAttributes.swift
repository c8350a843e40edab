import Glibc
import GoFormats
import KopiaRepository
import ProcessIO

/// Which attributes of its entry a restored file, folder or link gets, as `kopia snapshot restore` does it: owner, then
/// permissions with set-user-ID, set-group-ID and sticky, then time.
///
/// An owner that this user may not give is left out, as by kopia. Then a program that would run as its owner or group would run
/// as somebody else: unlike kopia, and like `cp -p`, such a file is not given set-user-ID and set-group-ID.
///
/// Source: kopia `snapshot/restore/local_fs_output.go`, `setAttributes`.
struct RestoredAttributes: Sendable {
    var owners = true
    var permissions = true
    var times = true

    /// - Parameters:
    ///   - path: the file that gets them, and is not followed when it is a link.
    ///   - name: for messages, when the file is still under another name.
    /// - Throws: `PodRunnerError` with exit code 3.
    func set(_ entry: DirectoryEntry, of path: String, shownAs name: String) throws {
        let isOwned = owners ? try setOwner(entry, of: path, shownAs: name) : false
        if entry.kind != .symlink {
            // Without permissions what `open` or `mkdir` with the usual mask would have made.
            var mode = permissions ? entry.mode.posix : (entry.kind == .directory ? 0o777 : 0o666) & ~Self.mask
            if !isOwned { mode &= 0o1777 }
            guard chmod(path, mode_t(mode)) == 0 else { throw PodRunnerError.local("set the permissions of", name) }
        }
        guard times, let modified = entry.modified, modified.seconds >= 0 else { return }
        let time = timespec(tv_sec: Int(modified.seconds), tv_nsec: Int(modified.nanoseconds))
        guard utimensat(AT_FDCWD, path, [time, time], AT_SYMLINK_NOFOLLOW) == 0 else {
            throw PodRunnerError.local("set the time of", name)
        }
    }

    /// Whether the file belongs to the entry's owner and group now.
    private func setOwner(_ entry: DirectoryEntry, of path: String, shownAs name: String) throws -> Bool {
        var status = stat()
        guard lstat(path, &status) == 0 else { throw PodRunnerError.local("look at", name) }
        if status.st_uid == entry.userID, status.st_gid == entry.groupID { return true }
        if lchown(path, entry.userID, entry.groupID) == 0 { return true }
        // Only the administrator may give files away.
        guard errno == EPERM || errno == EINVAL else { throw PodRunnerError.local("set the owner of", name) }
        return false
    }

    /// The process's mask, which can only be read by setting it: once, before files are made by several tasks.
    private static let mask: UInt32 = {
        let mask = umask(0o022)
        _ = umask(mask)
        return UInt32(mask)
    }()
}
