internal import CCurl
internal import Glibc

/// Why there is no (whole) response. A response with an error status is not an error.
public struct HTTPError: Error, Sendable, Hashable, CustomStringConvertible {
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        private enum Kind: String, Sendable, Hashable {
            case dns, connect, tls, certificate, timeout, reset, protocolViolation, tooLarge, invalidRequest, library
        }
        private let kind: Kind

        /// The name could not be resolved.
        public static let dns = Code(kind: .dns)
        /// Nobody listens, or the network is down.
        public static let connect = Code(kind: .connect)
        /// The TLS handshake failed for another reason than the certificate.
        public static let tls = Code(kind: .tls)
        /// The server's certificate is not accepted: unknown issuer, other name, expired, or not the pinned one.
        public static let certificate = Code(kind: .certificate)
        /// Connecting took too long, the transfer fell below the low-speed limit, or the request's time is over.
        public static let timeout = Code(kind: .timeout)
        /// The connection ended before the response did.
        public static let reset = Code(kind: .reset)
        /// The server does not speak HTTP as it should.
        public static let protocolViolation = Code(kind: .protocolViolation)
        /// The response is larger than the caller's limit.
        public static let tooLarge = Code(kind: .tooLarge)
        /// The request cannot be sent as it is.
        public static let invalidRequest = Code(kind: .invalidRequest)
        /// libcurl itself failed: out of memory, a feature it was built without.
        public static let library = Code(kind: .library)

        public var description: String { kind.rawValue }
    }

    public let code: Code
    /// A whole sentence without the hint. Holds no header fields, no query.
    public let message: String
    public let hint: String?
    /// Whether the same request may well succeed a little later.
    public let isTransient: Bool

    public init(_ code: Code, _ message: String, hint: String? = nil, isTransient: Bool = false) {
        self.code = code
        self.message = message
        self.hint = hint
        self.isTransient = isTransient
    }

    public var description: String { hint.map { "\(message)\nhint: \($0)" } ?? message }
}

extension HTTPError {
    /// What a failed transfer means.
    ///
    /// - Parameters:
    ///   - detail: libcurl's own words, may be empty.
    ///   - systemError: the last errno of the connection, 0 for none.
    ///   - proxyStatus: what a proxy answered when it was asked for the connection, 0 for none.
    init(curl result: CURLcode, detail: String, systemError: Int32, proxyStatus: Int, _ request: HTTPRequest) {
        guard proxyStatus < 300 else {
            self.init(
                .connect,
                "\(request.method) \(request.url): the proxy refuses to connect to it, with status \(proxyStatus)",
                hint: "check https_proxy with its user and password, and no_proxy",
                isTransient: RetryPolicy.isTransient(status: proxyStatus))
            return
        }
        let meaning = Meaning(result, detail: detail, systemError: systemError)
        let reason = detail.isEmpty ? String(cString: curl_easy_strerror(result)) : detail
        self.init(
            meaning.code, "\(request.method) \(request.url): \(meaning.summary): \(reason)", hint: meaning.hint,
            isTransient: meaning.isTransient)
    }

    private struct Meaning {
        let code: Code
        let summary: String
        var hint: String?
        var isTransient = false

        init(_ result: CURLcode, detail: String, systemError: Int32) {
            switch result {
            case CURLE_COULDNT_RESOLVE_PROXY:
                (code, summary, isTransient) = (.dns, "the proxy's name could not be resolved", true)
                hint = "check http_proxy and https_proxy, and that this machine can resolve names"
            case CURLE_COULDNT_RESOLVE_HOST:
                // A name that is not there and a resolver that is not there look alike.
                (code, summary, isTransient) = (.dns, "the host name could not be resolved", true)
                hint = "check the host name, and that this machine can resolve names"
            case CURLE_COULDNT_CONNECT, CURLE_PROXY, CURLE_INTERFACE_FAILED:
                (code, summary, isTransient) = (.connect, "no connection", true)
                hint = "check host, port and firewall, and that the server is running"
            case CURLE_OPERATION_TIMEDOUT:
                (code, summary, isTransient) = (.timeout, "no answer in time", true)
            case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS,
                CURLE_SSL_PINNEDPUBKEYNOTMATCH:
                (code, summary) = (.certificate, "the server's certificate is not accepted")
                hint = "check the host name, the CA certificate or the fingerprint you gave, and this machine's clock"
            case CURLE_SSL_CONNECT_ERROR:
                let wasCut =
                    [ECONNRESET, EPIPE, ECONNABORTED].contains(systemError) || detail.contains("SSL_ERROR_SYSCALL")
                    || detail.contains("unexpected eof")
                (code, summary, isTransient) = (wasCut ? .reset : .tls, "the TLS handshake failed", wasCut)
                if !wasCut { hint = "check that the server speaks TLS on this port, or use http:// if it does not" }
            case CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER, CURLE_SSL_CRL_BADFILE,
                CURLE_SSL_ENGINE_NOTFOUND, CURLE_SSL_ENGINE_SETFAILED, CURLE_USE_SSL_FAILED:
                (code, summary) = (.tls, "TLS could not be set up")
                hint = "check the CA certificate you gave"
            case CURLE_GOT_NOTHING, CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_PARTIAL_FILE, CURLE_HTTP2,
                CURLE_HTTP2_STREAM, CURLE_SEND_FAIL_REWIND:
                (code, summary, isTransient) = (.reset, "the connection ended too early", true)
            case CURLE_WEIRD_SERVER_REPLY, CURLE_UNSUPPORTED_PROTOCOL, CURLE_BAD_CONTENT_ENCODING,
                CURLE_TOO_MANY_REDIRECTS:
                (code, summary) = (.protocolViolation, "the server does not speak HTTP as expected")
                hint = "check that host and port are those of the service"
            case CURLE_URL_MALFORMAT, CURLE_BAD_FUNCTION_ARGUMENT:
                (code, summary) = (.invalidRequest, "the request cannot be sent")
            default:
                (code, summary) = (.library, "libcurl error \(result.rawValue)")
            }
        }
    }
}
