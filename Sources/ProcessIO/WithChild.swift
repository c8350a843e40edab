import BlockingIO
import Glibc
private import Subprocess
import Synchronization
private import SystemPackage

/// Runs a program in a process group of its own for the time of `body`, and returns when the whole group is gone.
///
/// - The body reads the standard output; when it returns early, the child gets a closed pipe; when it throws, the group
///   gets SIGTERM, after the grace SIGKILL.
/// - Cancelling the task ends the group the same way, and the result is always `CancellationError`, never a value made
///   from a part of the output.
/// - What the child leaves behind in its group when it ends gets SIGKILL, as in a container. A process that left the
///   group cannot hold up the return.
/// - Several children are connected by nesting: the inner child's producer reads the outer child's output.
///
/// Concurrency and memory: three blocking threads per child. Holds `ChildOutput.chunkCount` chunks of output, the tail
/// of standard error and what the producer writes at a time.
///
/// - Parameters:
///   - standardError: called for each chunk, in order, on a thread of its own; must not block for long.
///   - tailLimit: bytes of standard error kept for `ChildResult.standardErrorTail`.
/// - Throws: `ChildError` when the program cannot be run; what the body or the producer throws, whichever was first;
///   `CancellationError`. An unsuccessful exit is a result, not an error.
public func withChild<Value: Sendable>(
    _ command: ChildCommand, input: ChildInput = .nothing,
    standardError: (@Sendable ([UInt8]) -> Void)? = nil, tailLimit: Int = 64 << 10,
    body: (ChildOutput) async throws -> Value
) async throws -> ChildResult<Value> {
    try Task.checkCancellation()
    BrokenPipes.ignore()
    let executable = try command.resolvedExecutable()
    let environment = try command.encodedEnvironment()
    let ends = try ChildEnds(input: input)
    var options = PlatformOptions()
    options.processGroupID = 0
    // Ending the group is `ChildProcess`'s, which also covers a throwing body. Signal 0 only makes subprocess wait.
    options.teardownSequence = [
        .send(
            signal: Signal(rawValue: 0), toProcessGroup: true,
            allowedDurationToNextStep: command.terminationGrace + .seconds(5))
    ]
    let configuration = Configuration(
        executable: .path(FilePath(executable)), arguments: Arguments(command.arguments),
        environment: .custom(environment), workingDirectory: command.workingDirectory.map { FilePath($0) },
        platformOptions: options)
    let tail = Tail(limit: tailLimit)
    do {
        let result = try await Subprocess.run(
            configuration,
            input: .fileDescriptor(FileDescriptor(rawValue: ends.childInput), closeAfterSpawningProcess: true),
            output: .fileDescriptor(FileDescriptor(rawValue: ends.childOutput), closeAfterSpawningProcess: true),
            error: .fileDescriptor(FileDescriptor(rawValue: ends.childError), closeAfterSpawningProcess: true)
        ) { execution in
            let child = ChildProcess(
                execution.processIdentifier.value, grace: command.terminationGrace, ended: ends.ended,
                ending: ends.ending)
            let run = ChildRun(child: child, ends: ends, name: command.name, input: input, tail: tail)
            return try await run.supervise(standardError: standardError, body: body)
        }
        try Task.checkCancellation()
        let (exit, value, tookAllInput) = result.closureResult
        return ChildResult(exit: exit, value: value, standardErrorTail: tail.bytes, tookAllInput: tookAllInput)
    } catch let error as SubprocessError {
        try Task.checkCancellation()
        throw ChildError(error, command: command, executable: executable)
    } catch {
        try Task.checkCancellation()
        throw error
    }
}

/// Runs a program to its end and returns what it wrote to standard output.
///
/// - Throws: as `withChild`; `ChildError.Code.outputLimit` when there are more than `outputLimit` bytes.
public func runChild(
    _ command: ChildCommand, input: ChildInput = .nothing, outputLimit: Int,
    standardError: (@Sendable ([UInt8]) -> Void)? = nil
) async throws -> ChildResult<[UInt8]> {
    try await withChild(command, input: input, standardError: standardError) { output in
        var bytes: [UInt8] = []
        while let chunk = try await output.read() {
            bytes += chunk
            guard bytes.count <= outputLimit else {
                throw ChildError(
                    .outputLimit, command.executable,
                    "\(command.name) wrote more than \(outputLimit) bytes to its standard output")
            }
        }
        return bytes
    }
}

/// The descriptors of one child: its ends, which subprocess closes once it has started, and ours.
private struct ChildEnds: Sendable {
    let childInput: Int32
    let childOutput: Int32
    let childError: Int32
    /// Nil for an empty input.
    let input: Descriptor?
    let output: Descriptor
    let error: Descriptor
    /// Readable once `ending` is closed.
    let ended: Descriptor
    let ending: Descriptor

