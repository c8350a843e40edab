public import ActionEngine
import BlockingIO
import Glibc
import GoFormats
import ProcessIO

/// Runs the main container's command of a pod as a process on this machine; a pod with a background container as
/// processes that share a folder (`ContainerGroup`).
///
/// What is honoured: `command`, `args`, `env`, `envFrom` of the main container, with `$(NAME)` as in Kubernetes. The
/// process gets a private working folder with HOME and TMPDIR in it, which is removed afterwards, and an environment that
/// has nothing of the caller's besides PATH. What cannot be honoured (image, other containers, volumes, …) is said in the
/// log.
///
/// Concurrency and memory: a value; each `run` has its own folder and child and what `withChild` holds. The child's
/// process group is gone when `run` returns or throws.
public struct LocalExecutor: PodExecutor {
    /// What a local run may use of this machine.
    public struct Options: Sendable {
        /// `pod-runner`: linked as `pod-runner` and `kando` into the first folder of PATH. Nil leaves them to PATH.
        public var runner: String?
        public var hosts: [HostOverride] = []
        /// How to override hosts; nil takes the first way that works.
        public var hostResolution: HostResolution?
        /// Folders to look for programs in, as PATH.
        public var path: String
        /// Where working folders are made.
        public var temporaryFolder: String
        /// Longest time a command may take; nil means any.
        public var timeout: Duration?
        /// From SIGTERM to SIGKILL.
        public var terminationGrace = Duration.seconds(5)

        public init(
            runner: String? = nil, hosts: [HostOverride] = [], path: String = "/usr/local/bin:/usr/bin:/bin",
            temporaryFolder: String = "/tmp", timeout: Duration? = nil
        ) {
            self.runner = runner
            self.hosts = hosts
            self.path = path
            self.temporaryFolder = temporaryFolder
            self.timeout = timeout
        }
    }

    public let options: Options
    private let cluster: any Cluster
    private let log: any PhaseLog

    public init(options: Options, cluster: any Cluster, log: any PhaseLog) {
        self.options = options
        self.cluster = cluster
        self.log = log
    }

    public var runsPods: Bool { true }

    public func run(_ pod: PodRequest, streams: any PodStreams) async throws -> CommandEnding {
        do {
            let folder = try PrivateFolder.make(in: SharedFolder.parent(for: pod, options.temporaryFolder))
            let ending: Result<CommandEnding, any Error>
            do {
                ending = .success(try await run(pod, in: folder, streams: streams))
            } catch {
                ending = .failure(error)
            }
            // A command may leave many files behind.
            try? await onBlockingThread { folder.remove() }
            return try ending.get()
        } catch let error as LocalExecutorError {
            throw FunctionFailure(error.message, hint: error.hint)
        } catch let error as ChildError {
            throw FunctionFailure(error.message, hint: Self.hint(for: error))
        }
    }

    private func run(_ pod: PodRequest, in folder: PrivateFolder, streams: any PodStreams) async throws -> CommandEnding
    {
        if let background = pod.backgroundContainer {
            return try await ContainerGroup(
                executor: self, pod: pod, background: background, folder: folder, streams: streams
            ).run()
        }
        let process = try await process(for: pod.mainContainer, of: pod, in: folder)
        report(Honoured.notHonoured(in: pod) + process.ignored, of: pod)
        return try await start(
            process, output: { try streams.standardOutput($0) }, error: { streams.standardError($0) })
    }

