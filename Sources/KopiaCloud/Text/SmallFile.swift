internal import Glibc

/// A token or certificate file of this machine.
enum SmallFile {
    static let bytesMax = 1 << 20

    /// Why it could not be read, for the end of a sentence.
    struct Failure: Error { let reason: String }

    /// - Throws: `Failure`.
    static func read(_ path: String) throws(Failure) -> [UInt8] {
        guard let file = fopen(path, "re") else {
            throw Failure(reason: "'\(path)' cannot be opened: \(String(cString: strerror(errno)))")
        }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: bytesMax)
        let count = fread(&bytes, 1, bytes.count, file)
        guard count > 0, count < bytes.count else {
            throw Failure(reason: "'\(path)' is empty, over 1 MiB or no file")
        }
        return Array(bytes[0..<count])
    }

    /// Text without blanks and line ends around it.
    static func text(_ path: String) throws(Failure) -> String {
        let bytes = try read(path)
        func isBlank(_ byte: UInt8) -> Bool { byte <= 0x20 }
        var text = bytes[...]
        while let last = text.last, isBlank(last) { text.removeLast() }
        while let first = text.first, isBlank(first) { text.removeFirst() }
        guard let result = String(validating: text, as: UTF8.self), !result.isEmpty else {
            throw Failure(reason: "'\(path)' holds no text")
        }
        return result
    }
}
