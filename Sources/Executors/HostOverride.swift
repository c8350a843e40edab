import Glibc

/// A host name that shall lead to an address: `--add-host`.
public struct HostOverride: Sendable, Hashable {
    public let name: String
    /// IPv4 or IPv6.
    public let address: String

    /// - Parameter text: `NAME=ADDRESS`.
    /// - Throws: `LocalExecutorError` when either half is not what it should be.
    public init(_ text: String) throws(LocalExecutorError) {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else {
            throw LocalExecutorError("'\(text)' is not NAME=ADDRESS", hint: "for example db.example.com=127.0.0.1")
        }
        let (name, address) = (String(parts[0]), String(parts[1]))
        guard Self.isHostName(name) else {
            throw LocalExecutorError("'\(name)' is not a host name", hint: "for example db.example.com=127.0.0.1")
        }
        var buffer = in6_addr()
        guard inet_pton(AF_INET, address, &buffer) == 1 || inet_pton(AF_INET6, address, &buffer) == 1 else {
            throw LocalExecutorError(
                "'\(address)' is not an IPv4 or IPv6 address", hint: "for example db.example.com=127.0.0.1")
        }
        self.name = name
        self.address = address
    }

    private static func isHostName(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 253
            && text.utf8.allSatisfy { byte in
                (0x61...0x7a).contains(byte | 0x20) || (0x30...0x39).contains(byte) || byte == 0x2d || byte == 0x2e
                    || byte == 0x5f
            }
    }

    /// A hosts file with the overrides before the machine's own entries. Lines of the machine's file that name an
    /// overridden host are left out, so that no second address remains for it.
    static func hostsFile(_ overrides: [HostOverride], machine: String) -> String {
        let names = Set(overrides.map { $0.name.lowercased() })
        var lines = overrides.map { "\($0.address)\t\($0.name)" }
        for line in machine.split(separator: "\n", omittingEmptySubsequences: false) {
            let content = line.prefix { $0 != "#" }
            let words = content.split(whereSeparator: { $0 == " " || $0 == "\t" })
            let kept = words.dropFirst().filter { !names.contains($0.lowercased()) }
            if words.count > 1, kept.count < words.count - 1 {
                if !kept.isEmpty { lines.append("\(words[0])\t\(kept.joined(separator: " "))") }
            } else {
                lines.append(String(line))
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
