internal import CYaml
internal import Diagnostics

/// Puts libyaml's events together to nodes: aliases, merge keys, duplicate keys, limits. Needs no recursion.
struct YAMLBuilder {
    private(set) var documents: [YAMLNode] = []
    private(set) var diagnostics: [Diagnostic] = []
    /// True once going on would only repeat the problem.
    private(set) var isStopped = false

    let source: SourceFile
    private let limits: YAMLLimits
    private var frames: [Frame] = []
    private var anchors: [[UInt8]: YAMLNode] = [:]
    private var nodeCount = 0
    private var byteCount = 0

    private struct Frame {
        let isMapping: Bool
        let start: Int
        let anchor: String?
        let tag: String?
        /// The items of a sequence, or keys and values in turn.
        var nodes: [YAMLNode] = []
    }

    init(source: SourceFile, limits: YAMLLimits) {
        self.source = source
        self.limits = limits
    }

    mutating func observe(_ event: yaml_event_t, offsets: Range<Int>) {
        switch event.type {
        case YAML_DOCUMENT_START_EVENT:
            anchors = [:]
            if let version = event.data.document_start.version_directive, version.pointee.minor != 1 {
                report(
                    "yaml-version",
                    "Kubernetes reads YAML 1.1 only, not \(version.pointee.major).\(version.pointee.minor)",
                    offsets, hint: "remove the '%YAML' line")
            }
        case YAML_SCALAR_EVENT: scalar(event.data.scalar, offsets)
        case YAML_ALIAS_EVENT: alias(text(event.data.alias.anchor) ?? "", offsets)
        case YAML_SEQUENCE_START_EVENT:
            let data = event.data.sequence_start
            open(
                Frame(isMapping: false, start: offsets.lowerBound, anchor: text(data.anchor), tag: text(data.tag)),
                offsets)
        case YAML_MAPPING_START_EVENT:
            let data = event.data.mapping_start
            open(
                Frame(isMapping: true, start: offsets.lowerBound, anchor: text(data.anchor), tag: text(data.tag)),
                offsets)
        case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT: close(offsets)
        default: break
        }
    }

    mutating func fail(_ error: YAMLSyntaxError) {
        let isKnown = diagnostics.contains {
            $0.rule == error.diagnostic.rule && $0.range?.start == error.diagnostic.range?.start
        }
        if !isKnown { diagnostics.append(error.diagnostic) }
        isStopped = true
    }

    mutating func fail(_ message: String) {
        diagnostics.append(Diagnostic(rule: "yaml-limit", message, at: source.range(0..<0)))
        isStopped = true
    }

    private mutating func report(
        _ rule: String, _ message: String, _ offsets: Range<Int>, severity: Severity = .error, hint: String? = nil
    ) {
        diagnostics.append(Diagnostic(severity, rule: rule, message, at: source.range(offsets), hint: hint))
    }

    private func text(_ pointer: UnsafeMutablePointer<yaml_char_t>?) -> String? {
        pointer.map { String(cString: $0) }
    }

    private mutating func open(_ frame: Frame, _ offsets: Range<Int>) {
        guard frames.count < limits.depth else {
            report("yaml-limit", "lists and mappings are nested more than \(limits.depth) levels deep", offsets)
            isStopped = true
            return
        }
        frames.append(frame)
    }

    private mutating func scalar(
        _ data: yaml_event_s.__Unnamed_union_data.__Unnamed_struct_scalar, _ offsets: Range<Int>
    ) {
        let text = String(decoding: UnsafeBufferPointer(start: data.value, count: data.length), as: UTF8.self)
        let tag = self.text(data.tag)
        var value = YAMLResolver.resolve(text, tag: tag, isPlain: data.plain_implicit != 0)
        if value == nil {
            let name = (tag ?? "").replacingPrefix(YAMLResolver.tagPrefix, with: "!!")
            report("yaml-tag", "'\(text.prefix(40))' does not fit its tag '\(name)'", offsets, hint: "remove the tag")
            value = .string(text)
        }
        if case .double(let number)? = value, !number.isFinite, !isAtKey {
            report(
                "yaml-number", "'\(text)' is no number JSON has, Kubernetes refuses it", offsets,
                hint: "put quotes around it if it is a text")
        }
        let scalar = YAMLScalar(text: text, style: Self.style(data.style), value: value ?? .string(text))
        if scalar.style == .doubleQuoted { checkEscapes(offsets) }
        finish(
            YAMLNode(content: .scalar(scalar), source: source, offsets: offsets, tag: tag),
            anchor: self.text(data.anchor))
    }

