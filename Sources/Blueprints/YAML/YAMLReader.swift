internal import CYaml
public import Diagnostics

/// What a text may build before it is refused. The defaults are far above anything a cluster would store.
public struct YAMLLimits: Sendable {
    /// Size of the text.
    public var bytes: Int
    /// Nested lists and mappings, those reached through aliases included.
    public var depth: Int
    /// Nodes of one file with every alias expanded; so a "billion laughs" costs nothing.
    public var nodes: Int
    /// Bytes of all scalars with every alias expanded.
    public var expandedBytes: Int

    public init(
        bytes: Int = 16 << 20, depth: Int = 100, nodes: Int = 400_000, expandedBytes: Int = 64 << 20
    ) {
        self.bytes = bytes
        self.depth = depth
        self.nodes = nodes
        self.expandedBytes = expandedBytes
    }
}

/// Reads every document of a YAML file. Documents before a syntax error are given, those after it cannot be read.
/// Documents without content are left out.
///
/// Memory: about 300 bytes a node on top of the text; `limits` bound it.
public func readYAML(
    _ source: SourceFile, limits: YAMLLimits = YAMLLimits()
) -> (documents: [YAMLNode], diagnostics: [Diagnostic]) {
    if let offset = source.firstInvalidOffset {
        let problem = Diagnostic(
            rule: "yaml-encoding", "the file is not text: there is a byte that is not UTF-8",
            at: source.range(offset..<min(offset + 1, source.bytes.count)), hint: "save the file as UTF-8")
        return ([], [problem])
    }
    guard source.bytes.count <= limits.bytes else {
        let problem = Diagnostic(
            rule: "yaml-limit", "the file has \(source.bytes.count) bytes, the limit is \(limits.bytes)",
            at: source.range(0..<0), hint: "Kubernetes stores at most 1.5 MB in one object; split the file")
        return ([], [problem])
    }
    var builder = YAMLBuilder(source: source, limits: limits)
    readEvents(of: source, into: &builder)
    guard !builder.diagnostics.isEmpty else { return (builder.documents, []) }
    // What YAML makes of a Helm template means nothing: one sentence is all there is to say.
    if let helm = builder.diagnostics.first(where: { $0.rule == "yaml-helm-template" }) { return ([], [helm]) }
    let secrets = SecretDocuments(source)
    return (builder.documents, builder.diagnostics.map { secrets.redact($0, source: source) })
}

private func readEvents(of source: SourceFile, into builder: inout YAMLBuilder) {
    let start = source.bytes.starts(with: [0xef, 0xbb, 0xbf]) ? 3 : 0
    var places = CharacterPlaces(bytes: source.bytes, start: start)
    source.bytes.withUnsafeBufferPointer { buffer in
        guard let base = buffer.baseAddress else { return }
        var parser = yaml_parser_t()
        guard yaml_parser_initialize(&parser) == 1 else { return builder.fail("there is not enough memory to read it") }
        defer { yaml_parser_delete(&parser) }
        yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING)
        yaml_parser_set_input_string(&parser, base + start, buffer.count - start)
        while !builder.isStopped {
            var event = yaml_event_t()
            guard yaml_parser_parse(&parser, &event) == 1 else {
                return builder.fail(YAMLSyntaxError(parser, source: source, start: start, places: &places))
            }
            defer { yaml_event_delete(&event) }
            if event.type == YAML_STREAM_END_EVENT || event.type == YAML_NO_EVENT { return }
            let from = places.offset(of: event.start_mark.index)
            let to = places.offset(of: event.end_mark.index)
            builder.observe(event, offsets: from..<max(from, to))
        }
    }
}

/// Turns libyaml's character counts into byte offsets. Marks come in nearly rising order, so a cursor that steps back
/// and forth makes all of them together linear.
struct CharacterPlaces {
    private let bytes: [UInt8]
    private var character = 0
    private var offset: Int

    init(bytes: [UInt8], start: Int) {
        self.bytes = bytes
        self.offset = start
    }

    mutating func offset(of index: Int) -> Int {
        while character < index, offset < bytes.count {
            offset += 1
            while offset < bytes.count, bytes[offset] & 0xc0 == 0x80 { offset += 1 }
            character += 1
        }
        while character > index, offset > 0 {
            offset -= 1
            while offset > 0, bytes[offset] & 0xc0 == 0x80 { offset -= 1 }
            character -= 1
        }
        return offset
    }
}
