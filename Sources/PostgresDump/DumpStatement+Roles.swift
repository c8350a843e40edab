/// Statements of a dump that name roles or objects which the connected role has no power over.
extension DumpStatement {
    /// The statement as a role can run it that is no superuser.
    ///
    /// What somebody granted who is not the owner, pg_dump wraps into `SET SESSION AUTHORIZATION grantor`, which only a
    /// superuser may say. `SET role` does the same for a GRANT, and a restore has joined the roles of the dump. `=` and
    /// DEFAULT in place of `SET ROLE` and `RESET ROLE`, so that `SessionSettings` takes one for the end of the other.
    ///
    /// Source: PostgreSQL `src/bin/pg_dump/dumputils.c` `buildACLCommands`, `pg_backup_archiver.c` `_doSetSessionAuth`.
    var actingAsRole: DumpStatement {
        var statement = self
        let text = head
        let set = "SET SESSION AUTHORIZATION "
        if text == "RESET SESSION AUTHORIZATION;" || text == set + "DEFAULT;" {
            statement.text = Array("SET role = DEFAULT;".utf8)
        } else if text.hasPrefix(set) {
            statement.text = Array("SET role = ".utf8) + self.text.dropFirst(set.utf8.count)
        }
        return statement
    }
}

extension PostgresClient {
    /// Whether a statement grants or revokes on something that the server or an extension brings: pg_dump has what differs from
    /// how that came, and the object belongs to the server's superuser, who alone may grant on it.
    ///
    /// - Throws: `PostgresError`.
    func isGrantOnForeignObject(_ statement: DumpStatement) async throws -> Bool {
        guard let entry = statement.entry, entry.type == "ACL",
            statement.head.hasPrefix("GRANT ") || statement.head.hasPrefix("REVOKE ")
        else { return false }
        // A language has no schema: `LANGUAGE plpgsql`.
        if entry.name.hasPrefix("LANGUAGE ") { return true }
        guard let schema = entry.schema else { return false }
        if ["pg_catalog", "information_schema"].contains(schema) { return true }
        // `FUNCTION crypt(text, text)`, `TABLE pg_stat_statements`, `COLUMN pg_stat_statements.query`.
        guard let space = entry.name.firstIndex(of: " ") else { return false }
        guard let name = SQLText.leadingIdentifier(entry.name[space...].dropFirst())?.name else { return false }
        let (catalog, column, schemaColumn) =
            switch entry.name[..<space] {
            case "FUNCTION", "PROCEDURE", "AGGREGATE": ("pg_proc", "proname", "pronamespace")
            case "TABLE", "SEQUENCE", "COLUMN": ("pg_class", "relname", "relnamespace")
            case "TYPE", "DOMAIN": ("pg_type", "typname", "typnamespace")
            default: ("", "", "")
            }
        guard !catalog.isEmpty else { return false }
        // All of the name, for a function may have namesakes that are not the extension's.
        return try await query(
            """
            SELECT count(*) > 0 AND count(*) = count(d.objid) AS belongs FROM pg_catalog.\(catalog) o
            JOIN pg_catalog.pg_namespace n ON n.oid = o.\(schemaColumn)
            LEFT JOIN pg_catalog.pg_depend d ON d.objid = o.oid AND d.deptype = 'e'
              AND d.classid = 'pg_catalog.\(catalog)'::pg_catalog.regclass
            WHERE n.nspname = $1 AND o.\(column) = $2
            """, [schema, name]
        ).single().bool("belongs")
    }
}
