import Glibc
import KopiaFormat

/// Measures the stages that work on bytes, one thread, by the thread's CPU time, so that other work on the machine
/// disturbs little. Input: 32 MiB of text like pg_dump's in chunks of 4 MiB; seed and size are fixed.
///
/// Usage: `swift run -c release StageBenchmark [FILTER]`
@main struct StageBenchmark {
    static let chunkBytes = 4 << 20
    static let chunkCount = 8
    static let rounds = 5

    static func main() throws {
        let filter = CommandLine.arguments.dropFirst().first ?? ""
        let chunks = (0..<chunkCount).map { dumpLikeText(seed: UInt64($0), bytes: chunkBytes) }
        print("stage                                    MB/s   ratio")
        for hash in HashAlgorithm.allCases {
            let crypto = try makeCrypto(hash: hash)
            try report("hash \(hash.rawValue)", filter, chunks) { _ = try crypto.hash($0) }
        }
        for encryption in EncryptionAlgorithm.allCases { try measureEncryption(encryption, 0, filter, chunks) }
        for percent in [1, 2, 10, 50] { try measureEncryption(.aes256GCM, percent, filter, chunks) }
        for name in [
            "zstd-fastest", "zstd", "zstd-better-compression", "s2-default", "s2-better", "gzip-best-speed", "gzip",
        ] {
            let id = Compression.headerID(named: name) ?? 0
            var packed: [(bytes: [UInt8], headerID: UInt32)] = []
            for chunk in chunks { packed.append(try Compression.compress(chunk, headerID: id)) }
            let ratio = Double(chunkBytes * chunkCount) / Double(packed.reduce(0) { $0 + $1.bytes.count })
            try report("compress \(name)", filter, chunks, ratio: ratio) {
                _ = try Compression.compress($0, headerID: id)
            }
            try report("decompress \(name)", filter, packed.map(\.bytes), plain: chunkBytes) {
                _ = try Compression.decompress($0, headerID: id, expectedLength: chunkBytes)
            }
        }
    }

    static func makeCrypto(
        hash: HashAlgorithm = .blake2b256Truncated128, encryption: EncryptionAlgorithm = .aes256GCM, percent: Int = 0
    ) throws -> ContentCrypto {
        try ContentCrypto(
            hash: hash, encryption: encryption, secret: SecretBytes([UInt8](repeating: 1, count: 32)),
            masterKey: SecretBytes([UInt8](repeating: 2, count: 32)), errorCorrectionOverheadPercent: percent)
    }

    static func measureEncryption(
        _ encryption: EncryptionAlgorithm, _ percent: Int, _ filter: String, _ chunks: [[UInt8]]
    ) throws {
        let crypto = try makeCrypto(encryption: encryption, percent: percent)
        let iv = EncryptionIV([UInt8](repeating: 3, count: 16))
        let name = "\(encryption.rawValue)\(percent > 0 ? " ecc \(percent) %" : "")"
        var pack: [UInt8] = []
        pack.reserveCapacity(crypto.encryptedLength(of: chunkBytes))
        try report("encrypt \(name)", filter, chunks) {
            pack.removeAll(keepingCapacity: true)
            try crypto.encrypt($0.span.bytes, iv: iv, appendingTo: &pack)
        }
        var stored: [[UInt8]] = []
        for chunk in chunks { stored.append(try crypto.encrypt(chunk, iv: iv)) }
        try report("decrypt \(name)", filter, stored, plain: chunkBytes) { _ = try crypto.decrypt($0, iv: iv) }
    }

    /// Prints the median of some rounds over all inputs, in 10^6 bytes of plaintext a second.
    static func report(
        _ name: String, _ filter: String, _ inputs: [[UInt8]], plain: Int? = nil, ratio: Double? = nil,
        _ body: ([UInt8]) throws -> Void
    ) throws {
        guard filter.isEmpty || name.contains(filter) else { return }
        let bytes = inputs.reduce(0) { $0 + (plain ?? $1.count) }
        var seconds: [Double] = []
        for _ in 0..<rounds {
            let start = cpuSeconds()
            for input in inputs { try body(input) }
            seconds.append(cpuSeconds() - start)
        }
        let speed = Double(bytes) / seconds.sorted()[rounds / 2] / 1e6
        let padded = name + String(repeating: " ", count: max(1, 40 - name.count))
        print("\(padded) \(Int(speed))\(ratio.map { "    \(Double(Int($0 * 100)) / 100)" } ?? "")")
    }

    static func cpuSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// Rows with a number, hex digits, a few words and an amount.
    static func dumpLikeText(seed: UInt64, bytes: Int) -> [UInt8] {
        let words = [
            "account", "harbor", "willow", "statement", "river", "copper", "monthly", "branch", "amber", "ledger",
        ]
        var state = seed &* 7919 &+ 1
        func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state >> 33
        }
        var text: [UInt8] = []
        text.reserveCapacity(bytes + 200)
        var row = seed &* 1_000_000
        while text.count < bytes {
            row += 1
            let (a, b, c, d) = (next(), next(), next(), next())
            let line =
                "\(row)\t\(words[Int(a % 10)]) \(words[Int(b % 10)]) \(words[Int(c % 10)])\t\(String(d, radix: 16))\t\(a % 100_000).\(b % 100)\t2026-01-\(10 + c % 20) 12:\(10 + d % 50):00\n"
            text.append(contentsOf: line.utf8)
        }
        text.removeLast(text.count - bytes)
        return text
    }
}
