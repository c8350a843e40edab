/// Plain gzip (RFC 1952), without kopia's header and also when it does not make anything smaller: the form of manifest
/// containers.
public enum Gzip {
    /// - Throws: `FormatError.Code.unsupported` for more than 4 GiB.
    public static func compress(_ plaintext: [UInt8]) throws(FormatError) -> [UInt8] {
        // Deflate never adds more than 5 bytes for each stored block, gzip 18 bytes around them.
        let lengthMax = plaintext.count + plaintext.count / 1000 + 64
        guard
            let stream = try Zlib.compress(plaintext, level: 6, format: .gzip, header: [], lengthMax: lengthMax)
        else { throw FormatError(.library, "zlib needs more than \(lengthMax) bytes for \(plaintext.count) bytes") }
        return stream
    }

    /// - Throws: `FormatError.Code.damagedStream` when it is no gzip, is cut short, has a wrong checksum, or makes more
    ///   than `lengthMax` bytes.
    public static func decompress(_ stream: [UInt8], lengthMax: Int) throws(FormatError) -> [UInt8] {
        do throws(StreamError) {
            return try Zlib.decompress(stream.span.bytes, format: .gzip, lengthMax: lengthMax)
        } catch {
            throw FormatError(.damagedStream, "\(stream.count) bytes of gzip are damaged: \(error.reason)")
        }
    }
}
