/// Certificates made for one test with the openssl program.
public enum Certificates {
    /// A certificate authority: `ca.pem` and `ca-key.pem` in the folder.
    public static func makeAuthority(in folder: String) throws {
        try openssl([
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
            "\(folder)/ca-key.pem", "-out", "\(folder)/ca.pem", "-days", "2", "-subj", "/CN=an authority of a test",
        ])
    }

    /// A server's certificate, `NAME.pem` with its key `NAME-key.pem`, issued by the folder's authority.
    ///
    /// - Parameters:
    ///   - hosts: as OpenSSL writes alternative names: `DNS:localhost`, `IP:127.0.0.1`.
    ///   - isExpired: valid until yesterday.
    public static func makeServer(_ name: String, hosts: String, isExpired: Bool = false, in folder: String) throws {
        let (key, request, extensions) = ("\(folder)/\(name)-key.pem", "\(folder)/\(name).csr", "\(folder)/\(name).ext")
        try openssl([
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", request,
            "-subj", "/CN=\(name)",
        ])
        try Files.write(Array("subjectAltName=\(hosts)\n".utf8), extensions)
        try openssl([
            "x509", "-req", "-in", request, "-CA", "\(folder)/ca.pem", "-CAkey", "\(folder)/ca-key.pem", "-set_serial",
            "\(UInt32.random(in: 1 ... .max))", "-days", isExpired ? "-1" : "2", "-extfile", extensions, "-out",
            "\(folder)/\(name).pem",
        ])
    }

    /// SHA-256 of a certificate's DER form, hex.
    public static func fingerprint(_ path: String) throws -> String {
        let printed = try openssl(["x509", "-in", path, "-noout", "-fingerprint", "-sha256"])
        let digits = (printed.split(separator: "=").last ?? "").filter { $0.isHexDigit }
        guard digits.count == 64 else { throw TestSupportError("openssl printed no fingerprint: \(printed)") }
        return digits.lowercased()
    }

    @discardableResult
    private static func openssl(_ arguments: [String]) throws -> String {
        let run = try Program.run("openssl", arguments)
        guard run.exitCode == 0 else { throw TestSupportError("openssl \(arguments.first ?? ""): \(run.output)") }
        return run.output
    }
}
