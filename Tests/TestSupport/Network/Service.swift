internal import Glibc

/// A server of somebody else, started for a test and killed, with everything it started, when the value goes away.
public final class Service: Sendable {
    private let processID: pid_t
    /// What it printed, standard output and error together.
    public let logPath: String

    /// - Parameters:
    ///   - environment: added to ours.
    ///   - logPath: a file that is made or emptied.
    public init(_ program: String, _ arguments: [String], environment: [String: String] = [:], logPath: String) throws {
        self.logPath = logPath
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, logPath, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))

        var variables = CurrentEnvironment.all.filter { environment[$0.key] == nil }
        variables.merge(environment) { _, new in new }
        var argv: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) } + [nil]
        var envp: [UnsafeMutablePointer<CChar>?] = variables.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for pointer in argv + envp { free(pointer) } }
        var processID: pid_t = 0
        let status = posix_spawnp(&processID, program, &actions, &attributes, &argv, &envp)
        guard status == 0 else {
            throw TestSupportError("could not start '\(program)': \(String(cString: strerror(status)))")
        }
        self.processID = processID
    }

    deinit { stop() }

    /// Waits until `isReady`, at most so long.
    ///
    /// - Throws: when it ended or did not become ready; with the end of what it printed.
    public func waitUntilReady(seconds: Int = 30, _ isReady: () -> Bool) throws {
        for _ in 0..<(seconds * 50) {
            if isReady() { return }
            // WNOWAIT leaves it to `stop` to collect it.
            var info = siginfo_t()
            if waitid(P_PID, id_t(processID), &info, WEXITED | WNOHANG | WNOWAIT) == 0, info.si_signo == SIGCHLD {
                break
            }
            usleep(20_000)
        }
        throw TestSupportError("the server did not start: \(log.suffix(2000))")
    }

    public var log: String { (try? Files.read(logPath)).map { String(decoding: $0, as: UTF8.self) } ?? "" }

    private func stop() {
        kill(-processID, SIGKILL)
        var status: Int32 = 0
        while waitpid(processID, &status, 0) < 0, errno == EINTR {}
    }
}

/// The environment of this process.
public enum CurrentEnvironment {
    public static var all: [String: String] {
        var result: [String: String] = [:]
        // The kernel's copy: `environ` is a global variable that Swift 6 does not let be read.
        for entry in ((try? Files.read("/proc/self/environ")) ?? []).split(separator: 0) {
            let text = String(decoding: entry, as: UTF8.self)
            guard let equals = text.firstIndex(of: "=") else { continue }
            result[String(text[..<equals])] = String(text[equals...].dropFirst())
        }
        return result
    }

    public static func value(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    /// With `REQUIRE_SERVICES=1` a missing program is a failure, not a skip.
    public static var requiresServices: Bool { value("REQUIRE_SERVICES") == "1" }
}

/// A program that ends by itself.
public enum Program {
    /// What it printed on standard output and error together, and its exit code.
    public static func run(_ program: String, _ arguments: [String], environment: [String: String] = [:]) throws -> (
        output: String, exitCode: Int32
    ) {
        let folder = try TemporaryDirectory()
        let service = try Service(program, arguments, environment: environment, logPath: "\(folder.path)/output")
        let code = service.waitForExit()
        return (service.log, code)
    }

    /// The first of the folders in `PATH` that holds it.
    public static func find(_ name: String, in folders: [String] = []) -> String? {
        let path = folders + (CurrentEnvironment.value("PATH") ?? "").split(separator: ":").map(String.init)
        return path.map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
    }
}

extension Service {
    /// The zombie stays for `stop`: as long as it is there, nobody else can get its number.
    fileprivate func waitForExit() -> Int32 {
        var info = siginfo_t()
        while waitid(P_PID, id_t(processID), &info, WEXITED | WNOWAIT) != 0, errno == EINTR {}
        let status = info._sifields._sigchld.si_status
        return info.si_code == Int32(CLD_EXITED) ? status : 128 + status
    }
}

/// Blocks the thread.
public func usleepMilliseconds(_ milliseconds: Int) { usleep(UInt32(clamping: milliseconds) * 1000) }
