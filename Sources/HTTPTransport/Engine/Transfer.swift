internal import CCurl
internal import Glibc

/// One exchange on one libcurl easy handle. Lives on the loop's thread only, callbacks included.
final class Transfer {
    let exchange: Exchange
    let handle: UnsafeMutableRawPointer
    /// Ours, more precise than libcurl's "aborted by callback".
    private var failure: HTTPError?
    private var reader = HeadReader()
    private var chunk: [UInt8] = []
    private var chunkOffset = 0
    /// Of a body in pieces: the one after `chunk`.
    private var nextPiece = 0
    private var heldDirections: Int32 = 0
    private var watch: LowSpeedWatch?
    /// When to nudge next, and how long to wait then; nil while there is no reason to.
    private var nudging: (due: ContinuousClock.Instant, delay: Duration)?
    /// Bytes handed to libcurl since it last ran out of them.
    private var providedSinceHold = 0
    private var headerList: UnsafeMutablePointer<curl_slist>?
    private let errorText = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))

    /// - Throws: `HTTPError.Code.invalidRequest`, `.library`.
    init(
        _ exchange: Exchange, _ handle: UnsafeMutableRawPointer, _ configuration: HTTPClientConfiguration,
        pin: UnsafeMutableRawPointer?, now: ContinuousClock.Instant
    ) throws(HTTPError) {
        self.exchange = exchange
        self.handle = handle
        watch = configuration.lowSpeed.map { LowSpeedWatch($0, now: now) }
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        var options = EasyOptions(handle)
        options.connection(configuration, pin: pin)
        options.request(exchange.request, configuration.versions)
        headerList = try Self.headerList(exchange.request)
        options.list(CURLOPT_HTTPHEADER, headerList)
        options.pointer(CURLOPT_ERRORBUFFER, errorText)
        setCallbacks(&options)
        if let refused = options.refused {
            throw HTTPError(.library, "\(exchange.request.method) \(exchange.request.url): libcurl refused \(refused)")
        }
    }

    deinit {
        curl_slist_free_all(headerList)
        errorText.deallocate()
    }

    private static func headerList(_ request: HTTPRequest) throws(HTTPError) -> UnsafeMutablePointer<curl_slist>? {
        // `Expect: 100-continue` costs a round trip, or a second where the server does not know it.
        var lines = ["Expect:"]
        if request.headers["Accept"] == nil { lines.append("Accept:") }
        for field in request.headers.fields {
            let isClean =
                !field.name.isEmpty
                && field.name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: ":") }
                && field.value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f || $0 == 0x09 }
            guard isClean else {
                throw HTTPError(
                    .invalidRequest,
                    "\(request.method) \(request.url): the header field '\(field.name)' holds a control character")
            }
            lines.append(field.value.isEmpty ? "\(field.name);" : "\(field.name): \(field.value)")
        }
        var list: UnsafeMutablePointer<curl_slist>?
        for line in lines {
            guard let longer = curl_slist_append(list, line) else {
                curl_slist_free_all(list)
                throw HTTPError(.library, "out of memory")
            }
            list = longer
        }
        return list
    }

    private func setCallbacks(_ options: inout EasyOptions) {
        let context = Unmanaged.passUnretained(self).toOpaque()
        options.data(CURLOPT_READFUNCTION) { bytes, size, count, context in
            guard let bytes, let transfer = Transfer.from(context) else { return Int(CURL_READFUNC_ABORT) }
            return transfer.provide(UnsafeMutableRawBufferPointer(start: bytes, count: size * count))
        }
        options.pointer(CURLOPT_READDATA, context)
        options.seek { context, offset, origin in
            guard let transfer = Transfer.from(context) else { return Int32(CURL_SEEKFUNC_FAIL) }
            return transfer.seek(offset, origin)
        }
        options.pointer(CURLOPT_SEEKDATA, context)
        options.data(CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
            guard let transfer = Transfer.from(context) else { return 0 }
            return transfer.accept(UnsafeRawBufferPointer(start: bytes, count: size * count))
        }
        options.pointer(CURLOPT_WRITEDATA, context)
        options.data(CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
            guard let transfer = Transfer.from(context) else { return 0 }
            return transfer.acceptLines(UnsafeRawBufferPointer(start: bytes, count: size * count))
        }
        options.pointer(CURLOPT_HEADERDATA, context)
    }

    private static func from(_ context: UnsafeMutableRawPointer?) -> Transfer? {
        context.map { Unmanaged<Transfer>.fromOpaque($0).takeUnretainedValue() }
    }

    // MARK: What libcurl asks for

    private func provide(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
        if chunkOffset == chunk.count, case .stream = exchange.request.body {
            let (next, isLast) = exchange.quietly { ($0.nextToSend(), $0.hasRoomToSend) }
            switch next {
            case .bytes(let bytes):
                (chunk, chunkOffset) = (bytes, 0)
                // Only now may more be offered: waking the tasks costs more than all of this.
                if isLast { exchange.update { _ in } }
            case .end:
                startNudging()
                return 0
            case .abort: return Int(CURL_READFUNC_ABORT)
            case .hold:
                heldDirections |= CURLPAUSE_SEND
                if providedSinceHold > 0 { startNudging() }
                providedSinceHold = 0
                return Int(CURL_READFUNC_PAUSE)
            }
        }
        var filled = 0
        // Small parts together: each return is a frame, a TLS record and a system call.
        while filled < buffer.count {
            if chunkOffset == chunk.count {
                guard let more = nextChunk() else { break }
                (chunk, chunkOffset) = (more, 0)
            }
            let count = min(buffer.count - filled, chunk.count - chunkOffset)
            chunk.withUnsafeBytes {
                UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[chunkOffset..<chunkOffset + count]))
            }
            chunkOffset += count
            filled += count
        }
        providedSinceHold += filled
        return filled
    }

    /// The next bytes of the body that are there already.
    private func nextChunk() -> [UInt8]? {
        switch exchange.request.body {
        case .none: return nil
        case .pieces(let pieces):
            guard nextPiece < pieces.count else { return nil }
            defer { nextPiece += 1 }
            return pieces[nextPiece]
        case .stream:
            let next = exchange.quietly { state in state.moreToSend().map { ($0, state.hasRoomToSend) } }
            guard let (more, isLast) = next else { return nil }
            if isLast { exchange.update { _ in } }
            return more
        }
    }

    /// libcurl starts over when a reused connection turns out to be closed.
    private func seek(_ offset: curl_off_t, _ origin: Int32) -> Int32 {
        guard case .pieces = exchange.request.body, origin == SEEK_SET, offset >= 0 else {
            return Int32(CURL_SEEKFUNC_CANTSEEK)
        }
        (chunk, chunkOffset, nextPiece) = ([], 0, 0)
        var bytesToSkip = Int(offset)
        while bytesToSkip > 0, let piece = nextChunk() {
            (chunk, chunkOffset) = (piece, min(bytesToSkip, piece.count))
            bytesToSkip -= chunkOffset
        }
        return Int32(bytesToSkip == 0 ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_CANTSEEK)
    }

    private func accept(_ bytes: UnsafeRawBufferPointer) -> Int {
        switch exchange.update({ $0.receive(bytes) }) {
        case .success(.taken): return bytes.count
        case .success(.hold):
            heldDirections |= CURLPAUSE_RECV
            return Int(CURL_WRITEFUNC_PAUSE)
        // Any other number than the one offered ends the transfer.
        case .success(.abort): return bytes.isEmpty ? 1 : 0
        case .failure(let tooLarge):
            failure = HTTPError(
                .tooLarge,
                "\(exchange.request.method) \(exchange.request.url): the response is larger than \(tooLarge.limit) bytes"
            )
            return bytes.isEmpty ? 1 : 0
        }
    }

    private func acceptLines(_ bytes: UnsafeRawBufferPointer) -> Int {
        for event in reader.lines(bytes) {
            switch event {
            case .none: break
            case .head(let head):
                let expected = head.headers["Content-Length"].flatMap { Int($0) }
                exchange.update { $0.receivedHead(head, expectedBytes: expected) }
            case .trailer(let name, let value): exchange.update { $0.receivedTrailer(name, value) }
            case .malformed(let reason):
                failure = HTTPError(
                    .protocolViolation, "\(exchange.request.method) \(exchange.request.url): \(reason)",
                    hint: "check that host and port are those of the service")
                return 0
            }
        }
        return bytes.count
    }

    // MARK: What the loop does

    /// Lets libcurl go on where it was held back and need not be any more. May call back into this transfer. False when nothing was to be done.
    @discardableResult func release() -> Bool {
        let (send, receive) = exchange.quietly { ($0.takeSendRelease(), $0.takeReceiveRelease()) }
        guard send || receive else { return false }
        if send {
            heldDirections &= ~CURLPAUSE_SEND
            nudging = nil
        }
        if receive { heldDirections &= ~CURLPAUSE_RECV }
        curl_easy_pause(handle, heldDirections)
        return true
    }

    /// Whether a stream has so much to send that it waits for its server to take it, and not for an answer to little.
    var isSendingMuch: Bool {
        guard case .stream = exchange.request.body else { return false }
        return heldDirections & CURLPAUSE_SEND == 0 && providedSinceHold >= 128 << 10
    }

    private func startNudging() { nudging = (due: .now, delay: .milliseconds(1)) }

    /// When `nudge` wants to be called.
    var nextNudge: ContinuousClock.Instant? { nudging?.due }

    /// Makes libcurl look at a stream once more, whether or not its socket has anything to say. Two things go wrong in
    /// libcurl 7.88 over HTTP/2 without it, each for ever:
    /// - The last frames of a message that the socket would not take stay in nghttp2 when there is nothing more to send:
    ///   only receiving, or more to send, flushes them. The server waits for the rest of the message, we for the answer.
    /// - When the server ends its side first and ours ends later, libcurl closes the stream while sending, and would see it
    ///   with the next frame, which never comes.
    ///
    /// Ending a pause is the one way to make it look. Begins when the connection runs out of data, backs off to once a
    /// second. True when it did something.
    func nudge(now: ContinuousClock.Instant) -> Bool {
        guard let (due, delay) = nudging, now >= due else { return false }
        nudging = (due: now + delay, delay: min(delay * 2, .seconds(1)))
        if heldDirections & CURLPAUSE_SEND == 0 {
            curl_easy_pause(handle, heldDirections | CURLPAUSE_SEND)
        } else {
            // Asks for data again, and is held again.
            heldDirections &= ~CURLPAUSE_SEND
        }
        curl_easy_pause(handle, heldDirections)
        return true
    }

    /// True when the transfer crawls; `failure` says so then.
    func isTooSlow(now: ContinuousClock.Instant) -> Bool {
        var (up, down): (curl_off_t, curl_off_t) = (0, 0)
        var header = 0
        karaffe_getinfo_offset(handle, CURLINFO_SIZE_UPLOAD_T, &up)
        karaffe_getinfo_offset(handle, CURLINFO_SIZE_DOWNLOAD_T, &down)
        karaffe_getinfo_long(handle, CURLINFO_HEADER_SIZE, &header)
        let moved = Int64(up) &+ Int64(down) &+ Int64(header)
        guard watch?.isTooSlow(bytes: moved, isHeldBack: heldDirections != 0, now: now) == true else { return false }
        failure = HTTPError(
            .timeout,
            "\(exchange.request.method) \(exchange.request.url): no answer in time: the connection stands still after \(up) bytes sent and \(down) received",
            isTransient: true)
        return true
    }

    /// The exchange has ended; the handle is no longer in the multi.
    func finish(_ result: CURLcode) {
        if let failure {
            exchange.update { $0.finished(.failure(failure)) }
        } else if result == CURLE_OK {
            let cut = HTTPError(
                .reset,
                "\(exchange.request.method) \(exchange.request.url): the connection ended too early: inside the response's header",
                isTransient: true)
            exchange.update { $0.finished($0.head == nil ? .failure(cut) : .success(())) }
        } else {
            var systemError = 0
            karaffe_getinfo_long(handle, CURLINFO_OS_ERRNO, &systemError)
            var proxyStatus = 0
            karaffe_getinfo_long(handle, CURLINFO_HTTP_CONNECTCODE, &proxyStatus)
            let error = HTTPError(
                curl: result, detail: String(cString: errorText), systemError: Int32(truncatingIfNeeded: systemError),
                proxyStatus: proxyStatus, exchange.request)
            exchange.update { $0.finished(.failure(error)) }
        }
    }
}
