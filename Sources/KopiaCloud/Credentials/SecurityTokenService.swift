internal import Digests
internal import GoFormats
internal import HTTPTransport
internal import KopiaBlob
import Secrets

/// A role of AWS that is assumed through STS: with keys, or with a token file (IAM roles for service accounts).
///
/// Source: AWS STS API Reference: AssumeRole, AssumeRoleWithWebIdentity.
struct AssumedRole: Sendable, Hashable {
    enum Proof: Sendable, Hashable {
        case keys(S3Credentials)
        /// Read again for each call.
        case tokenFile(path: String)
    }

    let role: String
    let proof: Proof
    var sessionName = "karaffe"
    let region: String
    /// Nil for AWS's of the region.
    var endpoint: String?

    func credentials(_ environment: CloudEnvironment) throws(BlobError) -> Refreshing<S3Credentials> {
        let service = try TokenService(
            endpoint ?? "https://sts.\(region).amazonaws.com/", action: "assume the role '\(role)'",
            hint: "check the role, that its trust policy names whoever asks, and this machine's clock", environment)
        return Refreshing(clock: environment.clock) {
            var form = [("Version", "2011-06-15"), ("RoleArn", role), ("RoleSessionName", sessionName)]
            let body: [UInt8]
            switch proof {
            case .tokenFile(let path):
                form.append(("Action", "AssumeRoleWithWebIdentity"))
                do throws(SmallFile.Failure) { form.append(("WebIdentityToken", try SmallFile.text(path))) } catch {
                    throw service.malformed("the token file \(error.reason)")
                }
                body = try await service.post(form)
            case .keys(let keys):
                form.append(("Action", "AssumeRole"))
                let signature = SignatureV4(credentials: keys, region: region, service: "sts")
                body = try await service.post(form) { request, body in
                    let hash = Hex.encode(try S3Client.digest([body], nil, Digest.sha256(pieces:)))
                    try signature.sign(&request, payloadHash: hash, at: environment.clock())
                }
            }
            return try Self.read(body, service)
        }
    }

    private static func read(_ body: [UInt8], _ service: TokenService) throws(BlobError) -> Expiring<S3Credentials> {
        let document = try? XMLReader.parse(body)
        let result = document?.children.first { $0.name.hasSuffix("Result") }
        guard let found = result?.child("Credentials"), let id = found.value("AccessKeyId"),
            let key = found.value("SecretAccessKey"), let token = found.value("SessionToken"),
            let until = found.value("Expiration").flatMap({ Timestamp(rfc3339: $0) })
        else { throw service.malformed("the answer has no credentials") }
        return Expiring(
            value: S3Credentials(accessKeyID: id, secretAccessKey: Secret(key), sessionToken: Secret(token)),
            until: until)
    }
}
