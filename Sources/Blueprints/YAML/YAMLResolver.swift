import GoFormats

/// Decides what value a scalar stands for, as `sigs.k8s.io/yaml` does on the way to JSON: YAML 1.1 words for booleans
/// and null, Go's integer literals with any base, floats without base 60, no timestamps.
///
/// Source: `sigs.k8s.io/yaml` v1.6.0 over `go.yaml.in/yaml/v2` v2.4.2 `resolve.go` (`resolve`), `decode.go` (`scalar`).
enum YAMLResolver {
    static let tagPrefix = "tag:yaml.org,2002:"

    /// - Parameter isPlain: true for a scalar without quotes and for one tagged `!`.
    /// - Returns: nil when the text does not fit an explicit tag, which Kubernetes refuses.
    static func resolve(_ text: String, tag: String?, isPlain: Bool) -> YAMLScalar.Value? {
        guard let tag else { return isPlain ? untagged(text) : .string(text) }
        guard tag.hasPrefix(tagPrefix) else { return .string(text) }
        let value = untagged(text)
        switch (tag.dropFirst(tagPrefix.count), value) {
        case ("str", _): return .string(text)
        case ("int", .integer), ("bool", .bool), ("null", .null): return value
        case ("int", .double): return isUnsigned(text) ? value : nil
        case ("float", .double): return isUnsigned(text) ? nil : value
        case ("float", .integer(let number)): return .double(Double(number))
        case ("binary", _): return Base64.decode(text).map { .string(String(decoding: $0, as: UTF8.self)) }
        case ("timestamp", .string): return looksLikeDate(text) ? .string(text) : nil
        case ("int", _), ("float", _), ("bool", _), ("null", _), ("timestamp", _): return nil
        default: return .string(text)
        }
    }

    /// True for an integer above `Int64.max`, which Go keeps as an unsigned one.
    static func isUnsigned(_ text: String) -> Bool {
        let digits = text.utf8.prefix(400).filter { $0 != UInt8(ascii: "_") }
        guard let first = digits.first, (0x30...0x39).contains(first), case .double? = integer(digits) else {
            return false
        }
        return true
    }

    /// `YYYY-` and more digits: enough to tell a timestamp from everything else that can carry its tag.
    private static func looksLikeDate(_ text: String) -> Bool {
        let bytes = Array(text.utf8.prefix(6))
        return bytes.count == 6 && bytes[4] == UInt8(ascii: "-")
            && (bytes[..<4] + bytes[5...]).allSatisfy { (0x30...0x39).contains($0) }
    }

    private static let words: [String: YAMLScalar.Value] = {
        var words: [String: YAMLScalar.Value] = [:]
        for word in ["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"] {
            words[word] = .bool(true)
        }
        for word in ["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"] {
            words[word] = .bool(false)
        }
        for word in ["", "~", "null", "Null", "NULL"] { words[word] = .null }
        for word in [".nan", ".NaN", ".NAN"] { words[word] = .double(.nan) }
        for word in [".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"] { words[word] = .double(.infinity) }
        for word in ["-.inf", "-.Inf", "-.INF"] { words[word] = .double(-.infinity) }
        return words
    }()

    private static func untagged(_ text: String) -> YAMLScalar.Value {
        guard let first = text.utf8.first else { return .null }
        // The first character tells whether there is anything but a string to find.
        let isNumeric = (0x30...0x39).contains(first) || first == UInt8(ascii: "+") || first == UInt8(ascii: "-")
        guard isNumeric || "yYnNtTfFoO~.".utf8.contains(first) else { return .string(text) }
        let bytes = Array(text.utf8.prefix(400))
        if bytes.count <= 5, let word = words[text] { return word }
        guard bytes.count < 400 else { return .string(text) }
        if first == UInt8(ascii: ".") {
            // Here Go's own float syntax counts, which has underscores only between digits.
            return withoutSeparators(bytes).flatMap { float($0) }.map { .double($0) } ?? .string(text)
        }
        guard isNumeric else { return .string(text) }
        let digits = bytes.filter { $0 != UInt8(ascii: "_") }
        return integer(digits) ?? float(digits).map { .double($0) } ?? .string(text)
    }

