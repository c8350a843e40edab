import GoFormats
import KopiaRepository
import PostgresDump
import RunnerContract

/// The keys a dump needs, from the repository's secret: stable, so that an unchanged database has an unchanged dump and
/// equal digests mean equal rows, and unknown to the database's server.
struct DumpKeys: Sendable {
    /// 64 hexadecimal digits.
    let restrict: String
    let rows: RowHashKey

    /// - Throws: `RepositoryError`.
    init(of repository: Repository, database: String) throws {
        func key(_ purpose: String, _ length: Int) throws -> [UInt8] {
            if let key = try repository.derivedKey(for: purpose, length: length) { return key.bytes }
            var generator = SystemRandomNumberGenerator()
            return (0..<length).map { _ in UInt8.random(in: 0...255, using: &generator) }
        }
        restrict = Hex.encode(try key("pg_dump restrict key " + database, 32))
        guard let rows = RowHashKey(try key("row hash", 16)) else {
            throw PodRunnerError(.repository, "the repository gave a row hash key of another length than 16 bytes")
        }
        self.rows = rows
    }
}

/// Names one run: in tags, in side databases, as a key that nobody can guess.
enum RunID {
    /// 32 hexadecimal digits, from the system's random numbers.
    static func make() -> String {
        var generator = SystemRandomNumberGenerator()
        return (0..<2).map { _ in
            let text = String(generator.next() as UInt64, radix: 16)
            return String(repeating: "0", count: 16 - text.count) + text
        }.joined()
    }
}