    /// A container's command as a process of this machine.
    ///
    /// - Parameter folder: the container's own; its HOME, TMPDIR and working folder are made there.
    func process(
        for container: JSONObject, of pod: PodRequest, in folder: PrivateFolder
    ) async throws -> LocalProcess {
        var resolved = ContainerEnvironment(
            container: container, namespace: pod.namespace, podName: pod.namePrefix + "local", cluster: cluster)
        try await resolved.resolve()
        let environment = try environment(resolved.variables, in: folder)
        let command = ["command", "args"].flatMap { container[$0]?.arrayValue ?? [] }.compactMap(\.stringValue)
        guard !command.isEmpty else {
            let name = container["name"]?.stringValue ?? PodRequest.mainContainerName
            let what = name == PodRequest.mainContainerName ? "the pod" : "container '\(name)'"
            throw FunctionFailure(
                "\(what) has no command", hint: "a local run cannot use the image's own; give 'command'")
        }
        var process = LocalProcess(
            command: command.map { VariableExpansion.expand($0, resolved.variables) }, environment: environment,
            folder: try folder.folder("work"), ignored: resolved.ignored)
        guard !options.hosts.isEmpty else { return process }
        let machine = (try? readFile("/etc/hosts")) ?? ""
        let file = try folder.write("hosts", HostOverride.hostsFile(options.hosts, machine: machine))
        let found: HostResolution
        if let wanted = options.hostResolution {
            found = wanted
        } else {
            found = try await HostResolution.find(hostsFile: file)
        }
        (process.command, process.environment) = found.apply(
            to: process.command, environment: process.environment, hostsFile: file)
        return process
    }

    /// Runs it to its end.
    func start(
        _ process: LocalProcess, output take: @escaping @Sendable ([UInt8]) throws -> Void,
        error: @escaping @Sendable ([UInt8]) -> Void
    ) async throws -> CommandEnding {
        let child = ChildCommand(
            process.command.first ?? "", Array(process.command.dropFirst()), environment: process.environment,
            workingDirectory: process.folder, terminationGrace: options.terminationGrace)
        let timeout = options.timeout
        let result = try await withChild(child, standardError: error) { output in
            try await withTimeout(timeout) {
                while let chunk = try await output.read() { try take(chunk) }
                _ = try await output.exit()
            }
        }
        switch result.exit {
        case .exited(let code): return .exited(code)
        case .signalled(let signal): return .killed(signal: signal)
        }
    }

    // MARK: The environment

    private func environment(
        _ variables: [String: String], in folder: PrivateFolder
    ) throws(LocalExecutorError) -> [String: String] {
        let bin = try folder.folder("bin")
        if let runner = options.runner {
            for name in ["kando", "pod-runner"] where symlink(runner, "\(bin)/\(name)") != 0 {
                throw LocalExecutorError("cannot link \(bin)/\(name) to \(runner): \(systemText(errno))")
            }
        }
        let base = [
            "HOME": try folder.folder("home"), "TMPDIR": try folder.folder("tmp"), "LANG": "C.UTF-8",
            "PATH": "\(bin):\(options.path)",
        ]
        var merged = base.merging(variables) { _, own in own }
        // The links stay first whatever PATH the pod wants.
        if let own = variables["PATH"] { merged["PATH"] = "\(bin):\(own)" }
        return merged
    }

    func report(_ notHonoured: [String], of pod: PodRequest) {
        guard !notHonoured.isEmpty else { return }
        note("not honoured by a local run: \(notHonoured.joined(separator: ", "))", of: pod)
    }

    func note(_ text: String, of pod: PodRequest) {
        log.line(PhaseLogLine(phase: pod.phase, source: .engine, text: text))
    }

    private static func hint(for error: ChildError) -> String? {
        switch error.code {
        case .notFound: return "a local run uses the programs of this machine: install it, or add its folder to PATH"
        case .notExecutable: return "make it executable, or name another program"
        default: return nil
        }
    }
}

/// What a container becomes on this machine.
struct LocalProcess: Sendable {
    var command: [String]
    var environment: [String: String]
    /// Where it starts.
    var folder: String
    /// Parts of its environment that mean nothing here.
    var ignored: [String]
}

/// Runs `body`, and ends it with a `FunctionFailure` when it takes longer than `limit`.
private func withTimeout(_ limit: Duration?, _ body: @escaping @Sendable () async throws -> Void) async throws {
    guard let limit else { return try await body() }
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: limit)
            throw FunctionFailure(
                "the command was ended: it took longer than \(limit)", hint: "raise --timeout, or leave it out")
        }
        _ = try await group.next()
        group.cancelAll()
    }
}

/// Reads a small text file.
private func readFile(_ path: String) throws(LocalExecutorError) -> String {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw LocalExecutorError("cannot read \(path): \(systemText(errno))") }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    // A hosts file is small; what is over 4 MiB is not read.
    while bytes.count < 4 << 20 {
        let count = read(descriptor, &buffer, buffer.count)
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { break }
        bytes += buffer[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
}
