import Glibc
import ProcessIO

/// One of PostgreSQL's own programs, with its version.
public struct PostgresProgram: Sendable, Hashable {
    public let path: String
    public let major: Int
    /// For example `15.20`.
    public let version: String

    /// Finds the program that fits a server best: of the server's major, else the lowest newer one.
    ///
    /// - Parameters:
    ///   - name: `pg_dump` or `psql`.
    ///   - binaryFolder: looked in alone when given; else PATH and the usual folders of distributions.
    ///   - acceptsOlder: psql reads what an older or newer server says; pg_dump refuses servers newer than itself.
    /// - Throws: `PostgresError.Code.missingProgram`, `.version`.
    public static func find(
        _ name: String, serverMajor: Int, binaryFolder: String?, environment: [String: String],
        acceptsOlder: Bool = false
    ) async throws -> PostgresProgram {
        var found: [PostgresProgram] = []
        let folders = binaryFolder.map { [$0] } ?? searchFolders(environment: environment)
        for folder in folders {
            guard let program = try await probe("\(folder)/\(name)", environment: environment) else { continue }
            if program.major == serverMajor { return program }
            found.append(program)
        }
        if let newer = found.filter({ $0.major > serverMajor }).min(by: { $0.major < $1.major }) { return newer }
        if acceptsOlder, let older = found.max(by: { $0.major < $1.major }) { return older }
        let hint =
            "install the client programs of PostgreSQL \(serverMajor) or newer (Debian: postgresql-client-\(serverMajor), where "
            + "the distribution lacks it from PostgreSQL's own apt repository), or name their folder with --pg-bin-dir"
        if let older = found.max(by: { $0.major < $1.major }) {
            throw PostgresError(
                .version,
                "the server is PostgreSQL \(serverMajor), but the newest \(name) here is \(older.version) (\(older.path))",
                hint: hint)
        }
        throw PostgresError(
            .missingProgram, "\(name) is not in \(binaryFolder ?? "PATH nor in the usual folders")", hint: hint)
    }

    private static func searchFolders(environment: [String: String]) -> [String] {
        var folders = (environment["PATH"] ?? "").split(separator: ":").map(String.init).filter { $0.hasPrefix("/") }
        folders += subfolders(of: "/usr/lib/postgresql").map { "/usr/lib/postgresql/\($0)/bin" }
        folders += subfolders(of: "/usr").filter { $0.hasPrefix("pgsql-") }.map { "/usr/\($0)/bin" }
        folders.append("/usr/local/pgsql/bin")
        var seen: Set<String> = []
        return folders.filter { seen.insert($0).inserted }
    }

    private static func subfolders(of folder: String) -> [String] {
        guard let stream = opendir(folder) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted()
    }

    /// Nil when there is no such program or it is something else.
    private static func probe(_ path: String, environment: [String: String]) async throws -> PostgresProgram? {
        guard access(path, X_OK) == 0 else { return nil }
        let base = ["PATH", "HOME", "LD_LIBRARY_PATH"].reduce(into: ["LC_ALL": "C"]) { $0[$1] = environment[$1] }
        do {
            let result = try await runChild(
                ChildCommand(path, ["--version"], environment: base), outputLimit: 4096)
            guard result.exit.isSuccess else { return nil }
            return parse(String(decoding: result.value, as: UTF8.self), path: path)
        } catch is ChildError {
            return nil
        }
    }

    /// A program that somebody else runs: its version is known when it has run.
    public static func elsewhere(_ name: String, serverMajor: Int) -> PostgresProgram {
        PostgresProgram(path: name, major: serverMajor, version: "\(serverMajor)")
    }

    /// Whether the program knows `\restrict`: pg_dump writes it around its dumps, psql can be kept from running commands.
    ///
    /// Source: PostgreSQL release notes 13.22, 14.19, 15.14, 16.10, 17.6 (CVE-2025-8714).
    public var knowsRestrict: Bool {
        guard major < 18 else { return true }
        let minor = version.split(separator: ".").dropFirst().first.flatMap { Int($0) } ?? 0
        return [13: 22, 14: 19, 15: 14, 16: 10, 17: 6][major].map { minor >= $0 } ?? false
    }

    /// `pg_dump (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)`, `psql (PostgreSQL) 18beta1`.
    static func parse(_ text: String, path: String) -> PostgresProgram? {
        let words = text.split(whereSeparator: \.isWhitespace)
        guard let marker = words.firstIndex(of: "(PostgreSQL)"), marker + 1 < words.count else { return nil }
        let version = words[marker + 1]
        guard let major = Int(version.prefix { $0.isNumber && $0.isASCII }), (9...999).contains(major) else {
            return nil
        }
        return PostgresProgram(path: path, major: major, version: String(version))
    }
}
