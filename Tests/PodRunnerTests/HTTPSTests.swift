import CloudTestSupport
import Glibc
import GoFormats
import TestSupport
import Testing

@testable import PodRunner

/// Certificates and proxies on the way to storage and to a repository server, by the program itself: libcurl reads the proxy
/// variables of the process. Certificates are made for the run.
@Suite(.enabled(if: PythonTools.isWanted("rclone"), "run .ci/install-python-tools"), .timeLimit(.minutes(5)))
struct HTTPSTests {
    /// S3 and Azure behind TLS, each with three certificates of one authority, and a repository server with one of them.
    private final class Scene: Sendable {
        let folder: TemporaryDirectory
        private let fronts: TLSFronts
        let ports: [String: Int]
        let plainPort: Int
        let bucket: String
        let container: String
        let server: KopiaServerDouble

        /// Names of certificates, and the hosts they are for.
        static let certificates = [
            "right": "DNS:localhost,DNS:storage.example.com", "other": "DNS:other.example.com",
            "expired": "DNS:localhost",
        ]

        static let shared = Task { try await Scene() }

        init() async throws {
            let folder = try TemporaryDirectory()
            let path = folder.path
            try Certificates.makeAuthority(in: path)
            for (name, hosts) in Self.certificates {
                try Certificates.makeServer(name, hosts: hosts, isExpired: name == "expired", in: path)
            }
            let rclone = try S3Server.rclone.get()
            let azure = try AzureDouble.withVersions.get()
            let names = Self.certificates.keys.sorted()
            let kinds = [("s3", rclone.port), ("azure", azure.port)]
            let fronts = try TLSFronts(
                kinds.flatMap { kind in names.map { ("\(path)/\($0).pem", "\(path)/\($0)-key.pem", kind.1) } })
            var ports: [String: Int] = [:]
            for (number, port) in fronts.ports.enumerated() {
                ports["\(kinds[number / names.count].0) \(names[number % names.count])"] = port
            }
            bucket = try await rclone.makeBucket()
            container = try await azure.makeContainer()
            server = try KopiaServerDouble(certificate: ("\(path)/right.pem", "\(path)/right-key.pem"))
            (self.ports, plainPort, self.fronts) = (ports, rclone.port, fronts)
            self.folder = folder
        }

        var authority: String { "\(folder.path)/ca.pem" }

        func url(_ service: String, _ certificate: String = "right", host: String = "localhost") throws -> String {
            let port = try #require(ports["\(service) \(certificate)"])
            return service == "s3"
                ? "s3://\(bucket)/nothing?endpoint=https://\(host):\(port)"
                : "azblob://\(container)/nothing?account=\(AzureDouble.account)&endpoint=https://\(host):\(port)/\(AzureDouble.account)"
        }
    }

