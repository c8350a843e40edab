internal import BlockingIO
internal import CCurl
internal import Glibc
internal import Synchronization

/// The thread that moves the bytes of all exchanges of a client: one libcurl multi handle, its connections and easy
/// handles never leave it.
///
/// Concurrency and memory: at most `requestsMax` transfers at a time, the others wait in the order they came. The thread
/// starts with the first request and ends with `close`; it sleeps in poll when nothing moves.
final class TransferLoop: Sendable {
    private enum Command: Sendable {
        case start(Exchange)
        case attend(Exchange)
    }

    private struct Shared {
        var inbox: [Command] = []
        /// Address of the multi handle while there is one, for the only call another thread may make.
        var multiAddress: UInt?
        var isStarted = false
        var isClosed = false

        func wake() {
            if let multiAddress { curl_multi_wakeup(UnsafeMutableRawPointer(bitPattern: multiAddress)) }
        }
    }

    /// Microseconds. A server opens the window of an upload over HTTP/2 in steps of one frame, 16 KiB. Following each step costs
    /// more than sending its bytes, so several are let come together. Far below what a window holds.
    private static let gatheringPause: UInt32 = 500

    private let shared = Mutex(Shared())
    private let configuration: HTTPClientConfiguration

    init(_ configuration: HTTPClientConfiguration) { self.configuration = configuration }

    func start(_ exchange: Exchange) {
        exchange.setAlert { [self] exchange in post(.attend(exchange)) }
        post(.start(exchange))
    }

    func close() {
        shared.withLock { shared in
            shared.isClosed = true
            shared.wake()
        }
    }

    private func post(_ command: Command) {
        let mustStart = shared.withLock { shared in
            shared.inbox.append(command)
            // Under the lock, so that the multi is still there.
            shared.wake()
            defer { shared.isStarted = true }
            return !shared.isStarted
        }
        if mustStart { startThread { self.run() } }
    }

    private static let isLibraryReady = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

    private func run() {
        // Writes to a closed connection are errors here, not signals.
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        guard Self.isLibraryReady, let multi = curl_multi_init() else { return refuseForever() }
        let address = UInt(bitPattern: multi)
        shared.withLock { $0.multiAddress = address }
        let transfers = Transfers(multi, configuration)
        while true {
            let (commands, isClosed) = shared.withLock { shared in
                defer { shared.inbox = [] }
                return (shared.inbox, shared.isClosed)
            }
            for command in commands {
                switch command {
                case .start(let exchange): transfers.enqueue(exchange)
                case .attend(let exchange): transfers.attend(exchange)
                }
            }
            if isClosed { break }
            let pause = transfers.advance()
            curl_multi_poll(multi, nil, 0, pause, nil)
            if pause > 0, transfers.isSendingMuch { usleep(Self.gatheringPause) }
        }
        shared.withLock { $0.multiAddress = nil }
        transfers.abortAll()
        curl_multi_cleanup(multi)
    }

    private func refuseForever() {
        let error = HTTPError(.library, "libcurl could not be initialised")
        while true {
            let (commands, isClosed) = shared.withLock { shared in
                defer { shared.inbox = [] }
                return (shared.inbox, shared.isClosed)
            }
            for case .start(let exchange) in commands { exchange.update { $0.finished(.failure(error)) } }
            if isClosed { return }
            usleep(10_000)
        }
    }
}

/// What happens on the loop's thread, between two sleeps. Not Sendable on purpose.
private final class Transfers {
    private let multi: UnsafeMutableRawPointer
    private let configuration: HTTPClientConfiguration
    private var active: [UnsafeMutableRawPointer: Transfer] = [:]
    private var waiting: [Exchange] = []
    private var idleHandles: [UnsafeMutableRawPointer] = []
    private let pin: UnsafeMutableRawPointer?

    init(_ multi: UnsafeMutableRawPointer, _ configuration: HTTPClientConfiguration) {
        self.multi = multi
        self.configuration = configuration
        if case .pinned(let digest) = configuration.trust {
            let bytes = UnsafeMutableRawPointer.allocate(byteCount: 32, alignment: 1)
            // A digest of another length matches nothing: it is refused when the client is made.
            for index in 0..<32 {
                bytes.storeBytes(of: index < digest.count ? digest[index] : 0, toByteOffset: index, as: UInt8.self)
            }
            pin = bytes
        } else {
            pin = nil
        }
        karaffe_multi_setopt_long(multi, CURLMOPT_MAXCONNECTS, configuration.requestsMax)
    }

