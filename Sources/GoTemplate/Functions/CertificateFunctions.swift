#if canImport(Glibc)
    import Glibc
#endif

/// sprig's certificates: 2048-bit RSA keys, SHA-256 signatures.
///
/// Source: sprig 2.22.0 `crypto.go`.
enum CertificateFunctions {
    private static let shape = GoStructType(
        name: "sprig.certificate", fields: [GoField("Cert", .string), GoField("Key", .string)])

    static let functions: [TemplateFunction] = [
        TemplateFunction(
            "buildCustomCert", [.string, .string], result: "sprig.certificate",
            "A certificate and its key from base64 of their PEM texts; the result has fields Cert and Key."
        ) { call throws(FunctionFailure) in try custom(call) },
        TemplateFunction(
            "genCA", [.string, .int], result: "sprig.certificate",
            "A new authority of a name, valid for so many days; the result has fields Cert and Key."
        ) { call throws(FunctionFailure) in
            var request = request(call, name: 0, days: 1)
            request.isAuthority = true
            return try issue(request, authority: nil)
        },
        TemplateFunction(
            "genSelfSignedCert", [.string, .list, .list, .int], result: "sprig.certificate",
            "A new certificate for a name, IP addresses and host names, signed by itself."
        ) { call throws(FunctionFailure) in
            var request = request(call, name: 0, days: 3)
            try readNames(call, into: &request)
            return try issue(request, authority: nil)
        },
        TemplateFunction(
            "genSignedCert", [.string, .list, .list, .int, .structure(shape)], result: "sprig.certificate",
            "A new certificate for a name, IP addresses and host names, signed by an authority."
        ) { call throws(FunctionFailure) in
            let authority = try authority(call[4])
            var request = request(call, name: 0, days: 3)
            try readNames(call, into: &request)
            return try issue(request, authority: authority)
        },
    ]

    private static func request(_ call: FunctionCall, name: Int, days: Int) -> Certificate.Request {
        Certificate.Request(
            commonName: call.string(name).bytes, daysValid: call.integer(days), now: call.now,
            serial: call.options.randomBytes(16))
    }

    private static func issue(
        _ request: Certificate.Request, authority: (certificate: Certificate, key: PrivateKey)?
    ) throws(FunctionFailure) -> GoValue {
        guard let key = PrivateKey.rsa(bits: 2048), let keyText = key.pem else {
            throw FunctionFailure("error generating rsa key")
        }
        guard let certificate = Certificate(request, key: key, authority: authority), let text = certificate.pem else {
            throw FunctionFailure("error creating certificate")
        }
        return .structure(shape, ["Cert": .string(text), "Key": .string(keyText)])
    }

    private static func readNames(_ call: FunctionCall, into request: inout Certificate.Request) throws(FunctionFailure)
    {
        for value in call[1].elements ?? [] {
            guard value.type == .string, let text = value.stringValue else {
                throw FunctionFailure("error parsing ip: \(Formatter.text(value)) is not a string")
            }
            guard let address = address(text.text) else { throw FunctionFailure("error parsing ip: \(text)") }
            request.addresses.append(address)
        }
        for value in call[2].elements ?? [] {
            guard value.type == .string, let text = value.stringValue else {
                throw FunctionFailure("error processing alternate dns name: \(Formatter.text(value)) is not a string")
            }
            request.hostNames.append(text.bytes)
        }
    }

    private static func address(_ text: String) -> [UInt8]? {
        var four = [UInt8](repeating: 0, count: 4)
        if inet_pton(AF_INET, text, &four) == 1 { return four }
        var six = [UInt8](repeating: 0, count: 16)
        return inet_pton(AF_INET6, text, &six) == 1 ? six : nil
    }

    private static func authority(_ value: GoValue) throws(FunctionFailure) -> (
        certificate: Certificate, key: PrivateKey
    ) {
        let certificateText = value.member("Cert")?.stringValue?.bytes ?? []
        let keyText = value.member("Key")?.stringValue?.bytes ?? []
        guard let block = PEMBlock(certificateText) else { throw FunctionFailure("unable to decode certificate") }
        guard let certificate = Certificate(der: block.bytes) else {
            throw FunctionFailure("error parsing certificate: decodedSignerCert.Bytes: x509: malformed certificate")
        }
        guard let keyBlock = PEMBlock(keyText) else { throw FunctionFailure("unable to decode key") }
        guard let key = PrivateKey(pkcs1: keyBlock.bytes) else {
            throw FunctionFailure("error parsing prive key: decodedSignerKey.Bytes: not a PKCS #1 key")
        }
        return (certificate, key)
    }

    private static func custom(_ call: FunctionCall) throws(FunctionFailure) -> GoValue {
        guard case .success(let certificateText) = Base64.decode(call.string(0).bytes) else {
            throw FunctionFailure("unable to decode base64 certificate")
        }
        guard case .success(let keyText) = Base64.decode(call.string(1).bytes) else {
            throw FunctionFailure("unable to decode base64 private key")
        }
        guard let block = PEMBlock(certificateText) else { throw FunctionFailure("unable to decode certificate") }
        guard Certificate(der: block.bytes) != nil else {
            throw FunctionFailure("error parsing certificate: decodedCert.Bytes: x509: malformed certificate")
        }
        guard let keyBlock = PEMBlock(keyText) else { throw FunctionFailure("unable to decode key") }
        guard PrivateKey(pkcs1: keyBlock.bytes) != nil else {
            throw FunctionFailure("error parsing prive key: decodedKey.Bytes: not a PKCS #1 key")
        }
        return .structure(
            shape,
            ["Cert": .string(GoString(bytes: certificateText)), "Key": .string(GoString(bytes: keyText))])
    }
}
