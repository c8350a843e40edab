import ArgumentParser

/// A length of time on a command line: `90`, `90s`, `40m`, `1h30m`, `2d`.
struct TimeSpan: ExpressibleByArgument, Sendable, Hashable, CustomStringConvertible {
    /// 0 … 366 days.
    let seconds: Int64

    static let secondsMax: Int64 = 366 * 86_400

    init(seconds: Int64) { self.seconds = max(0, min(seconds, Self.secondsMax)) }

    /// Nil for other text. A number without a unit is seconds.
    init?(argument text: String) {
        let isNumber = !text.isEmpty && text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard let seconds = DurationText.parse(isNumber ? text + "s" : text), seconds <= Self.secondsMax else {
            return nil
        }
        self.seconds = seconds
    }

    /// `40m`, `1h30m`, `90s` is `1m30s`.
    var description: String {
        guard seconds > 0 else { return "0s" }
        let parts: [(Int64, String)] = [
            (seconds / 86_400, "d"), (seconds % 86_400 / 3600, "h"), (seconds % 3600 / 60, "m"), (seconds % 60, "s"),
        ]
        return parts.filter { $0.0 > 0 }.map { "\($0.0)\($0.1)" }.joined()
    }

    var duration: Duration { .seconds(seconds) }
}

/// A value, or `none`: what a blueprint's template writes where there is nothing to say.
struct Maybe<Value: ExpressibleByArgument & Sendable & Hashable>: ExpressibleByArgument, Sendable, Hashable {
    let value: Value?

    init(_ value: Value?) { self.value = value }

    init?(argument text: String) {
        guard text != "none" else {
            value = nil
            return
        }
        guard let value = Value(argument: text) else { return nil }
        self.value = value
    }

    var defaultValueDescription: String { value?.defaultValueDescription ?? "none" }
}

/// `HOST`, `HOST:PORT` or `[IPV6]:PORT` on a command line.
struct ServerAddress: ExpressibleByArgument, Sendable, Hashable, CustomStringConvertible {
    let host: String
    /// Nil for the port of the connection that it stands beside.
    let port: String?

    init?(argument text: String) {
        var (host, port): (Substring, Substring?) = (text[...], nil)
        if text.hasPrefix("[") {
            guard let close = text.firstIndex(of: "]") else { return nil }
            host = text[text.index(after: text.startIndex)..<close]
            let rest = text[text.index(after: close)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { return nil }
            port = rest.isEmpty ? nil : rest.dropFirst()
        } else if text.count(where: { $0 == ":" }) == 1, let colon = text.firstIndex(of: ":") {
            host = text[..<colon]
            port = text[text.index(after: colon)...]
        }
        guard !host.isEmpty, port.map({ Int($0).map { (1...65535).contains($0) } ?? false }) ?? true else { return nil }
        self.host = String(host)
        self.port = port.map(String.init)
    }

    var description: String { port.map { "\(host):\($0)" } ?? host }
}
