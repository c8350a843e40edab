/// Programs that `.ci/install-python-tools` puts into `.build/python/bin`.
public enum PythonTools {
    /// Nil when it is not installed.
    public static func find(_ name: String) -> String? {
        let root = "/" + String(describing: #filePath).split(separator: "/").dropLast(4).joined(separator: "/")
        return Program.find(name, in: ["\(root)/.build/python/bin"])
    }

    /// Whether tests that need it should run: when it is there, or when its absence is a failure.
    public static func isWanted(_ name: String) -> Bool { find(name) != nil || CurrentEnvironment.requiresServices }

    /// - Throws: when it is not installed.
    public static func require(_ name: String) throws -> String {
        guard let path = find(name) else {
            throw TestSupportError("'\(name)' is not installed; run .ci/install-python-tools")
        }
        return path
    }
}
