import GoFormats
import KopiaContent
import KopiaFormat
import KopiaObject
import KopiaSnapshot

/// libFuzzer's loop; comes with the sanitizer's library.
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<Int32>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32

/// The name under which the sanitizer's library looks for it.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ length: Int) -> Int32 {
    guard let start, length > 0 else { return 0 }
    let bytes = [UInt8](UnsafeBufferPointer(start: start, count: length))
    DecoderFuzz.decode(Array(bytes.dropFirst()), by: bytes[0])
    return 0
}

/// `DecoderFuzz [libFuzzer's options] [corpus folder]`: the first byte of an input picks the decoder, the rest is what
/// it gets. A decoder may read or refuse; a trap ends the program, and libFuzzer keeps the input.
@main
struct DecoderFuzz {
    static func main() {
        var count = CommandLine.argc
        var arguments = CommandLine.unsafeArgv
        _ = runDriver(&count, &arguments, fuzzOneInput)
    }

    /// Every compressor that can be read.
    private static let compressors: [UInt32] =
        Array(0x1000...0x1003) + Array(0x1100...0x1103) + Array(0x1200...0x1202)
        + Array(0x1300...0x1302) + Array(0x1400...0x1402) + Array(0x1500...0x1501)

    static func decode(_ bytes: [UInt8], by number: UInt8) {
        switch number % 8 {
        case 0: _ = try? JSONParser.parse(bytes)
        case 1:
            guard let index = try? PackIndex(decoding: bytes) else { return }
            _ = index.entries.count
        case 2: _ = try? PackTrailer(tail: bytes, packLength: Int64(bytes.count) * 3)
        case 3:
            if let object = ObjectID("k0123456789abcdef0123456789abcdef") {
                _ = try? Directory(text: bytes, of: object)
            }
        case 4:
            _ = try? FormatReplica.recover(head: bytes, tail: bytes)
            _ = ObjectID(String(decoding: bytes, as: UTF8.self))
            _ = ContentID(String(decoding: bytes, as: UTF8.self))
        default:
            let headerID = compressors[Int(number / 8) % compressors.count]
            let header = (0..<4).map { UInt8(truncatingIfNeeded: headerID >> (24 - 8 * UInt32($0))) }
            let decoded = try? Compression.decompress(header + bytes, headerID: headerID, expectedLength: 4096)
            precondition(decoded == nil || decoded?.count == 4096, "a decoder gave another length than asked for")
        }
    }
}
