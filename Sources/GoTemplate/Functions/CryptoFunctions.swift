/// sprig's hashes and ciphers, with Kanister's refusals of what FIPS does not allow.
///
/// Source: sprig 2.22.0 `crypto.go`; Kanister `pkg/ksprig/fipsonly_sprig.go`.
enum CryptoFunctions {
    static let functions: [TemplateFunction] = [
        TemplateFunction("sha1sum", [.string], result: "string", "The SHA-1 of the text in hexadecimal.") { call in
            .string(Digests.hexadecimal(Digests.sha1(call.string(0).bytes)))
        },
        TemplateFunction("sha256sum", [.string], result: "string", "The SHA-256 of the text in hexadecimal.") { call in
            .string(Digests.hexadecimal(Digests.sha256(call.string(0).bytes)))
        },
        TemplateFunction("adler32sum", [.string], result: "string", "The Adler-32 of the text as a decimal number.") {
            call in .string(String(Digests.adler32(call.string(0).bytes)))
        },
        TemplateFunction(
            "encryptAES", [.string, .string], result: "string",
            "The second argument encrypted with AES-256-CBC under the first, in base64."
        ) { call throws(FunctionFailure) in try encrypt(call) },
        TemplateFunction(
            "decryptAES", [.string, .string], result: "string", "What `encryptAES` encrypted."
        ) { call throws(FunctionFailure) in try decrypt(call) },
        TemplateFunction(
            "derivePassword", [.basic(.uint32), .string, .string, .string, .string], result: "string",
            "Refused by Kanister, as it is not FIPS compatible."
        ) { _ throws(FunctionFailure) in throw refused("derivePassword") },
        TemplateFunction(
            "genPrivateKey", [.string], result: "string",
            "A new private key in PEM: `rsa` (4096 bits) or `ecdsa` (P-256); Kanister refuses other kinds."
        ) { call throws(FunctionFailure) in
            switch call.text(0) {
            case "rsa": return try pem(PrivateKey.rsa(bits: 4096))
            case "ecdsa": return try pem(PrivateKey.ecdsa())
            // Allowed by Kanister, but unknown to this sprig, which says so in its result.
            case "ed25519": return .string("Unknown type ed25519")
            case let other: throw refused("genPrivateKey for \(other)")
            }
        },
    ]

    private static func refused(_ name: String) -> FunctionFailure {
        FunctionFailure("sprig usage of '\(name)' is not allowed by kanister as it is not FIPS compatible")
    }

    private static func pem(_ key: PrivateKey?) throws(FunctionFailure) -> GoValue {
        guard let text = key?.pem else { throw FunctionFailure("failed to generate private key") }
        return .string(text)
    }

    private static func key(_ password: GoString) -> [UInt8] {
        Array(password.bytes.prefix(32)) + [UInt8](repeating: 0, count: max(0, 32 - password.count))
    }

    private static func encrypt(_ call: FunctionCall) throws(FunctionFailure) -> GoValue {
        let text = call.string(1).bytes
        if text.isEmpty { return .string("") }
        let size = BlockCipher.blockSize
        let padding = size - text.count % size
        let padded = text + [UInt8](repeating: UInt8(padding), count: padding)
        let vector = call.options.randomBytes(size)
        guard let sealed = BlockCipher.apply(padded, key: key(call.string(0)), vector: vector, encrypts: true) else {
            throw FunctionFailure("AES encryption failed")
        }
        return .string(Base64.encode(vector + sealed))
    }

    private static func decrypt(_ call: FunctionCall) throws(FunctionFailure) -> GoValue {
        let text = call.string(1).bytes
        if text.isEmpty { return .string("") }
        let sealed: [UInt8]
        switch Base64.decode(text) {
        case .success(let bytes): sealed = bytes
        case .failure(let problem): throw FunctionFailure(problem.message)
        }
        let size = BlockCipher.blockSize
        guard sealed.count >= size else {
            let capacity = max(sealed.count, text.count / 4 * 3)
            throw FunctionFailure("runtime error: slice bounds out of range [:\(size)] with capacity \(capacity)")
        }
        let (vector, body) = (Array(sealed.prefix(size)), Array(sealed.dropFirst(size)))
        guard body.count % size == 0 else { throw FunctionFailure("crypto/cipher: input not full blocks") }
        let opened = BlockCipher.apply(body, key: key(call.string(0)), vector: vector, encrypts: false) ?? []
        guard let padding = opened.last else { throw FunctionFailure("runtime error: index out of range [-1]") }
        let length = opened.count - Int(padding)
        guard length >= 0 else { throw FunctionFailure("runtime error: slice bounds out of range [:\(length)]") }
        return .string(GoString(bytes: opened.prefix(length)))
    }
}
