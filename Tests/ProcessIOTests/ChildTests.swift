import Glibc
import ProcessIO
import Synchronization
import Testing

/// `sh -c` with the usual folders on PATH.
func shell(_ script: String, grace: Duration = .seconds(2)) -> ChildCommand {
    ChildCommand("sh", ["-c", script], environment: ["PATH": "/usr/bin:/bin"], terminationGrace: grace)
}

func isAlive(_ processIdentifier: Int32) -> Bool { kill(processIdentifier, 0) == 0 }

@Suite struct ChildExits {
    struct Case: Sendable, CustomTestStringConvertible {
        let id: String
        let script: String
        let exit: ChildExit
        let text: String
        var testDescription: String { id }
    }

    @Test(arguments: [
        Case(id: "success", script: "exit 0", exit: .exited(0), text: "exited with code 0"),
        Case(id: "code", script: "exit 7", exit: .exited(7), text: "exited with code 7"),
        Case(id: "killed", script: "kill -9 $$", exit: .signalled(9), text: "was killed by signal 9 (SIGKILL)"),
        Case(id: "terminated", script: "kill -15 $$", exit: .signalled(15), text: "was killed by signal 15 (SIGTERM)"),
    ])
    func codeAndSignalAreDistinct(_ item: Case) async throws {
        let result = try await runChild(shell(item.script), outputLimit: 100)
        #expect(result.exit == item.exit)
        #expect(result.exit.description == item.text)
    }

    @Test func aMissingProgramIsNamedWithWhereItWasLookedFor() async {
        let command = ChildCommand("no-such-program", environment: ["PATH": "/usr/bin:/bin"])
        let expected = ChildError(
            .notFound, "no-such-program", "no-such-program is in none of the folders of PATH (/usr/bin:/bin)")
        await #expect(throws: expected) { try await runChild(command, outputLimit: 1) }
    }

    @Test func aPathThatDoesNotExistIsNotFound() async {
        let expected = ChildError(.notFound, "/nowhere/program", "/nowhere/program does not exist")
        await #expect(throws: expected) {
            try await runChild(ChildCommand("/nowhere/program", environment: [:]), outputLimit: 1)
        }
    }

    @Test func aFileThatIsNoProgramIsNotExecutable() async {
        let expected = ChildError(.notExecutable, "/etc/passwd", "/etc/passwd is not an executable file")
        await #expect(throws: expected) {
            try await runChild(ChildCommand("/etc/passwd", environment: [:]), outputLimit: 1)
        }
    }

    @Test func aMissingWorkingDirectoryIsNamed() async throws {
        var command = shell("true")
        command.workingDirectory = "/nowhere/at/all"
        let error = await #expect(throws: ChildError.self) { try await runChild(command, outputLimit: 1) }
        #expect(error?.code == .workingDirectory)
        #expect(error?.message == "sh cannot start in /nowhere/at/all: No such file or directory")
    }

    @Test func aNULByteIsRefusedInsteadOfCuttingTheArgument() async {
        let command = ChildCommand("/bin/echo", ["a", "b\0c"], environment: [:])
        let expected = ChildError(.invalidArgument, "/bin/echo", "argument 2 of echo contains a NUL byte")
        await #expect(throws: expected) { try await runChild(command, outputLimit: 1) }
    }

    @Test func theEnvironmentIsExactlyTheOneGiven() async throws {
        let command = ChildCommand("/usr/bin/env", environment: ["A": "1", "LONG": "x=y z"])
        let result = try await runChild(command, outputLimit: 1000)
        #expect(String(decoding: result.value, as: UTF8.self) == "A=1\nLONG=x=y z\n")
    }

    @Test func theWorkingDirectoryIsUsed() async throws {
        var command = shell("pwd")
        command.workingDirectory = "/usr"
        #expect(try await runChild(command, outputLimit: 100).value == Array("/usr\n".utf8))
    }

    @Test func anEmptyInputIsAnEmptyInput() async throws {
        let result = try await runChild(shell("wc -c"), outputLimit: 100)
        #expect(result.value == Array("0\n".utf8))
    }

    @Test func moreOutputThanAskedForIsAnError() async {
        let expected = ChildError(.outputLimit, "sh", "sh wrote more than 10 bytes to its standard output")
        await #expect(throws: expected) { try await runChild(shell("yes"), outputLimit: 10) }
    }

    @Test func printingACommandShowsNeitherArgumentsNorEnvironment() {
        let command = ChildCommand("psql", ["secret-argument"], environment: ["PGPASSWORD": "secret-value"])
        #expect("\(command)" == "psql")
    }

    @Test func descriptorsAreAllClosedAfterwards() async throws {
        func openCount() async throws -> Int {
            // Counted by another program, so that the counting itself opens nothing here.
            let result = try await runChild(shell("ls /proc/$PPID/fd | wc -l"), outputLimit: 100)
            return Int(String(decoding: result.value.dropLast(), as: UTF8.self)) ?? -1
        }
        _ = try await openCount()
        let before = try await openCount()
        for _ in 0..<20 {
            _ = try await runChild(shell("cat"), input: .bytes([1, 2, 3]), outputLimit: 100)
            _ = try? await runChild(ChildCommand("/etc/passwd", environment: [:]), outputLimit: 1)
            var lost = shell("true")
            lost.workingDirectory = "/nowhere"
            _ = try? await runChild(lost, outputLimit: 1)
        }
        // Other suites run children of their own meanwhile.
        #expect(try await openCount() <= before + 40)
    }
}

