import HTTPTransport
import TestSupport
import Testing

/// Against OpenSSL's own test server, with a certificate made for it.
struct TLSTests: ~Copyable {
    private let folder: TemporaryDirectory
    private let server: Service
    private let port: Int
    private let certificate: [UInt8]

    init() throws {
        let folder = try TemporaryDirectory()
        let path = folder.path
        let made = try Program.run(
            "openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                "\(path)/key.pem", "-out", "\(path)/cert.pem", "-days", "2", "-subj", "/CN=localhost", "-addext",
                "subjectAltName=DNS:localhost",
            ])
        try #require(made.exitCode == 0, "\(made.output)")
        let certificate = try Files.read("\(path)/cert.pem")
        let log = "\(path)/server.log"
        let server = try Service(
            "openssl",
            ["s_server", "-accept", "127.0.0.1:0", "-cert", "\(path)/cert.pem", "-key", "\(path)/key.pem", "-www"],
            logPath: log)
        func announcedPort(_ log: String) -> Int? {
            log.split(separator: "\n").first { $0.hasPrefix("ACCEPT ") }.flatMap {
                Int($0.split(separator: ":").last ?? "")
            }
        }
        try server.waitUntilReady { announcedPort(server.log) != nil }
        port = try #require(announcedPort(server.log))
        self.certificate = certificate
        self.server = server
        self.folder = folder
    }

    private func outcome(_ trust: HTTPClientConfiguration.Trust, host: String = "localhost") async throws -> HTTPError?
    {
        var configuration = HTTPClientConfiguration()
        configuration.proxy = .none
        configuration.trust = trust
        do {
            let response = try await HTTPClient(configuration).execute(
                HTTPRequest(.get, HTTPURL(scheme: .https, host: host, port: port)), bodyLimit: 1 << 20)
            #expect(response.status == 200)
            return nil
        } catch let error as HTTPError {
            return error
        }
    }

    private func fingerprint() throws -> [UInt8] {
        let printed = try Program.run(
            "openssl", ["x509", "-in", "\(folder.path)/cert.pem", "-noout", "-fingerprint", "-sha256"])
        return (printed.output.split(separator: "=").last ?? "").split(separator: ":").compactMap {
            UInt8($0.prefix(2), radix: 16)
        }
    }

    @Test func anUnknownAuthorityIsRefused() async throws {
        #expect(try await outcome(.authorities())?.code == .certificate)
    }

    @Test func aGivenAuthorityIsAccepted() async throws {
        #expect(try await outcome(.authorities(caCertificates: certificate)) == nil)
    }

    @Test func anotherNameIsRefused() async throws {
        let error = try #require(try await outcome(.authorities(caCertificates: certificate), host: "127.0.0.1"))
        #expect(error.code == .certificate)
        #expect(!error.isTransient)
    }

    @Test func withoutVerificationAnythingGoes() async throws {
        #expect(try await outcome(.anything) == nil)
    }

    @Test func thePinnedCertificateIsAcceptedUnderAnyName() async throws {
        #expect(try await outcome(.pinned(sha256: try fingerprint()), host: "127.0.0.1") == nil)
    }

    @Test func anotherThanThePinnedCertificateIsRefused() async throws {
        var digest = try fingerprint()
        digest[31] ^= 1
        let error = try #require(try await outcome(.pinned(sha256: digest)))
        #expect(error.code == .certificate)
        #expect(!error.isTransient)
    }

    @Test func aFingerprintOfAnotherLengthIsRefused() async {
        #expect(
            throws: HTTPError(
                .invalidRequest, "a certificate fingerprint has 32 bytes (SHA-256); the one given has 20")
        ) {
            var configuration = HTTPClientConfiguration()
            configuration.trust = .pinned(sha256: [UInt8](repeating: 0, count: 20))
            _ = try HTTPClient(configuration)
        }
    }

    @Test func plainTextOnATLSPortIsToldApart() async throws {
        let plain = try LoopbackServer { connection, _ in
            _ = try connection.read()
            try connection.write("HTTP/1.1 400 Bad Request\r\n\r\n")
        }
        var configuration = HTTPClientConfiguration()
        configuration.proxy = .none
        let client = try HTTPClient(configuration)
        do {
            _ = try await client.execute(
                HTTPRequest(.get, HTTPURL(scheme: .https, host: "127.0.0.1", port: plain.port)), bodyLimit: 10)
            Issue.record("it should have failed")
        } catch let error as HTTPError {
            #expect(error.code == .tls)
            #expect(!error.isTransient)
        }
    }
}
