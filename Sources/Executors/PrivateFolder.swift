import Glibc

/// A folder of one run that only its owner can enter.
struct PrivateFolder: Sendable {
    let path: String

    /// - Parameter parent: where to make it.
    /// - Throws: `LocalExecutorError`.
    static func make(in parent: String) throws(LocalExecutorError) -> PrivateFolder {
        var template = Array("\(parent)/karaffe-XXXXXX".utf8CString)
        let made = template.withUnsafeMutableBufferPointer { buffer in
            buffer.baseAddress.flatMap { mkdtemp($0) } != nil
        }
        guard made else {
            throw LocalExecutorError(
                "cannot make a working folder in \(parent): \(systemText(errno))",
                hint: "set TMPDIR to a folder you may write to")
        }
        let path = template.withUnsafeBufferPointer { buffer in
            buffer.baseAddress.map { String(cString: $0) } ?? ""
        }
        return PrivateFolder(path: path)
    }

    func folder(_ name: String) throws(LocalExecutorError) -> String {
        let folder = "\(path)/\(name)"
        guard mkdir(folder, 0o700) == 0 || errno == EEXIST else {
            throw LocalExecutorError("cannot make folder \(folder): \(systemText(errno))")
        }
        return folder
    }

    func write(_ name: String, _ text: String) throws(LocalExecutorError) -> String {
        let file = "\(path)/\(name)"
        let descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw LocalExecutorError("cannot write \(file): \(systemText(errno))") }
        defer { close(descriptor) }
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                throw LocalExecutorError("cannot write \(file): \(systemText(errno))")
            }
            rest = rest.dropFirst(count)
        }
        return file
    }

    /// Removes it with everything inside; what cannot be removed stays.
    func remove() { Self.remove(path, depth: 0) }

    private static func remove(_ path: String, depth: Int) {
        var status = stat()
        guard depth < 1000, lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            unlink(path)
            return
        }
        // A folder its maker made unreadable is still ours.
        if status.st_mode & 0o700 != 0o700 { chmod(path, 0o700) }
        if let handle = opendir(path) {
            var names: [String] = []
            while let entry = readdir(handle) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                    pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                if name != ".", name != ".." { names.append(name) }
            }
            closedir(handle)
            for name in names { remove("\(path)/\(name)", depth: depth + 1) }
        }
        rmdir(path)
    }
}

/// What the system says about an error number.
func systemText(_ number: Int32) -> String { String(cString: strerror(number)) }

/// Why a pod could not be run on this machine.
public struct LocalExecutorError: Error, Sendable, Hashable, CustomStringConvertible {
    public let message: String
    public let hint: String?

    public init(_ message: String, hint: String? = nil) {
        self.message = message
        self.hint = hint
    }

    public var description: String { hint.map { "\(message)\nhint: \($0)" } ?? message }
}
