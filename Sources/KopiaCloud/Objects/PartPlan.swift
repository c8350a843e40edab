/// How large the parts of an upload are, so that a stream of unknown length meets no ceiling but the service's own.
///
/// Parts have `firstPartBytes` up to the position `evenBytes`; from there on they are as large as the position divided by
/// `growthParts`: a stream of length L takes `evenBytes ÷ firstPartBytes + growthParts × ln(L ÷ evenBytes)` of them. On S3 the
/// largest object then just fits; on Azure, where the largest object takes 50,000 blocks of the largest size, a stream fits up
/// to 100 TiB.
///
/// | | part | grows from | there | at 1 TiB |
/// |---|---|---|---|---|
/// | S3 | 16 MiB | 64 GiB | 50 MiB | 789 MiB |
/// | Azure | 16 MiB | 64 GiB | 16 MiB | 244 MiB |
///
/// When the length is known all parts are equal, and as small as it allows.
struct PartPlan: Sendable, Hashable {
    var firstPartBytes: Int64
    var evenBytes: Int64
    var growthParts: Int64
    let partsMax: Int
    let partBytesMax: Int64
    let objectBytesMax: Int64
    /// The longest stream that fits when its length is not known.
    var streamBytesMax: Int64 { self == .azure ? 100 << 40 : objectBytesMax }

    /// Source: Amazon S3 User Guide, "Multipart upload limits": 10,000 parts, 5 GiB each, 5 TiB in all. Google Cloud
    /// Storage, "XML API multipart uploads", has the same.
    static let s3 = PartPlan(
        firstPartBytes: 16 << 20, evenBytes: 64 << 30, growthParts: 1330, partsMax: 10_000, partBytesMax: 5 << 30,
        objectBytesMax: 5 << 40)

    /// Source: Microsoft, Put Block, "Remarks": 50,000 blocks, 4,000 MiB each from version 2019-12-12 on.
    static let azure = PartPlan(
        firstPartBytes: 16 << 20, evenBytes: 64 << 30, growthParts: 4300, partsMax: 50_000, partBytesMax: 4000 << 20,
        objectBytesMax: 50_000 * (4000 << 20))

    /// Bytes of the part that starts at `position`; whole MiB beyond the first size.
    ///
    /// - Parameter length: of the whole, when it is known.
    func partBytes(at position: Int64, length: Int64? = nil) -> Int {
        let granule: Int64 = 1 << 20
        let wanted: Int64 =
            if let length, position < length {
                length / Int64(partsMax) + 1
            } else {
                position < evenBytes ? firstPartBytes : position / max(1, growthParts)
            }
        guard wanted > firstPartBytes else { return Int(firstPartBytes) }
        return Int(min((wanted + granule - 1) / granule * granule, partBytesMax))
    }
}
