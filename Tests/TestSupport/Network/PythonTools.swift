/// Programs that `.ci/install-python-tools` puts into `.build/python/bin`.
public enum PythonTools {
    /// Nil when it is not installed. One of that name in `PATH` is another one: another version, or without the libraries.
    public static func find(_ name: String) -> String? {
        let root = "/" + String(describing: #filePath).split(separator: "/").dropLast(4).joined(separator: "/")
        let path = "\(root)/.build/python/bin/\(name)"
        return Files.exists(path) ? path : nil
    }

    /// Whether tests that need it should run: when it is there, or when its absence is a failure.
    public static func isWanted(_ name: String) -> Bool { find(name) != nil || CurrentEnvironment.requiresServices }

    /// Whether tests that need a library of Python's should run: as above.
    ///
    /// - Parameter package: the folder it is installed in, for example `azure/storage/blob`.
    public static func isWanted(package: String) -> Bool {
        let root = "/" + String(describing: #filePath).split(separator: "/").dropLast(4).joined(separator: "/")
        let libraries = "\(root)/.build/python/lib"
        return CurrentEnvironment.requiresServices
            || Files.names(libraries).contains { Files.exists("\(libraries)/\($0)/site-packages/\(package)") }
    }

    /// - Throws: when it is not installed.
    public static func require(_ name: String) throws -> String {
        guard let path = find(name) else {
            throw TestSupportError("'\(name)' is not installed; run .ci/install-python-tools")
        }
        return path
    }
}
