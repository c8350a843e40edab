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
        /// Says nothing any more after so many bytes from the server.
        case stallResponse(afterBytes: Int)
    }

    private struct State {
        var script: [Fault]
        var connections = 0
    }

    private let server: LoopbackServer
    private let state: SharedState

    private final class SharedState: Sendable {
        let value: Mutex<State>
        init(_ script: [Fault]) { value = Mutex(State(script: script)) }

        func nextFault() -> Fault {
            value.withLock { state in
                state.connections += 1
                return state.script.isEmpty ? .none : state.script.removeFirst()
            }
        }
    }

    public var port: Int { server.port }
    /// Connections seen so far.
    public var connections: Int { state.value.withLock { $0.connections } }
    /// Faults of connections to come, one each; after the last one nothing is harmed.
    public func setScript(_ script: [Fault]) { state.value.withLock { $0.script = script } }

    /// - Parameter port: where the real server listens, on 127.0.0.1.
    public init(to port: Int, script: [Fault] = []) throws {
        let state = SharedState(script)
        self.state = state
        server = try LoopbackServer { client, _ in
            let fault = state.nextFault()
            switch fault {
            case .reset: return client.reset()
            case .status(let status):
                guard let request = try client.readHead() else { return }
                _ = try client.readBody(request)
                return try client.respond(status, fields: ["Connection: close"])
            default: try Self.relay(client, to: port, fault)
            }
        }
    }

    private static func relay(_ client: ServerConnection, to port: Int, _ fault: Fault) throws {
        guard let descriptor = Loopback.connect(port: port) else { return client.reset() }
        let upstream = ServerConnection(descriptor)
        let ends = Ends(client: client, upstream: upstream)
        startThread {
            // From the server to the client.
            var passed = 0
            while let bytes = try? ends.upstream.read(), !bytes.isEmpty {
                var allowed = bytes.count
                if case .cutResponse(let limit) = fault { allowed = min(allowed, max(0, limit - passed)) }
                if case .stallResponse(let limit) = fault { allowed = min(allowed, max(0, limit - passed)) }
                guard (try? ends.client.write(bytes[0..<allowed])) != nil else { break }
                passed += allowed
                guard allowed < bytes.count else { continue }
                if case .stallResponse = fault { continue }
                ends.client.shutDown(isReset: true)
                break
            }
            ends.client.shutDown(isReset: false)
            ends.upstream.shutDown(isReset: false)
        }
        var passed = 0
        while let bytes = try? client.read(), !bytes.isEmpty {
            var allowed = bytes.count
            if case .cutRequest(let limit) = fault { allowed = min(allowed, max(0, limit - passed)) }
            guard (try? upstream.write(bytes[0..<allowed])) != nil else { break }
            passed += allowed
            if allowed < bytes.count {
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

        init(client: ServerConnection, upstream: ServerConnection) {
            self.client = client
            self.upstream = upstream
        }
    }
}

extension ServerConnection {
    /// Ends both directions; the descriptor stays until `close`, so that no other thread's socket gets its number.
    func shutDown(isReset: Bool) {
        if isReset {
            var option = linger(l_onoff: 1, l_linger: 0)
            setsockopt(descriptorForShutdown, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        }
        shutdown(descriptorForShutdown, Int32(SHUT_RDWR))
    }
}
