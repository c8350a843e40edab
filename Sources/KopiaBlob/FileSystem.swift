internal import Glibc
internal import GoFormats

/// The few system calls the filesystem provider needs, with EINTR handled and errors as `BlobError`. All block.
enum FileSystem {
    struct Status {
        let isRegularFile: Bool
        let isDirectory: Bool
        let size: Int64
        let modified: Timestamp

        init(_ status: stat) {
            isRegularFile = status.st_mode & S_IFMT == S_IFREG
            isDirectory = status.st_mode & S_IFMT == S_IFDIR
            size = Int64(status.st_size)
            modified = Timestamp(
                seconds: Int64(status.st_mtim.tv_sec), nanoseconds: Int64(status.st_mtim.tv_nsec))
        }
    }

    /// A failed call, before it is known what it means for which blob.
    struct Failure: Error {
        let number: Int32
        let call: String
        let path: String

        init(_ call: String, _ path: String, number: Int32 = errno) {
            self.number = number
            self.call = call
            self.path = path
        }

        var isMissing: Bool { number == ENOENT || number == ENOTDIR }

        /// As an error about `blob`; `action` completes "could not …".
        func error(blob: BlobID?, _ action: String) -> BlobError {
            let reason = "\(call) '\(path)': \(String(cString: strerror(number)))"
            let message = "could not \(action): \(reason)"
            switch number {
            case ENOSPC, EDQUOT:
                return BlobError(
                    .noSpace, blob: blob, message,
                    hint: "free space or raise the quota there, then run again; nothing half-written was left behind")
            case EACCES, EPERM, EROFS:
                return BlobError(
                    .accessDenied, blob: blob, message, hint: "check the owner and the mode of the folder and its files"
                )
            case EAGAIN, EBUSY, ESTALE, ETIMEDOUT, EMFILE, ENFILE, ENOMEM:
                return BlobError(.io, blob: blob, message, isTransient: true)
            default:
                return BlobError(.io, blob: blob, message)
            }
        }
    }

    /// Repeats a call that a signal interrupted.
    private static func retrying(_ call: () -> Int) -> Int {
        while true {
            let result = call()
            if result >= 0 || errno != EINTR { return result }
        }
    }

    /// Follows symbolic links.
    static func status(_ path: String) throws(Failure) -> Status {
        var status = stat()
        guard stat(path, &status) == 0 else { throw Failure("stat", path) }
        return Status(status)
    }

    /// Does not follow a symbolic link at the end of the path.
    static func linkStatus(_ path: String) throws(Failure) -> Status {
        var status = stat()
        guard lstat(path, &status) == 0 else { throw Failure("lstat", path) }
        return Status(status)
    }

    static func open(_ path: String, _ flags: Int32, mode: mode_t = 0) throws(Failure) -> Int32 {
        let descriptor = retrying { Int(Glibc.open(path, flags | O_CLOEXEC, mode)) }
        guard descriptor >= 0 else { throw Failure("open", path) }
        return Int32(descriptor)
    }

