/// sprig's functions on semantic versions.
///
/// Source: sprig 2.22.0 `semver.go`; Masterminds/semver 1.5 `version.go`.
enum VersionFunctions {
    static let functions: [TemplateFunction] = [
        TemplateFunction(
            "semver", [.string], result: "*semver.Version",
            "A semantic version, with the methods Major, Minor, Patch, Prerelease, Metadata, Original, Compare."
        ) { call throws(FunctionFailure) in .pointer(try parse(call.string(0)).value) },
        TemplateFunction(
            "semverCompare", [.string, .string], result: "bool",
            "Whether the second argument, a version, fulfils the first, such as `^1.2` or `>=1.2, <3 || 4.x`."
        ) { call throws(FunctionFailure) in
            let constraint = try VersionConstraint(call.string(0))
            return .bool(constraint.allows(try parse(call.string(1))))
        },
    ]

    private static let tail = #"(-([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?(\+([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?"#
    private static let expression = try? Regex(
        Array(#"^v?([0-9]+)(\.[0-9]+)?(\.[0-9]+)?\#(tail)$"#.utf8))
    static let looseVersion = #"v?([0-9|x|X|\*]+)(\.[0-9|x|X|\*]+)?(\.[0-9|x|X|\*]+)?\#(tail)"#

    /// The groups of the first match of `regex`; empty texts for groups that took no part.
    static func groups(_ regex: Regex?, _ text: [UInt8]) throws(FunctionFailure) -> [String]? {
        var steps = Regex.maximumSteps
        guard let regex, let match = try regex.match(text, from: 0, steps: &steps) else { return nil }
        return stride(from: 0, to: match.count, by: 2).map { index in
            match[index] < 0 ? "" : String(decoding: text[match[index]..<match[index + 1]], as: UTF8.self)
        }
    }

    static func parse(_ text: GoString) throws(FunctionFailure) -> SemanticVersion {
        guard let groups = try groups(expression, text.bytes) else { throw FunctionFailure("Invalid Semantic Version") }
        return SemanticVersion(
            major: try segment(groups[1]), minor: try segment(groups[2]), patch: try segment(groups[3]),
            prerelease: groups[5], metadata: groups[8], original: text.text)
    }

    private static func segment(_ text: String) throws(FunctionFailure) -> Int64 {
        let digits = text.hasPrefix(".") ? String(text.dropFirst()) : text
        if digits.isEmpty { return 0 }
        guard let value = GoNumber.signed(digits, base: 10) else {
            throw FunctionFailure(
                "Error parsing version segment: strconv.ParseInt: parsing \(Quoting.quote(digits)): value out of range")
        }
        return value
    }
}

/// Conditions on a version: alternatives (`||`) of conditions that must all hold (`,`).
///
/// Source: Masterminds/semver 1.5 `constraints.go`.
struct VersionConstraint {
    private struct Condition {
        let operation: String
        let version: SemanticVersion
        /// Parts were left out or wild.
        let isLoose: Bool
        let minorIsLoose: Bool
        let patchIsLoose: Bool
    }

    private let alternatives: [[Condition]]

    private static let condition = try? Regex(
        Array(#"^\s*(|=|!=|>|<|>=|=>|<=|=<|~|~>|\^)\s*(\#(VersionFunctions.looseVersion))\s*$"#.utf8))
    private static let range = try? Regex(
        Array(#"\s*(\#(VersionFunctions.looseVersion))\s+-\s+(\#(VersionFunctions.looseVersion))\s*"#.utf8))

    init(_ given: GoString) throws(FunctionFailure) {
        let text = try Self.rewritingRanges(given.bytes)
        var alternatives: [[Condition]] = []
        for part in ByteText.split(text, by: Array("||".utf8)) {
            var conditions: [Condition] = []
            for condition in ByteText.split(part, by: [UInt8(ascii: ",")]) {
                conditions.append(try Self.parse(condition))
            }
            alternatives.append(conditions)
        }
        self.alternatives = alternatives
    }

    /// `1.2 - 1.4.5` as `>= 1.2, <= 1.4.5`.
    private static func rewritingRanges(_ text: [UInt8]) throws(FunctionFailure) -> [UInt8] {
        guard let range else { return text }
        var out = text
        for match in try range.matches(text, limit: -1) {
            let whole = Array(text[match[0]..<match[1]])
            let replacement =
                Array(">= ".utf8) + text[match[2]..<match[3]] + Array(", <= ".utf8) + text[match[22]..<match[23]]
            if let found = ByteText.find(whole, in: out) {
                out.replaceSubrange(found..<(found + whole.count), with: replacement)
            }
        }
        return out
    }

    private static func parse(_ text: [UInt8]) throws(FunctionFailure) -> Condition {
        guard let groups = try VersionFunctions.groups(condition, text) else {
            throw FunctionFailure("improper constraint: \(String(decoding: text, as: UTF8.self))")
        }
        func isWild(_ part: String) -> Bool {
            let part = part.hasPrefix(".") ? String(part.dropFirst()) : part
            return part == "x" || part == "X" || part == "*"
        }
        var version = groups[2]
        var (isLoose, minorIsLoose, patchIsLoose) = (false, false, false)
        if isWild(groups[3]) {
            version = "0.0.0"
            isLoose = true
        } else if isWild(groups[4]) || groups[4].isEmpty {
            (isLoose, minorIsLoose) = (true, true)
            version = "\(groups[3]).0.0\(groups[6])"
        } else if isWild(groups[5]) {
            (isLoose, patchIsLoose) = (true, true)
            version = "\(groups[3])\(groups[4]).0\(groups[6])"
        }
        guard let parsed = try? VersionFunctions.parse(GoString(version)) else {
            throw FunctionFailure("constraint Parser Error")
        }
        return Condition(
            operation: groups[1], version: parsed, isLoose: isLoose, minorIsLoose: minorIsLoose,
            patchIsLoose: patchIsLoose)
    }

    func allows(_ version: SemanticVersion) -> Bool {
        alternatives.contains { $0.allSatisfy { Self.holds($0, version) } }
    }

    private static func holds(_ condition: Condition, _ version: SemanticVersion) -> Bool {
        let wanted = condition.version
        let order = version.compared(to: wanted)
        let isUnwantedPrerelease = !version.prerelease.isEmpty && wanted.prerelease.isEmpty
        if condition.operation == "!=" && !condition.isLoose { return order != 0 }
        if isUnwantedPrerelease { return false }
        switch condition.operation {
        case "!=":
            return wanted.major != version.major || (wanted.minor != version.minor && !condition.minorIsLoose)
        case ">": return order > 0
        case ">=", "=>": return order >= 0
        case "<", "<=", "=<":
            if !condition.isLoose { return condition.operation == "<" ? order < 0 : order <= 0 }
            if version.major > wanted.major { return false }
            return version.minor <= wanted.minor || condition.minorIsLoose
        case "^": return order >= 0 && version.major == wanted.major
        case "~", "~>": return isClose(condition, version, order)
        default: return condition.isLoose ? isClose(condition, version, order) : order == 0
        }
    }

    private static func isClose(_ condition: Condition, _ version: SemanticVersion, _ order: Int) -> Bool {
        let wanted = condition.version
        if order < 0 { return false }
        if wanted.major == 0 && wanted.minor == 0 && wanted.patch == 0 && !condition.minorIsLoose
            && !condition.patchIsLoose
        {
            return true
        }
        return version.major == wanted.major && (version.minor == wanted.minor || condition.minorIsLoose)
    }
}
