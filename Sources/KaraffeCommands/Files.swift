import Diagnostics
import Glibc

/// Reading and writing whole files. What is given on the command line is small; every read has a limit.
enum Files {
    /// Bytes of any one file the user names.
    static let limit = 64 << 20

    /// - Throws: `FileError` when it cannot be read or is over the limit.
    static func read(_ path: String, limit: Int = limit) throws(FileError) -> [UInt8] {
        let descriptor = path == "-" ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError("cannot read \(path)", errno) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        while true {
            var failure: Int32 = 0
            let chunk = [UInt8](unsafeUninitializedCapacity: 64 << 10) { buffer, count in
                let got = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
                failure = got < 0 ? errno : 0
                count = max(0, got)
            }
            if failure == EINTR { continue }
            guard failure == 0 else { throw FileError("cannot read \(path)", failure) }
            if chunk.isEmpty { return bytes }
            bytes += chunk
            guard bytes.count <= limit else {
                throw FileError(message: "\(path) is over the limit of \(limit) bytes")
            }
        }
    }

    static func source(_ path: String) throws(FileError) -> SourceFile {
        SourceFile(name: path, bytes: try read(path))
    }

    /// Manifests below a folder, in the order of their paths; hidden files and folders are left out.
    ///
    /// - Throws: `FileError` when a folder cannot be read or nests too deeply.
    static func manifests(in folder: String, depth: Int = 0) throws(FileError) -> [String] {
        guard depth < 32 else { throw FileError(message: "\(folder) is nested more than 32 folders deep") }
        var files: [String] = []
        for name in try entries(of: folder) where !name.hasPrefix(".") {
            let path = folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
            if isFolder(path) {
                files += try manifests(in: path, depth: depth + 1)
            } else if [".yaml", ".yml", ".json"].contains(where: { name.hasSuffix($0) }) {
                files.append(path)
            }
        }
        return files
    }

    /// Names in a folder, sorted.
    /// - Throws: `FileError` when it cannot be read.
    static func entries(of folder: String) throws(FileError) -> [String] {
        guard let handle = opendir(folder) else { throw FileError("cannot read folder \(folder)", errno) }
        defer { closedir(handle) }
        var names: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// The path from the root of the file system; links are followed. As it is when there is no such file.
    static func absolute(_ path: String) -> String {
        guard let resolved = realpath(path, nil) else { return path }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    static func isProgram(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG && access(path, X_OK) == 0
    }

    /// Makes a folder and those above it, for the owner only.
    /// - Throws: `FileError`.
    static func makeFolder(_ path: String) throws(FileError) {
        if isFolder(path) { return }
        if let slash = path.lastIndex(of: "/"), slash > path.startIndex { try makeFolder(String(path[..<slash])) }
        guard mkdir(path, 0o700) == 0 || (errno == EEXIST && isFolder(path)) else {
            throw FileError("cannot make folder \(path)", errno)
        }
    }

    /// Writes under a temporary name, syncs, renames, syncs the folder: the file is there whole or not at all.
    /// - Throws: `FileError`.
    static func replace(_ path: String, with bytes: [UInt8]) throws(FileError) {
        let temporary = "\(path).\(getpid()).new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw FileError("cannot write \(temporary)", errno) }
        var failure = writeAll(bytes, to: descriptor)
        if failure == 0, fsync(descriptor) != 0 { failure = errno }
        close(descriptor)
        if failure == 0, rename(temporary, path) != 0 { failure = errno }
        guard failure == 0 else {
            unlink(temporary)
            throw FileError("cannot write \(path)", failure)
        }
        guard let slash = path.lastIndex(of: "/") else { return }
        let folder = open(String(path[..<slash]), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if folder >= 0 {
            fsync(folder)
            close(folder)
        }
    }

    /// 0, or the error number.
    static func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Int32 {
        bytes.withUnsafeBytes { buffer in
            var offset = 0
            while offset < buffer.count {
                guard let start = buffer.baseAddress else { return 0 }
                let count = Glibc.write(descriptor, start + offset, buffer.count - offset)
                if count < 0 {
                    if errno == EINTR { continue }
                    return errno
                }
                offset += count
            }
            return 0
        }
    }
}

/// A file that could not be read or written.
struct FileError: Error, Sendable, Hashable, CustomStringConvertible {
    let message: String

    init(message: String) { self.message = message }
    init(_ what: String, _ number: Int32) { message = "\(what): \(String(cString: strerror(number)))" }

    var description: String { message }
}
