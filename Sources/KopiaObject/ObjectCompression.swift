import KopiaFormat

/// Compression by the object layer: `u32be(compressor) ‖ stream` is the plaintext of the content. Only in repositories
/// with index version 1; from version 2 on the content layer compresses.
///
/// Source: kopia `repo/object/object_writer.go` and `object_reader.go`.
enum ObjectCompression {
    /// - Throws: `ObjectError.Code.damaged`, `.unsupported`.
    static func decompress(_ stored: [UInt8], of object: ObjectID, expectedLength: Int?) throws(ObjectError) -> [UInt8]
    {
        guard let headerID = Compression.headerID(of: stored), headerID != 0 else {
            throw ObjectError(
                .damaged, object: object, "object \(object) has \(stored.count) bytes and names no compressor",
                hint: "the content was written wrongly; run a verification")
        }
        do throws(FormatError) {
            return try Compression.decompress(stored, headerID: headerID, expectedLength: expectedLength)
        } catch {
            throw ObjectError(
                error.code == .unsupported ? .unsupported : .damaged, object: object,
                "object \(object) cannot be decompressed: \(error.message)", hint: error.hint)
        }
    }

    /// Nil when compressing does not make it smaller.
    static func compress(_ plaintext: [UInt8], with headerID: UInt32) throws -> [UInt8]? {
        let (bytes, used) = try Compression.compress(plaintext, headerID: headerID)
        return used == 0 ? nil : bytes
    }
}
