/// Compression by the object layer: `u32be(compressor) ‖ stream` is the plaintext of the content. Only in repositories
/// with index version 1; from version 2 on the content layer compresses.
///
/// Source: kopia `repo/object/object_writer.go` and `object_reader.go`.
enum ObjectCompression {
    /// - Throws: `ObjectError.Code.damaged`, `.unsupported`.
    static func decompress(_ stored: [UInt8], of object: ObjectID) throws -> [UInt8] {
        throw ObjectError(.unsupported, object: object, "object \(object) is compressed by the object layer")
    }

    /// Nil when compressing does not make it smaller.
    static func compress(_ plaintext: [UInt8], with compressor: UInt32) throws -> [UInt8]? {
        nil
    }
}
