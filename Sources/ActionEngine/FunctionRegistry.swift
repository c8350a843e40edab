import Diagnostics

/// The functions a blueprint may call, by name and version.
///
/// Source: Kanister `pkg/phase.go` `registerFunction`, `getFunctionVersion`, `NewFunction`. Vectors: `functionVersion`
/// of the conformance cases.
public struct FunctionRegistry: Sendable {
    public static let defaultVersion = "v0.0.0"

    private var functions: [String: [String: any KanisterFunction]] = [:]
    private let removed: [String: String]

    /// - Parameter removed: names of functions that exist no more, and what to do instead.
    public init(_ functions: [any KanisterFunction], removed: [String: String] = [:]) {
        self.removed = removed
        for function in functions {
            for version in function.versions { self.functions[function.name, default: [:]][version] = function }
        }
    }

    public var names: [String] { functions.keys.sorted() }

    /// The function at the preferred version if it is registered at exactly that spelling, else at `v0.0.0`.
    ///
    /// `0.0.0` is taken for `v0.0.0`; Kanister refuses it.
    ///
    /// - Throws: `FunctionLookupError` with Kanister's wording.
    public func function(named name: String, version: String = "") throws(FunctionLookupError)
        -> any KanisterFunction
    {
        guard let versions = functions[name] else {
            let hint = removed[name] ?? nearMissHint(for: name, among: names)
            throw FunctionLookupError("Requested function {\(name)} has not been registered", hint: hint)
        }
        let isDefault = version.isEmpty || version == Self.defaultVersion || version == "0.0.0"
        if isDefault {
            if let function = versions[Self.defaultVersion] { return function }
            throw FunctionLookupError(
                "Requested function {\(name)} has not been registered with version {\(version)}",
                hint: Self.hint(versions))
        }
        guard Self.isSemanticVersion(version) else {
            throw FunctionLookupError(
                "Failed to get function version: Failed to parse function version {\(version)}",
                hint: "write it like v1.2.3, or leave preferredVersion out")
        }
        if let function = versions[version] ?? versions[Self.defaultVersion] { return function }
        throw FunctionLookupError(
            "Requested function {\(name)} has not been registered with versions {\(version)} or "
                + "{\(Self.defaultVersion)}", hint: Self.hint(versions))
    }

    private static func hint(_ versions: [String: any KanisterFunction]) -> String {
        "registered versions: \(versions.keys.sorted().joined(separator: ", "))"
    }

    /// `1`, `v1.2`, `v1.2.3-alpha.1+build`: what Kanister's semver library parses.
    static func isSemanticVersion(_ text: String) -> Bool {
        var rest = text.utf8[...]
        if rest.first == UInt8(ascii: "v") { rest = rest.dropFirst() }
        for position in 0..<3 {
            if position > 0 {
                guard rest.first == UInt8(ascii: ".") else { break }
                rest = rest.dropFirst()
            }
            let digits = rest.prefix { $0 >= 0x30 && $0 <= 0x39 }
            guard !digits.isEmpty, digits.count <= 19 else { return false }
            rest = rest.dropFirst(digits.count)
        }
        for mark in [UInt8(ascii: "-"), UInt8(ascii: "+")] where rest.first == mark {
            rest = rest.dropFirst()
            let word = rest.prefix { byte in
                let character = Character(Unicode.Scalar(byte))
                return byte < 0x80 && (character.isLetter || character.isNumber || byte == 0x2d || byte == 0x2e)
            }
            guard !word.isEmpty else { return false }
            rest = rest.dropFirst(word.count)
        }
        return rest.isEmpty
    }
}

/// A function that is not there.
public struct FunctionLookupError: Error, Sendable, Hashable, CustomStringConvertible {
    public let message: String
    public let hint: String?

    public init(_ message: String, hint: String?) {
        self.message = message
        self.hint = hint
    }

    public var description: String { message }
}

extension FunctionRegistry {
    /// Names of the arguments of `function` that are not supported, then those that are missing, in Kanister's words.
    /// Static validation asks in this order; a running phase asks for the missing ones first.
    public static func unsupported(_ given: [String], by function: any KanisterFunction) -> [String] {
        given.filter { name in !function.arguments.contains { $0.name == name } }
    }

    /// Names of required arguments that are not among `given`.
    public static func missing(_ given: [String], for function: any KanisterFunction) -> [String] {
        function.arguments.filter { $0.isRequired && !given.contains($0.name) }.map(\.name)
    }
}
