import Executors
import Glibc

extension LocalExecutor.Options {
    /// What a command of `karaffe` may use of this machine: its PATH, TMPDIR, and the `pod-runner` beside karaffe or on PATH.
    ///
    /// - Parameter runner: the file given for `pod-runner`, which is not looked for then.
    static func ofThisMachine(runner: String? = nil) -> LocalExecutor.Options {
        func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
        var options = LocalExecutor.Options()
        if let path = variable("PATH"), !path.isEmpty { options.path = path }
        if let folder = variable("TMPDIR"), Files.isFolder(folder) { options.temporaryFolder = folder }
        options.runner =
            runner.map { $0.hasPrefix("/") ? $0 : currentFolder() + "/" + $0 }
            ?? runnerBesideUs() ?? find("pod-runner", in: options.path)
        return options
    }

    private static func currentFolder() -> String {
        guard let folder = getcwd(nil, 0) else { return "." }
        defer { free(folder) }
        return String(cString: folder)
    }

    private static func find(_ name: String, in path: String) -> String? {
        path.split(separator: ":").map { "\($0)/\(name)" }.first { $0.hasPrefix("/") && Files.isProgram($0) }
    }

    private static func runnerBesideUs() -> String? {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        guard count > 0 else { return nil }
        let path = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard let slash = path.lastIndex(of: "/") else { return nil }
        let runner = path[..<slash] + "/pod-runner"
        return Files.isProgram(String(runner)) ? String(runner) : nil
    }
}
