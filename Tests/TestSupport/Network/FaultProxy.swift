internal import BlockingIO
internal import Glibc
internal import Synchronization

/// A TCP proxy on 127.0.0.1 in front of a real server, that harms connections by script.
public final class FaultProxy: Sendable {
    public enum Fault: Sendable, Hashable {
        case none
        /// Accepted and reset at once.
        case reset
        /// Answers the first request itself, with this status and `Connection: close`.
        case status(Int)
        /// Reset after so many bytes from the server to the client.
        case cutResponse(afterBytes: Int)
        /// Reset after so many bytes from the client to the server.
        case cutRequest(afterBytes: Int)
        /// Ended in order after so many bytes from the server to the client: an answer shorter than announced.
        case truncateResponse(afterBytes: Int)
        /// Says nothing any more after so many bytes from the server.
        case stallResponse(afterBytes: Int)
        /// Takes nothing any more after so many bytes from the client, and keeps the connection open.
        case stallRequest(afterBytes: Int)
        /// Moves about so many bytes a second from the client, and waits 20 ms before each piece of an answer.
        case slow(bytesPerSecond: Int)
    }

    private struct State {
        var script: [Fault]
        var connections = 0
        var harmed = 0
        /// Counts scripts.
        var number = 0
    }

    private let server: LoopbackServer
    private let state: SharedState

    private final class SharedState: Sendable {
        let value: Mutex<State>
        init(_ script: [Fault]) { value = Mutex(State(script: script)) }

        /// - Parameter number: of the script it is of; one that was replaced meanwhile gets nothing back.
        func giveBack(_ fault: Fault, _ number: Int) {
            value.withLock { if $0.number == number { $0.script.insert(fault, at: 0) } }
        }

        func harm() { value.withLock { $0.harmed += 1 } }

        func nextFault() -> (Fault, Int) {
            value.withLock { state in
                state.connections += 1
                return (state.script.isEmpty ? .none : state.script.removeFirst(), state.number)
            }
        }
    }

    private final class Harmed: Sendable {
        let value = Mutex(false)
    }

    public var port: Int { server.port }
    /// Connections seen so far.
    public var connections: Int { state.value.withLock { $0.connections } }
    /// Connections whose fault has come about; slow ones are not counted.
    public var harmed: Int { state.value.withLock { $0.harmed } }
    /// Faults of connections to come, one each; after the last one nothing is harmed.
    public func setScript(_ script: [Fault]) {
        state.value.withLock { state in
            state.script = script
            state.number += 1
        }
    }

    /// - Parameter port: where the real server listens, on 127.0.0.1.
    public init(to port: Int, script: [Fault] = []) throws {
        let state = SharedState(script)
        self.state = state
        server = try LoopbackServer { client, _ in
            let (fault, number) = state.nextFault()
            switch fault {
            case .reset:
                state.harm()
                return client.reset()
            case .status(let status):
                state.harm()
                guard let request = try client.readHead() else { return }
                _ = try client.readBody(request)
                return try client.respond(status, fields: ["Connection: close"])
            default:
                let harmed = Harmed()
                try Self.relay(client, to: port, fault) {
                    harmed.value.withLock { $0 = true }
                    state.harm()
                }
                // A fault of large uploads waits for one: some servers close the connection after each request.
                switch fault {
                case .cutRequest, .stallRequest: if !harmed.value.withLock({ $0 }) { state.giveBack(fault, number) }
                default: break
                }
            }
        }
    }

    /// Moves bytes both ways until one side ends.
    static func relay(
        _ client: ServerConnection, to port: Int, _ fault: Fault, harmed: @escaping @Sendable () -> Void = {}
    ) throws {
        guard let descriptor = Loopback.connect(port: port) else { return client.reset() }
        let upstream = ServerConnection(descriptor)
        let ends = Ends(client: client, upstream: upstream)
        // Both connections are closed by whoever called: not while the other thread uses them.
        defer { ends.waitForOtherThread() }
        startThread {
            defer { ends.otherThreadIsOver() }
            // From the server to the client.
            var passed = 0
            var isHarmed = false
            while let bytes = try? ends.upstream.read(), !bytes.isEmpty {
                var allowed = bytes.count
                if case .cutResponse(let limit) = fault { allowed = min(allowed, max(0, limit - passed)) }
                if case .stallResponse(let limit) = fault { allowed = min(allowed, max(0, limit - passed)) }
                if case .truncateResponse(let limit) = fault { allowed = min(allowed, max(0, limit - passed)) }
                if case .slow = fault { usleep(20_000) }
                guard (try? ends.client.write(bytes[0..<allowed])) != nil else { break }
                passed += allowed
                guard allowed < bytes.count else { continue }
                if !isHarmed { harmed() }
                isHarmed = true
                if case .stallResponse = fault { continue }
                if case .cutResponse = fault { ends.client.shutDown(isReset: true) }
                break
            }
            ends.client.shutDown(isReset: false)
            ends.upstream.shutDown(isReset: false)
        }
        var passed = 0
        while let bytes = try? client.read(), !bytes.isEmpty {
            if case .slow(let rate) = fault { usleep(UInt32(clamping: bytes.count * 1_000_000 / max(1, rate))) }
            if case .stallRequest(let limit) = fault, passed + bytes.count > limit {
                harmed()
                // Until the client gives up.
                client.waitForEnd()
                break
            }
            var allowed = bytes.count
            if case .cutRequest(let limit) = fault { allowed = min(allowed, max(0, limit - passed)) }
            guard (try? upstream.write(bytes[0..<allowed])) != nil else { break }
            passed += allowed
            if allowed < bytes.count {
                harmed()
                client.shutDown(isReset: true)
                break
            }
        }
        upstream.shutDown(isReset: false)
    }

    /// `@unchecked Sendable`: each direction has one thread that reads one end and writes the other; sockets allow that.
    private final class Ends: @unchecked Sendable {
        let client: ServerConnection
        let upstream: ServerConnection
        private let isOver = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

        init(client: ServerConnection, upstream: ServerConnection) {
            self.client = client
            self.upstream = upstream
            sem_init(isOver, 0, 0)
        }

        deinit {
            sem_destroy(isOver)
            isOver.deallocate()
        }

        func otherThreadIsOver() { sem_post(isOver) }

        func waitForOtherThread() { while sem_wait(isOver) != 0, errno == EINTR {} }
    }
}

extension ServerConnection {
    /// Returns when the other side has closed or reset the connection; what it sent is left where it is.
    func waitForEnd() {
        // POLLRDHUP, which the C library shows to GNU sources only.
        var descriptor = pollfd(fd: descriptorForShutdown, events: 0x2000, revents: 0)
        while poll(&descriptor, 1, -1) < 0, errno == EINTR {}
    }

    /// Ends both directions; the descriptor stays until `close`, so that no other thread's socket gets its number.
    func shutDown(isReset: Bool) {
        if isReset {
            var option = linger(l_onoff: 1, l_linger: 0)
            setsockopt(descriptorForShutdown, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        }
        shutdown(descriptorForShutdown, Int32(SHUT_RDWR))
    }
}
