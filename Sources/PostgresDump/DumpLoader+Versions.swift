/// What dumps of newer servers hold and older ones do not know, beside settings (`DumpLoader.knownSettings`).
extension DumpStatement {
    /// The statement for a server; empty when it is left out there.
    ///
    /// - The privilege `MAINTAIN` exists from 17 on. `ALL` needs no change, as it means what the server has.
    /// - Statistics can be restored from 18 on; a restore makes new ones.
    ///
    /// Source: PostgreSQL `src/bin/pg_dump/dumputils.c` `buildACLCommands`, `pg_dump.c` `dumpRelationStats`.
    func text(targetMajor: Int) -> [UInt8] {
        if targetMajor < 18, isStatistics { return [] }
        return targetMajor < 17 ? withoutMaintain ?? text : text
    }

    private var isStatistics: Bool {
        let function = "SELECT * FROM pg_catalog.pg_restore_"
        guard text.starts(with: function.utf8) else { return false }
        return ["relation", "attribute", "extended"].contains {
            text.dropFirst(function.utf8.count).starts(with: "\($0)_stats(".utf8)
        }
    }

    /// `GRANT SELECT,MAINTAIN ON TABLE …`, `ALTER DEFAULT PRIVILEGES … GRANT MAINTAIN ON TABLES …`, `REVOKE …`; nil for a
    /// statement that has no such privilege.
    private var withoutMaintain: [UInt8]? {
        guard let start = privilegeListStart else { return nil }
        let list = text[start...].prefix { $0 != 0x20 }
        // A list of columns has blanks, and a table of which columns are granted has no MAINTAIN on them.
        let names = list.split(separator: 0x2c).map { String(decoding: $0, as: UTF8.self) }
        guard names.contains("MAINTAIN") else { return nil }
        let rest = names.filter { $0 != "MAINTAIN" }
        guard !rest.isEmpty else { return [] }
        return text[..<start] + Array(rest.joined(separator: ",").utf8) + text[list.endIndex...]
    }

    private var privilegeListStart: Int? {
        for verb in ["GRANT ", "REVOKE "] where text.starts(with: verb.utf8) { return verb.utf8.count }
        guard text.starts(with: "ALTER DEFAULT PRIVILEGES ".utf8) else { return nil }
        for verb in [" GRANT ", " REVOKE "] {
            // Names in front are quoted where they have blanks; the first verb outside quotes is the statement's.
            var isQuoted = false
            let bytes = Array(verb.utf8)
            for position in text.indices {
                if text[position] == 0x22 { isQuoted.toggle() }
                if !isQuoted, text[position...].starts(with: bytes) { return position + bytes.count }
            }
        }
        return nil
    }
}
