internal import Glibc

/// A new empty folder that is removed, with everything in it, when the value goes away.
public struct TemporaryDirectory: ~Copyable, Sendable {
    public let path: String

    public init() throws {
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(base)/karaffe-test-XXXXXX".utf8CString)
        let made = template.withUnsafeMutableBufferPointer { $0.baseAddress.flatMap { mkdtemp($0) } != nil }
        guard made else {
            throw TestSupportError("could not make a folder in '\(base)': \(String(cString: strerror(errno)))")
        }
        path = template.withUnsafeBytes { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    deinit { Files.removeTree(path) }
}

public struct TestSupportError: Error, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}

/// Whole files, for tests.
public enum Files {
    public static func read(_ path: String) throws -> [UInt8] {
        guard let file = fopen(path, "rb") else {
            throw TestSupportError("could not open '\(path)': \(String(cString: strerror(errno)))")
        }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = fread(&buffer, 1, buffer.count, file)
            if count == 0 { return bytes }
            bytes.append(contentsOf: buffer[0..<count])
        }
    }

    public static func write(_ bytes: [UInt8], _ path: String) throws {
        guard let file = fopen(path, "wb") else {
            throw TestSupportError("could not write '\(path)': \(String(cString: strerror(errno)))")
        }
        let written = fwrite(bytes, 1, bytes.count, file)
        guard fclose(file) == 0, written == bytes.count else { throw TestSupportError("could not write '\(path)'") }
    }

    public static func makeFolder(_ path: String) throws {
        guard mkdir(path, 0o755) == 0 || errno == EEXIST else {
            throw TestSupportError("could not make '\(path)': \(String(cString: strerror(errno)))")
        }
    }

    public static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// Names in a folder, sorted.
    public static func names(_ path: String) -> [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// The paths of all files in a folder and the folders below it, sorted.
    public static func tree(_ path: String) -> [String] {
        names(path).map { "\(path)/\($0)" }.flatMap { isFolder($0) ? tree($0) : [$0] }
    }

    /// Copies a folder of plain files and folders.
    public static func copyTree(_ source: String, to target: String) throws {
        try makeFolder(target)
        for name in names(source) {
            let (from, to) = ("\(source)/\(name)", "\(target)/\(name)")
            if isFolder(from) { try copyTree(from, to: to) } else { try write(try read(from), to) }
        }
    }

    /// Does not follow symbolic links; what cannot be removed stays.
    public static func removeTree(_ path: String) {
        if isFolder(path) {
            for name in names(path) { removeTree("\(path)/\(name)") }
            rmdir(path)
        } else {
            unlink(path)
        }
    }

    private static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }
}

/// Where the golden repositories are, found from the place of this file.
public enum GoldenRepository {
    /// `Tests/CompatibilityTests/Fixtures/kopia`.
    public static let root: String = {
        let here = String(describing: #filePath)
        let tests = here.split(separator: "/").dropLast(2).joined(separator: "/")
        return "/\(tests)/CompatibilityTests/Fixtures/kopia"
    }()

    /// The folder of a repository, for example `default`. Open it read-only, or a copy of it.
    public static func path(_ name: String) -> String { "\(root)/repos/\(name)" }

    /// The password of all repositories that the fixtures' README does not name another one for.
    public static let password = "kopia-fixture-password"
}
