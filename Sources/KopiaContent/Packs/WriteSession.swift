import GoFormats
import KopiaBlob

/// The ID that groups the packs and indexes written between two flushes: `s`, 16 hex digits of 8 random bytes, and the
/// number of 30-day months since 2000 in hex.
///
/// Source: kopia `repo/content/sessions.go`, `generateSessionID`; `kopia-format` §1.2, §7.1.
struct WriteSession: Sendable, Hashable {
    let id: String
    let started: Timestamp

    private static let year2000: Int64 = 946_684_800
    private static let month: Int64 = 30 * 86_400

    /// - Parameter random: 8 bytes.
    init(random: [UInt8], now: Timestamp) {
        let months = max(0, now.seconds - Self.year2000) / Self.month
        id = "s" + hexadecimal(random) + String(months, radix: 16)
        started = now
    }

    /// The plaintext of the marker blob, which keeps garbage collection away from packs that no index names yet.
    func marker(username: String, hostname: String) -> [UInt8] {
        GoJSON.encode([
            "id": .string(id),
            "startTime": .string(started.description),
            "checkpointTime": .string(started.description),
            "username": .string(username),
            "hostname": .string(hostname),
        ])
    }
}

/// Lower-case hex.
func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    for byte in bytes { text += [digits[Int(byte >> 4)], digits[Int(byte & 15)]] }
    return String(decoding: text, as: UTF8.self)
}
