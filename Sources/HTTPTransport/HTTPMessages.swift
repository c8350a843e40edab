/// A request method.
public struct HTTPMethod: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }

    public static let get = HTTPMethod(rawValue: "GET")
    public static let head = HTTPMethod(rawValue: "HEAD")
    public static let put = HTTPMethod(rawValue: "PUT")
    public static let post = HTTPMethod(rawValue: "POST")
    public static let patch = HTTPMethod(rawValue: "PATCH")
    public static let delete = HTTPMethod(rawValue: "DELETE")

    public var description: String { rawValue }
}

/// Header fields in order. Names are compared without regard to case.
public struct HTTPHeaders: Sendable, Hashable, ExpressibleByDictionaryLiteral {
    public private(set) var fields: [Field]

    public struct Field: Sendable, Hashable {
        public let name: String
        public let value: String
    }

    public init() { fields = [] }

    public init(dictionaryLiteral elements: (String, String)...) {
        fields = elements.map { Field(name: $0.0, value: $0.1) }
    }

    /// The first value with this name. Setting replaces all of them; nil removes them.
    public subscript(name: String) -> String? {
        get { fields.first { Self.isSame($0.name, name) }?.value }
        set {
            fields.removeAll { Self.isSame($0.name, name) }
            if let newValue { fields.append(Field(name: name, value: newValue)) }
        }
    }

    public mutating func append(_ name: String, _ value: String) { fields.append(Field(name: name, value: value)) }

    private static func isSame(_ left: String, _ right: String) -> Bool {
        left.utf8.count == right.utf8.count
            && zip(left.utf8, right.utf8).allSatisfy { lowercase($0) == lowercase($1) }
    }

    private static func lowercase(_ byte: UInt8) -> UInt8 {
        byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
    }
}

/// What is sent after the request's head.
public enum HTTPBody: Sendable {
    case none
    /// The arrays one after another, as they are: nothing is joined. Can be sent again by the transport when a reused
    /// connection turns out to be dead.
    case pieces([[UInt8]])
    /// Chunks, one call each, until nil. With a `length` the chunks must add up to it; without one the body is chunked
    /// (HTTP/1.1) or a stream of frames (HTTP/2). Calls are made one after the other, in a child task of the request, at
    /// most one chunk ahead of the connection; an error ends the request and is what the caller sees.
    case stream(length: Int64?, next: @Sendable () async throws -> [UInt8]?)

    /// One array.
    public static func bytes(_ bytes: [UInt8]) -> HTTPBody { .pieces([bytes]) }
}

/// A request. The `Host`, `Content-Length` and `Transfer-Encoding` fields come from `url` and `body`.
public struct HTTPRequest: Sendable {
    public var method: HTTPMethod
    public var url: HTTPURL
    public var headers: HTTPHeaders
    public var body: HTTPBody
    /// From the start to the last byte of the response; nil for no such limit (`lowSpeed` still holds).
    public var timeout: Duration?

    public init(
        _ method: HTTPMethod, _ url: HTTPURL, headers: HTTPHeaders = [:], body: HTTPBody = .none,
        timeout: Duration? = nil
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.timeout = timeout
    }
}

/// Status and header fields of a response.
public struct HTTPResponseHead: Sendable, Hashable {
    /// 200 … 599; interim (1xx) responses are not shown.
    public let status: Int
    public let headers: HTTPHeaders
    public let version: Version

    public enum Version: String, Sendable, Hashable {
        case http1 = "HTTP/1"
        case http2 = "HTTP/2"
    }

    public init(status: Int, headers: HTTPHeaders, version: Version = .http1) {
        self.status = status
        self.headers = headers
        self.version = version
    }

    public var isSuccess: Bool { (200..<300).contains(status) }
}

/// A whole response.
public struct HTTPResponse: Sendable {
    public let head: HTTPResponseHead
    public let body: [UInt8]

    public var status: Int { head.status }
    public var headers: HTTPHeaders { head.headers }

    public init(head: HTTPResponseHead, body: [UInt8]) {
        self.head = head
        self.body = body
    }
}