    private var isAtKey: Bool { frames.last.map { $0.isMapping && $0.nodes.count % 2 == 0 } ?? false }

    /// libyaml knows one escape more than the reader of Kubernetes.
    private mutating func checkEscapes(_ offsets: Range<Int>) {
        var position = offsets.lowerBound
        while position + 1 < offsets.upperBound {
            guard source.bytes[position] == UInt8(ascii: "\\") else {
                position += 1
                continue
            }
            if source.bytes[position + 1] == UInt8(ascii: "/") {
                report(
                    "yaml-escape", "Kubernetes does not know the escape '\\/'", position..<position + 2,
                    hint: "write '/'")
            }
            position += 2
        }
    }

    private static func style(_ style: yaml_scalar_style_t) -> YAMLScalar.Style {
        switch style {
        case YAML_SINGLE_QUOTED_SCALAR_STYLE: return .singleQuoted
        case YAML_DOUBLE_QUOTED_SCALAR_STYLE: return .doubleQuoted
        case YAML_LITERAL_SCALAR_STYLE: return .literal
        case YAML_FOLDED_SCALAR_STYLE: return .folded
        default: return .plain
        }
    }

    private mutating func alias(_ name: String, _ offsets: Range<Int>) {
        if var node = anchors[Array(name.utf8)] {
            node.aliasOffsets = offsets
            guard frames.count + node.size.height <= limits.depth + 1 else {
                report("yaml-limit", "with alias '*\(name)', nesting is more than \(limits.depth) levels deep", offsets)
                isStopped = true
                return
            }
            return attach(node)
        }
        if frames.contains(where: { $0.anchor == name }) {
            report("yaml-alias", "alias '*\(name)' stands inside the value of its own anchor '&\(name)'", offsets)
        } else {
            let known = anchors.keys.map { String(decoding: $0, as: UTF8.self) }.sorted()
            let hint =
                nearMissHint(for: name, among: known)
                ?? "an alias must come after its anchor '&\(name)' in the same document; quote a text that starts with '*'"
            report("yaml-alias", "there is no anchor '&\(name)' for alias '*\(name)'", offsets, hint: hint)
        }
        let missing = YAMLScalar(text: "", style: .plain, value: .null)
        attach(YAMLNode(content: .scalar(missing), source: source, offsets: offsets))
    }

    private mutating func close(_ offsets: Range<Int>) {
        guard let frame = frames.popLast() else { return }
        let range = frame.start..<max(frame.start, lastOffset(of: frame, end: offsets))
        let content: YAMLNode.Content = frame.isMapping ? .mapping(mapping(frame.nodes)) : .sequence(frame.nodes)
        finish(YAMLNode(content: content, source: source, offsets: range, tag: frame.tag), anchor: frame.anchor)
    }

    /// A block collection ends for libyaml where the next token starts; for people it ends with its last value.
    private func lastOffset(of frame: Frame, end: Range<Int>) -> Int {
        if !end.isEmpty { return end.upperBound }
        guard let last = frame.nodes.last else { return end.upperBound }
        return (last.aliasOffsets ?? last.offsets).upperBound
    }

    private mutating func finish(_ node: YAMLNode, anchor: String?) {
        if let anchor { anchors[Array(anchor.utf8)] = node }
        attach(node)
    }

    private mutating func attach(_ node: YAMLNode) {
        let offsets = node.aliasOffsets ?? node.offsets
        // A collection's parts were counted when they were attached; an alias brings all of its own at once.
        nodeCount += node.aliasOffsets == nil ? 1 : node.size.nodes
        if case .scalar = node.content {
            byteCount += node.size.bytes
        } else if node.aliasOffsets != nil {
            byteCount += node.size.bytes
        }
        guard nodeCount <= limits.nodes, byteCount <= limits.expandedBytes else {
            let what = nodeCount > limits.nodes ? "\(limits.nodes) values" : "\(limits.expandedBytes) bytes"
            report(
                "yaml-limit", "with all aliases expanded, the file has more than \(what)", offsets,
                hint: "use fewer aliases ('*name') of large values")
            isStopped = true
            return
        }
        guard frames.isEmpty else { return frames[frames.count - 1].nodes.append(node) }
        if !(node.isNull && node.offsets.isEmpty) { documents.append(node) }
    }

