public import ActionEngine
import Blueprints
public import Diagnostics
public import GoTemplate
public import KanisterFunctions

/// What a run of `karaffe validate` knows besides the files.
public struct ValidationOptions: Sendable {
    public var functions: FunctionRegistry
    /// Version of the functions, as in an ActionSet.
    public var preferredVersion = ""
    public var templateOptions = TemplateOptions()
    /// Manifests that stand for the cluster; nil leaves out the checks that need one.
    public var cluster: ManifestCluster?
    /// Only these rules; nil means all.
    public var only: Set<String>?
    public var except: Set<String> = []
    /// Adds notes about comments that silence nothing.
    public var isStrict = false

    public init(functions: FunctionRegistry = LocalFunctions.registry) { self.functions = functions }
}

/// Checks files together: bindings and ActionSets refer to blueprints.
///
/// Does no I/O and never traps, whatever the bytes. Concurrency and memory: a pure function; as `readManifests` for each
/// file, then linear in the text of the templates; at most 10,000 findings are kept.
///
/// - Returns: every finding that is not silenced, sorted by file and place, and how many were silenced.
public func validate(
    _ sources: [SourceFile], options: ValidationOptions = ValidationOptions()
) -> (diagnostics: [Diagnostic], silenced: Int) {
    var findings = Findings()
    var blueprints: [Blueprint] = []
    var bindings: [BlueprintBinding] = []
    var actionSets: [ActionSet] = []
    for source in sources {
        let (manifests, diagnostics) = readManifests(source)
        findings.append(diagnostics)
        for manifest in manifests {
            switch manifest {
            case .blueprint(let blueprint): blueprints.append(blueprint)
            case .blueprintBinding(let binding): bindings.append(binding)
            case .actionSet(let actionSet): actionSets.append(actionSet)
            case .profile, .object: break
            }
        }
    }
    for blueprint in blueprints {
        BlueprintChecker(
            blueprint: blueprint, facts: BlueprintFacts(blueprint, bindings: bindings), options: options
        ).check(into: &findings)
    }
    BindingChecks.check(bindings, blueprints, &findings)
    ActionSetChecks.check(actionSets, blueprints, options: options.templateOptions, &findings)
    return Silencing(sources).apply(to: findings.collector.sorted, options: options)
}
