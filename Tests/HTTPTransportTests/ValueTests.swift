import HTTPTransport
import Testing

@testable import HTTPTransport

struct HTTPURLTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let id: String
        let text: String
        let expected: HTTPURL?
        var testDescription: String { id }
    }

    @Test(arguments: [
        Case(id: "host only", text: "https://a.example", expected: HTTPURL(scheme: .https, host: "a.example")),
        Case(
            id: "port, path and query", text: "http://H.example:9000/b%2Fc/../d?x=1&y",
            expected: HTTPURL(scheme: .http, host: "h.example", port: 9000, path: "/b%2Fc/../d", query: "x=1&y")),
        Case(
            id: "query without path", text: "https://h?q",
            expected: HTTPURL(scheme: .https, host: "h", path: "/", query: "q")),
        Case(
            id: "IPv6", text: "https://[::1]:8443/", expected: HTTPURL(scheme: .https, host: "[::1]", port: 8443)),
        Case(id: "no scheme", text: "h.example/x", expected: nil),
        Case(id: "another scheme", text: "ftp://h/x", expected: nil),
        Case(id: "user name", text: "https://me:secret@h/", expected: nil),
        Case(id: "port 0", text: "https://h:0/", expected: nil),
        Case(id: "port 65536", text: "https://h:65536/", expected: nil),
        Case(id: "space", text: "https://h/a b", expected: nil),
        Case(id: "line break", text: "https://h/a\r\nX: y", expected: nil),
        Case(id: "fragment", text: "https://h/a#b", expected: nil),
        Case(id: "empty host", text: "https:///a", expected: nil),
        Case(id: "IPv6 without brackets", text: "https://::1/", expected: nil),
    ])
    func addressesAreReadAsTheyAre(_ test: Case) {
        #expect((try? HTTPURL(test.text)) == test.expected)
    }

    @Test func theDefaultPortIsLeftOutAndTheQueryIsNotPrinted() throws {
        let url = try HTTPURL("https://h:443/p?sig=secret")
        #expect(url.authority == "h")
        #expect(url.wireText == "https://h/p?sig=secret")
        #expect("\(url)" == "https://h/p")
    }

    @Test func anAddressWithAPasswordIsRefusedWithoutPrintingIt() {
        #expect(
            throws: HTTPError(
                .invalidRequest, "'https://…@h:1/x' is not an address: 'h:1' is not a host and a port",
                hint: "write it like https://storage.example.com:9000/path")
        ) { try HTTPURL("https://me:secret@h:1/x?q=1") }
    }

    @Test func percentEncodingLeavesOnlyUnreservedCharacters() {
        #expect(PercentEncoding.encode("a-._~Z9 /+é") == "a-._~Z9%20%2F%2B%C3%A9")
        #expect(PercentEncoding.encode("a/b c", keepsSlash: true) == "a/b%20c")
        #expect(PercentEncoding.decode("a%20%2f+%C3%A9") == "a /+é")
        #expect(PercentEncoding.decode("%4") == nil)
        #expect(PercentEncoding.decode("%zz") == nil)
        #expect(PercentEncoding.decode("%ff") == nil)
    }
}

struct HeadReaderTests {
    private func events(_ lines: [String]) -> [HeadReader.Event] {
        var reader = HeadReader()
        return lines.map { reader.line(Array($0.utf8)) }.filter { $0 != .none }
    }

