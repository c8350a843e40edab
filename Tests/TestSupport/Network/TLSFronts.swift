/// TLS in front of plain servers on this machine, each with a certificate of its own. Ends with the last reference.
public final class TLSFronts: Sendable {
    /// In the order of what was given.
    public let ports: [Int]
    private let service: Service

    /// - Parameter fronts: certificate and key as files (PEM), and the port of the plain server.
    public init(_ fronts: [(certificate: String, key: String, port: Int)]) throws {
        guard let python = Program.find("python3") else { throw TestSupportError("'python3' is not installed") }
        let folder = String(describing: #filePath).split(separator: "/", omittingEmptySubsequences: false).dropLast()
        let scratch = "\(CurrentEnvironment.value("TMPDIR") ?? "/tmp")/karaffe-tls-\(UInt64.random(in: 0 ... .max))"
        try Files.makeFolder(scratch)
        let service = try Service(
            python,
            [folder.joined(separator: "/") + "/tls_front.py"]
                + fronts.flatMap { [$0.certificate, $0.key, "\($0.port)"] },
            logPath: "\(scratch)/log", scratchFolder: scratch)
        func announced() -> [Int] {
            guard service.log.hasPrefix("PORTS "), service.log.hasSuffix("\n") else { return [] }
            return service.log.dropFirst(6).dropLast().split(separator: " ").compactMap { Int($0) }
        }
        try service.waitUntilReady(seconds: 60) { announced().count == fronts.count }
        ports = announced()
        self.service = service
    }
}
