/// Names of Unicode's general categories and scripts, as `\p{…}` takes them.
enum UnicodeClasses {
    private static let categories: Set<String> = [
        "C", "Cc", "Cf", "Cn", "Co", "Cs", "L", "LC", "Ll", "Lm", "Lo", "Lt", "Lu", "M", "Mc", "Me", "Mn", "N", "Nd",
        "Nl", "No", "P", "Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "S", "Sc", "Sk", "Sm", "So", "Z", "Zl", "Zp", "Zs",
    ]

    private static let longNames: [String: String] = [
        "Other": "C", "Control": "Cc", "Cntrl": "Cc", "Format": "Cf", "Unassigned": "Cn", "Privateuse": "Co",
        "Surrogate": "Cs", "Letter": "L", "Casedletter": "LC", "Lowercaseletter": "Ll", "Modifierletter": "Lm",
        "Otherletter": "Lo", "Titlecaseletter": "Lt", "Uppercaseletter": "Lu", "Mark": "M", "Combiningmark": "M",
        "Spacingmark": "Mc", "Enclosingmark": "Me", "Nonspacingmark": "Mn", "Number": "N", "Decimalnumber": "Nd",
        "Digit": "Nd", "Letternumber": "Nl", "Othernumber": "No", "Punctuation": "P", "Punct": "P",
        "Connectorpunctuation": "Pc", "Dashpunctuation": "Pd", "Closepunctuation": "Pe", "Finalpunctuation": "Pf",
        "Initialpunctuation": "Pi", "Otherpunctuation": "Po", "Openpunctuation": "Ps", "Symbol": "S",
        "Currencysymbol": "Sc", "Modifiersymbol": "Sk", "Mathsymbol": "Sm", "Othersymbol": "So", "Separator": "Z",
        "Lineseparator": "Zl", "Paragraphseparator": "Zp", "Spaceseparator": "Zs",
    ]

    /// What a name stands for; nil when Unicode has no such name. Case, spaces, `_` and `-` do not count.
    static func kind(_ given: String) -> CharacterSet.Item.Kind? {
        let letters = given.lowercased().filter { $0 != "_" && $0 != "-" && $0 != " " }
        let name = letters.prefix(1).uppercased() + letters.dropFirst()
        switch name {
        case "Any": return .any
        case "Assigned": return .assigned
        case "Ascii": return .range(0, 0x7f)
        case "Lc": return .category("LC")
        default: break
        }
        if categories.contains(name) { return .category(name) }
        if let category = longNames[name] { return .category(category) }
        let script = UnicodeScripts.ranges.first { $0.key.filter { $0 != "_" }.lowercased() == letters }
        return script.map { .ranges($0.value) }
    }

    static func category(_ name: String, contains rune: UInt32) -> Bool {
        guard let scalar = Unicode.Scalar(rune) else { return name == "C" || name == "Cs" }
        let actual = code(scalar.properties.generalCategory)
        if name == "LC" { return actual == "Lu" || actual == "Ll" || actual == "Lt" }
        return name.utf8.count == 1 ? actual.hasPrefix(name) : actual == name
    }

    private static func code(_ category: Unicode.GeneralCategory) -> String {
        switch category {
        case .uppercaseLetter: "Lu"
        case .lowercaseLetter: "Ll"
        case .titlecaseLetter: "Lt"
        case .modifierLetter: "Lm"
        case .otherLetter: "Lo"
        case .nonspacingMark: "Mn"
        case .spacingMark: "Mc"
        case .enclosingMark: "Me"
        case .decimalNumber: "Nd"
        case .letterNumber: "Nl"
        case .otherNumber: "No"
        case .connectorPunctuation: "Pc"
        case .dashPunctuation: "Pd"
        case .openPunctuation: "Ps"
        case .closePunctuation: "Pe"
        case .initialPunctuation: "Pi"
        case .finalPunctuation: "Pf"
        case .otherPunctuation: "Po"
        case .mathSymbol: "Sm"
        case .currencySymbol: "Sc"
        case .modifierSymbol: "Sk"
        case .otherSymbol: "So"
        case .spaceSeparator: "Zs"
        case .lineSeparator: "Zl"
        case .paragraphSeparator: "Zp"
        case .control: "Cc"
        case .format: "Cf"
        case .surrogate: "Cs"
        case .privateUse: "Co"
        case .unassigned: "Cn"
        @unknown default: "Cn"
        }
    }
}

/// `\d`, `[:alpha:]` and their kin: ASCII only.
enum PerlClasses {
    static func item(_ letter: UInt8) -> CharacterSet.Item? {
        let isNegated = (0x41...0x5a).contains(letter)
        switch letter | 0x20 {
        case UInt8(ascii: "d"): return make([0x30...0x39], isNegated)
        case UInt8(ascii: "s"): return make([0x09...0x0a, 0x0c...0x0d, 0x20...0x20], isNegated)
        case UInt8(ascii: "w"): return make(words, isNegated)
        default: return nil
        }
    }

    private static let words: [ClosedRange<UInt32>] = [0x30...0x39, 0x41...0x5a, 0x5f...0x5f, 0x61...0x7a]

    private static func make(_ ranges: [ClosedRange<UInt32>], _ isNegated: Bool) -> CharacterSet.Item {
        CharacterSet.Item(kind: .ranges(ranges), isNegated: isNegated)
    }

    private static let names: [String: [ClosedRange<UInt32>]] = [
        "alnum": [0x30...0x39, 0x41...0x5a, 0x61...0x7a], "alpha": [0x41...0x5a, 0x61...0x7a], "ascii": [0...0x7f],
        "blank": [0x09...0x09, 0x20...0x20], "cntrl": [0...0x1f, 0x7f...0x7f], "digit": [0x30...0x39],
        "graph": [0x21...0x7e], "lower": [0x61...0x7a], "print": [0x20...0x7e],
        "punct": [0x21...0x2f, 0x3a...0x40, 0x5b...0x60, 0x7b...0x7e], "space": [0x09...0x0d, 0x20...0x20],
        "upper": [0x41...0x5a], "word": words, "xdigit": [0x30...0x39, 0x41...0x46, 0x61...0x66],
    ]

    /// The class between `[:` and `:]`; `^` in front negates it.
    static func named(_ name: String) -> CharacterSet.Item? {
        let isNegated = name.hasPrefix("^")
        return names[isNegated ? String(name.dropFirst()) : name].map { make($0, isNegated) }
    }
}
