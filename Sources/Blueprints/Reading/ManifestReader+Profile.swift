internal import Diagnostics
internal import GoFormats

extension ManifestReader {
    mutating func profile(_ document: YAMLNode, _ fields: YAMLMapping) -> Profile {
        checkFields(
            fields, of: "a Profile",
            known: ["apiVersion", "kind", "metadata", "location", "credential", "skipSSLVerify"],
            advice: ["spec": "a Kanister Profile has no 'spec': 'location' and 'credential' are at the top level"])
        let names = metadata(document, fields, kind: "Profile")
        let place = firstLine(of: document)
        let location = within("location") { reader in reader.location(fields, at: place) }
        let credential = within("credential") { reader in reader.credential(fields, location: location, at: place) }
        let profile = Profile(
            name: names.name, namespace: names.namespace, location: location, credential: credential,
            skipSSLVerify: flag(fields, "skipSSLVerify"), range: document.range)
        return profile
    }

    private mutating func location(_ fields: YAMLMapping, at place: SourceRange) -> Profile.Location {
        let key = fields.entry("location")?.key.range ?? place
        guard let location = mapping(fields, "location") else {
            if fields["location"]?.isNull ?? true {
                report(
                    "missing-field", "the Profile has no 'location'", at: key, hint: "add 'location:' with a 'type:'")
            }
            return Profile.Location(type: "")
        }
        checkFields(location, of: "a location", known: ["type", "bucket", "endpoint", "prefix", "region"])
        let result = Profile.Location(
            type: text(location, "type"), bucket: text(location, "bucket"), endpoint: text(location, "endpoint"),
            prefix: text(location, "prefix"), region: text(location, "region"))
        checkLocation(result, at: key)
        return result
    }

    /// The wording is Kanister's, `pkg/validate/validate.go`, where it has one.
    private mutating func checkLocation(_ location: Profile.Location, at key: SourceRange) {
        switch location.kind {
        case nil:
            let known = Profile.Location.Kind.allCases.map(\.rawValue)
            report(
                "location-type", "unknown or unsupported location type '\(location.type)'",
                at: location.type.range ?? key,
                hint: nearMissHint(for: location.type.text, among: known) ?? "known types: "
                    + known.joined(separator: ", "))
        case .s3Compliant:
            if location.bucket.isEmpty {
                report("missing-field", "Bucket not specified", at: location.bucket.range ?? key, hint: "add 'bucket'")
            }
            if location.region.isEmpty {
                report(
                    "missing-field", "Bucket region not specified", at: location.region.range ?? key,
                    hint: "add 'region'")
            }
        case .kopia:
            if location.endpoint.isEmpty {
                report(
                    "missing-field", "a kopia location has no 'endpoint'", at: location.endpoint.range ?? key,
                    hint: "add the server's address: 'endpoint: https://host:51515'")
            } else if !location.endpoint.text.hasPrefix("https://") {
                report(
                    "kopia-endpoint", "the endpoint of a kopia location must start with 'https://'",
                    at: location.endpoint.range ?? key, hint: "kopia's server speaks TLS only")
            }
        case .filesystem:
            report(
                "filesystem-location",
                "location type 'filesystem' is for local runs: Kanister and Kasten do not know it",
                at: location.type.range ?? key, severity: .note)
            if location.bucket.isEmpty {
                report(
                    "missing-field", "a filesystem location has no 'bucket'", at: location.bucket.range ?? key,
                    hint: "give the folder of the repository: 'bucket: /path/to/repository'")
            }
        case .gcs, .azure: break
        }
    }

    // MARK: Credentials

    private mutating func credential(
        _ fields: YAMLMapping, location: Profile.Location, at place: SourceRange
    ) -> Profile.Credential {
        let key = fields.entry("credential")?.key.range ?? place
        guard let credential = mapping(fields, "credential") else {
            if fields["credential"]?.isNull ?? true {
                report(
                    "missing-field", "the Profile has no 'credential'", at: key,
                    hint: "add 'credential:' with a 'type:'")
            }
            return Profile.Credential(type: "")
        }
        checkFields(credential, of: "a credential", known: ["type", "keyPair", "secret", "kopiaServerSecret"])
        var result = Profile.Credential(type: text(credential, "type"))
        result.keyPair = keyPair(credential)
        if let secret = credential["secret"], !secret.isNull { result.secret = reference(secret, "'secret'") }
        result.kopiaServerSecret = kopiaServerSecret(credential)
        checkCredential(result, location: location, at: key)
        return result
    }

    private mutating func keyPair(_ credential: YAMLMapping) -> Profile.KeyPair? {
        guard let fields = mapping(credential, "keyPair") else { return nil }
        checkFields(fields, of: "a keyPair", known: ["idField", "secretField", "secret"])
        let secret = fields["secret"].flatMap { $0.isNull ? nil : $0 }.map { reference($0, "'secret'") }
        return Profile.KeyPair(
            idField: text(fields, "idField"), secretField: text(fields, "secretField"),
            secret: secret ?? ObjectReference())
    }

