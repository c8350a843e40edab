import Testing

@testable import PostgresDump

/// What servers that are not here, those built with ICU among them, would be asked for.
@Suite struct LocaleProviderTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let id: String
        let provider: String
        var locale: String?
        var rules: String?
        /// The majors that refuse it, and what they lack.
        var lacking: [Int: String] = [:]
        /// From 14 on what CREATE DATABASE ends with where it is not refused.
        var clauses: [Int: String] = [:]
        var testDescription: String { id }
    }

    private static let icu = " LOCALE_PROVIDER icu ICU_LOCALE 'de'"
    private static let fast = " LOCALE_PROVIDER builtin BUILTIN_LOCALE 'PG_UNICODE_FAST'"

    static let cases: [Case] = [
        Case(
            id: "the operating system's", provider: "c",
            clauses: [14: "", 15: " LOCALE_PROVIDER libc", 18: " LOCALE_PROVIDER libc"]),
        Case(
            id: "ICU", provider: "i", locale: "de", lacking: [14: "the locale provider ICU"],
            clauses: [15: icu, 16: icu, 17: icu, 18: icu]),
        Case(
            id: "ICU with rules", provider: "i", locale: "de", rules: "&a < b",
            lacking: [14: "the locale provider ICU", 15: "rules of its own for the locale provider ICU"],
            clauses: [16: icu + " ICU_RULES '&a < b'", 18: icu + " ICU_RULES '&a < b'"]),
        Case(
            id: "builtin", provider: "b", locale: "C.UTF-8",
            lacking: [
                14: "the locale provider builtin", 15: "the locale provider builtin", 16: "the locale provider builtin",
            ],
            clauses: [17: " LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'"]),
        Case(
            id: "builtin of 18", provider: "b", locale: "PG_UNICODE_FAST",
            lacking: [16: "the locale provider builtin", 17: "the builtin locale PG_UNICODE_FAST"], clauses: [18: fast]),
    ]

    @Test(arguments: cases)
    func whatAServerLacksIsRefused(_ item: Case) {
        let properties = DatabaseProperties(
            name: "a", owner: "o", encoding: "UTF8", collate: "C", characterType: "C", localeProvider: item.provider,
            locale: item.locale, icuRules: item.rules, connectionLimit: -1, comment: nil, grants: nil, settings: [])
        let provider = LocaleProvider(properties)
        for (major, what) in item.lacking {
            let check = provider?.obstacle(onMajor: major)
            #expect(check?.verdict == .noGo)
            #expect(check?.finding == "the database used \(what), which PostgreSQL \(major) lacks")
        }
        for (major, clause) in item.clauses {
            #expect(provider?.obstacle(onMajor: major) == nil)
            #expect(
                properties.createStatement(name: "a", owner: nil, targetMajor: major)
                    == "CREATE DATABASE \"a\" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'\(clause)")
        }
    }
}
