public import Diagnostics

/// One node of a YAML document, with its place in the file. Aliases are already replaced by what they stand for and
/// merge keys (`<<`) are already merged; such nodes keep the place where they were written out.
///
/// Concurrency and memory: a plain value sharing its parts; expanding an alias costs nothing until it is walked, and
/// `YAMLLimits` bounds how much walking there can be.
public struct YAMLNode: Sendable, Hashable {
    public enum Content: Sendable, Hashable {
        case scalar(YAMLScalar)
        case sequence([YAMLNode])
        case mapping(YAMLMapping)
    }

    public var content: Content
    /// The file this node was read from; an empty text for nodes made by a program.
    public let source: SourceFile
    /// UTF-8 offsets in `source`, anchor and tag included. Empty where a value was left out (`key:`).
    public let offsets: Range<Int>
    /// Where the alias (`*name`) stands that this node was taken from; nil for a node written in place.
    public internal(set) var aliasOffsets: Range<Int>?
    /// An explicit tag, in its long form (`tag:yaml.org,2002:str`).
    public let tag: String?
    /// How much there is to walk below and including this node, every alias counted in full.
    let size: Size

    struct Size: Sendable, Hashable {
        var nodes = 1
        var bytes = 0
        var height = 1
    }

    init(content: Content, source: SourceFile, offsets: Range<Int>, tag: String? = nil) {
        self.content = content
        self.source = source
        self.offsets = offsets
        self.tag = tag
        self.size = Self.measure(content)
    }

    /// Where the node is written.
    public var range: SourceRange { source.range(offsets) }

    public var scalar: YAMLScalar? {
        if case .scalar(let scalar) = content { return scalar }
        return nil
    }

    public var sequence: [YAMLNode]? {
        if case .sequence(let items) = content { return items }
        return nil
    }

    public var mapping: YAMLMapping? {
        if case .mapping(let mapping) = content { return mapping }
        return nil
    }

    /// The value of a key of a mapping; nil for anything else or when absent.
    public subscript(_ key: String) -> YAMLNode? { mapping?[key] }

    /// True for `null`, `~` and a value that was left out.
    public var isNull: Bool { scalar?.value == .null }

    /// The text of a string scalar; nil for anything else, numbers and booleans included.
    public var string: String? {
        if case .string(let text)? = scalar?.value { return text }
        return nil
    }

    /// The kind of value in the words of a message: `a string`, `a list`, `nothing`.
    public var kindName: String {
        switch content {
        case .sequence: return "a list"
        case .mapping: return "a mapping"
        case .scalar(let scalar):
            switch scalar.value {
            case .null: return "nothing"
            case .bool: return "a boolean"
            case .integer, .double: return "a number"
            case .string: return "a string"
            }
        }
    }

    private static func measure(_ content: Content) -> Size {
        var size = Size()
        func add(_ child: Size) {
            size.nodes = saturating(size.nodes, child.nodes)
            size.bytes = saturating(size.bytes, child.bytes)
            size.height = max(size.height, child.height + 1)
        }
        switch content {
        case .scalar(let scalar): size.bytes = scalar.text.utf8.count
        case .sequence(let items): for item in items { add(item.size) }
        case .mapping(let mapping):
            for entry in mapping.entries {
                add(entry.key.size)
                add(entry.value.size)
            }
        }
        return size
    }
}

private func saturating(_ left: Int, _ right: Int) -> Int {
    let (sum, overflow) = left.addingReportingOverflow(right)
    return overflow ? .max : sum
}

/// A scalar: its decoded text and the value Kubernetes takes it for.
public struct YAMLScalar: Sendable, Hashable {
    public enum Style: Sendable, Hashable {
        case plain
        case singleQuoted
        case doubleQuoted
        /// `|`
        case literal
        /// `>`
        case folded
    }

    public enum Value: Sendable, Hashable {
        case null
        case bool(Bool)
        case integer(Int64)
        /// Any other number, infinities and NaN included; unsigned integers above `Int64.max` too, as they arrive in
        /// Kanister.
        case double(Double)
        case string(String)
    }

    /// Decoded: escapes replaced, lines folded, indentation removed.
    public let text: String
    public let style: Style
    public let value: Value
}

/// A mapping in the order of the file. Keys are unique: a repeated one is an error and the first one is kept.
public struct YAMLMapping: Sendable, Hashable {
    public struct Entry: Sendable, Hashable {
        /// The key as it arrives in JSON: `true` for `on`, `8080` for `8080`.
        public let name: String
        public let key: YAMLNode
        public var value: YAMLNode
        /// True when the entry came in through a merge key.
        public let isMerged: Bool
    }

    public private(set) var entries: [Entry] = []
    // By bytes, because Swift takes canonically equivalent strings for equal and YAML does not.
    private var index: [[UInt8]: Int] = [:]

    public init() {}

    public var count: Int { entries.count }
    public var isEmpty: Bool { entries.isEmpty }
    public var names: [String] { entries.map(\.name) }

    public subscript(_ name: String) -> YAMLNode? { entry(name)?.value }

    public func entry(_ name: String) -> Entry? { position(of: name).map { entries[$0] } }

    /// Adds an entry, or replaces the one of that name in place.
    mutating func set(_ entry: Entry) {
        if let position = position(of: entry.name) {
            entries[position] = entry
            return
        }
        entries.append(entry)
        if entries.count == 17 {
            for (position, entry) in entries.enumerated() { index[Array(entry.name.utf8)] = position }
        } else if entries.count > 17 {
            index[Array(entry.name.utf8)] = entries.count - 1
        }
    }

    private func position(of name: String) -> Int? {
        if entries.count > 16 { return index[Array(name.utf8)] }
        return entries.firstIndex { $0.name.utf8.elementsEqual(name.utf8) }
    }
}
