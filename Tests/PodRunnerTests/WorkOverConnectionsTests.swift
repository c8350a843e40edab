import Synchronization
import Testing

@testable import PostgresDump

@Suite struct WorkOverConnectionsTests {
    private struct Failure: Error, Equatable { let number: Int }

    @Test(arguments: [1, 3, 8]) func eachElementOnceAndOneOnAConnectionAtATime(_ connections: Int) async throws {
        let busy = Mutex(Set<Int>())
        var done: [Int: Int] = [:]
        try await Array(0..<50).forEach(over: Array(0..<connections)) { number, client in
            #expect(busy.withLock { $0.insert(client).inserted })
            await Task.yield()
            busy.withLock { _ = $0.remove(client) }
            return number * number
        } done: {
            done[$0] = $1
        }
        #expect(done == Dictionary(uniqueKeysWithValues: (0..<50).map { ($0, $0 * $0) }))
    }

    @Test func nothingNeedsNoConnection() async throws {
        try await [Int]().forEach(over: [Int]()) { number, _ in
            number
        } done: { _, _ in
            Issue.record("never")
        }
    }

    /// The others wait for ever, and are ended.
    @Test func theFirstErrorEndsAll() async throws {
        await #expect(throws: Failure(number: 2)) {
            try await Array(0..<9).forEach(over: Array(0..<4)) { number, _ in
                if number == 2 { throw Failure(number: number) }
                try await Task.sleep(for: .seconds(3600))
            } done: { _, _ in
            }
        }
    }
}
