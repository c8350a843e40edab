internal import CCurl
internal import Glibc

/// Sets options of an easy handle and remembers the first one libcurl refused.
struct EasyOptions {
    private let handle: UnsafeMutableRawPointer
    private(set) var refused: String?
    private var usesProxies = false

    init(_ handle: UnsafeMutableRawPointer) { self.handle = handle }

    mutating func connection(_ configuration: HTTPClientConfiguration, pin: UnsafeMutableRawPointer?) {
        note(karaffe_set_open_socket(handle), "the socket callback")
        long(CURLOPT_NOSIGNAL, 1)
        string(CURLOPT_PROTOCOLS_STR, "http,https")
        long(CURLOPT_CONNECTTIMEOUT_MS, configuration.connectTimeout.milliseconds)
        long(CURLOPT_TCP_KEEPALIVE, 1)
        long(CURLOPT_BUFFERSIZE, 256 << 10)
        long(CURLOPT_UPLOAD_BUFFERSIZE, 2 << 20)
        long(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        string(CURLOPT_USERAGENT, configuration.userAgent)
        usesProxies = configuration.proxy == .environment
        if configuration.proxy == .none {
            string(CURLOPT_PROXY, "")
            string(CURLOPT_NOPROXY, "*")
        }
        switch configuration.trust {
        case .authorities(nil): break
        case .authorities(let pem?):
            note(
                pem.withUnsafeBytes { karaffe_setopt_blob(handle, CURLOPT_CAINFO_BLOB, $0.baseAddress, $0.count) },
                "the CA certificates")
            note(karaffe_setopt_string(handle, CURLOPT_CAPATH, nil), "no CA folder")
        case .pinned:
            // The callback is only asked when verification is on; the name is not what a pin is about.
            long(CURLOPT_SSL_VERIFYPEER, 1)
            long(CURLOPT_SSL_VERIFYHOST, 0)
            note(karaffe_set_pin(handle, pin), "the certificate pin")
        case .anything:
            long(CURLOPT_SSL_VERIFYPEER, 0)
            long(CURLOPT_SSL_VERIFYHOST, 0)
        }
    }

    mutating func request(_ request: HTTPRequest, _ versions: HTTPClientConfiguration.Versions) {
        switch versions {
        case .negotiated: long(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS)
        case .http2 where request.url.scheme == .https: long(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS)
        case .http2:
            long(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE)
            // libcurl 7.88 fails the second request on such a connection ("Error in the HTTP2 framing layer").
            long(CURLOPT_FRESH_CONNECT, 1)
            long(CURLOPT_FORBID_REUSE, 1)
        case .http1: long(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1)
        }
        if usesProxies, request.url.scheme == .http, let proxy = Self.upperCaseProxy { string(CURLOPT_PROXY, proxy) }
        string(CURLOPT_URL, request.url.wireText)
        long(CURLOPT_PATH_AS_IS, 1)
        if let timeout = request.timeout { long(CURLOPT_TIMEOUT_MS, timeout.milliseconds) }
        switch request.body {
        case .pieces(let pieces): upload(request.method, pieces.reduce(0) { $0 + Int64($1.count) })
        case .stream(let length, _): upload(request.method, length ?? -1)
        case .none where request.method == .put || request.method == .post: upload(request.method, 0)
        case .none where request.method == .head: long(CURLOPT_NOBODY, 1)
        case .none where request.method == .get: long(CURLOPT_HTTPGET, 1)
        case .none: string(CURLOPT_CUSTOMREQUEST, request.method.rawValue)
        }
    }

    /// `HTTP_PROXY`, which libcurl reads in lower case only, because a CGI program gets it from a request's field `Proxy`; Go
    /// programs read it unless they are one. The list of hosts without proxy applies to it as well.
    private static var upperCaseProxy: String? {
        guard getenv("http_proxy") == nil, getenv("REQUEST_METHOD") == nil, let proxy = getenv("HTTP_PROXY") else {
            return nil
        }
        return String(cString: proxy)
    }

    private mutating func upload(_ method: HTTPMethod, _ length: Int64) {
        long(CURLOPT_UPLOAD, 1)
        string(CURLOPT_CUSTOMREQUEST, method.rawValue)
        note(karaffe_setopt_offset(handle, CURLOPT_INFILESIZE_LARGE, curl_off_t(length)), "the body's length")
    }

    mutating func long(_ option: CURLoption, _ value: Int) {
        note(karaffe_setopt_long(handle, option, value), "option \(option.rawValue)")
    }

    mutating func string(_ option: CURLoption, _ value: String) {
        note(karaffe_setopt_string(handle, option, value), "option \(option.rawValue)")
    }

    mutating func pointer(_ option: CURLoption, _ value: UnsafeMutableRawPointer) {
        note(karaffe_setopt_pointer(handle, option, value), "option \(option.rawValue)")
    }

    mutating func list(_ option: CURLoption, _ value: UnsafeMutablePointer<curl_slist>?) {
        note(karaffe_setopt_list(handle, option, value), "option \(option.rawValue)")
    }

    mutating func data(_ option: CURLoption, _ callback: @escaping karaffe_data_callback) {
        note(karaffe_setopt_data(handle, option, callback), "option \(option.rawValue)")
    }

    mutating func seek(_ callback: @escaping karaffe_seek_callback) {
        note(karaffe_setopt_seek(handle, callback), "the seek callback")
    }

    private mutating func note(_ result: CURLcode, _ what: String) {
        if result != CURLE_OK, refused == nil { refused = "\(what): \(String(cString: curl_easy_strerror(result)))" }
    }
}

extension Duration {
    /// Rounded up, at least 1 and at most about 24 days, which is what libcurl's timeouts take.
    var milliseconds: Int {
        let (seconds, attoseconds) = components
        guard seconds < 2_000_000 else { return 2_000_000_000 }
        return max(1, Int(seconds) * 1000 + Int((attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000))
    }
}