    static func status(_ descriptor: Int32, path: String) throws(Failure) -> Status {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Failure("fstat", path) }
        return Status(status)
    }

    /// Reads `count` bytes from `offset` on; fewer only at the end of the file.
    static func read(_ descriptor: Int32, path: String, offset: Int64, count: Int) throws(Failure) -> [UInt8] {
        var failed = false
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let step = retrying {
                    pread(descriptor, buffer.baseAddress.map { $0 + filled }, count - filled, off_t(offset) + filled)
                }
                if step < 0 { failed = true }
                guard step > 0 else { return }
                filled += step
            }
        }
        if failed { throw Failure("read", path) }
        return bytes
    }

    static func write(_ descriptor: Int32, path: String, _ bytes: [UInt8]) throws(Failure) {
        var written = 0
        while written < bytes.count {
            let step = bytes.withUnsafeBytes { buffer in
                retrying { Glibc.write(descriptor, buffer.baseAddress.map { $0 + written }, buffer.count - written) }
            }
            guard step > 0 else { throw Failure("write", path) }
            written += step
        }
    }

    static func write(
        _ descriptor: Int32, path: String, _ bytes: UnsafeRawBufferPointer, at offset: Int64
    ) throws(Failure) {
        var written = 0
        while written < bytes.count {
            let step = retrying {
                pwrite(
                    descriptor, bytes.baseAddress.map { $0 + written }, bytes.count - written,
                    off_t(offset) + off_t(written))
            }
            guard step > 0 else { throw Failure("write", path) }
            written += step
        }
    }

    /// Where a file lies until it gets its name.
    static func temporaryPath(for path: String) -> String {
        let digits = String(UInt64.random(in: 0...UInt64.max), radix: 16)
        return "\(path).tmp.\(String(repeating: "0", count: 16 - digits.utf8.count))\(digits)"
    }

    /// `O_DIRECT`, which the C library shows to GNU sources only; 0 where it is not known.
    #if arch(x86_64) || arch(i386)
        private static let direct: Int32 = 0o40000
    #elseif arch(arm64) || arch(arm)
        private static let direct: Int32 = 0o200000
    #else
        private static let direct: Int32 = 0
    #endif

    /// Lets writes go past the page cache, or not. False when the file system does not know that.
    static func setDirect(_ descriptor: Int32, _ isDirect: Bool) -> Bool {
        let flags = fcntl(descriptor, F_GETFL)
        guard flags >= 0, direct != 0 else { return false }
        return fcntl(descriptor, F_SETFL, isDirect ? flags | direct : flags & ~direct) == 0
    }

    static func truncate(_ descriptor: Int32, path: String, to length: Int64) throws(Failure) {
        guard retrying({ Int(ftruncate(descriptor, off_t(length))) }) == 0 else { throw Failure("ftruncate", path) }
    }

    static func sync(_ descriptor: Int32, path: String) throws(Failure) {
        guard retrying({ Int(fsync(descriptor)) }) == 0 else { throw Failure("fsync", path) }
    }

    /// Makes the names inside a folder durable. Where that cannot be asked for (EINVAL of some network file systems, a
    /// folder above the repository that may not be read) there is nothing better to do.
    static func syncFolder(_ path: String) throws(Failure) {
        let descriptor: Int32
        do throws(Failure) {
            descriptor = try open(path, O_RDONLY | O_DIRECTORY)
        } catch {
            if error.number == EACCES { return }
            throw error
        }
        defer { _ = Glibc.close(descriptor) }
        if retrying({ Int(fsync(descriptor)) }) != 0, errno != EINVAL, errno != ENOTSUP {
            throw Failure("fsync", path)
        }
    }

    /// False when it is there already.
    static func makeFolder(_ path: String) throws(Failure) -> Bool {
        if mkdir(path, 0o700) == 0 { return true }
        guard errno == EEXIST else { throw Failure("mkdir", path) }
        return false
    }

    static func rename(_ old: String, to new: String) throws(Failure) {
        guard Glibc.rename(old, new) == 0 else { throw Failure("rename", new) }
    }

    static func remove(_ path: String) throws(Failure) {
        guard unlink(path) == 0 else { throw Failure("unlink", path) }
    }

    /// A name in a folder; `isFolder` is nil when the file system does not tell and `linkStatus` must.
    struct Entry {
        let name: String
        let isFolder: Bool?
        let isRegularFile: Bool?
    }

    /// The entries of a folder except `.` and `..`, in the order of the file system.
    static func entries(_ path: String) throws(Failure) -> [Entry] {
        guard let stream = opendir(path) else { throw Failure("opendir", path) }
        defer { closedir(stream) }
        var entries: [Entry] = []
        while true {
            errno = 0
            guard let item = readdir(stream) else {
                if errno != 0 { throw Failure("readdir", path) }
                return entries
            }
            let name = withUnsafeBytes(of: &item.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard name != ".", name != ".." else { continue }
            let type = Int32(item.pointee.d_type)
            let isKnown = type != Int32(DT_UNKNOWN)
            entries.append(
                Entry(
                    name: name, isFolder: isKnown ? type == Int32(DT_DIR) : nil,
                    isRegularFile: isKnown ? type == Int32(DT_REG) : nil))
        }
    }
}
