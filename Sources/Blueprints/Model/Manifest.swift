/// One document of a file, as what it is.
public enum Manifest: Sendable, Hashable {
    case blueprint(Blueprint)
    case actionSet(ActionSet)
    case profile(Profile)
    case blueprintBinding(BlueprintBinding)
    /// Everything else: Secrets, ConfigMaps, workloads, …
    case object(KubernetesManifest)

    /// `kind` of the document.
    public var kind: String {
        switch self {
        case .blueprint: return Blueprint.kind
        case .actionSet: return ActionSet.kind
        case .profile: return Profile.kind
        case .blueprintBinding: return BlueprintBinding.kind
        case .object(let object): return object.kind.text
        }
    }
}
