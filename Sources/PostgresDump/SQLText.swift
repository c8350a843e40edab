/// Quoting for statements that cannot take parameters.
public enum SQLText {
    /// A name in double quotes.
    public static func identifier(_ name: String) -> String {
        var text = "\""
        for scalar in name.unicodeScalars {
            if scalar == "\"" { text += "\"" }
            text.unicodeScalars.append(scalar)
        }
        return text + "\""
    }

    /// A string constant that means the same whatever `standard_conforming_strings` is.
    public static func literal(_ value: String) -> String {
        var text = "'"
        var hasBackslash = false
        for scalar in value.unicodeScalars {
            if scalar == "'" { text += "'" }
            if scalar == "\\" {
                text += "\\"
                hasBackslash = true
            }
            text.unicodeScalars.append(scalar)
        }
        return (hasBackslash ? " E" : "") + text + "'"
    }

    /// `$karaffe$…$karaffe$` around a body, with a tag that the body does not contain.
    public static func dollarQuoted(_ body: String) -> String {
        var tag = "$karaffe$"
        var number = 0
        while body.contains(tag) {
            number += 1
            tag = "$karaffe\(number)$"
        }
        return tag + body + tag
    }

    /// The right side of `SET name TO …` for a value as the catalogs keep it.
    ///
    /// Source: PostgreSQL `src/bin/pg_dump/dumputils.c`, `variable_is_guc_list_quote`, `makeAlterConfigCommand`.
    public static func settingValue(name: String, stored: String) -> String {
        guard listSettings.contains(name.lowercased()) else { return literal(stored) }
        let elements = listElements(stored)
        return elements.isEmpty ? "''" : elements.map(literal).joined(separator: ", ")
    }

    /// Settings that are lists of names: quoting the whole would make one name of them.
    private static let listSettings: Set<String> = [
        "local_preload_libraries", "search_path", "session_preload_libraries", "shared_preload_libraries",
        "temp_tablespaces", "unix_socket_directories",
    ]

    /// `"$user", public` → `$user`, `public`.
    private static func listElements(_ text: String) -> [String] {
        var elements: [String] = []
        var current = String.UnicodeScalarView()
        var isQuoted = false
        var wasQuoted = false
        var scalars = text.unicodeScalars[...]
        func finished() -> String? {
            if wasQuoted { return String(current) }
            let trimmed = String(current).split(separator: " ").joined(separator: " ")
            return trimmed.isEmpty ? nil : trimmed
        }
        while let scalar = scalars.popFirst() {
            switch scalar {
            case "\"" where isQuoted && scalars.first == "\"":
                scalars.removeFirst()
                current.append(scalar)
            case "\"":
                if !isQuoted { current = String.UnicodeScalarView() }
                isQuoted.toggle()
                wasQuoted = true
            case "," where !isQuoted:
                if let element = finished() { elements.append(element) }
                current = String.UnicodeScalarView()
                wasQuoted = false
            default:
                if isQuoted || !wasQuoted { current.append(scalar) }
            }
        }
        if let element = finished() { elements.append(element) }
        return elements
    }
}

extension SQLText {
    /// A setting's name, which may have one dot: `search_path`, `app.tenant`.
    public static func settingName(_ name: String) -> String {
        name.split(separator: ".", omittingEmptySubsequences: false).map { identifier(String($0)) }
            .joined(separator: ".")
    }
}

extension SQLText {
    /// Reads one identifier, quoted or not, from the start of a text.
    ///
    /// - Returns: the name, and what follows it; nil when the text does not start with an identifier.
    static func leadingIdentifier(_ text: Substring) -> (name: String, rest: Substring)? {
        guard let first = text.unicodeScalars.first else { return nil }
        guard first == "\"" else {
            let name = text.unicodeScalars.prefix { scalar in
                scalar == "_" || scalar == "$" || !scalar.isASCII || scalar.properties.isAlphabetic
                    || ("0"..."9").contains(scalar)
            }
            return name.isEmpty ? nil : (String(name).lowercased(), text[name.endIndex...])
        }
        var name = String.UnicodeScalarView()
        var rest = text.unicodeScalars.dropFirst()
        while let scalar = rest.popFirst() {
            if scalar == "\"" {
                guard rest.first == "\"" else { return (String(name), Substring(rest)) }
                rest.removeFirst()
            }
            name.append(scalar)
        }
        return nil
    }
}
