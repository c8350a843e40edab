internal import Digests
internal import GoFormats
internal import KopiaBlob
import Secrets

/// A Google service account's key file, and the access tokens it is good for.
///
/// Source: Google, "Using OAuth 2.0 for Server to Server Applications", HTTP/REST; RFC 7523.
struct GoogleServiceAccount: Sendable {
    static let scope = "https://www.googleapis.com/auth/devstorage.read_write"

    let email: String
    let keyID: String
    let tokenAddress: String
    private let privateKey: Secret

    /// - Throws: `BlobError.Code.accessDenied`; the message has no part of the text.
    init(json: Secret) throws(BlobError) {
        guard let value = try? JSONParser.parse(json.revealed), let email = value["client_email"]?.stringValue,
            let key = value["private_key"]?.stringValue, !email.isEmpty, !key.isEmpty
        else {
            throw BlobError(
                .accessDenied, "the Google credentials are no service account's key file",
                hint: "give the whole JSON file, with client_email and private_key")
        }
        self.email = email
        privateKey = Secret(key)
        keyID = value["private_key_id"]?.stringValue ?? ""
        let address = value["token_uri"]?.stringValue ?? ""
        tokenAddress = address.isEmpty ? "https://oauth2.googleapis.com/token" : address
    }

    /// The signed request for a token: header, claims and signature, each base64url, joined by dots.
    ///
    /// - Throws: `DigestError` when the key is not one.
    func assertion(at now: Timestamp) throws(DigestError) -> String {
        let header: JSONValue = ["alg": "RS256", "typ": "JWT", "kid": .string(keyID)]
        let claims: JSONValue = [
            "iss": .string(email), "scope": .string(Self.scope), "aud": .string(tokenAddress),
            "iat": .integer(now.seconds), "exp": .integer(now.seconds &+ 3600),
        ]
        let text = [header, claims].map { Self.base64URL(Array(GoJSON.text($0).utf8)) }.joined(separator: ".")
        let signature = try RSASignature.sha256(Array(text.utf8), privateKeyPEM: privateKey.revealed)
        return "\(text).\(Self.base64URL(signature))"
    }

    private static func base64URL(_ bytes: [UInt8]) -> String {
        String(
            Base64.encode(bytes).compactMap { character -> Character? in
                switch character {
                case "+": "-"
                case "/": "_"
                case "=": nil
                default: character
                }
            })
    }

    func tokens(_ environment: CloudEnvironment) throws(BlobError) -> Refreshing<Secret> {
        let service = try TokenService(
            tokenAddress, action: "get a token for \(email)",
            hint: "check the service account's key file, that the key was not deleted, and this machine's clock",
            environment)
        return Refreshing(clock: environment.clock) {
            let now = environment.clock()
            let assertion: String
            do throws(DigestError) { assertion = try self.assertion(at: now) } catch {
                throw service.malformed("the private key cannot be used: \(error)")
            }
            let body = try await service.post([
                ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", assertion),
            ])
            return try service.accessToken(body, now: now)
        }
    }
}
