internal import Dispatch
internal import Glibc

/// A server of somebody else, started for a test and killed, with everything it started, when the value goes away or this
/// process ends, however that happens: it hangs on a pipe whose other end is ours.
public final class Service: Sendable {
    private let processID: pid_t
    private let leash: Int32
    private let scratchFolder: String?
    private static let spawning = DispatchSemaphore(value: 1)
    /// What it printed, standard output and error together.
    public let logPath: String

    /// - Parameters:
    ///   - environment: added to ours.
    ///   - logPath: a file that is made or emptied.
    ///   - scratchFolder: removed with the server.
    public init(
        _ program: String, _ arguments: [String], environment: [String: String] = [:], logPath: String,
        scratchFolder: String? = nil
    ) throws {
        self.logPath = logPath
        self.scratchFolder = scratchFolder
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        // One at a time: a child started between the pipe and its flags would keep the other's leash.
        Self.spawning.wait()
        defer { Self.spawning.signal() }
        var leash: [Int32] = [-1, -1]
        guard pipe(&leash) == 0, fcntl(leash[0], F_SETFD, FD_CLOEXEC) == 0, fcntl(leash[1], F_SETFD, FD_CLOEXEC) == 0
        else {
            throw TestSupportError("could not make a pipe: \(String(cString: strerror(errno)))")
        }
        defer { close(leash[0]) }
        posix_spawn_file_actions_adddup2(&actions, leash[0], 0)
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
        let command = ["sh", "-c", Self.leashed, scratchFolder ?? "", program] + arguments
        var argv: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
        var envp: [UnsafeMutablePointer<CChar>?] = variables.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for pointer in argv + envp { free(pointer) } }
        var processID: pid_t = 0
        let status = posix_spawnp(&processID, "sh", &actions, &attributes, &argv, &envp)
        guard status == 0 else {
            close(leash[1])
            throw TestSupportError("could not start '\(program)': \(String(cString: strerror(status)))")
        }
        self.processID = processID
        self.leash = leash[1]
    }

    /// Runs the program in the background, kills it when standard input ends, exits with its code.
    private static let leashed = """
        exec 3<&0; "$@" </dev/null 3<&- & child=$!
        (read -r line <&3; kill -9 "$child" 2>/dev/null; [ -z "$0" ] || rm -rf "$0") >/dev/null 2>&1 & exec 3<&-; wait "$child"
        """

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
        close(leash)
        if let scratchFolder { Files.removeTree(scratchFolder) }
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
