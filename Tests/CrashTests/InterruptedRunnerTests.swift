import Glibc
import KopiaBlob
import KopiaRepository
import ProcessIO
import TestSupport
import Testing

/// The program itself, stopped with a signal in the middle of a stream.
struct InterruptedRunnerTests {
    private static let password = "crash"

    @Test(arguments: [(SIGTERM, Int32(143)), (SIGINT, Int32(130))])
    func aSignalPublishesNothingAndTheNextBackupWorks(signal: Int32, code: Int32) async throws {
        let folder = try TemporaryDirectory()
        let path = folder.path + "/repository"
        _ = try await CrashRepository.make(in: try await FilesystemBlobStorage.create(path: path))
        let isUnderWay = Gate()
        let stopped = try await push(path) { writer in
            defer { isUnderWay.open() }
            for round in 0..<8 { try await writer.write(SeededBytes.rnd(UInt64(round), 1 << 20)) }
            // The program has taken all but what the pipe holds, and would wait for more for ever.
            isUnderWay.open()
            try await Task.sleep(for: .seconds(600))
        } meanwhile: { output in
            await isUnderWay.wait()
            kill(output, signal)
        }
        #expect(stopped.exit == .exited(code), "\(stopped.standardErrorText)")
        #expect(!String(decoding: stopped.value, as: UTF8.self).contains("###Phase-output###"))
        let next = try await push(path) { try await $0.write(SeededBytes.rnd(1, 1 << 20)) }
        #expect(next.exit.isSuccess, "\(next.standardErrorText)")
        let report = try await Repository.verify(
            at: .filesystem(path: path), password: RepositoryPassword(Self.password),
            identity: RepositoryIdentity(userName: "crash", host: "writer"))
        #expect(report.isSound)
        #expect(report.snapshotCount == 1)
    }

    /// SIGKILL at a random moment, from the program's start on, sixteen times in one repository: nothing of a stream that did not
    /// end is published, and what was published before stays whole.
    @Test func killedAgainAndAgainItPublishesNothingAndLosesNothing() async throws {
        let folder = try TemporaryDirectory()
        let path = folder.path + "/repository"
        _ = try await CrashRepository.make(in: try await FilesystemBlobStorage.create(path: path))
        var generator = SeededGenerator(seed: 16)
        for round in 1...4 {
            for _ in 0..<4 {
                let delay = Duration.microseconds(Int64.random(in: 0..<1_500_000, using: &generator))
                let seed = UInt64.random(in: 0..<1000, using: &generator)
                let killed = try await push(path) { writer in
                    for part in 0..<24 { try await writer.write(SeededBytes.rnd(seed + UInt64(part), 1 << 20)) }
                    try await Task.sleep(for: .seconds(60))
                } meanwhile: { output in
                    try await Task.sleep(for: delay)
                    kill(output, SIGKILL)
                }
                #expect(killed.exit == .signalled(SIGKILL), "\(killed.standardErrorText)")
                #expect(!String(decoding: killed.value, as: UTF8.self).contains("###Phase-output###"))
            }
            let next = try await push(path) { try await $0.write(SeededBytes.rnd(UInt64(round), 1 << 20)) }
            #expect(next.exit.isSuccess, "\(next.standardErrorText)")
            let report = try await Repository.verify(
                at: .filesystem(path: path), password: RepositoryPassword(Self.password),
                identity: RepositoryIdentity(userName: "crash", host: "writer"))
            #expect(report.problems.filter { $0.severity == .damage } == [])
            #expect(report.snapshotCount == round)
        }
    }

    private func push(
        _ path: String, _ produce: @escaping @Sendable (ChildInputWriter) async throws -> Void,
        meanwhile: (Int32) async throws -> Void = { _ in }
    ) async throws -> ChildResult<[UInt8]> {
        let command = ChildCommand(
            CrashRepository.program("pod-runner"),
            ["location", "push", "-s", "a/x", "-", "--repository", "file://\(path)"],
            environment: ["KOPIA_PASSWORD": Self.password])
        return try await withChild(command, input: .producer(produce)) { output in
            try await meanwhile(output.processIdentifier)
            var bytes: [UInt8] = []
            while let chunk = try await output.read() { bytes += chunk }
            return bytes
        }
    }
}
