/// The targets of Package.swift with their dependencies, read from its text: it is written in a plain way, and a test
/// that asked SwiftPM would have to start it.
struct ManifestTarget: Sendable {
    var name = ""
    /// `target`, `executableTarget`, `testTarget` or `systemLibrary`.
    var kind = ""
    var dependencies: [String] = []

    static func read(_ manifest: String) -> [ManifestTarget] {
        var targets: [ManifestTarget] = []
        var tokens = Tokens(manifest)
        var previous = ""
        // `let subprocess: Target.Dependency = .product(name: "Subprocess", …)`
        var constants: [String: String] = [:]
        var constant = ""
        while let token = tokens.next() {
            if previous == "let" { constant = token }
            if token == "product", tokens.peek() == "(" {
                _ = [tokens.next(), tokens.next(), tokens.next()]
                if let name = tokens.next()?.quoted { constants[constant] = name }
            }
            let isTarget = ["target", "executableTarget", "testTarget", "systemLibrary"].contains(token)
            if isTarget, previous == ".", tokens.peek() == "(" {
                targets.append(target(kind: token, constants, &tokens))
            }
            previous = token
        }
        return targets
    }

    /// Reads up to the closing parenthesis of one target.
    private static func target(
        kind: String, _ constants: [String: String], _ tokens: inout Tokens
    ) -> ManifestTarget {
        var target = ManifestTarget(kind: kind)
        var depth = 0
        var label = ""
        var inDependencies = false
        while let token = tokens.next() {
            switch token {
            case "(": depth += 1
            case ")":
                depth -= 1
                if depth == 0 { return target }
            case "[": inDependencies = label == "dependencies"
            case "]": inDependencies = false
            default:
                if tokens.peek() == ":" {
                    if !inDependencies { label = token }
                } else if inDependencies {
                    if let name = token.quoted ?? constants[token] { target.dependencies.append(name) }
                } else if label == "name", depth == 1, let name = token.quoted {
                    target.name = name
                    label = ""
                }
            }
        }
        return target
    }

    /// Identifiers, string literals with their quotes, and single signs; comments and white space are left out.
    private struct Tokens {
        private var tokens: [String] = []
        private var position = 0

        init(_ text: String) {
            var rest = Substring(text)
            while let first = rest.first {
                if rest.hasPrefix("//") {
                    rest = rest.drop { $0 != "\n" }
                } else if first.isWhitespace {
                    rest = rest.dropFirst()
                } else if first == "\"" {
                    let body = rest.dropFirst().prefix { $0 != "\"" }
                    tokens.append("\"" + body + "\"")
                    rest = rest.dropFirst(body.count + 2)
                } else if first.isLetter || first == "_" {
                    let word = rest.prefix { $0.isLetter || $0.isNumber || $0 == "_" }
                    tokens.append(String(word))
                    rest = rest.dropFirst(word.count)
                } else {
                    tokens.append(String(first))
                    rest = rest.dropFirst()
                }
            }
        }

        mutating func next() -> String? {
            guard position < tokens.count else { return nil }
            position += 1
            return tokens[position - 1]
        }

        func peek() -> String? { position < tokens.count ? tokens[position] : nil }
    }
}

extension String {
    /// The inside of a string literal.
    fileprivate var quoted: String? {
        count >= 2 && hasPrefix("\"") && hasSuffix("\"") ? String(dropFirst().dropLast()) : nil
    }
}
