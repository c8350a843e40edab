/// One request and its response as both sides see it: the tasks that send and receive, and the thread that moves bytes.
/// A plain value: every rule of a stream is here, none of the waiting.
///
/// ```
/// send:     parts → (at most those of one call waiting) → connection … finishSending
/// receive:  connection → head → (at most `receiveLimit` bytes waiting) → task … trailers → end
/// ```
///
/// Either side may end first. A final answer before the end of the request — a status from 300 on, a gRPC status, any
/// trailer — ends the sending side: what is still to be sent is dropped. libcurl would otherwise wait for bytes to send
/// for ever, though the response is complete. A failure or an abort ends both.
struct ExchangeState {
    /// What happens with response bytes nobody has taken yet.
    enum Receiving {
        /// All are kept, up to the limit; more is an error.
        case whole(limit: Int)
        /// The connection is held back at this many.
        case streamed(limit: Int)
    }

    enum Outgoing: Equatable {
        case bytes([UInt8])
        case end
        /// Nothing there yet; `isSendHeld` is now true.
        case hold
        /// Nobody wants this exchange any more.
        case abort
    }

    enum Accepted: Equatable { case taken, hold, abort }

    private let receiving: Receiving
    /// Last part first.
    private var waitingToSend: [[UInt8]] = []
    private var isSendingFinished = false
    /// The server has said all that matters.
    private var isAnswered = false
    private(set) var head: HTTPResponseHead?
    private(set) var trailers = HTTPHeaders()
    private var received: [[UInt8]] = []
    private var firstReceived = 0
    private var receivedBytes = 0
    /// Nil while it lasts.
    private(set) var outcome: Result<Void, any Error>?
    /// The connection waits for bytes to send.
    private(set) var isSendHeld = false
    /// The connection waits for somebody to take what was received.
    private(set) var isReceiveHeld = false
    private(set) var isAborted = false

    init(_ receiving: Receiving) { self.receiving = receiving }

    // MARK: The tasks' side

    /// True when the parts were taken; false when some of those before are still waiting.
    ///
    /// - Throws: the failure of the exchange.
    mutating func offer(_ parts: [[UInt8]]) throws -> Bool {
        if case .failure(let error) = outcome { throw error }
        // The response is complete: what is sent now reaches nobody and needs nobody.
        if outcome != nil || isAnswered || parts.allSatisfy(\.isEmpty) { return true }
        guard waitingToSend.isEmpty else { return false }
        waitingToSend = parts.reversed().filter { !$0.isEmpty }
        return true
    }

    mutating func finishSending() { isSendingFinished = true }

    /// Nil while there is none yet.
    ///
    /// - Throws: the failure of the exchange.
    func headWhenThere() throws -> HTTPResponseHead? {
        if let head { return head }
        if case .failure(let error) = outcome { throw error }
        return nil
    }

    enum Taken: Equatable {
        case bytes([UInt8])
        case end
    }

    /// Nil while there is nothing yet.
    ///
    /// - Throws: the failure of the exchange, after everything received before it was taken.
    mutating func take() throws -> Taken? {
        if firstReceived < received.count {
            let chunk = received[firstReceived]
            received[firstReceived] = []
            firstReceived += 1
            receivedBytes -= chunk.count
            if firstReceived == received.count {
                received.removeAll(keepingCapacity: true)
                firstReceived = 0
            }
            return .bytes(chunk)
        }
        switch outcome {
        case .success: return .end
        case .failure(let error): throw error
        case nil: return nil
        }
    }

    /// The whole body once it is complete.
    mutating func takeWhole() throws -> [UInt8]? {
        switch outcome {
        case nil: return nil
        case .failure(let error): throw error
        case .success:
            defer { received = [] }
            return received.count == 1 ? received[0] : Array(received.joined())
        }
    }

    /// Ends the exchange from our side. The first outcome stands.
    mutating func abort(_ error: any Error) {
        if outcome == nil { outcome = .failure(error) }
        isAborted = true
        waitingToSend = []
    }

    // MARK: The connection's side

    mutating func nextToSend() -> Outgoing {
        if isAborted { return .abort }
        if isAnswered { return .end }
        if let part = moreToSend() { return .bytes(part) }
        if isSendingFinished { return .end }
        isSendHeld = true
        return .hold
    }

    /// Whether more may be offered.
    var hasRoomToSend: Bool { waitingToSend.isEmpty }

    /// The next bytes if they are there already.
    mutating func moreToSend() -> [UInt8]? { waitingToSend.popLast() }

    mutating func receivedHead(_ head: HTTPResponseHead, expectedBytes: Int?) {
        self.head = head
        if head.status >= 300 || head.headers["grpc-status"] != nil { answered() }
        guard case .whole(let limit) = receiving, let expectedBytes, expectedBytes > 0 else { return }
        received = [[]]
        // What a server announces is not what it sends: no more than this in advance.
        received[0].reserveCapacity(min(limit, expectedBytes, 64 << 20))
    }

    mutating func receivedTrailer(_ name: String, _ value: String) {
        trailers.append(name, value)
        answered()
    }

    private mutating func answered() {
        isAnswered = true
        waitingToSend = []
    }

    /// Copies the bytes once.
    ///
    /// - Throws: when the whole is larger than the limit; the number is how many bytes the limit allows.
    mutating func receive(_ bytes: UnsafeRawBufferPointer) -> Result<Accepted, TooLarge> {
        if isAborted { return .success(.abort) }
        switch receiving {
        case .whole(let limit):
            guard receivedBytes + bytes.count <= limit else { return .failure(TooLarge(limit: limit)) }
            if received.isEmpty { received.append([]) }
            received[0].append(contentsOf: bytes)
        case .streamed(let limit):
            guard receivedBytes == 0 || receivedBytes + bytes.count <= limit else {
                isReceiveHeld = true
                return .success(.hold)
            }
            received.append(Array(bytes))
        }
        receivedBytes += bytes.count
        return .success(.taken)
    }

    struct TooLarge: Error, Equatable { let limit: Int }

    mutating func finished(_ result: Result<Void, any Error>) {
        if outcome == nil { outcome = result }
        waitingToSend = []
        isSendHeld = false
        isReceiveHeld = false
    }

    /// Whether the connection should ask again for bytes to send; resets the mark.
    mutating func takeSendRelease() -> Bool {
        guard isSendHeld, hasSomethingToSend else { return false }
        isSendHeld = false
        return true
    }

    /// Whether the connection should offer again what it was told to hold; resets the mark. Half of the limit must be
    /// free, so that a slow reader does not wake it for every chunk.
    mutating func takeReceiveRelease() -> Bool {
        guard isReceiveHeld, case .streamed(let limit) = receiving, receivedBytes <= limit / 2 else { return false }
        isReceiveHeld = false
        return true
    }

    private var hasSomethingToSend: Bool { !waitingToSend.isEmpty || isSendingFinished || isAnswered }

    /// Whether the connection's thread should look at this exchange.
    var needsAttention: Bool {
        if isAborted { return true }
        if isSendHeld, hasSomethingToSend { return true }
        if isReceiveHeld, case .streamed(let limit) = receiving, receivedBytes <= limit / 2 { return true }
        return false
    }
}
