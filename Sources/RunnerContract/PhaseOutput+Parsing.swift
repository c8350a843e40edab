/// Why a key cannot be an output's; the sentences are kando's.
public struct PhaseOutputKeyError: Error, Sendable, Hashable, CustomStringConvertible {
    public let description: String

    public static let empty = PhaseOutputKeyError(description: "Key should not be empty")
    public static let characters = PhaseOutputKeyError(
        description: "Key should contain only alphanumeric characters and underscore")
}

extension PhaseOutput {
    /// - Throws: `PhaseOutputKeyError`.
    public init(checking key: String, value: String) throws(PhaseOutputKeyError) {
        guard !key.isEmpty else { throw .empty }
        guard let output = PhaseOutput(key: key, value: value) else { throw .characters }
        self = output
    }
}
