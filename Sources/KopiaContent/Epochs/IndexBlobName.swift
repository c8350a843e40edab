import KopiaBlob

/// What the name of an index blob or an epoch blob says.
///
/// | name                                   | meaning                                                          |
/// |----------------------------------------|------------------------------------------------------------------|
/// | `xn<epoch>_<hash>-<session>-c<count>`  | index written in an epoch                                        |
/// | `xs<epoch>_<hash>-s<16 hex>-c<count>`  | all of one epoch, compacted                                      |
/// | `xr<a>_<b>_<hash>-s<16 hex>-c<count>`  | all of epochs a … b, compacted                                   |
/// | `xe<epoch>`                            | marker: the epoch has begun                                      |
/// | `xw<seconds>`                          | deletion watermark, seconds since 1970                           |
///
/// Numbers are decimal; anything else, and numbers of more than 12 digits, makes the name meaningless and the blob is
/// ignored.
///
/// Source: kopia `internal/epoch/epoch_utils.go`; `kopia-format` §1.1, §4.6.
enum IndexBlobName {
    static let uncompacted = "xn"
    static let single = "xs"
    static let range = "xr"
    static let marker = "xe"
    static let watermark = "xw"

    /// The number after a two-letter prefix, up to the first `_` or the end.
    static func number(of id: BlobID, after prefix: String) -> Int? {
        guard id.hasPrefix(prefix) else { return nil }
        return number(id.description.utf8.dropFirst(prefix.utf8.count).prefix { $0 != UInt8(ascii: "_") })
    }

    /// First and last epoch of a range set.
    static func range(of id: BlobID) -> ClosedRange<Int>? {
        guard id.hasPrefix(range) else { return nil }
        let parts = Array(id.description.utf8.dropFirst(range.utf8.count)).split(
            separator: UInt8(ascii: "_"), maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, let first = number(parts[0]), let last = number(parts[1]), first <= last else {
            return nil
        }
        return first...last
    }

    static func number(_ digits: some Collection<UInt8>) -> Int? {
        guard !digits.isEmpty, digits.count <= 12 else { return nil }
        var value = 0
        for digit in digits {
            guard digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9") else { return nil }
            value = value * 10 + Int(digit - UInt8(ascii: "0"))
        }
        return value
    }

    /// The blobs of the first complete set, by name; empty when none is complete.
    ///
    /// A name `…-s<set>-c<count>` belongs to that set, which is complete once it has `count` members. Any other name is
    /// a complete set of its own.
    ///
    /// Source: kopia `internal/completeset/complete_set.go`; `kopia-format` §4.6.1.
    static func completeSet(_ blobs: [BlobMetadata]) -> [BlobMetadata] {
        var sets: [Substring: [BlobMetadata]] = [:]
        for blob in blobs.sorted(by: { $0.id < $1.id }) {
            let parts = blob.id.description.split(separator: "-", omittingEmptySubsequences: false)
            guard parts.count >= 3, parts[1].hasPrefix("s"), parts[2].hasPrefix("c"),
                let count = number(Array(parts[2].utf8.dropFirst()))
            else { return [blob] }
            sets[parts[1], default: []].append(blob)
            if let members = sets[parts[1]], members.count >= count { return members }
        }
        return []
    }
}
