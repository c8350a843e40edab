import GoFormats

/// A path into a rendered document: `phases.backup.args.env[0].value`, `…env[name=PGHOST].value`, `…data["a.b"]`.
struct ValuePath: Sendable {
    private enum Step: Sendable {
        case key(String)
        case index(Int)
        /// The item of a list whose member is this text.
        case item(key: String, value: String)
    }

    let text: String
    private var steps: [Step] = []

    /// - Throws: `Problem` when the text is no path.
    init(_ text: String) throws(Problem) {
        self.text = text
        var rest = Substring(text)
        while let first = rest.first {
            if first == "[" {
                guard let end = rest.firstIndex(of: "]") else { throw Problem("'\(text)': a '[' is not closed") }
                let inner = rest[rest.index(after: rest.startIndex)..<end]
                rest = rest[rest.index(after: end)...]
                steps.append(Self.step(inner))
            } else {
                if first == "." { rest = rest.dropFirst() }
                let name = rest.prefix { $0 != "." && $0 != "[" }
                guard !name.isEmpty else { throw Problem("'\(text)': a name is missing") }
                rest = rest.dropFirst(name.count)
                steps.append(.key(String(name)))
            }
        }
    }

    struct Problem: Error {
        let message: String
        init(_ message: String) { self.message = message }
    }

    private static func step(_ inner: Substring) -> Step {
        if let index = Int(inner) { return .index(index) }
        if inner.count >= 2, inner.first == "\"", inner.last == "\"" {
            return .key(String(inner.dropFirst().dropLast()))
        }
        guard let sign = inner.firstIndex(of: "=") else { return .key(String(inner)) }
        return .item(key: String(inner[..<sign]), value: String(inner[inner.index(after: sign)...]))
    }

    enum Found {
        case value(JSONValue)
        /// How far the path leads, and what is there.
        case missing(after: String, there: String)
    }

    func find(in root: JSONValue) -> Found {
        var value = root
        var passed = ""
        for step in steps {
            let next: JSONValue?
            let name: String
            switch step {
            case .key(let key):
                next = value[key]
                name = passed.isEmpty ? key : ".\(key)"
            case .index(let index):
                let items = value.arrayValue ?? []
                next = items.indices.contains(index) ? items[index] : nil
                name = "[\(index)]"
            case .item(let key, let wanted):
                next = (value.arrayValue ?? []).first { $0[key]?.stringValue == wanted }
                name = "[\(key)=\(wanted)]"
            }
            guard let next else { return .missing(after: passed, there: Self.describe(value)) }
            value = next
            passed += name
        }
        return .value(value)
    }

    private static func describe(_ value: JSONValue) -> String {
        switch value {
        case .object(let object): return "keys there: \(object.keys.joined(separator: ", "))"
        case .array(let items):
            let names = items.compactMap { $0["name"]?.stringValue }
            return names.isEmpty ? "a list of \(items.count)" : "names there: \(names.joined(separator: ", "))"
        case .string: return "a text"
        default: return GoJSON.text(value)
        }
    }
}
