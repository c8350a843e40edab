import Glibc
import GoFormats
import KopiaBlob
import KopiaContent
import KopiaFormat
import KopiaManifest
import KopiaObject
import KopiaRepository
import KopiaSnapshot

/// Writes snapshots into a repository folder until it is killed, for the tests that kill it: `crash-writer FOLDER SEED`,
/// with the 32 bytes of the format key on standard input, so that no run spends its time on deriving it.
/// `crash-writer FOLDER SEED BYTES` makes one large pack, and kills itself as soon as it has written so much of it.
///
/// Prints `ready` once the repository is open and `published ID NUMBER` for each snapshot that `writeSnapshot` has
/// returned. Packs are tiny and streams protect themselves all the time, so that every kind of blob is written often.
@main
struct CrashWriter {
    static func main() async {
        do {
            let arguments = CommandLine.arguments.dropFirst()
            guard (2...3).contains(arguments.count), let seed = UInt64(arguments[2]) else {
                throw Failure("usage: crash-writer FOLDER SEED [BYTES]")
            }
            try await write(arguments[1], seed: seed, bytesMax: arguments.count == 3 ? Int64(arguments[3]) : nil)
        } catch {
            say("crash-writer: \(error)", on: STDERR_FILENO)
            exit(1)
        }
    }

    private struct Failure: Error, CustomStringConvertible {
        let description: String
        init(_ description: String) { self.description = description }
    }

    private static func write(_ folder: String, seed: UInt64, bytesMax: Int64?) async throws {
        var key = [UInt8](repeating: 0, count: 32)
        guard read(STDIN_FILENO, &key, key.count) == key.count else { throw Failure("no key on standard input") }
        let storage = WriterCountingStorage(try await FilesystemBlobStorage.open(path: folder)) { bytes in
            if let bytesMax, bytes >= bytesMax { kill(getpid(), SIGKILL) }
        }
        let format = try await RepositoryFormat.open(storage, formatKey: SecretBytes(key))
        let identity = RepositoryIdentity(userName: "crash", host: "writer")
        var options = LocalContentStore.Options(username: identity.userName, hostname: identity.host)
        options.packSize = bytesMax == nil ? CrashWork.packSize : CrashWork.largePackSize
        let contents = try await LocalContentStore.open(storage, format: format, options: options)
        let repository = Repository(
            contents: contents, manifests: ContentManifestStore(contents: contents),
            status: CrashWork.status(contents.defaultSplitter), identity: identity, access: .readWrite, parallelism: 2)
        say("ready")
        for number in 0..<1000 {
            let work = CrashWork(seed: seed, number: number, isLarge: bytesMax != nil)
            let written = try await work.write(to: repository)
            say("published \(written.snapshot.id) \(number) \(storage.writersMade)")
        }
    }

    private static func say(_ line: String, on descriptor: Int32 = STDOUT_FILENO) {
        let bytes = Array("\(line)\n".utf8)
        _ = Glibc.write(descriptor, bytes, bytes.count)
    }
}
