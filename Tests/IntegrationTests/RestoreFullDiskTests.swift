import Glibc
import ProcessIO
import Testing

extension IntegrationTests {
    /// The server's disk runs full for real: ENOSPC, SQLSTATE 53100.
    struct RestoreFullDisk {
        /// A file system of its own needs root, and a container may keep even root from mounting.
        static let mayMount: Bool = {
            var template = Array("/tmp/karaffe-mount.XXXXXX".utf8CString)
            guard geteuid() == 0, mkdtemp(&template) != nil else { return false }
            let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
            defer { rmdir(path) }
            guard mount("tmpfs", path, "tmpfs", 0, "size=64k") == 0 else { return false }
            return umount2(path, 0) == 0
        }()

        /// Where the tables of a restore go: a tablespace inside the primary's folder on a file system of its own. The standby
        /// has a folder of the same name, on the large disk.
        private func withTablespace(
            _ scene: RestoreScene, size: String, _ body: (_ resize: (String) throws -> Void) async throws -> Void
        ) async throws {
            let pair = scene.pair
            try await pair.superuser("SET allow_in_place_tablespaces = on; CREATE TABLESPACE narrow LOCATION ''")
            let oid = try await pair.superuser("SELECT oid FROM pg_tablespace WHERE spcname = 'narrow'").trimmed
            let folder = "\(pair.folder)/pair/primary/pg_tblspc/\(oid)"
            let version = try await Program(path: "/bin/ls").succeed([folder]).trimmed
            try #require(mount("tmpfs", folder, "tmpfs", 0, "size=\(size),mode=0777") == 0, "errno \(errno)")
            do {
                try await pair.asServerUser(["/bin/mkdir", "-m", "700", "\(folder)/\(version)"])
                try await pair.superuser(
                    """
                    GRANT CREATE ON TABLESPACE narrow TO \(scene.name)admin;
                    ALTER ROLE \(scene.name)admin SET default_tablespace = 'narrow'
                    """)
                try await body { size in
                    let code = mount("tmpfs", folder, "tmpfs", UInt(MS_REMOUNT), "size=\(size)")
                    try #require(code == 0, "errno \(errno)")
                }
                try await pair.superuser("DROP DATABASE IF EXISTS \(scene.database) WITH (FORCE)")
            } catch {
                umount2(folder, Int32(MNT_DETACH))
                throw error
            }
            umount2(folder, Int32(MNT_DETACH))
            try await pair.superuser(
                "REVOKE CREATE ON TABLESPACE narrow FROM \(scene.name)admin; DROP TABLESPACE narrow")
        }

        @Test(.enabled(if: mayMount, "mounting a file system needs root"))
        func nothingIsLostAndALargerDiskIsEnough() async throws {
            try await RestoreScene.with("narrow", rows: 60_000) { bench, scene in
                try await scene.pair.sql("DELETE FROM items WHERE id > 100", database: scene.database)
                let before = try await scene.pair.itemsHash("narrow")
                try await withTablespace(scene, size: "4m") { resize in
                    let failed = try await scene.runner.run(scene.arguments)
                    #expect(failed.exit == .exited(4), "\(failed.testDescription)")
                    for message in [
                        "No space left on device", "SQLSTATE: 53100", "statement: COPY ",
                        "hint: the server has no room: enlarge its storage",
                    ] {
                        #expect(failed.errors.contains(message), "\(failed.errors)")
                    }
                    #expect(try await scene.pair.itemsHash("narrow") == before)
                    #expect(try await scene.leftovers() == "")

                    // Room for the rows, not for what is built on them.
                    try resize("9m")
                    let later = try await scene.runner.run(scene.arguments)
                    #expect(later.exit == .exited(4), "\(later.testDescription)")
                    #expect(later.errors.contains("SQLSTATE: 53100"), "\(later.errors)")
                    #expect(later.errors.contains("statement: ALTER TABLE ONLY "), "\(later.errors)")
                    #expect(try await scene.pair.itemsHash("narrow") == before)
                    #expect(try await scene.leftovers() == "")

                    try resize("64m")
                    let again = try await scene.runner.run(scene.arguments)
                    #expect(again.exit == .exited(0), "\(again.testDescription)")
                    #expect(try await scene.pair.itemsHash("narrow") == scene.hash)
                    #expect(try await scene.leftovers() == "")
                }
            }
        }
    }
}
