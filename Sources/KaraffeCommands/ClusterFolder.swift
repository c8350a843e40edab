import ActionEngine
import Blueprints
import Diagnostics
import GoFormats

/// What `--cluster-dir` holds.
struct ClusterFolder {
    var cluster = ManifestCluster()
    var profiles: [ActionRequest.ProfileSelection] = []
    var sources: [SourceFile] = []
    var diagnostics: [Diagnostic] = []

    init() {}

    /// Reads every manifest below the folder. Problems are collected.
    init(reading folder: String) {
        do throws(FileError) {
            let files = try Files.manifests(in: folder)
            if files.isEmpty {
                diagnostics.append(
                    Diagnostic(
                        rule: "cluster-folder", "there are no manifests (*.yaml, *.yml, *.json) in \(folder)",
                        hint: "give the folder that has them with --cluster-dir"))
            }
            for file in files { read(try Files.source(file)) }
        } catch {
            diagnostics.append(Diagnostic(rule: "cluster-folder", error.message, hint: "check --cluster-dir"))
        }
    }

    private mutating func read(_ source: SourceFile) {
        let (manifests, problems) = readManifests(source)
        diagnostics += problems
        sources.append(source)
        for manifest in manifests {
            switch manifest {
            case .profile(let profile): profiles.append(.init(profile, file: Files.absolute(source.name)))
            case .object(let object): add(object, source)
            case .blueprint, .actionSet, .blueprintBinding: break
            }
        }
    }

    private mutating func add(_ manifest: KubernetesManifest, _ source: SourceFile) {
        guard case .object(let json) = manifest.json else { return }
        do throws(ClusterError) {
            try cluster.add(try KubernetesObject(manifest: json, file: source.name))
        } catch {
            diagnostics.append(
                Diagnostic(rule: "cluster-folder", error.message, at: manifest.kind.range, hint: error.hint))
        }
    }

    /// - Parameter reference: `NAMESPACE/NAME`, or `NAME` in the default namespace.
    func profile(_ reference: String, defaultNamespace: String) -> Result<ActionRequest.ProfileSelection, Problem> {
        let parts = reference.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count <= 2, !parts.contains("") else {
            return .failure(Problem("'\(reference)' is not NAMESPACE/NAME", "for example \(defaultNamespace)/local"))
        }
        let (namespace, name) = parts.count == 2 ? (parts[0], parts[1]) : (defaultNamespace, parts[0])
        func namespaceOf(_ profile: Profile) -> String {
            profile.namespace.isEmpty ? defaultNamespace : profile.namespace.text
        }
        if let found = profiles.first(where: { $0.profile.name.text == name && namespaceOf($0.profile) == namespace }) {
            var selection = found
            if selection.profile.namespace.isEmpty { selection.profile.namespace = LocatedText(defaultNamespace) }
            return .success(selection)
        }
        let known = profiles.map { "\(namespaceOf($0.profile))/\($0.profile.name.text)" }
        let hint =
            nearMissHint(for: "\(namespace)/\(name)", among: known)
            ?? (known.isEmpty
                ? "add a Profile to the folder of --cluster-dir" : "profiles: \(known.joined(separator: ", "))")
        return .failure(Problem("profiles.cr.kanister.io \"\(name)\" not found in namespace '\(namespace)'", hint))
    }

    struct Problem: Error {
        let message: String
        let hint: String

        init(_ message: String, _ hint: String) {
            self.message = message
            self.hint = hint
        }
    }
}
