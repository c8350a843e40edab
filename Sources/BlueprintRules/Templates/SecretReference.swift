import Blueprints
import Diagnostics
import GoTemplate

/// Chains that lead to secret values.
enum SecretReference {
    /// The steps before the key of a typed Secret's data.
    private static func dataStep(_ reference: TemplateReference) -> Int? {
        let names = reference.steps.map(\.name)
        let paths: [(prefix: [String?], step: Int)] = [
            (["Phases", nil, "Secrets", nil, "Data"], 4), (["DeferPhase", "Secrets", nil, "Data"], 3),
            (["Secrets", nil, "Data"], 2), (["Profile", "Credential", "Secret", "Data"], 3),
        ]
        return paths.first { path in
            names.count > path.step && zip(path.prefix, names).allSatisfy { $0 == nil || $0 == $1 }
        }?.step
    }

    /// A value under the `.Data` of a typed Secret: bytes.
    static func isSecretData(_ reference: TemplateReference) -> Bool {
        dataStep(reference).map { reference.steps.count == $0 + 2 } ?? false
    }

    /// The name of the value: `password`.
    static func key(_ reference: TemplateReference) -> String { reference.steps.last?.name ?? "" }

    private static let harmless = ["user", "host", "port", "name", "database", "region", "sslmode", "endpoint"]

    /// True when what is written may hold a password or a key.
    static func isSecret(_ reference: TemplateReference, objectIsSecret: Bool) -> Bool {
        guard reference.isPrinted, reference.base == .root else { return false }
        let names = reference.steps.map(\.name)
        let hides = ["b64enc", "sha256sum", "sha1sum", "adler32sum", "len", "empty", "eq", "ne", "hasKey"]
        if reference.consumers.contains(where: { hides.contains($0.function) }) { return false }
        if names == ["Profile"] || names == ["Profile", "Credential"] { return true }
        if names.starts(with: ["Profile", "Credential", "KeyPair"]) { return names.last != "ID" }
        if names.starts(with: ["Profile", "Credential", "KopiaServerSecret"]) {
            return names.count < 4 || names.last == "Password"
        }
        let key = self.key(reference).lowercased()
        let isHarmless = harmless.contains { part in key.containsText(part) }
        if isSecretData(reference) { return !isHarmless }
        if names.starts(with: ["Object", "data"]), names.count == 3 {
            let decodes = reference.consumers.contains { $0.function == "b64dec" }
            let isTelling = ["pass", "secret", "token", "key", "cred", "pwd"].contains { part in key.containsText(part)
            }
            return decodes && !isHarmless && (objectIsSecret || isTelling)
        }
        return false
    }
}

extension String {
    /// Plain search by bytes.
    func containsText(_ part: String) -> Bool {
        let needle = Array(part.utf8)
        let bytes = Array(utf8)
        guard !needle.isEmpty, bytes.count >= needle.count else { return needle.isEmpty }
        return (0...(bytes.count - needle.count)).contains { start in
            bytes[start] == needle[0] && bytes[start..<(start + needle.count)].elementsEqual(needle)
        }
    }
}

/// Values of Secrets and of `.Time` that are used as the wrong type.
struct ValueChecks {
    let site: TemplateSite
    let facts: BlueprintFacts
    let functions: FunctionTable

    func check(into findings: inout Findings) {
        for reference in site.references where reference.base == .root {
            if SecretReference.isSecretData(reference) {
                checkSecretData(reference, &findings)
            } else if reference.steps.map(\.name).starts(with: ["Object", "data"]), reference.steps.count == 3 {
                checkObjectData(reference, &findings)
            } else if reference.path == ".Time", let first = reference.consumers.first,
                ["date", "htmlDate", "dateInZone", "date_in_zone", "htmlDateInZone"].contains(first.function)
            {
                findings.report(
                    .timeAsText, "'.Time' is text: '\(first.function)' formats the current time instead",
                    at: site.range(reference.utf8Range), context: site.context,
                    hint: #"parse it first: toDate "2006-01-02T15:04:05.999999999Z07:00" .Time | \#(first.function) …"#)
            }
        }
    }

    private func report(
        _ rule: Rule, _ message: String, _ reference: TemplateReference, _ findings: inout Findings, hint: String,
        severity: Severity? = nil
    ) {
        findings.report(
            rule, message, at: site.range(reference.utf8Range), context: site.context, hint: hint, severity: severity)
    }

    private func checkSecretData(_ reference: TemplateReference, _ findings: inout Findings) {
        if reference.consumers.contains(where: { $0.function == "b64dec" }) {
            return report(
                .secretDecodedTwice, "'\(reference.path)' is decoded already: b64dec decodes the value once more",
                reference, &findings, hint: "leave out b64dec; only '.Object.data' is still in base64")
        }
        guard let first = reference.consumers.first else {
            guard reference.isPrinted else { return }
            return report(
                .secretBytes, "'\(reference.path)' is bytes and is written as a list of numbers: [112 119]", reference,
                &findings, hint: "put '| toString' behind it")
        }
        guard let function = functions[first.function] else { return }
        let parameter =
            first.position < function.parameters.count ? function.parameters[first.position] : function.variadic
        if let parameter, !StaticTypes.accepts(parameter, .bytes) {
            report(
                .secretBytes, "\(first.function) wants text, '\(reference.path)' is bytes", reference, &findings,
                hint: "put '| toString' before '| \(first.function)'", severity: .error)
        } else if ["quote", "squote", "print", "println", "printf", "cat"].contains(first.function) {
            report(
                .secretBytes, "'\(reference.path)' is bytes: \(first.function) writes a list of numbers or nothing",
                reference, &findings, hint: "put '| toString' before '| \(first.function)'")
        }
    }

    /// Base64 in a Secret, plain text in a ConfigMap.
    private func checkObjectData(_ reference: TemplateReference, _ findings: inout Findings) {
        let decodes = reference.consumers.contains { $0.function == "b64dec" }
        if facts.isObject(of: site.action, "secret", plural: "secrets"), !decodes, reference.isPrinted {
            report(
                .objectDataEncoding, "'\(reference.path)' of a Secret is still in base64", reference, &findings,
                hint: "put '| toString | b64dec' behind it")
        } else if facts.isObject(of: site.action, "configmap", plural: "configmaps"), decodes {
            report(
                .objectDataEncoding,
                "'\(reference.path)' of a ConfigMap is plain text: b64dec makes an error text of it",
                reference, &findings, hint: "leave out b64dec")
        }
    }
}
