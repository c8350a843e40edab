public import Diagnostics

extension YAMLNode {
    /// Where a stretch of a scalar's decoded text, in UTF-8 offsets of `scalar.text`, is written in the file: escapes,
    /// folding and indentation accounted for. The whole node for anything but a scalar.
    ///
    /// Cost: reads the scalar once more; meant for diagnostics. To map many places of one scalar, keep `textMap`.
    public func range(ofUTF8 offsets: Range<Int>) -> SourceRange {
        guard let map = textMap else { return range }
        return source.range(map.sourceOffsets(offsets))
    }

    /// How the decoded text of a scalar lies in the file; nil for other nodes and for those a program made.
    public var textMap: YAMLTextMap? {
        guard let scalar, !source.bytes.isEmpty else { return nil }
        return YAMLTextMap(scalar, source: source, offsets: offsets)
    }
}
