public import Diagnostics

/// Reads every document of a file. All problems of all documents are in `diagnostics`; a document that cannot be
/// understood at all is left out of `manifests`, one with smaller problems is there as far as it goes.
///
/// Does no I/O and never traps, whatever the bytes. Memory: as `readYAML`.
public func readManifests(
    _ source: SourceFile, limits: YAMLLimits = YAMLLimits()
) -> (manifests: [Manifest], diagnostics: [Diagnostic]) {
    let (documents, problems) = readYAML(source, limits: limits)
    var reader = ManifestReader(problems)
    var manifests: [Manifest] = []
    for document in documents { manifests += reader.manifests(in: document) }
    if documents.isEmpty, problems.isEmpty {
        reader.report("empty-file", "there is nothing in the file", at: source.range(0..<0))
    }
    return (manifests, reader.collector.sorted)
}

/// Reads a file that holds exactly one Blueprint; other kinds beside it are allowed. Nil, with at least one error among
/// the diagnostics, when there is none.
public func readBlueprint(_ source: SourceFile) -> (blueprint: Blueprint?, diagnostics: [Diagnostic]) {
    let (found, diagnostics) = readOnly(Blueprint.kind, source) { manifest in
        if case .blueprint(let blueprint) = manifest { return blueprint }
        return nil
    }
    return (found, diagnostics)
}

/// As `readBlueprint`, for an ActionSet.
public func readActionSet(_ source: SourceFile) -> (actionSet: ActionSet?, diagnostics: [Diagnostic]) {
    let (found, diagnostics) = readOnly(ActionSet.kind, source) { manifest in
        if case .actionSet(let actionSet) = manifest { return actionSet }
        return nil
    }
    return (found, diagnostics)
}

/// As `readBlueprint`, for a Profile.
public func readProfile(_ source: SourceFile) -> (profile: Profile?, diagnostics: [Diagnostic]) {
    let (found, diagnostics) = readOnly(Profile.kind, source) { manifest in
        if case .profile(let profile) = manifest { return profile }
        return nil
    }
    return (found, diagnostics)
}

private func readOnly<Wanted>(
    _ kind: String, _ source: SourceFile, _ select: (Manifest) -> Wanted?
) -> (Wanted?, [Diagnostic]) {
    let (manifests, diagnostics) = readManifests(source)
    let found = manifests.compactMap(select)
    if found.count == 1 { return (found[0], diagnostics) }
    if found.isEmpty, diagnostics.contains(where: { $0.severity == .error }) { return (nil, diagnostics) }
    var collector = DiagnosticCollector()
    collector.append(contentsOf: diagnostics)
    let kinds = manifests.map(\.kind).joined(separator: ", ")
    let message =
        found.isEmpty
        ? "the file has no \(kind), only: \(kinds)"
        : "the file has \(found.count) documents of kind \(kind), one is wanted"
    collector.append(
        Diagnostic(
            rule: "wrong-kind", message, at: source.range(0..<0),
            hint: found.isEmpty ? "give the file that has the \(kind)" : "put each into a file of its own"))
    return (found.first, collector.sorted)
}
