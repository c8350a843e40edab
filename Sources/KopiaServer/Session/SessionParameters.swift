internal import KopiaFormat

/// What the server says about its repository when a session begins.
struct SessionParameters: Sendable, Hashable {
    let hash: HashAlgorithm
    /// Key of the hash: whoever has it can tell whether a content exists, not read it.
    let secret: SecretBytes
    let splitter: String
    let supportsContentCompression: Bool

    /// - Throws: `ServerError.Code.unsupported` for a hash function this program does not have.
    init(_ response: KopiaRepository_InitializeSessionResponse, server: String) throws(ServerError) {
        let parameters = response.parameters
        guard let hash = HashAlgorithm(rawValue: parameters.hashFunction) else {
            throw ServerError(
                .unsupported, "the repository of \(server) uses the hash function '\(parameters.hashFunction)'",
                hint: "known: " + HashAlgorithm.allCases.map(\.rawValue).joined(separator: ", "))
        }
        self.hash = hash
        secret = SecretBytes(Array(parameters.hmacSecret))
        splitter = parameters.splitter
        supportsContentCompression = parameters.supportsContentCompression
    }
}
