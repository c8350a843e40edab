internal import GoFormats
public import KopiaBlob

extension BlobRetention {
    static let periodSecondsMin: Int64 = 86_400

    /// Reads the decrypted `kopia.blobcfg`: `{"retentionMode":"…","retentionPeriod":<ns>}`, both or neither.
    ///
    /// Source: kopia `repo/format/blobcfg_blob.go`; `kopia-format` §2.5.
    static func decode(_ json: [UInt8]) throws(FormatError) -> BlobRetention? {
        let parsed: JSONValue
        do {
            parsed = try JSONParser.parse(json, limits: .init(depth: 8, bytes: 1 << 20))
        } catch {
            throw FormatError(.damaged, "the decrypted 'kopia.blobcfg' is not JSON: \(error)")
        }
        let fields = try FieldReader(parsed, "'kopia.blobcfg'")
        let name = try fields.string("retentionMode")
        let period = try fields.integer("retentionPeriod")
        if name.isEmpty, period == 0 { return nil }
        guard let mode = Mode(rawValue: name) else {
            throw FormatError(
                .unsupported, "the repository asks for retention mode '\(name)', which this program does not know",
                hint: "known are GOVERNANCE, COMPLIANCE and Locked")
        }
        guard period / 1_000_000_000 >= periodSecondsMin else {
            throw FormatError(
                .damaged, "the repository asks for retention of \(period) nanoseconds; at least 24 hours are needed")
        }
        return BlobRetention(mode: mode, periodSeconds: period / 1_000_000_000)
    }

    /// `{}` for none.
    static func encode(_ retention: BlobRetention?) -> [UInt8] {
        guard let retention else { return Array("{}".utf8) }
        let (nanoseconds, overflows) = retention.periodSeconds.multipliedReportingOverflow(by: 1_000_000_000)
        return GoJSON.encode([
            "retentionMode": .string(retention.mode.rawValue),
            "retentionPeriod": .integer(overflows ? .max : nanoseconds),
        ])
    }

    /// Whether a put of this blob must carry the retention.
    ///
    /// Source: kopia `repo/locking_storage.go`; `kopia-format` §1.5.
    public static func covers(_ id: BlobID) -> Bool {
        ["n", "x", "kopia.repository", "kopia.blobcfg", "p", "q"].contains { id.hasPrefix($0) }
    }
}