    deinit { pin?.deallocate() }

    func enqueue(_ exchange: Exchange) { waiting.append(exchange) }

    func attend(_ exchange: Exchange) {
        exchange.beginAttending()
        let isAborted = exchange.quietly { $0.isAborted }
        if let transfer = active.values.first(where: { $0.exchange === exchange }) {
            if isAborted { end(transfer, CURLE_ABORTED_BY_CALLBACK) } else { transfer.release() }
        } else if isAborted {
            waiting.removeAll { $0 === exchange }
        }
    }

    /// Gives the milliseconds after which it wants to be called again even if nothing happens.
    func advance() -> Int32 {
        startWaiting()
        var running: Int32 = 0
        curl_multi_perform(multi, &running)
        collectFinished()
        let now = ContinuousClock.now
        for transfer in active.values where transfer.isTooSlow(now: now) { end(transfer, CURLE_OPERATION_TIMEDOUT) }
        // An answer that came before the end of the request ends the sending side, which may be held.
        var hasMore = false
        for transfer in active.values {
            if transfer.release() { hasMore = true }
            if transfer.nudge(now: now) { hasMore = true }
        }
        if startWaiting() || hasMore { return 0 }
        guard !active.isEmpty else { return 60_000 }
        let wait = active.values.compactMap(\.nextNudge).min().map { now.duration(to: $0).milliseconds } ?? 1000
        return Int32(min(wait, 1000))
    }

    var isSendingMuch: Bool { active.values.contains(where: \.isSendingMuch) }

    @discardableResult private func startWaiting() -> Bool {
        var hasStarted = false
        while !waiting.isEmpty, active.count < max(1, configuration.requestsMax) {
            let exchange = waiting.removeFirst()
            guard !exchange.quietly({ $0.isAborted }) else { continue }
            do throws(HTTPError) {
                try start(exchange)
                hasStarted = true
            } catch {
                exchange.update { $0.finished(.failure(error)) }
            }
        }
        return hasStarted
    }

    private func start(_ exchange: Exchange) throws(HTTPError) {
        guard let handle = idleHandles.popLast() ?? curl_easy_init() else {
            throw HTTPError(.library, "libcurl gave no handle: out of memory")
        }
        do throws(HTTPError) {
            let transfer = try Transfer(exchange, handle, configuration, pin: pin, now: .now)
            let result = curl_multi_add_handle(multi, handle)
            guard result == CURLM_OK else {
                throw HTTPError(.library, "libcurl took no request: \(String(cString: curl_multi_strerror(result)))")
            }
            active[handle] = transfer
        } catch {
            curl_easy_cleanup(handle)
            throw error
        }
    }

    private func collectFinished() {
        var remaining: Int32 = 0
        while let message = curl_multi_info_read(multi, &remaining) {
            guard message.pointee.msg == CURLMSG_DONE, let handle = message.pointee.easy_handle,
                let transfer = active[handle]
            else { continue }
            // Removing the handle invalidates the message.
            let result = karaffe_message_result(message)
            end(transfer, result)
        }
    }

    private func end(_ transfer: Transfer, _ result: CURLcode) {
        active[transfer.handle] = nil
        // What failed or was given up may stand on a connection that is dead without saying so. libcurl would keep one of
        // HTTP/2, and the next request would wait there, too.
        if result != CURLE_OK { karaffe_setopt_long(transfer.handle, CURLOPT_FORBID_REUSE, 1) }
        curl_multi_remove_handle(multi, transfer.handle)
        transfer.finish(result)
        // After some failures, such as a name that is not found, libcurl 7.88 keeps the buffer in the handle and then
        // refuses to have its size set.
        if result == CURLE_OK { recycle(transfer.handle) } else { curl_easy_cleanup(transfer.handle) }
    }

    /// The connection stays in the multi; the handle forgets the request.
    private func recycle(_ handle: UnsafeMutableRawPointer) {
        if idleHandles.count < configuration.requestsMax {
            curl_easy_reset(handle)
            idleHandles.append(handle)
        } else {
            curl_easy_cleanup(handle)
        }
    }

    func abortAll() {
        for transfer in active.values { end(transfer, CURLE_ABORTED_BY_CALLBACK) }
        let closed = HTTPError(.reset, "the HTTP client was closed")
        for exchange in waiting { exchange.update { $0.finished(.failure(closed)) } }
        waiting = []
        for handle in idleHandles { curl_easy_cleanup(handle) }
        idleHandles = []
    }
}