    /// What a command said and its exit code.
    private func run(_ arguments: [String], _ environment: [String: String] = [:]) throws -> (
        output: String, exitCode: Int32
    ) {
        var variables = [
            "KOPIA_PASSWORD": "pass", "AWS_ACCESS_KEY_ID": S3Server.accessKeyID,
            "AWS_SECRET_ACCESS_KEY": S3Server.secretKey, "AZURE_STORAGE_KEY": AzureDouble.key,
        ]
        // What this machine uses itself is not what is tested.
        for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
            variables[name] = nil
            for name in [name, name.uppercased()] where CurrentEnvironment.value(name) != nil { variables[name] = "" }
        }
        variables.merge(environment) { $1 }
        return try Program.run(try Self.podRunner(), arguments, environment: variables)
    }

    private static func podRunner() throws -> String {
        var bytes = [CChar](repeating: 0, count: 4096)
        let count = max(0, readlink("/proc/self/exe", &bytes, bytes.count))
        let path = String(decoding: bytes.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return path.split(separator: "/").dropLast().map { "/" + $0 }.joined() + "/pod-runner"
    }

    /// There is no repository, which only a service that was reached and has let us in can say.
    private static let reached = "there is no kopia repository in "

    struct Trust: Sendable, CustomTestStringConvertible {
        let service: String
        let name: String
        var certificate = "right"
        /// Trusts the authority by variable, or by the address.
        var byVariable = false
        var byAddress = ""
        var words: [String] = [HTTPSTests.reached]
        var testDescription: String { "\(service): \(name)" }
    }

    static let trust: [Trust] = ["s3", "azure"].flatMap { service in
        [
            Trust(service: service, name: "SSL_CERT_FILE", byVariable: true),
            Trust(service: service, name: "ca=", byAddress: "&ca=CA"),
            Trust(service: service, name: "tls=skip-verify", byAddress: "&tls=skip-verify"),
            Trust(
                service: service, name: "skipped for an expired one", certificate: "expired",
                byAddress: "&tls=skip-verify"),
            Trust(
                service: service, name: "an unknown authority",
                words: [
                    "the server's certificate is not accepted: SSL certificate problem: unable to get local issuer certificate",
                    "hint: an authority of your own is named by SSL_CERT_FILE, or by ca= in the address",
                ]),
            Trust(
                service: service, name: "another host's", certificate: "other", byVariable: true,
                words: [
                    "SSL: no alternative certificate subject name matches target host name 'localhost'", "hint: ",
                ]),
            Trust(
                service: service, name: "an expired one", certificate: "expired", byVariable: true,
                words: ["SSL certificate problem: certificate has expired", "hint: "]),
        ]
    }

    @Test(arguments: trust) func aCertificateIsTrustedOrNamed(_ test: Trust) async throws {
        let scene = try await Scene.shared.value
        let ca = test.byAddress.split(separator: "CA", omittingEmptySubsequences: false).joined(
            separator: scene.authority)
        let outcome = try run(
            ["repository", "status", "--repository", try scene.url(test.service, test.certificate) + ca],
            test.byVariable ? ["SSL_CERT_FILE": scene.authority] : [:])
        #expect(outcome.exitCode == 5)
        for words in test.words { #expect(outcome.output.contains(words), "\(outcome.output)") }
    }

    @Test func whatIsNoCAFileIsSaid() async throws {
        let scene = try await Scene.shared.value
        let missing = try run(
            ["repository", "status", "--repository", try scene.url("s3")], ["SSL_CERT_FILE": "/no/such/file.pem"])
        #expect(missing.exitCode == 3)
        #expect(missing.output.contains("hint: check SSL_CERT_FILE"), "\(missing.output)")
        let noPEM = try run(
            ["repository", "status", "--repository", try scene.url("s3") + "&ca=\(scene.folder.path)/right-key.pem"])
        #expect(noPEM.exitCode == 5)
        #expect(noPEM.output.contains("hint: "), "\(noPEM.output)")
    }

    @Test(arguments: ["s3Compliant", "azure"], [false, true])
    func aProfileMaySkipTheCheck(_ type: String, skipsTLS: Bool) async throws {
        let scene = try await Scene.shared.value
        let port = try #require(scene.ports[type == "azure" ? "azure other" : "s3 other"])
        let profile = ProfileText.make(
            type: type, bucket: type == "azure" ? scene.container : scene.bucket,
            endpoint: "https://localhost:\(port)" + (type == "azure" ? "/\(AzureDouble.account)" : ""), prefix: "k10",
            credential: type == "azure"
                ? ProfileText.keyPair(AzureDouble.account, AzureDouble.key)
                : ProfileText.keyPair(S3Server.accessKeyID, S3Server.secretKey), skipsTLS: skipsTLS)
        let outcome = try run(
            ["location", "push", "-p", "env:PROFILE", "-s", "x", "-"], ["PROFILE": profile])
        #expect(outcome.exitCode == (skipsTLS ? 0 : 5), "\(outcome.output)")
        if !skipsTLS { #expect(outcome.output.contains("the server's certificate is not accepted")) }
    }

    // MARK: Proxies

    struct Route: Sendable, CustomTestStringConvertible {
        let name: String
        var isTLS = true
        /// PROXY stands for the proxy's address.
        let variables: [String: String]
        let usesProxy: Bool
        var testDescription: String { name }
    }

    static let routes = [
        Route(name: "https_proxy", variables: ["https_proxy": "http://PROXY"], usesProxy: true),
        Route(name: "HTTPS_PROXY", variables: ["HTTPS_PROXY": "http://PROXY"], usesProxy: true),
        Route(name: "a proxy without a scheme", variables: ["https_proxy": "PROXY"], usesProxy: true),
        Route(name: "ALL_PROXY", variables: ["ALL_PROXY": "http://PROXY"], usesProxy: true),
        Route(name: "http_proxy is not for https", variables: ["http_proxy": "http://PROXY"], usesProxy: false),
        Route(name: "http_proxy", isTLS: false, variables: ["http_proxy": "http://PROXY"], usesProxy: true),
        Route(
            name: "HTTP_PROXY, as Go reads it", isTLS: false, variables: ["HTTP_PROXY": "http://PROXY"], usesProxy: true
        ),
        Route(
            name: "HTTP_PROXY, of a CGI program", isTLS: false,
            variables: ["HTTP_PROXY": "http://PROXY", "REQUEST_METHOD": "GET"], usesProxy: false),
        Route(
            name: "no_proxy", variables: ["https_proxy": "http://PROXY", "no_proxy": "example.com,localhost"],
            usesProxy: false),
        Route(
            name: "NO_PROXY, and HTTP_PROXY", isTLS: false,
            variables: ["HTTP_PROXY": "http://PROXY", "NO_PROXY": "10.0.0.0/8,127.0.0.0/8"], usesProxy: false),
        Route(
            name: "no_proxy of others", variables: ["https_proxy": "http://PROXY", "no_proxy": "example.com"],
            usesProxy: true),
    ]

    @Test(arguments: routes) func aProxyIsTakenWhereTheVariablesSaySo(_ route: Route) async throws {
        let scene = try await Scene.shared.value
        let proxy = try HTTPProxy()
        var variables = route.variables.mapValues {
            $0.split(separator: "PROXY", omittingEmptySubsequences: false).joined(separator: "127.0.0.1:\(proxy.port)")
        }
        variables["SSL_CERT_FILE"] = scene.authority
        let url =
            route.isTLS
            ? try scene.url("s3") : "s3://\(scene.bucket)/nothing?endpoint=http://127.0.0.1:\(scene.plainPort)"
        let outcome = try run(["repository", "status", "--repository", url], variables)
        #expect(outcome.exitCode == 5)
        #expect(outcome.output.contains(Self.reached), "\(outcome.output)")
        let port = route.isTLS ? try #require(scene.ports["s3 right"]) : scene.plainPort
        let expected = route.isTLS ? "CONNECT localhost:\(port)" : "GET http://127.0.0.1:\(port)/\(scene.bucket)"
        #expect(proxy.requests.isEmpty != route.usesProxy)
        #expect(proxy.requests.allSatisfy { $0.hasPrefix(expected) }, "\(proxy.requests)")
    }

    /// A name that only the proxy can resolve, and the certificate that goes with it.
    @Test(arguments: ["s3", "azure"]) func theProxyResolvesTheName(_ service: String) async throws {
        let scene = try await Scene.shared.value
        let proxy = try HTTPProxy(password: "let-me-in")
        let outcome = try run(
            ["repository", "status", "--repository", try scene.url(service, host: "storage.example.com")],
            ["https_proxy": "http://proxy:let-me-in@127.0.0.1:\(proxy.port)", "SSL_CERT_FILE": scene.authority])
        #expect(outcome.output.contains(Self.reached), "\(outcome.output)")
        let port = try #require(scene.ports["\(service) right"])
        #expect(Set(proxy.requests) == ["CONNECT storage.example.com:\(port)"])
    }

    @Test(
        arguments: [
            (nil, 403, "the proxy refuses to connect to it, with status 403"),
            ("let-me-in", nil, "the proxy refuses to connect to it, with status 407"),
        ] as [(String?, Int?, String)])
    func aProxyThatRefusesIsNamed(_ password: String?, _ refusal: Int?, _ words: String) async throws {
        let scene = try await Scene.shared.value
        let proxy = try HTTPProxy(password: password, refusal: refusal)
        let outcome = try run(
            ["repository", "status", "--repository", try scene.url("s3")],
            ["https_proxy": "http://proxy:wr0ng-one@127.0.0.1:\(proxy.port)", "SSL_CERT_FILE": scene.authority])
        #expect(outcome.exitCode == 5)
        #expect(outcome.output.contains(words), "\(outcome.output)")
        #expect(outcome.output.contains("hint: check https_proxy with its user and password, and no_proxy"))
        #expect(!outcome.output.contains("wr0ng-one"))
        // Asking again changes nothing.
        #expect(proxy.requests.count == 1)
    }

    // MARK: Repository servers

    private func list(
        _ scene: Scene, host: String = "localhost", fingerprint: String? = nil, _ environment: [String: String] = [:]
    ) throws -> (output: String, exitCode: Int32) {
        try run(
            [
                "snapshot", "list", "--identity", "runner@client", "--repository",
                "kopia+https://\(host):\(scene.server.port)" + (fingerprint.map { "?fingerprint=\($0)" } ?? ""),
            ], environment.merging(["KOPIA_PASSWORD": "client-password"]) { $1 })
    }

    @Test func aPinnedServerIsReachedThroughAProxy() async throws {
        let scene = try await Scene.shared.value
        let fingerprint = try scene.server.fingerprint()
        let proxy = try HTTPProxy()
        let variables = ["https_proxy": "http://127.0.0.1:\(proxy.port)"]
        // A pin says nothing about names.
        let right = try list(scene, host: "data-mover.kasten-io.svc", fingerprint: fingerprint, variables)
        #expect(right.exitCode == 0, "\(right.output)")
        #expect(Set(proxy.requests) == ["CONNECT data-mover.kasten-io.svc:\(scene.server.port)"])
        let wrong = try list(scene, fingerprint: String(fingerprint.reversed()), variables)
        #expect(wrong.exitCode == 5)
        #expect(
            wrong.output.contains("the certificate of repository server localhost:\(scene.server.port) is not accepted")
        )
        #expect(wrong.output.contains("hint: its SHA-256 must be the fingerprint you gave"))
    }

    @Test func aServerWithoutAFingerprintNeedsAnAuthority() async throws {
        let scene = try await Scene.shared.value
        let trusted = try list(scene, ["SSL_CERT_FILE": scene.authority])
        #expect(trusted.exitCode == 0, "\(trusted.output)")
        let unknown = try list(scene)
        #expect(unknown.exitCode == 5)
        #expect(unknown.output.contains("unable to get local issuer certificate"), "\(unknown.output)")
        let otherName = try list(scene, host: "127.0.0.1", ["SSL_CERT_FILE": scene.authority])
        #expect(otherName.exitCode == 5)
        #expect(
            otherName.output.contains("no alternative certificate subject name matches target host name '127.0.0.1'"),
            "\(otherName.output)")
    }
}
