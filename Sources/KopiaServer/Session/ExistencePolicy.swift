/// Which contents are asked for before they are sent. A plain value.
///
/// kopia's client asks from 50,000 bytes on and sends everything smaller at once: a question costs the server about as much
/// as a small content. That is right where data is new, and wrong where most of it is there already, as in the second
/// dump of a database: then small chunks, made to save storage, would all cross the wire. So small ones are asked for as
/// long as most of the recent answers were "it is there", and at the beginning. A few are asked for at any rate, to find out.
struct ExistencePolicy {
    /// kopia's limit, `repo/grpc_repository_client.go`.
    static let alwaysFrom = 50_000
    /// One in so many small contents is a sample.
    static let sampleEvery = 16

    /// The share of recent answers that found the content, in 1/1024.
    private var found = 1024
    private var count = 0

    mutating func asks(length: Int) -> Bool {
        guard length < Self.alwaysFrom else { return true }
        count += 1
        return found > 512 || count % Self.sampleEvery == 0
    }

    /// A moving average over about 16 answers.
    mutating func answered(isThere: Bool) { found += ((isThere ? 1024 : 0) - found) / 16 }
}