    private mutating func kopiaServerSecret(_ credential: YAMLMapping) -> Profile.KopiaServerSecret? {
        guard let fields = mapping(credential, "kopiaServerSecret") else { return nil }
        checkFields(
            fields, of: "a kopiaServerSecret",
            known: ["username", "hostname", "userPassphrase", "tlsCert", "connectOptions"])
        var result = Profile.KopiaServerSecret(username: text(fields, "username"), hostname: text(fields, "hostname"))
        result.userPassphrase = secretKey(fields, "userPassphrase")
        result.tlsCert = secretKey(fields, "tlsCert")
        for entry in mapping(fields, "connectOptions")?.entries ?? [] {
            guard let value = entry.value.scalar?.json.integerValue else {
                report(
                    "wrong-type", "'\(entry.name)' must be an integer, not \(entry.value.kindName)",
                    at: entry.value.range,
                    hint: "write a number without quotes")
                continue
            }
            result.connectOptions.append(.init(name: LocatedText(entry.name, node: entry.key), value: value))
        }
        return result
    }

    private mutating func secretKey(_ fields: YAMLMapping, _ name: String) -> Profile.SecretKey? {
        guard let key = mapping(fields, name) else { return nil }
        checkFields(key, of: "'\(name)'", known: ["key", "secret"])
        let place = fields.entry(name)?.key.range
        let secret =
            key["secret"].flatMap { $0.isNull ? nil : $0 }.map { reference($0, "'secret'") } ?? ObjectReference()
        checkSecret(secret, of: "'\(name)'", at: place)
        return Profile.SecretKey(
            key: requiredText(key, "key", of: "'\(name)'", at: place, hint: "name the key in the Secret"),
            secret: secret)
    }

    private mutating func checkSecret(_ secret: ObjectReference, of what: String, at place: SourceRange?) {
        for (name, text) in [("name", secret.name), ("namespace", secret.namespace)] where text.isEmpty {
            report(
                "missing-field", "Secret \(name) is empty in \(what)", at: text.range ?? secret.range ?? place,
                hint: "name the Secret: 'secret: {name: …, namespace: …}'")
        }
    }

    /// The wording is Kanister's, `pkg/validate/validate.go`, where it has one.
    private mutating func checkCredential(
        _ credential: Profile.Credential, location: Profile.Location, at key: SourceRange
    ) {
        guard let kind = credential.kind else {
            let known = Profile.Credential.Kind.allCases.map(\.rawValue)
            return report(
                "credential-type", "Unsupported credential type '\(credential.type)'", at: credential.type.range ?? key,
                hint: nearMissHint(for: credential.type.text, among: known) ?? "known types: "
                    + known.joined(separator: ", "))
        }
        switch kind {
        case .keyPair: checkKeyPair(credential, at: key)
        case .secret: checkSecret(credential.secret ?? ObjectReference(), of: "'secret'", at: key)
        case .kopia: checkKopia(credential, location: location, at: key)
        }
        guard let locationKind = location.kind else { return }
        let isKopia = locationKind == .kopia || locationKind == .filesystem
        if isKopia != (kind == .kopia) {
            let wanted = isKopia ? "kopia" : "keyPair or secret"
            report(
                "credential-type",
                "location type '\(location.type)' does not go with credential type '\(credential.type)'",
                at: credential.type.range ?? key, hint: "it needs credential type \(wanted)")
        } else if locationKind == .gcs, kind == .secret {
            report(
                "credential-type", "location type 'gcs' works with credential type 'keyPair' only",
                at: credential.type.range ?? key, hint: "kando crashes on a 'secret' credential for gcs")
        }
    }

    private mutating func checkKeyPair(_ credential: Profile.Credential, at key: SourceRange) {
        let pair = credential.keyPair ?? Profile.KeyPair(idField: "", secretField: "", secret: ObjectReference())
        if pair.secret.name.isEmpty {
            report(
                "missing-field", "Secret for bucket credentials not specified", at: pair.secret.range ?? key,
                hint: "add 'keyPair.secret' with name and namespace")
        }
        if pair.idField.isEmpty || pair.secretField.isEmpty {
            report(
                "missing-field", "Secret field or id field empty", at: pair.secret.range ?? key,
                hint: "'idField' and 'secretField' name the two keys of the Secret")
        }
    }

    private mutating func checkKopia(_ credential: Profile.Credential, location: Profile.Location, at key: SourceRange)
    {
        let secret = credential.kopiaServerSecret ?? Profile.KopiaServerSecret()
        var missing: [String] = []
        if secret.userPassphrase == nil { missing.append("userPassphrase") }
        if location.kind == .kopia {
            if secret.username.isEmpty { missing.append("username") }
            if secret.hostname.isEmpty { missing.append("hostname") }
            if secret.tlsCert == nil { missing.append("tlsCert") }
        }
        for name in missing {
            report(
                "missing-field", "credential type 'kopia' has no 'kopiaServerSecret.\(name)'", at: key,
                hint: name == "userPassphrase" ? "it names the Secret that holds the password" : nil)
        }
    }
}
