import GoFormats

/// A value of the effective policy and who set it; nil for kopia's built-in default.
public struct PolicySetting<Value: Sendable & Hashable>: Sendable, Hashable {
    public let value: Value
    public let origin: PolicyTarget?
}

/// What holds for one source: its own policies, those of the folders above, of its user, its host, and the global one;
/// the first that defines a value wins. A policy with `noParent` ends the chain, built-in defaults included.
///
/// Source: kopia `snapshot/policy/policy_tree.go`, `policy_merge.go`; `kopia-format` §6.9.
public struct EffectivePolicy: Sendable, Hashable {
    /// From the most special one on.
    let layers: [Policy]
    let hasDefaults: Bool

    /// - Parameter policies: all of the repository, oldest first. Several for one target should not be; kopia then takes
    ///   the older ones first, and so does this.
    public init(of source: SnapshotSource, policies: [Policy]) {
        var layers: [Policy] = []
        var hasDefaults = true
        search: for target in PolicyTarget.layers(of: source) {
            for policy in policies where policy.target == target {
                layers.append(policy)
                if policy.hasNoParent {
                    hasDefaults = false
                    break search
                }
            }
        }
        self.layers = layers
        self.hasDefaults = hasDefaults
    }

    /// Name of the compressor for files; `none` when unset.
    public var compressor: PolicySetting<String> {
        first("compression", "compressorName", \.stringValue) ?? PolicySetting(value: "none", origin: nil)
    }

    /// Somebody chose a compressor for files, or chose to have none. The `none` of the global policy is no choice: kopia writes
    /// it into every new repository itself.
    public var choosesCompressor: Bool {
        let setting = compressor
        return setting.origin != nil && !(setting.origin == .global && setting.value == "none")
    }

    /// Name of the compressor for directories and tables.
    public var metadataCompressor: PolicySetting<String> {
        first("metadataCompression", "compressorName", \.stringValue)
            ?? PolicySetting(value: "zstd-fastest", origin: nil)
    }

    /// Nil: the repository's.
    public var splitter: PolicySetting<String>? { first("splitter", "algorithm", \.stringValue) }

    /// Snapshots are made by hand, not by a schedule.
    public var isManual: PolicySetting<Bool> {
        first("scheduling", "manual", \.boolValue) ?? PolicySetting(value: false, origin: nil)
    }

    public var onlyCompress: [String] { union("onlyCompress", endedBy: "noParentOnlyCompress") }
    public var neverCompress: [String] { union("neverCompress", endedBy: "noParentNeverCompress") }

    public var retention: RetentionPolicy {
        func keep(_ key: String, _ standard: Int64) -> Int64? {
            first("retention", key, \.integerValue)?.value ?? (hasDefaults ? standard : nil)
        }
        return RetentionPolicy(
            keepLatest: keep("keepLatest", 10), keepHourly: keep("keepHourly", 48), keepDaily: keep("keepDaily", 7),
            keepWeekly: keep("keepWeekly", 4), keepMonthly: keep("keepMonthly", 24),
            keepAnnual: keep("keepAnnual", 3))
    }

    /// The compressor for one file.
    ///
    /// - Parameters:
    ///   - size: nil for a stream. kopia counts a stream as 0 bytes, so that any `minSize` switches its compression off; here
    ///     the size limits do not apply to streams.
    ///   - standard: where nobody chose one.
    /// - Returns: a name, `none` for no compression.
    public func compressor(forFileNamed name: String, size: Int64?, unlessChosen standard: String? = nil) -> String {
        let chosen = standard.flatMap { choosesCompressor ? nil : $0 } ?? compressor.value
        guard !chosen.isEmpty, chosen != "none" else { return "none" }
        if let size {
            if let least = first("compression", "minSize", \.integerValue)?.value, least > 0, size < least {
                return "none"
            }
            if let most = first("compression", "maxSize", \.integerValue)?.value, most > 0, size > most {
                return "none"
            }
        }
        let suffix = name.lastIndex(of: ".").map { String(name[$0...]) } ?? ""
        // As in kopia, `onlyCompress` protects its suffixes from `neverCompress` but does not exclude others.
        if onlyCompress.contains(suffix) { return chosen }
        return neverCompress.contains(suffix) ? "none" : chosen
    }

    private func first<Value: Sendable & Hashable>(
        _ section: String, _ key: String, _ read: (JSONValue) -> Value?
    ) -> PolicySetting<Value>? {
        for layer in layers {
            if let value = layer.value(section, key).flatMap(read) {
                if let text = value as? String, text.isEmpty { continue }
                return PolicySetting(value: value, origin: layer.target)
            }
        }
        return nil
    }

    private func union(_ key: String, endedBy flag: String) -> [String] {
        var all: Set<String> = []
        for layer in layers {
            for item in layer.value("compression", key)?.arrayValue ?? [] {
                item.stringValue.map { _ = all.insert($0) }
            }
            if layer.value("compression", flag)?.boolValue == true { break }
        }
        return all.sorted()
    }
}
