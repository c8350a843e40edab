/// A `*semver.Version` of Masterminds' semver 1.5.
struct SemanticVersion: Sendable, Hashable {
    var major: Int64
    var minor: Int64
    var patch: Int64
    var prerelease: String
    var metadata: String
    /// As it was given.
    var original: String
}