    private static func withoutSeparators(_ bytes: [UInt8]) -> [UInt8]? {
        var digits: [UInt8] = []
        for (position, byte) in bytes.enumerated() {
            guard byte == UInt8(ascii: "_") else {
                digits.append(byte)
                continue
            }
            let isBetween =
                position > 0 && position + 1 < bytes.count
                && (0x30...0x39).contains(bytes[position - 1]) && (0x30...0x39).contains(bytes[position + 1])
            guard isBetween else { return nil }
        }
        return digits
    }

    /// Go's `strconv.ParseInt(text, 0, 64)`, then `ParseUint` for what is too large.
    private static func integer(_ bytes: [UInt8]) -> YAMLScalar.Value? {
        var rest = bytes[...]
        var isNegative = false
        var hasSign = false
        if let sign = rest.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
            isNegative = sign == UInt8(ascii: "-")
            hasSign = true
            rest = rest.dropFirst()
        }
        var base: UInt64 = 10
        if rest.count >= 2, rest.first == UInt8(ascii: "0") {
            switch rest[rest.startIndex + 1] | 0x20 {
            case UInt8(ascii: "x"): base = 16
            case UInt8(ascii: "o"): base = 8
            case UInt8(ascii: "b"): base = 2
            default: base = 0
            }
            rest = rest.dropFirst(base == 0 ? 1 : 2)
            if base == 0 { base = 8 }
        }
        guard !rest.isEmpty else { return nil }
        var magnitude: UInt64 = 0
        for byte in rest {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue, UInt64(digit) < base else { return nil }
            let (product, overflow) = magnitude.multipliedReportingOverflow(by: base)
            let (sum, carry) = product.addingReportingOverflow(UInt64(digit))
            guard !overflow, !carry else { return nil }
            magnitude = sum
        }
        if isNegative {
            return magnitude <= 1 << 63 ? .integer(Int64(truncatingIfNeeded: 0 &- magnitude)) : nil
        }
        if let number = Int64(exactly: magnitude) { return .integer(number) }
        return hasSign ? nil : .double(Double(magnitude))
    }

    /// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`; one out of range is no number.
    private static func float(_ bytes: [UInt8]) -> Double? {
        var position = 0
        func skipSign() {
            if position < bytes.count, bytes[position] == 0x2b || bytes[position] == 0x2d { position += 1 }
        }
        func skipDigits() -> Int {
            let start = position
            while position < bytes.count, (0x30...0x39).contains(bytes[position]) { position += 1 }
            return position - start
        }
        skipSign()
        let whole = skipDigits()
        if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
            position += 1
            guard skipDigits() > 0 || whole > 0 else { return nil }
        } else if whole == 0 {
            return nil
        }
        if position < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "e") {
            position += 1
            skipSign()
            guard skipDigits() > 0 else { return nil }
        }
        guard position == bytes.count, let number = Double(Self.swiftSpelling(bytes)), number.isFinite else {
            return nil
        }
        return number
    }

    /// `Double.init` wants digits on both sides of the point.
    private static func swiftSpelling(_ bytes: [UInt8]) -> String {
        var spelled: [UInt8] = []
        for (position, byte) in bytes.enumerated() {
            let isPoint = byte == UInt8(ascii: ".")
            if isPoint, !(spelled.last.map { (0x30...0x39).contains($0) } ?? false) { spelled.append(0x30) }
            spelled.append(byte)
            let next = position + 1 < bytes.count ? bytes[position + 1] : 0
            if isPoint, !(0x30...0x39).contains(next) { spelled.append(0x30) }
        }
        return String(decoding: spelled, as: UTF8.self)
    }
}
