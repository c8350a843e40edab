import Glibc
import ProcessIO
import Testing

/// Signals go to the whole process, so these run one after the other.
@Suite(.serialized) struct SerialInterruptionTests {
    @Test(arguments: [(SIGINT, Int32(130)), (SIGTERM, Int32(143))])
    func aSignalCancelsTheWork(_ signal: Int32, _ code: Int32) async {
        let error = await #expect(throws: Interrupted.self) {
            try await withInterruption {
                kill(getpid(), signal)
                try await Task.sleep(for: .seconds(100))
            }
        }
        #expect(error == Interrupted(signal: signal))
        #expect(error?.exitCode == code)
    }

    @Test func aSignalEndsAChildWithItsWork() async {
        await #expect(throws: Interrupted(signal: SIGTERM)) {
            try await withInterruption {
                try await withChild(shell("echo ready; sleep 100")) { output in
                    _ = try await output.read()
                    kill(getpid(), SIGTERM)
                    while let chunk = try await output.read() { _ = chunk }
                }
            }
        }
    }

    @Test func withoutASignalTheResultPasses() async throws {
        #expect(try await withInterruption { 42 } == 42)
    }
}
