/// A `time.Location`: UTC, a fixed offset, or a zone of the system's database.
public struct GoZone: Sendable, Hashable {
    enum Rules: Sendable, Hashable {
        case utc
        case fixed(name: String, offset: Int)
        case database(ZoneFile)
    }

    /// As `In` and `%v` of a location name it: `UTC`, `Europe/Berlin`, empty for a bare offset.
    public let name: String
    let rules: Rules

    /// Coordinated universal time.
    public static let utc = GoZone(name: "UTC", rules: .utc)

    static func fixed(name: String, offset: Int) -> GoZone {
        GoZone(name: name, rules: .fixed(name: name, offset: offset))
    }

    /// A zone of `/usr/share/zoneinfo`; nil when the system does not know the name. `""` and `UTC` are UTC.
    ///
    /// - Parameter local: the zone that `Local` names.
    public static func named(_ name: String, local: GoZone = .utc) -> GoZone? {
        if name.isEmpty || name == "UTC" { return .utc }
        if name == "Local" { return local }
        return ZoneFile.load(name).map { GoZone(name: name, rules: .database($0)) }
    }

    /// Abbreviation and seconds east of UTC at an instant.
    func offset(at seconds: Int64) -> (name: String, seconds: Int) {
        switch rules {
        case .utc: ("UTC", 0)
        case .fixed(let name, let offset): (name, offset)
        case .database(let file): file.offset(at: seconds)
        }
    }

    /// The offset an abbreviation such as `CET` has here around an instant; nil when the zone never used it.
    func offset(abbreviation: String, near seconds: Int64) -> Int? {
        switch rules {
        case .utc: return abbreviation == "UTC" ? 0 : nil
        case .fixed(let name, let offset): return abbreviation == name ? offset : nil
        case .database(let file):
            // First the meaning it has at that time, then any.
            for type in file.types where type.name == abbreviation {
                let (name, offset) = file.offset(at: seconds - Int64(type.offset))
                if name == abbreviation { return offset }
            }
            return file.types.first { $0.name == abbreviation }?.offset
        }
    }
}