@Suite struct ChildStreams {
    @Test func bytesGoThroughUnchanged() async throws {
        let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 7) }
        let result = try await runChild(shell("cat"), input: .bytes(bytes), outputLimit: 4_000_000)
        #expect(result.value == bytes)
        #expect(result.tookAllInput)
        #expect(result.exit.isSuccess)
    }

    @Test func aLargeStreamGoesBothWaysAtOnce() async throws {
        let chunk = [UInt8](repeating: 0x61, count: 1 << 20)
        let result = try await withChild(
            shell("cat"),
            input: .producer { writer in
                for _ in 0..<256 { try await writer.write(chunk) }
            }
        ) { output in
            var count = 0
            while let bytes = try await output.read() { count += bytes.count }
            return count
        }
        #expect(result.value == 256 << 20)
        #expect(result.tookAllInput)
    }

    @Test func twoChildrenAreConnectedByNesting() async throws {
        let result = try await withChild(shell("head -c 50000000 /dev/zero; exit 3")) { first in
            let second = try await runChild(
                shell("wc -c"),
                input: .producer { writer in
                    while let chunk = try await first.read() { try await writer.write(chunk) }
                }, outputLimit: 100)
            return (try await first.exit(), second)
        }
        #expect(result.value.0 == .exited(3))
        #expect(result.value.1.value == Array("50000000\n".utf8))
    }

    @Test func aFloodOfStandardErrorKeepsItsTail() async throws {
        let received = Mutex(0)
        let result = try await withChild(
            shell("i=0; while [ $i -lt 20000 ]; do echo line $i >&2; i=$((i+1)); done; echo done"),
            standardError: { chunk in received.withLock { $0 += chunk.count } }, tailLimit: 100
        ) { output in
            var bytes: [UInt8] = []
            while let chunk = try await output.read() { bytes += chunk }
            return bytes
        }
        #expect(result.value == Array("done\n".utf8))
        #expect(received.withLock { $0 } == 208_890)
        #expect(result.standardErrorText.hasPrefix("line 199"))
        #expect(result.standardErrorText.hasSuffix("line 19998\nline 19999"))
        #expect(result.standardErrorTail.count <= 100)
    }

    @Test func aSlowReaderHoldsTheChildBack() async throws {
        let result = try await withChild(shell("yes | head -c 100000000 & wait; echo $! >&2")) { output in
            _ = try await output.read()
            try await Task.sleep(for: .milliseconds(300))
            // Still running: a fast child would have written 100 MB long ago if we buffered without a bound.
            let isRunning = kill(output.processIdentifier, 0) == 0
            var count = 0
            while let chunk = try await output.read() { count += chunk.count }
            return (isRunning, count)
        }
        #expect(result.value.0)
    }

    @Test func aChildThatStopsReadingIsNoErrorButSeen() async throws {
        let result = try await runChild(
            shell("head -c 10 > /dev/null; exit 5"),
            input: .producer { writer in
                let chunk = [UInt8](repeating: 0, count: 1 << 20)
                for _ in 0..<64 { try await writer.write(chunk) }
            }, outputLimit: 10)
        #expect(result.exit == .exited(5))
        #expect(!result.tookAllInput)
    }

    @Test func aChildThatDiesMidStreamEndsTheStreamAndSaysHow() async throws {
        let result = try await withChild(shell("head -c 1000000 /dev/zero; kill -9 $$")) { output in
            var count = 0
            while let chunk = try await output.read() { count += chunk.count }
            return (count, try await output.exit())
        }
        #expect(result.value.0 == 1_000_000)
        #expect(result.value.1 == .signalled(9))
        #expect(result.exit == .signalled(9))
    }
}

