/// One table of a dump: the statements that make it, its rows, indexes, constraints, sequences it owns.
public struct DumpSelection: Sendable {
    func includes(_ statement: DumpStatement) -> Bool { true }
}
