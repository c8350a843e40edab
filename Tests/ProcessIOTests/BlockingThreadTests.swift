import BlockingIO
import Glibc
import Testing

struct BlockingThreadTests {
    /// The name that the system shows of the thread that asks.
    private static func threadName() -> String {
        let descriptor = open("/proc/thread-self/comm", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = read(descriptor, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }

    /// The cooperative pool has as many threads as there are cores; one that waited for a disk would be missing there.
    @Test func waitingCallsLeaveTheThreadsThatCompute() async throws {
        let computing = await Task.detached { Self.threadName() }.value
        let waiting = try await onBlockingThread { Self.threadName() }
        #expect(!computing.isEmpty)
        #expect(!waiting.isEmpty)
        #expect(waiting != computing)
    }

    /// More calls than there are cores wait for each other; each has a thread.
    @Test func manyCallsWaitAtOnce() async throws {
        let meeting = Meeting(expected: 4 * max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<meeting.expected { group.addTask { try await onBlockingThread { meeting.join() } } }
            try await group.waitForAll()
        }
    }
}

/// Holds everybody back until all are there.
private final class Meeting: @unchecked Sendable {
    let expected: Int
    private var arrived = 0
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>

    init(expected: Int) {
        self.expected = expected
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        pthread_mutex_init(mutex, nil)
        condition = .allocate(capacity: 1)
        condition.initialize(to: pthread_cond_t())
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    func join() {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        arrived += 1
        if arrived == expected { pthread_cond_broadcast(condition) }
        while arrived < expected { pthread_cond_wait(condition, mutex) }
    }
}
