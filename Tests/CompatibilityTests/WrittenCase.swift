import GoFormats
import KopiaRepository
import TestSupport
import Testing

/// One repository that we make and kopia reads.
struct WrittenCase: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var options = Repository.CreateOptions()
    var compression: String?
    var splitter: Splitter?

    /// Two with everything left to the defaults, then the matrix.
    static let all: [WrittenCase] =
        [
            WrittenCase(testDescription: "default"),
            WrittenCase(testDescription: "small chunks", splitter: .forDump(length: 0)),
        ] + Matrix.cases
}

/// hash × cipher × splitter × compressor × error correction × format × key derivation: not all 44,352 combinations, but so
/// that every two values of two columns meet in some case. Hashes with compressors and splitters are left out of that,
/// because one works on what the others have already made, and would double the number of cases.
enum Matrix {
    static let columns: [(name: String, values: [String])] = [
        (
            "hash",
            [
                "BLAKE2B-256-128", "BLAKE2B-256", "BLAKE2S-128", "BLAKE2S-256", "BLAKE3-256", "BLAKE3-256-128",
                "HMAC-SHA256", "HMAC-SHA256-128", "HMAC-SHA224", "HMAC-SHA3-224", "HMAC-SHA3-256",
            ]
        ),
        ("cipher", ["AES256-GCM-HMAC-SHA256", "CHACHA20-POLY1305-HMAC-SHA256"]),
        ("splitter", ["DYNAMIC-4M-BUZHASH", "DYNAMIC-1M-RABINKARP", "FIXED-1M", "DYNAMIC-512K-BUZHASH"]),
        (
            "compressor",
            ["none", "zstd-fastest", "zstd", "gzip", "deflate-default", "s2-default", "zstd-better-compression"]
        ),
        ("ecc", ["0", "10", "50"]),
        ("format", ["3", "2", "1"]),
        ("kdf", ["scrypt-65536-8-1", "pbkdf2-sha256-600000"]),
    ]

    private struct Pair: Hashable {
        let left: Int
        let leftValue: Int
        let right: Int
        let rightValue: Int
    }

    /// Values by column. Error correction came with format 2.
    private static func isPossible(_ row: [Int]) -> Bool { !(row[4] > 0 && row[5] == 2) }

    private static func pairs(_ row: [Int]) -> [Pair] {
        row.indices.flatMap { left in
            row.indices.filter { $0 > left && !(left == 0 && ($0 == 2 || $0 == 3)) }.map { right in
                Pair(left: left, leftValue: row[left], right: right, rightValue: row[right])
            }
        }
    }

    /// Takes, again and again, that one of many random rows that has most pairs no row before it had.
    static let rows: [[Int]] = {
        var generator = SeededGenerator(seed: 2)
        func candidate() -> [Int] {
            while true {
                let row = columns.map { Int.random(in: 0..<$0.values.count, using: &generator) }
                if isPossible(row) { return row }
            }
        }
        // All there are: with so few columns, enough random rows meet every possible pair.
        var missing = Set((0..<5_000).flatMap { _ in pairs(candidate()) })
        var rows: [[Int]] = []
        while !missing.isEmpty {
            let best = (0..<100).map { _ in candidate() }
                .max { missing.intersection(pairs($0)).count < missing.intersection(pairs($1)).count }
            guard let best, !missing.isDisjoint(with: pairs(best)) else { continue }
            missing.subtract(pairs(best))
            rows.append(best)
        }
        return rows
    }()

    static let cases = rows.map { row in
        let values = zip(columns, row).map { $0.values[$1] }
        var item = WrittenCase(testDescription: values.joined(separator: " "))
        item.options.hash = values[0]
        item.options.encryption = values[1]
        item.options.splitter = values[2]
        item.compression = values[3]
        item.options.errorCorrectionPercent = Int(values[4]) ?? 0
        item.options.formatVersion = Int(values[5]) ?? 3
        item.options.keyDerivation = values[6]
        return item
    }
}
