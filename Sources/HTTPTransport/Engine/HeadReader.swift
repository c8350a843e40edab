/// Puts response heads together from the lines libcurl hands out. A plain value.
struct HeadReader {
    enum Event: Equatable {
        case none
        case head(HTTPResponseHead)
        case trailer(name: String, value: String)
        case malformed(String)
    }

    /// All lines of one response together.
    static let bytesMax = 256 << 10

    private var status: Int?
    private var version = HTTPResponseHead.Version.http1
    private var headers = HTTPHeaders()
    private var isComplete = false
    private var bytes = 0

    /// Takes what libcurl hands out: one line, or several joined when they came while the transfer was held back.
    mutating func lines(_ bytes: some Collection<UInt8>) -> [Event] {
        var parts = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        if parts.count > 1, parts.last?.isEmpty == true { parts.removeLast() }
        return parts.map { line($0) }
    }

    /// Takes one line, with or without its line break.
    mutating func line(_ line: some Collection<UInt8>) -> Event {
        bytes += line.count
        guard bytes <= Self.bytesMax else { return .malformed("the response's header is over \(Self.bytesMax) bytes") }
        let text = String(decoding: line, as: UTF8.self)
        let content = Self.trimmed(text[...])
        if content.hasPrefix("HTTP/"), status == nil || isComplete { return start(content) }
        guard !content.isEmpty else { return end() }
        guard let colon = content.utf8.firstIndex(of: UInt8(ascii: ":")), colon > content.startIndex else {
            return status == nil ? .malformed("the response does not start with a status line") : .none
        }
        let name = String(content[..<colon])
        let value = String(Self.trimmed(content[content.utf8.index(after: colon)...]))
        if isComplete { return .trailer(name: name, value: value) }
        headers.append(name, value)
        return .none
    }

    private mutating func start(_ line: Substring) -> Event {
        let parts = line.split(separator: " ", maxSplits: 2)
        guard parts.count >= 2, let number = Int(parts[1]), (100..<600).contains(number) else {
            return .malformed("'\(line.prefix(80))' is not a status line")
        }
        version = parts[0].hasPrefix("HTTP/2") ? .http2 : .http1
        status = number
        headers = HTTPHeaders()
        isComplete = false
        return .none
    }

    private mutating func end() -> Event {
        guard let status, !isComplete else { return .none }
        // Interim responses (100 Continue, 103 Early Hints) come before the one that counts.
        if status < 200 {
            self.status = nil
            return .none
        }
        isComplete = true
        return .head(HTTPResponseHead(status: status, headers: headers, version: version))
    }

    private static func trimmed(_ text: Substring) -> Substring {
        func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0d || byte == 0x0a }
        let bytes = text.utf8
        guard let first = bytes.firstIndex(where: { !isBlank($0) }), let last = bytes.lastIndex(where: { !isBlank($0) })
        else { return "" }
        return text[first...last]
    }
}
