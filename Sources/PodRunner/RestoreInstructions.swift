import KopiaRepository
import PostgresDump

/// `RESTORE.md`: the way back with stock kopia and psql alone, with the names of this backup.
enum RestoreInstructions {
    static func text(record: BackupRecord, source: SnapshotSource) -> String {
        let database = record.database.name
        let create = record.database.createStatement(
            name: database, owner: record.database.owner, targetMajor: record.serverMajor)
        let finish = record.database.finishingStatements(database: database, owner: record.database.owner) { _ in true }
        let finishing = finish.isEmpty ? "" : "\n" + finish.map { "\($0);" }.joined(separator: "\n")
        let extensions = record.extensions.map(\.name).filter { $0 != "plpgsql" }
        let needs = extensions.isEmpty ? "none beside the standard one" : extensions.joined(separator: ", ")
        return """
            # Restoring database \(database) by hand

            Made \(record.endTime) from PostgreSQL \(record.serverVersionText), position \(record.lsn). \
            Needed: kopia, psql of PostgreSQL \(record.serverMajor) or newer, an administrator of the target server.
            Extensions: \(needs).

            1. Connect kopia to the repository this file lies in (see `kopia repository connect --help`), then find the
               snapshot:

                   kopia snapshot list --all --tags=run:\(record.runID)

               It is a snapshot of `\(source)`.

            2. Bring its files here; `SNAPSHOT` is the object that the list shows (it begins with k):

                   kopia restore SNAPSHOT ./restored

            3. Create the roles that are missing, then give the application's role its password:

                   psql -X -v ON_ERROR_STOP=1 -d postgres -f restored/\(BackupRecord.rolesFileName)
                   psql -X -d postgres -c '\\password ROLE'

            4. Create the database as it was. If one of that name is there, rename it first (ALTER DATABASE … RENAME TO …) and
               drop it when all is well:

                   psql -X -v ON_ERROR_STOP=1 -d postgres <<'SQL'
            \(indented(create + ";"))
                   SQL

            5. Restore. On a server older than the one that was dumped, psql may stop at a SET of a setting the server does
               not know; take that line out and repeat from step 4. A psql that does not know \\restrict needs the lines
               \\restrict and \\unrestrict taken out: only do that with a dump you trust.

                   psql -X -v ON_ERROR_STOP=1 -d \(shellQuoted(database)) -f \(shellQuoted("restored/" + record.dumpFile))

            6. Settings and privileges of the database itself\(finishing.isEmpty ? ": none were changed." : ":")
            \(finishing.isEmpty ? "" : "\n       psql -X -v ON_ERROR_STOP=1 -d postgres <<'SQL'" + indented(finishing) + "\n       SQL")

            7. ANALYZE the database. \(BackupRecord.fileName) has the rows of every table (tables, digests) to compare with.

            An administrator that is no superuser has to be a member of the roles that own objects before step 4:
            `GRANT role TO CURRENT_USER`. If psql stops at an OWNER TO with "permission denied for schema", that role may not
            create in the schema: GRANT CREATE ON SCHEMA … TO it, repeat, and REVOKE it at the end.

            """
    }

    private static func indented(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { $0.isEmpty ? "" : "       \($0)" }
            .joined(separator: "\n")
    }

    static func shellQuoted(_ text: String) -> String {
        let plain = text.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
                || "_-./".utf8.contains(byte)
        }
        if plain, !text.isEmpty { return text }
        return "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}
