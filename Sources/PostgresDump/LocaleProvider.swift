/// Who sorts a database's text when it is not the operating system, and what servers know of it. A database is never made with
/// another provider than it had: another order of text means other results, and rows in other partitions.
///
/// Source: PostgreSQL 15 to 18 documentation, "Locale Providers"; `src/backend/utils/adt/pg_locale_builtin.c`.
enum LocaleProvider: Equatable {
    case icu
    /// Rules of its own beside the locale's.
    case icuWithRules
    case builtin(locale: String)

    /// Nil for the operating system's.
    init?(_ properties: DatabaseProperties) {
        switch properties.localeProvider {
        case "i": self = properties.icuRules == nil ? .icu : .icuWithRules
        case "b": self = .builtin(locale: properties.locale ?? "")
        default: return nil
        }
    }

    var name: String {
        switch self {
        case .icu, .icuWithRules: "ICU"
        case .builtin: "builtin"
        }
    }

    /// The first major that has it.
    var firstMajor: Int {
        switch self {
        case .icu: 15
        case .icuWithRules: 16
        case .builtin(let locale): locale == "PG_UNICODE_FAST" ? 18 : 17
        }
    }

    func obstacle(onMajor major: Int) -> PreflightCheck? {
        guard major < firstMajor else { return nil }
        let what =
            switch self {
            case .icuWithRules where major >= 15: "rules of its own for the locale provider ICU"
            case .builtin(let locale) where major >= 17: "the builtin locale \(locale)"
            default: "the locale provider \(name)"
            }
        return PreflightCheck(
            "locale", .noGo, "the database used \(what), which PostgreSQL \(major) lacks",
            hint: "restore to PostgreSQL \(firstMajor) or newer; text would sort differently with another provider")
    }

    static func withoutICU(_ major: Int) -> PreflightCheck {
        PreflightCheck(
            "locale", .noGo,
            "the database used the locale provider ICU, and this PostgreSQL \(major) was built without ICU",
            hint: "restore to a server built with ICU; text would sort differently with another provider")
    }
}