@Suite struct ChildTeardown {
    struct Failure: Error, Equatable {}

    @Test func leavingAnEndlessStreamEndsTheChild() async throws {
        let result = try await withChild(shell("exec yes")) { output in try await output.read()?.isEmpty }
        #expect(result.value == false)
        #expect(result.exit == .signalled(SIGPIPE))
    }

    @Test func aThrowingBodyEndsAChildThatWritesNothing() async {
        let clock = ContinuousClock()
        let time = await clock.measure {
            await #expect(throws: Failure()) {
                try await withChild(shell("sleep 100")) { _ in throw Failure() }
            }
        }
        #expect(time < .seconds(30))
    }

    @Test func aChildThatIgnoresSIGTERMIsKilledAfterTheGrace() async {
        let clock = ContinuousClock()
        let time = await clock.measure {
            await #expect(throws: Failure()) {
                try await withChild(
                    shell("trap '' TERM; echo ready; while :; do sleep 1; done", grace: .milliseconds(300))
                ) {
                    output in
                    _ = try await output.read()
                    throw Failure()
                }
            }
        }
        #expect(time >= .milliseconds(300))
        #expect(time < .seconds(30))
    }

    @Test func cancellingNeverLooksLikeSuccess() async throws {
        let started = Mutex<Int32>(0)
        let task = Task {
            try await withChild(shell("trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done")) { output in
                started.withLock { $0 = output.processIdentifier }
                // A body that does not care: reads to the end and returns.
                while let chunk = try? await output.read() { _ = chunk }
                return "partial"
            }
        }
        while started.withLock({ $0 }) == 0 { try await Task.sleep(for: .milliseconds(5)) }
        try await Task.sleep(for: .milliseconds(50))
        task.cancel()
        let result = await task.result
        #expect(throws: CancellationError.self) { try result.get() }
        #expect(!isAlive(started.withLock { $0 }))
    }

    @Test func cancellingBeforeTheStartStartsNothing() async {
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await runChild(shell("echo started"), outputLimit: 100)
        }
        let result = await task.result
        #expect(throws: CancellationError.self) { try result.get() }
    }

    @Test func aGrandchildInTheGroupEndsWithTheChild() async throws {
        let clock = ContinuousClock()
        let start = clock.now
        let result = try await runChild(shell("sleep 100 & echo $!"), outputLimit: 100)
        let grandchild = Int32(String(decoding: result.value.dropLast(), as: UTF8.self)) ?? 0
        #expect(grandchild > 0)
        // Killed; init may need a moment to reap it.
        for _ in 0..<200 where isAlive(grandchild) && !isZombie(grandchild) {
            try await Task.sleep(for: .milliseconds(5))
        }
        #expect(!isAlive(grandchild) || isZombie(grandchild))
        #expect(clock.now - start < .seconds(30))
    }

    @Test func aGrandchildThatLeftTheGroupCannotHoldUpTheEnd() async throws {
        let clock = ContinuousClock()
        let start = clock.now
        let result = try await runChild(shell("setsid sleep 100 & sleep 0.1; echo out"), outputLimit: 100)
        #expect(result.value == Array("out\n".utf8))
        #expect(clock.now - start < .seconds(30))
    }

    @Test func aFailingProducerEndsTheChildBeforeItSeesTheEndOfItsInput() async {
        // The child would print "complete" on standard error at the end of its input.
        let seen = Mutex<[UInt8]>([])
        await #expect(throws: Failure()) {
            try await withChild(
                shell("cat > /dev/null; echo complete >&2"),
                input: .producer { writer in
                    try await writer.write([1, 2, 3])
                    throw Failure()
                },
                standardError: { chunk in seen.withLock { $0 += chunk } }
            ) { output in
                while let chunk = try await output.read() { _ = chunk }
            }
        }
        #expect(seen.withLock { $0 }.isEmpty)
    }

    @Test func aStalledProducerIsCancelledWhenTheChildEnds() async throws {
        let result = try await runChild(
            shell("exit 4"), input: .producer { _ in try await Task.sleep(for: .seconds(100)) }, outputLimit: 10)
        #expect(result.exit == .exited(4))
        #expect(!result.tookAllInput)
    }

    private func isZombie(_ processIdentifier: Int32) -> Bool {
        guard let file = fopen("/proc/\(processIdentifier)/stat", "r") else { return true }
        defer { fclose(file) }
        var buffer = [UInt8](repeating: 0, count: 512)
        let count = fread(&buffer, 1, buffer.count, file)
        return String(decoding: buffer.prefix(count), as: UTF8.self).contains(") Z ")
    }
}
