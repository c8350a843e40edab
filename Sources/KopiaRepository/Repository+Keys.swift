public import KopiaFormat

extension Repository {
    /// A key of one purpose, stable for the life of the repository and unknown to whoever cannot open it. Made from the
    /// secret of the content hash, which stays inside; it is the same whether the repository is opened in its blobs or
    /// through a repository server, whose sessions get that secret too.
    ///
    /// - Parameters:
    ///   - purpose: who uses it for what: `"pg_dump restrict key app1db"`. Different purposes have independent keys.
    ///   - length: in bytes, 1 … 8160.
    /// - Returns: nil when the repository has no secret, as those that tests make over contents in memory.
    /// - Throws: `RepositoryError.Code.invalidArgument` for another length.
    public func derivedKey(for purpose: String, length: Int = 32) throws -> SecretBytes? {
        do {
            return try hashSecret?.derivedKey(for: "karaffe " + purpose, length: length)
        } catch {
            throw RepositoryError.translating(error)
        }
    }
}
