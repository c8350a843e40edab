/// Every rule that can be reported, each with its page.
public enum RuleRegistry {
    /// In the order of `explain --list`: by subject, as the groups are.
    public static let groups: [(title: String, rules: [Rule])] = [
        ("templates", Rule.templates), ("phases", Rule.phases), ("shell scripts", Rule.shell),
        ("blueprints", Rule.blueprints), ("documents", Rule.documents), ("YAML", Rule.yaml),
        ("ActionSets, Profiles, bindings, Secrets", Rule.others), ("comments", Rule.comments),
        ("inputs of a run", Rule.runs),
    ]

    public static let all: [Rule] = groups.flatMap(\.rules)
    public static let ids: [String] = all.map(\.id).sorted()
    private static let byID = Dictionary(all.map { ($0.id, $0) }) { first, _ in first }

    public static func rule(_ id: String) -> Rule? { byID[id] }
}