    /// libcurl joins the lines that come while a transfer is held back; a trailer must not swallow the next one.
    @Test(arguments: [1, 2, 3, 5, 100]) func linesThatComeTogetherAreSeveral(piece: Int) {
        let lines = [
            "HTTP/2 200 \r\n", "a: 1\r\n", "b: 2\r\n", "\r\n", "grpc-status: 0\r\n", "x-bytes: 7\r\n", "\r\n",
        ]
        var reader = HeadReader()
        let events = stride(from: 0, to: lines.count, by: piece).flatMap { start in
            reader.lines(Array(lines[start..<min(start + piece, lines.count)].joined().utf8))
        }
        #expect(
            events.filter { $0 != .none } == [
                .head(HTTPResponseHead(status: 200, headers: headers([("a", "1"), ("b", "2")]), version: .http2)),
                .trailer(name: "grpc-status", value: "0"), .trailer(name: "x-bytes", value: "7"),
            ])
    }

    @Test func interimResponsesAreSkippedAndTrailersFollow() {
        #expect(
            events([
                "HTTP/1.1 100 Continue\r\n", "X: no\r\n", "\r\n", "HTTP/2 200 \r\n", "a: 1\r\n", "A:  2 \r\n", "\r\n",
                "grpc-status: 0\r\n", "\r\n",
            ]) == [
                .head(HTTPResponseHead(status: 200, headers: headers([("a", "1"), ("A", "2")]), version: .http2)),
                .trailer(name: "grpc-status", value: "0"),
            ])
    }

    @Test func whatIsNoStatusLineIsMalformed() {
        #expect(events(["HTTP/1.1 abc\r\n"]) == [.malformed("'HTTP/1.1 abc' is not a status line")])
        #expect(events(["HTTP/1.1 99 x\r\n"]) == [.malformed("'HTTP/1.1 99 x' is not a status line")])
        #expect(events(["garbage\r\n"]) == [.malformed("the response does not start with a status line")])
    }

    @Test func anEndlessHeadIsRefused() {
        let line = "X: " + String(repeating: "y", count: 4000) + "\r\n"
        let found = events(["HTTP/1.1 200 OK\r\n"] + Array(repeating: line, count: 70))
        #expect(found.first == .malformed("the response's header is over 262144 bytes"))
    }

    private func headers(_ fields: [(String, String)]) -> HTTPHeaders {
        var headers = HTTPHeaders()
        for (name, value) in fields { headers.append(name, value) }
        return headers
    }
}

struct HTTPHeadersTests {
    @Test func namesAreComparedWithoutRegardToCase() {
        var headers: HTTPHeaders = ["Content-MD5": "a", "x": "b"]
        #expect(headers["content-md5"] == "a")
        headers["CONTENT-md5"] = "c"
        #expect(headers.fields.map(\.name) == ["x", "CONTENT-md5"])
        headers["X"] = nil
        #expect(headers.fields.count == 1)
    }
}

struct LowSpeedWatchTests {
    private func isTooSlow(
        _ watch: inout LowSpeedWatch, bytes: Int64, isHeldBack: Bool, now: ContinuousClock.Instant
    ) -> Bool { watch.isTooSlow(bytes: bytes, isHeldBack: isHeldBack, now: now) }

    @Test func onlyAWholeSlowWindowCounts() {
        let start = ContinuousClock.now
        var watch = LowSpeedWatch(.init(bytesPerSecond: 10, window: .seconds(10)), now: start)
        func at(_ seconds: Int) -> ContinuousClock.Instant { start + .seconds(seconds) }
        #expect(!isTooSlow(&watch, bytes: 0, isHeldBack: false, now: at(9)))
        #expect(!isTooSlow(&watch, bytes: 100, isHeldBack: false, now: at(10)))
        #expect(isTooSlow(&watch, bytes: 199, isHeldBack: false, now: at(20)))
    }

    @Test func timeWeHoldTheOtherSideBackDoesNotCount() {
        let start = ContinuousClock.now
        var watch = LowSpeedWatch(.init(bytesPerSecond: 1, window: .seconds(10)), now: start)
        #expect(!isTooSlow(&watch, bytes: 5, isHeldBack: true, now: start + .seconds(100)))
        #expect(!isTooSlow(&watch, bytes: 5, isHeldBack: false, now: start + .seconds(109)))
        #expect(isTooSlow(&watch, bytes: 5, isHeldBack: false, now: start + .seconds(110)))
    }
}
