import Blueprints
import GoTemplate

/// What the templates of an action refer to: which outputs and artifact keys have to exist in a dry run, so that rendering
/// goes on with placeholders.
struct ActionReferences {
    /// Output keys by phase; the deferPhase is under the empty name.
    private(set) var outputs: [String: Set<String>] = [:]
    /// Keys of `KeyValue` by artifact.
    private(set) var artifactKeys: [String: Set<String>] = [:]

    /// Of each template what it reads, as paths from the root.
    private var readers: [[[String]]] = []

    static let deferPhase = ""

    /// In how many templates of the action something below this path is read.
    func count(of path: [String?]) -> Int {
        readers.count { template in
            template.contains { names in
                names.count >= path.count && zip(path, names).allSatisfy { $0 == nil || $0 == $1 }
            }
        }
    }

    /// `read by 3 templates`, for the context of what is missing.
    func note(of path: [String?]) -> String {
        let count = count(of: path)
        return count == 0 ? "" : ", read by \(count) template\(count == 1 ? "" : "s")"
    }

    init(_ action: BlueprintAction, options: TemplateOptions) {
        for text in ActionTexts.all(of: action) { add(text, options) }
    }

    private mutating func add(_ text: String, _ options: TemplateOptions) {
        // A template that does not parse is reported where it is rendered.
        guard let template = try? Template(parsing: text, options: options), template.hasActions else { return }
        var read: [[String]] = []
        defer { readers.append(read) }
        for reference in template.references where reference.base == .root {
            let names = reference.steps.map(\.name)
            read.append(names)
            switch (names.first, names.count) {
            case ("Phases"?, 4...) where names[2] == "Output": outputs[names[1], default: []].insert(names[3])
            case ("DeferPhase"?, 3...) where names[1] == "Output":
                outputs[Self.deferPhase, default: []].insert(names[2])
            case ("ArtifactsIn"?, 4...) where names[2] == "KeyValue":
                artifactKeys[names[1], default: []].insert(names[3])
            default: break
            }
        }
    }
}
