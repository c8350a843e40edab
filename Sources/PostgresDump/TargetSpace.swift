/// Whether a restore fits: what it needs, and what is taken. How large the storage is no statement tells.
struct TargetSpace: Sendable {
    /// The database's size on the source; nil when not recorded.
    var needed: Int64?
    var dumpBytes: Int64
    /// By the databases whose size may be looked at.
    var used: Int64
    var hiddenDatabases: Int64
    /// Nil when the role may not look.
    var wal: Int64?
    /// By the live database, when it is dropped first.
    var freed: Int64
    /// As somebody says.
    var storage: Int64?

    var check: PreflightCheck {
        let size = PreflightCheck.size
        let demand =
            needed.map { "\(size($0)), as the database took on the source" }
            ?? "more than the dump's \(size(dumpBytes))"
        var taken = "databases take \(size(used)) now"
        if hiddenDatabases > 0 { taken += " without \(hiddenDatabases) that cannot be looked into" }
        taken += wal.map { ", WAL \(size($0))" } ?? ", WAL is not shown to this role"
        if freed > 0 { taken += "; \(size(freed)) of that are freed first" }
        let known = "needs \(demand), and as much WAL for a while; \(taken)"
        guard let storage, let needed else {
            return PreflightCheck(
                "space", .unknown,
                "\(known); "
                    + (storage == nil
                        ? "PostgreSQL does not tell how large the storage is" : "what it needs is not recorded"),
                hint: storage == nil ? "look it up and give it with --target-space 64G" : "look at the server's storage"
            )
        }
        // A restore's WAL is recycled; half of it beside the data is a cautious guess.
        let least = max(0, used - freed) + (wal ?? 0) + needed
        let likely = least + needed / 2
        let share = "\(size(least)) to \(size(likely)) of \(size(storage))"
        if least > storage / 20 * 19 {
            return PreflightCheck(
                "space", .noGo, "\(known); together \(share)",
                hint:
                    "enlarge the storage, drop kept old databases (restore --cleanup), or see --in-place; a flexible server "
                    + "takes no writes when 95 of 100 parts are used")
        }
        guard likely <= storage / 20 * 17 else {
            return PreflightCheck(
                "space", .warning, "\(known); together \(share)",
                hint: "a flexible server takes no writes when 95 of 100 parts are used")
        }
        return PreflightCheck("space", .go, "\(known); together \(share)")
    }
}

extension PreflightCheck {
    /// `12.4 MB`.
    static func size(_ bytes: Int64) -> String {
        var (value, unit) = (Double(bytes), "B")
        for next in ["kB", "MB", "GB", "TB"] where value >= 1000 { (value, unit) = (value / 1000, next) }
        let tenths = Int64((value * 10).rounded())
        return tenths % 10 == 0 ? "\(tenths / 10) \(unit)" : "\(tenths / 10).\(tenths % 10) \(unit)"
    }
}

extension [String] {
    /// The first ten of them.
    var listed: String { prefix(10).joined(separator: ", ") + (count > 10 ? " and \(count - 10) more" : "") }
}
