import Diagnostics
import GoTemplate

/// Calls of template functions: number and type of arguments, as far as they are plain, and functions that are refused.
struct FunctionChecks {
    let site: TemplateSite
    let functions: FunctionTable

    func check(into findings: inout Findings) {
        for use in site.functionUses { check(use, &findings) }
        for reference in site.references where reference.base == .root { checkTypes(reference, &findings) }
    }

    private static let environment: Set<String> = ["env", "expandenv", "getHostByName"]

    private func check(_ use: TemplateFunctionUse, _ findings: inout Findings) {
        let place = site.range(use.utf8Range)
        if Self.environment.contains(use.name) {
            findings.report(
                .controllerEnvironment, "'\(use.name)' looks at Kanister's controller, not at the pod", at: place,
                context: site.context, hint: "give the value through .Options, a Secret or the pod's environment")
        }
        if use.name == "derivePassword" {
            findings.report(
                .refusedFunction,
                "sprig usage of 'derivePassword' is not allowed by kanister as it is not FIPS compatible", at: place,
                context: site.context, hint: "keep the password in a Secret")
        }
        if use.name == "genPrivateKey", let algorithm = use.literals[0], !["rsa", "ecdsa"].contains(algorithm) {
            // sprig 2.22 does not know ed25519 and writes a sentence instead of a key, without an error.
            let message =
                algorithm == "ed25519"
                ? "genPrivateKey \"ed25519\" gives the text 'Unknown type ed25519' instead of a key"
                : "sprig usage of 'genPrivateKey for \(algorithm)' is not allowed by kanister as it is not FIPS compatible"
            findings.report(
                .refusedFunction, message, at: place, context: site.context,
                hint: nearMissHint(for: algorithm, among: ["rsa", "ecdsa"])
                    ?? "it makes keys for \"rsa\" and \"ecdsa\"",
                severity: algorithm == "ed25519" ? .warning : .error)
        }
        guard let function = functions[use.name] else { return }
        let wanted = function.parameters.count
        let fits = function.variadic == nil ? use.argumentCount == wanted : use.argumentCount >= wanted
        guard fits else {
            let expected = function.variadic == nil ? "\(wanted)" : "at least \(wanted)"
            findings.report(
                .functionArguments, "wrong number of args for \(use.name): want \(expected) got \(use.argumentCount)",
                at: place, context: site.context, hint: function.signature)
            return
        }
        for (position, kind) in use.constants.sorted(by: { $0.key < $1.key }) {
            guard let parameter = parameter(of: function, position), !Self.accepts(parameter, constant: kind) else {
                continue
            }
            findings.report(
                .functionArguments,
                "argument \(position + 1) of \(use.name) is \(Self.describe(kind)), it wants \(Self.describe(parameter.kind))",
                at: place, context: site.context, hint: function.signature)
        }
    }

    private func parameter(of function: TemplateFunction, _ position: Int) -> GoType? {
        position < function.parameters.count ? function.parameters[position] : function.variadic
    }

    private static func accepts(_ parameter: GoType, constant: GoKind) -> Bool {
        switch parameter.kind {
        case .string: return constant == .string
        case .int, .int64: return constant == .int
        case .bool: return constant == .bool
        case .map, .slice: return false
        default: return true
        }
    }

    private static func describe(_ kind: GoKind) -> String {
        switch kind {
        case .string: return "text"
        case .int, .int64: return "a whole number"
        case .float64: return "a number"
        case .bool: return "true or false"
        case .map: return "a dict"
        case .slice: return "a list"
        default: return kind.rawValue
        }
    }

    /// The first function a typed value is handed to.
    private func checkTypes(_ reference: TemplateReference, _ findings: inout Findings) {
        guard let consumer = reference.consumers.first, let function = functions[consumer.function],
            case .resolved(let type?) = StaticTypes.follow(reference), !SecretReference.isSecretData(reference),
            let parameter = parameter(of: function, consumer.position), !StaticTypes.accepts(parameter, type)
        else { return }
        findings.report(
            .functionArguments,
            "\(consumer.function) wants \(Self.describe(parameter.kind)), '\(reference.path)' is \(type)",
            at: site.range(reference.utf8Range), context: site.context,
            hint: parameter.kind == .string ? "put '| toString' before '| \(consumer.function)'" : function.signature)
    }
}