    // MARK: Mappings

    private mutating func mapping(_ nodes: [YAMLNode]) -> YAMLMapping {
        var mapping = YAMLMapping()
        for position in stride(from: 0, to: nodes.count - 1, by: 2) {
            let (key, value) = (nodes[position], nodes[position + 1])
            if isMerge(key) {
                merge(value, into: &mapping)
            } else if let name = keyName(key) {
                add(YAMLMapping.Entry(name: name, key: key, value: value, isMerged: false), to: &mapping)
            }
        }
        return mapping
    }

    private mutating func add(_ entry: YAMLMapping.Entry, to mapping: inout YAMLMapping) {
        guard let earlier = mapping.entry(entry.name), !earlier.isMerged else { return mapping.set(entry) }
        let line = source.position(at: earlier.key.offsets.lowerBound).line
        report(
            "yaml-duplicate-key", "'\(entry.name)' is there twice in the same mapping", entry.key.offsets,
            hint: "the first one is in line \(line); Kubernetes would silently use only the last one")
    }

    private func isMerge(_ key: YAMLNode) -> Bool {
        guard let scalar = key.scalar, scalar.text == "<<" else { return false }
        return scalar.style == .plain && key.tag == nil || key.tag == YAMLResolver.tagPrefix + "merge"
    }

    /// Kubernetes' reader merges where the merge key stands: it replaces what was written before it and is replaced by
    /// what comes after. In a list of mappings the earlier ones win.
    private mutating func merge(_ value: YAMLNode, into mapping: inout YAMLMapping) {
        // A list of mappings must be written out; behind an alias Kubernetes refuses it.
        let parts = value.aliasOffsets == nil ? value.sequence ?? [value] : [value]
        for part in parts.reversed() {
            guard let merged = part.mapping else {
                let found = part.sequence != nil && part.aliasOffsets != nil ? "an alias of a list" : part.kindName
                report(
                    "yaml-merge", "'<<' needs a mapping or a list of mappings, not \(found)",
                    part.aliasOffsets ?? part.offsets, hint: "write '<<: *name' with an anchor '&name' on a mapping")
                continue
            }
            for entry in merged.entries {
                if let earlier = mapping.entry(entry.name), !earlier.isMerged {
                    report(
                        "yaml-merge-order", "'<<' below it replaces this value of '\(entry.name)'",
                        earlier.key.offsets, severity: .warning,
                        hint: "Kubernetes' reader lets the later one win; put '<<' first")
                }
                let copy = YAMLMapping.Entry(name: entry.name, key: entry.key, value: entry.value, isMerged: true)
                mapping.set(copy)
            }
        }
    }

    private mutating func keyName(_ key: YAMLNode) -> String? {
        guard let scalar = key.scalar else {
            let isTemplate =
                source.bytes[key.offsets.lowerBound...].starts(with: "{".utf8)
                && key.offsets.lowerBound > 0 && source.bytes[key.offsets.lowerBound - 1] == UInt8(ascii: "{")
            if isTemplate {
                let range = key.offsets.lowerBound - 1..<min(key.offsets.upperBound + 1, source.bytes.count)
                diagnostics.append(YAMLSyntaxError.unquotedTemplate(at: range, source: source))
            } else {
                report("yaml-key", "\(key.kindName) cannot be a key", key.offsets, hint: "keys are texts; quote it")
            }
            return nil
        }
        switch scalar.value {
        case .string(let text): return text
        case .integer(let number): return String(number)
        case .double where YAMLResolver.isUnsigned(scalar.text):
            report(
                "yaml-key", "the number \(scalar.text) is too large for a key", key.offsets,
                hint: "put quotes around it")
            return nil
        case .double(let number): return GoFloat.text(number)
        case .bool(let flag):
            report(
                "yaml-boolean-key", "key '\(scalar.text)' is a boolean in YAML and is read as '\(flag)'",
                key.offsets, severity: .warning, hint: "put quotes around it")
            return flag ? "true" : "false"
        case .null:
            report(
                "yaml-key", "a key is empty", key.offsets, hint: "write a name before ':', or quotes for an empty one")
            return nil
        }
    }
}

extension String {
    fileprivate func replacingPrefix(_ prefix: String, with other: String) -> String {
        hasPrefix(prefix) ? other + dropFirst(prefix.count) : self
    }
}
