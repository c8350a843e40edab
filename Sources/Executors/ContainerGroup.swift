import ActionEngine
import GoFormats
import ProcessIO

/// The containers of a MultiContainerRun as processes that share a folder: `init` to its end, then `background` and
/// `output` together.
///
/// One of the two writes what the other reads, usually through a named pipe. When it fails, the other is ended before it
/// can see the end of the pipe and take a part for the whole: pipes are held open (`HeldPipes`) until the first of the
/// two has succeeded, or until both are gone.
///
/// Concurrency and memory: one task a container; what `withChild` holds for each.
struct ContainerGroup {
    let executor: LocalExecutor
    let pod: PodRequest
    let background: JSONObject
    let folder: PrivateFolder
    let streams: any PodStreams

    private enum Member: Sendable { case output, background, watcher }

    /// - Returns: how `output` ended.
    /// - Throws: `FunctionFailure` when `init` or `background` failed, or the shared folder cannot be had.
    func run() async throws -> CommandEnding {
        let main = pod.mainContainer
        let shared = try await SharedFolder(
            source: try folder.folder("shared"), mountPath: SharedFolder.mountPath(of: main))
        let before = (pod.spec["initContainers"]?.arrayValue ?? []).compactMap(\.objectValue)
        let names = [main, background].compactMap { $0["name"]?.stringValue } + [PodRequest.initContainerName]
        executor.report(Honoured.notHonoured(inGroup: pod, running: Set(names)), of: pod)
        executor.note(
            "\(shared.mountPath) is the containers' shared folder; what this machine has there is not seen by them",
            of: pod)
        for container in before where container["name"]?.stringValue == PodRequest.initContainerName {
            let process = try await process(for: container, shared)
            let ending = try await start(process, as: PodRequest.initContainerName)
            guard ending.isSuccess else { throw Self.failure(of: PodRequest.initContainerName, ending) }
        }
        let pipes = HeldPipes(in: shared.source)
        defer { pipes.release() }
        pipes.hold(nobodyWaits: true)
        return try await together(
            output: try await process(for: main, shared), background: try await process(for: background, shared), pipes)
    }

    /// Runs both. The group's tasks are gone, and with them their processes, when it returns or throws.
    private func together(
        output: LocalProcess, background: LocalProcess, _ pipes: HeldPipes
    ) async throws -> CommandEnding {
        try await withThrowingTaskGroup(of: (Member, CommandEnding).self) { group in
            group.addTask { [self] in
                (
                    .output,
                    try await executor.start(
                        output, output: { try streams.standardOutput($0) }, error: { streams.standardError($0) })
                )
            }
            group.addTask { [self] in
                (.background, try await start(background, as: PodRequest.backgroundContainerName))
            }
            group.addTask {
                await pipes.watch()
                return (.watcher, .exited(0))
            }
            var ending = CommandEnding.exited(0)
            var left = 2
            while left > 0, let (member, how) = try await group.next() {
                guard member != .watcher else { continue }
                left -= 1
                if member == .output { ending = how }
                if !how.isSuccess, left > 0 || member == .background {
                    // Both ends of every pipe stay as they are until the other one is gone.
                    group.cancelAll()
                    while (try? await group.next()) != nil {}
                    guard member == .background else { return how }
                    throw Self.failure(of: PodRequest.backgroundContainerName, how, endedOther: left > 0)
                }
                pipes.release()
            }
            group.cancelAll()
            return ending
        }
    }

    private func process(for container: JSONObject, _ shared: SharedFolder) async throws -> LocalProcess {
        let name = container["name"]?.stringValue ?? ""
        let own = PrivateFolder(path: try folder.folder(name))
        var process = try await executor.process(for: container, of: pod, in: own)
        // Said here, because inside the namespace it would be an exit code of `unshare`.
        _ = try ChildCommand(process.command.first ?? "", environment: process.environment).resolvedExecutable()
        process.command = shared.apply(to: process.command)
        return process
    }

    private func start(_ process: LocalProcess, as name: String) async throws -> CommandEnding {
        try await executor.start(
            process, output: { [streams] in streams.log($0, of: name) },
            error: { [streams] in streams.log($0, of: name) })
    }

    private static func failure(
        of container: String, _ ending: CommandEnding, endedOther: Bool = false
    ) -> FunctionFailure {
        FunctionFailure(
            "the command of container '\(container)' failed: \(ending)"
                + (endedOther ? "; 'output' was ended before it could take what it had for the whole" : ""),
            ending: ending)
    }
}