    init(input: ChildInput) throws(ChildError) {
        let end = try Pipe()
        (ended, ending) = (Descriptor(end.read), Descriptor(end.write))
        if case .nothing = input {
            childInput = open("/dev/null", O_RDONLY | O_CLOEXEC)
            guard childInput >= 0 else {
                throw ChildError(.spawn, "", "cannot open /dev/null: \(SystemError.text(errno))")
            }
            self.input = nil
        } else {
            let pipe = try Pipe()
            pipe.enlarge()
            Pipe.makeNonBlocking(pipe.write)
            (childInput, self.input) = (pipe.read, Descriptor(pipe.write))
        }
        do throws(ChildError) {
            let pipe = try Pipe()
            pipe.enlarge()
            (childOutput, output) = (pipe.write, Descriptor(pipe.read))
        } catch {
            close(childInput)
            throw error
        }
        do throws(ChildError) {
            let pipe = try Pipe()
            (childError, error) = (pipe.write, Descriptor(pipe.read))
        } catch {
            close(childInput)
            close(childOutput)
            throw error
        }
        Pipe.makeNonBlocking(output.number)
        Pipe.makeNonBlocking(error.number)
    }
}

/// The tasks around one running child.
private struct ChildRun: Sendable {
    let child: ChildProcess
    let ends: ChildEnds
    let name: String
    let input: ChildInput
    let tail: Tail

    func supervise<Value: Sendable>(
        standardError: (@Sendable ([UInt8]) -> Void)?, body: (ChildOutput) async throws -> Value
    ) async throws -> (ChildExit, Value, tookAllInput: Bool) {
        let channel = ByteChannel(capacity: ChildOutput.chunkCount)
        let feed = Feed()
        return try await withTaskCancellationHandler {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { [child] in try? await onDedicatedThread { child.waitBlocking() } }
                group.addTask { [self] in await pumpOutput(into: channel) }
                group.addTask { [self] in await pumpError(to: standardError) }
                group.addTask { [self] in await runInput(feed) }
                let value: Value
                do {
                    value = try await body(ChildOutput(channel: channel, child: child))
                } catch {
                    feed.fail(with: error)
                    child.terminate()
                    channel.close()
                    try await group.waitForAll()
                    throw feed.failure ?? error
                }
                channel.close()
                try await group.waitForAll()
                if let failure = feed.failure { throw failure }
                return (child.exit ?? .signalled(SIGKILL), value, feed.isComplete)
            }
        } onCancel: {
            child.terminate()
        }
    }

    private func pumpOutput(into channel: ByteChannel) async {
        try? await onDedicatedThread { [output = ends.output, ended = ends.ended] in
            PipePump.run(
                output, ended: ended.number, chunkSize: ChildOutput.chunkSize, waitForPlace: channel.waitForPlace,
                deliver: channel.put)
            // Whoever still writes gets a closed pipe, even while our end is open.
            output.close()
        }
        channel.finish()
    }

    private func pumpError(to sink: (@Sendable ([UInt8]) -> Void)?) async {
        try? await onDedicatedThread { [error = ends.error, ended = ends.ended, tail] in
            PipePump.run(error, ended: ended.number, chunkSize: 64 << 10, waitForPlace: { true }) { chunk in
                tail.append(chunk)
                sink?(chunk)
            }
        }
    }

    private func runInput(_ feed: Feed) async {
        guard let descriptor = ends.input else { return feed.complete() }
        let writer = ChildInputWriter(descriptor: descriptor, child: child, name: name)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [input, child] in
                do {
                    switch input {
                    case .nothing: break
                    case .bytes(let bytes): try await writer.write(bytes)
                    case .producer(let produce): try await produce(writer)
                    }
                    feed.complete()
                } catch let error as ChildError where error.code == .closedInput {
                    // The child's exit tells more than its closed input.
                } catch {
                    // Ended before it can see the end of its input and take a part for the whole.
                    if child.exit == nil { feed.fail(with: error) }
                    child.terminate()
                    await child.waitForExitUncancelled()
                }
            }
            group.addTask { [child] in _ = await child.waitForExit() }
            await group.next()
            group.cancelAll()
        }
        descriptor.close()
    }
}

/// How the input went, and what failed first.
private final class Feed: Sendable {
    private struct State {
        var isComplete = false
        var failure: (any Error)?
    }

    private let state = Mutex(State())

    func complete() { state.withLock { $0.isComplete = true } }
    func fail(with error: any Error) { state.withLock { $0.failure = $0.failure ?? error } }
    var isComplete: Bool { state.withLock { $0.isComplete } }
    var failure: (any Error)? { state.withLock { $0.failure } }
}
