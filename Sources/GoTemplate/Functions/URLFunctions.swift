/// sprig's functions on URLs.
///
/// Source: sprig 2.22.0 `url.go`.
enum URLFunctions {
    static let functions: [TemplateFunction] = [
        TemplateFunction(
            "urlParse", [.string], result: "map[string]interface {}",
            "The parts of a URL: scheme, userinfo, host, hostname, path, query, opaque, fragment."
        ) { call throws(FunctionFailure) in
            let url: GoURL
            do throws(GoURL.Problem) {
                url = try GoURL(call.string(0).bytes)
            } catch {
                throw FunctionFailure("unable to parse url: \(error.message)")
            }
            let parts: [String: [UInt8]] = [
                "scheme": url.scheme, "host": url.host, "hostname": url.hostname, "path": url.path, "query": url.query,
                "opaque": url.opaque, "fragment": url.fragment, "userinfo": url.userInfo,
            ]
            return .dictionary(parts.mapValues { .string(GoString(bytes: $0)) })
        },
        TemplateFunction(
            "urlJoin", [.dictionary], result: "string", "The URL of parts such as `urlParse` gives."
        ) { call throws(FunctionFailure) in try join(call[0]) },
    ]

    private static func part(_ dictionary: GoValue, _ key: GoString) throws(FunctionFailure) -> [UInt8] {
        guard let value = dictionary.mapValue?[key] else { return [] }
        if value.isNilInterface { throw RuntimeError.nilDereference }
        if let placeholder = value.placeholder { return Array("<\(placeholder)>".utf8) }
        guard let text = value.stringValue else {
            throw FunctionFailure(
                "unable to parse \(key) key, must be of type string, but \(value.kind.rawValue) found")
        }
        return text.bytes
    }

    private static func join(_ dictionary: GoValue) throws(FunctionFailure) -> GoValue {
        var url = GoURL()
        url.scheme = try part(dictionary, "scheme")
        url.host = try part(dictionary, "host")
        url.path = try part(dictionary, "path")
        url.query = try part(dictionary, "query")
        url.opaque = try part(dictionary, "opaque")
        url.fragment = try part(dictionary, "fragment")
        let userInfo = try part(dictionary, "userinfo")
        if !userInfo.isEmpty {
            do throws(GoURL.Problem) {
                let other = try GoURL(Array("proto://".utf8) + userInfo + Array("@host".utf8))
                (url.user, url.password) = (other.user, other.password)
            } catch {
                throw FunctionFailure("unable to parse userinfo in dict: \(error.message)")
            }
        }
        return .string(GoString(bytes: url.text))
    }
}
