import Glibc
import ProcessIO

/// A pg_dump that somebody else runs: a container of the same pod with PostgreSQL's own image, which shares a folder with
/// us. For each dump a script is put there; the other side runs the scripts in the order of their numbers:
///
///     n=1
///     until [ -e /shared/done ]; do
///         if [ -e /shared/dump-$n.sh ]; then sh /shared/dump-$n.sh; n=$((n + 1)); else sleep 0.2; fi
///     done
///
/// | file | is |
/// |---|---|
/// | `dump-1.sh` | the script, complete when it is there |
/// | `dump-1` | a named pipe: the dump |
/// | `errors-1` | what pg_dump says |
/// | `status-1` | its exit code, written after it ended |
/// | `version-1` | `pg_dump (PostgreSQL) 15.18` |
/// | `alive` | locked (`flock`) by us as long as our process lives, however it ends |
/// | `done` | nothing more comes |
///
/// The end of the pipe says nothing: it also comes when the container dies, and it does not come while somebody else holds the
/// pipe, as `karaffe run` does until it knows how the container ended. Only an exit code of 0 makes a dump.
///
/// Concurrency and memory: a value; holds one chunk.
public struct RemoteDump: Sendable {
    private let folder: String
    private let number: Int
    private let exitWait: Duration

    /// - Parameters:
    ///   - number: of the dump in this folder, counted from 1.
    ///   - exitWait: how long to wait for the exit code after the dump's end.
    public init(folder: String, number: Int, exitWait: Duration) {
        self.folder = folder
        self.number = number
        self.exitWait = exitWait
    }

    private func path(_ name: String) -> String { "\(folder)/\(name)-\(number)" }

    /// Lets the other side see when our process is gone: the kernel gives the lock back.
    ///
    /// - Throws: `PostgresError.Code.settings` when the folder takes no files.
    public static func announce(folder: String) throws {
        let (new, path) = ("\(folder)/alive.new", "\(folder)/alive")
        unlink("\(folder)/done")
        // Stays open until the process ends.
        let descriptor = open(new, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0, flock(descriptor, LOCK_EX | LOCK_NB) == 0, rename(new, path) == 0 else {
            throw PostgresError(
                .settings, "cannot make and lock \(path): \(String(cString: strerror(errno)))",
                hint: "the folder must be there and shared with the container that runs pg_dump")
        }
    }

    /// Tells the other side that nothing more comes.
    public static func finish(folder: String) {
        let file = fopen("\(folder)/done", "w")
        if let file { fclose(file) }
    }

    /// Asks for a dump and reads it.
    ///
    /// - Parameters:
    ///   - standardError: what pg_dump said, at the end.
    ///   - body: gets a function that returns the next bytes, and nil only after pg_dump succeeded.
    /// - Returns: pg_dump's version as it prints it.
    /// - Throws: `PostgresError`; what `body` throws; `CancellationError`.
    public func run(
        _ options: DumpOptions, standardError: @escaping @Sendable ([UInt8]) -> Void,
        body: (_ read: () async throws -> [UInt8]?) async throws -> Void
    ) async throws -> String {
        for name in ["dump", "errors", "status", "version"] { unlink(path(name)) }
        guard mkfifo(path("dump"), 0o666) == 0, chmod(path("dump"), 0o666) == 0 else {
            throw PostgresError(
                .settings, "cannot make the pipe \(path("dump")): \(String(cString: strerror(errno)))",
                hint: "the folder must be there and shared with the container that runs pg_dump")
        }
        defer { unlink(path("dump")) }
        let stream = try DescriptorStream(readingPipe: path("dump"))
        try await put(script(options), as: "\(folder)/dump-\(number).sh")
        var isEnded = false
        try await body {
            guard !isEnded else { return nil }
            if let chunk = try await next(stream) { return chunk }
            isEnded = true
            try await checkEnd(options, standardError)
            return nil
        }
        return text("version").split(separator: "\n").first.map(String.init) ?? "pg_dump"
    }

    /// Nil at the end of the pipe, or when pg_dump has ended and the pipe is empty.
    private func next(_ stream: DescriptorStream) async throws -> [UInt8]? {
        var isOver = false
        while true {
            switch try await stream.arrival(within: isOver ? 0 : 250) {
            case .bytes(let chunk): return chunk
            case .end: return nil
            case .nothing:
                if isOver { return nil }
                // Then what pg_dump wrote is in the pipe: one more look.
                isOver = !text("status").isEmpty
            }
        }
    }

    private func checkEnd(_ options: DumpOptions, _ standardError: @Sendable ([UInt8]) -> Void) async throws {
        var status = text("status")
        let deadline = ContinuousClock.now + exitWait
        while status.isEmpty, ContinuousClock.now < deadline {
            try await Task.sleep(for: .milliseconds(100))
            status = text("status")
        }
        let said = text("errors")
        if !said.isEmpty { standardError(Array(said.utf8)) }
        guard let code = Int32(status.filter { $0 != "\n" }) else {
            throw PostgresError(
                .dump, "the container that runs pg_dump ended in the middle of the dump of \(options.settings)",
                hint: "look at the log and the state of that container (out of memory?)", isTransient: true)
        }
        guard code == 0 else {
            throw PostgresError(pgDump: .exited(code), place: "\(options.settings)", standardError: said)
        }
    }

    /// Readable by everybody in the pod, because the other container may run as somebody else. It has no password: those
    /// come from that container's own environment.
    func script(_ options: DumpOptions) -> String {
        let environment = options.remoteEnvironment.sorted { $0.key < $1.key }
            .map { "export \($0.key)=\(Self.quoted($0.value))" }
        let arguments = options.remoteArguments.map(Self.quoted).joined(separator: " ")
        let restrict = options.restrictKey.map {
            """
            case "$(pg_dump --help)" in *--restrict-key*) set -- "$@" \(Self.quoted("--restrict-key=\($0)")) ;; esac

            """
        }
        return """
            \(environment.joined(separator: "\n"))
            set -- \(arguments)
            \(restrict ?? "")pg_dump --version > \(Self.quoted(path("version"))) 2>&1
            pg_dump "$@" > \(Self.quoted(path("dump"))) 2> \(Self.quoted(path("errors")))
            echo $? > \(Self.quoted(path("status") + ".new"))
            mv \(Self.quoted(path("status") + ".new")) \(Self.quoted(path("status")))

            """
    }

    private static func quoted(_ text: String) -> String {
        "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }

    private func put(_ text: String, as name: String) async throws {
        let file = try DescriptorStream(writing: name + ".new", mode: 0o644)
        try await file.write(Array(text.utf8))
        guard rename(name + ".new", name) == 0 else {
            throw PostgresError(.settings, "cannot make \(name): \(String(cString: strerror(errno)))")
        }
    }

    /// Up to 64 KiB; empty for a file that is not there.
    private func text(_ name: String) -> String {
        guard let file = fopen(path(name), "r") else { return "" }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }
}
