import KopiaServer
import KopiaSnapshot
import TestSupport
import Testing

@testable import KopiaRepository

/// Backups through a server that breaks at every request, in every way: each succeeds, with one snapshot that reads back,
/// or fails and leaves none.
@Suite(.enabled(if: KopiaServerDouble.isWanted, "run .ci/install-python-tools"), .serialized, .timeLimit(.minutes(10)))
struct ServerFaultTests {
    typealias Fault = KopiaServerDouble.Fault

    private static let double = Result { try KopiaServerDouble() }
    private static let source = ServerDouble.identity.source(path: "/kanister-backups")
    /// Nine chunks of the double's splitter, two of them the same.
    private static let bytes = SeededBytes.rnd(5, 7 << 17) + SeededBytes.rnd(5, 1 << 17) + SeededBytes.rnd(6, 1000)

    private let double: KopiaServerDouble

    init() throws { double = try Self.double.get() }

    /// - Returns: the error when the backup failed.
    private func backUp(_ options: ServerOptions = ServerDouble.options) async throws -> RepositoryError? {
        do {
            try await ServerDouble.with(double, options) { repository in
                _ = try await repository.writeSnapshot(of: Self.source) { writer in
                    var rest = Self.bytes[...]
                    try await writer.addFile("dump.sql") {
                        guard !rest.isEmpty else { return nil }
                        defer { rest = rest.dropFirst(60_000) }
                        return Array(rest.prefix(60_000))
                    }
                }
            }
            return nil
        } catch let error as ServerError {
            // Only the opening is outside of a repository here.
            return RepositoryError.translating(error) as? RepositoryError
        } catch let error as RepositoryError {
            return error
        }
    }

    /// What is published is whole, and there are so many snapshots.
    private func check(_ count: Int, _ fault: Fault?) async throws {
        let state = try double.state()
        #expect(state.snapshotCount == count, "\(fault?.description ?? "")")
        guard count > 0 else { return }
        try await ServerDouble.with(double, ServerDouble.options(for: fault)) { repository in
            let snapshots = try await repository.snapshots(includeIncomplete: true)
            #expect(snapshots.count == count)
            for snapshot in snapshots {
                let entry = try await repository.entry(at: "dump.sql", in: snapshot)
                let read = try await repository.openFile(entry).readAll(limit: 4 << 20)
                #expect(read == Self.bytes)
            }
            let report = try await repository.verify()
            #expect(report.problems == [])
        }
    }

    /// Ends of a session that a new one mends.
    static let mended = ["cut", "cut-after", "rst", "rst-after", "goaway", "nostatus", "lost", "twice"]

    /// Requests of a whole backup at least; a test holds it to be so many. Whether small contents are asked for depends on
    /// how many answers came before.
    static let requestCount = 28

    @Test func aBackupTakesSoManyRequests() async throws {
        try double.reset()
        #expect(try await backUp()?.message == nil)
        let state = try double.state()
        #expect((Self.requestCount...Self.requestCount + 3).contains(state.count("any")))
        #expect(state.count("write") == 10)
        #expect(state.sessions == 1)
        try await check(1, nil)
        // The second time at most what is small is sent: the rest of the file, its table, and the directory, which is new.
        #expect(try await backUp()?.message == nil)
        #expect((1...3).contains(try double.state().uploads - state.uploads))
        try await check(2, nil)
    }

    @Test(arguments: mended) func anEndAtEachRequestIsMended(_ action: String) async throws {
        for number in 0..<Self.requestCount {
            let fault = Fault("any", number, action)
            try double.reset([fault])
            let error = try await backUp(ServerDouble.options(for: fault))
            #expect(error == nil, "\(fault): \(error?.message ?? "")")
            #expect(try double.state().faultsLeft == 0)
            try await check(1, fault)
        }
    }

    @Test(arguments: [14, 13, 1, 10]) func aTransientStatusAtEachKindOfRequestIsMended(_ code: Int64) async throws {
        for request in ["open", "find", "info", "write", "flush", "put", "get-manifest"] {
            let fault = Fault(request, 0, "status", code: code)
            try double.reset([fault])
            let error = try await backUp()
            #expect(error == nil, "\(fault): \(error?.message ?? "")")
            try await check(1, fault)
        }
    }

    /// libcurl does not notice such an end by itself: what is sent to see whether the server is still there brings it up,
    /// long before the server counts as silent.
    @Test(arguments: ["write", "flush", "put", "get-manifest", "find"])
    func anEndWithoutAStatusIsNoticedSoon(_ request: String) async throws {
        var options = ServerDouble.options
        options.session.requestTimeout = .seconds(600)
        options.session.silenceTimeout = .seconds(600)
        let fault = Fault(request, 0, "nostatus")
        try double.reset([fault])
        let error = try await backUp(options)
        #expect(error == nil, "\(error?.message ?? "")")
        #expect(try double.state().sessions == 2)
        try await check(1, fault)
    }

    /// A server that takes its time is asked whether it is there, and left alone otherwise.
    @Test func aSlowServerIsNotGivenUp() async throws {
        var options = ServerDouble.options
        options.session.requestTimeout = .seconds(600)
        options.session.silenceTimeout = .seconds(600)
        var fault = Fault("flush", 0, "slow")
        fault.seconds = 0.5
        try double.reset([fault])
        #expect(try await backUp(options)?.message == nil)
        #expect(try double.state().sessions == 1)
        try await check(1, fault)
    }

    struct Final: Sendable, CustomTestStringConvertible {
        let fault: Fault
        let code: RepositoryError.Code
        let text: String
        var testDescription: String { fault.description }

        init(
            _ request: String, _ number: Int, _ action: String, status: Int64? = nil, _ code: RepositoryError.Code,
            _ text: String
        ) {
            fault = Fault(request, number, action, code: status)
            (self.code, self.text) = (code, text)
        }
    }

    static let final: [Final] = [
        Final("open", 0, "status", status: 7, .wrongPassword, "does not let runner@client in: said the double"),
        Final("open", 0, "status", status: 12, .notInitialized, "does not know kopia's repository sessions"),
        Final("open", 0, "error", status: 0, .storage, "refused a session: said the double"),
        Final("find", 0, "status", status: 8, .unsupportedFormat, "RESOURCE_EXHAUSTED"),
        Final("find", 0, "status", status: 7, .accessDenied, "ended the session of runner@client"),
        Final("write", 0, "error", status: 0, .storage, "could not write content"),
        Final("write", 9, "error", status: 0, .storage, "could not write content"),
        Final("write", 0, "error", status: 5, .accessDenied, "does not let runner@client write content"),
        Final("write", 4, "wrong-hash", .storage, "both sides hash differently"),
        Final("info", 0, "error", status: 0, .storage, "could not look for content"),
        Final("put", 0, "error", status: 5, .accessDenied, "does not let runner@client write a snapshot manifest"),
        Final("flush", 0, "error", status: 0, .storage, "could not make the backup durable: said the double"),
        Final("flush", 1, "error", status: 0, .storage, "could not make the backup durable: said the double"),
        Final("flush", 0, "wrong-id", .storage, "which was never sent"),
        Final("flush", 0, "wrong-kind", .storage, "is not one to a flush"),
        Final("write", 2, "wrong-id", .storage, "which was never sent"),
        Final("write", 2, "garbage", .storage, "a frame begins with 72"),
        Final("put", 0, "oversized", .unsupportedFormat, "a message of 67108864 bytes"),
        Final("put", 0, "wrong-kind", .storage, "is not one to the writing of a manifest"),
        Final("find", 0, "wrong-kind", .storage, "is not one to a search for manifests"),
    ]

    @Test(arguments: final) func whatNoNewSessionMendsFailsCleanly(_ final: Final) async throws {
        try double.reset([final.fault])
        let error = try #require(try await backUp())
        #expect(error.code == final.code, "\(error)")
        #expect(error.message.contains(final.text), "\(error.message)")
        #expect(!error.description.contains("client-password"))
        // A flush that failed published nothing, whatever the server thinks of it.
        try await check(0, final.fault)
    }

    @Test func aServerThatBreaksEveryTimeIsGivenUp() async throws {
        try double.reset((0..<20).map { Fault("write", $0, "cut") })
        let error = try #require(try await backUp())
        #expect(error.isTransient)
        #expect(error.message.hasPrefix("gave up after 6 attempts: "), "\(error.message)")
        try await check(0, nil)
    }

    @Test func anotherRepositoryAfterARestartIsRefused() async throws {
        try double.reset([Fault("write", 5, "other-repository")])
        let error = try #require(try await backUp())
        #expect(error.message.contains("now serves another repository"), "\(error.message)")
        #expect(try double.state().snapshotCount == 0)
    }

    /// Flushes along the way keep what a new session is sent again small.
    @Test func aLongStreamIsFlushedAlongTheWay() async throws {
        var options = ServerDouble.options
        options.journal.bytesMax = 600 << 10
        options.journal.flushBytes = 256 << 10
        options.journal.onTheWayBytesMax = 300 << 10
        try double.reset()
        #expect(try await backUp(options)?.message == nil)
        #expect(try double.state().flushes >= 4)
        try await check(1, nil)
        for number in 0..<30 {
            let fault = Fault("any", number, number % 2 == 0 ? "cut-after" : "cut")
            try double.reset([fault, Fault("any", number + 9, "rst-after")])
            let error = try await backUp(options)
            #expect(error == nil, "\(fault): \(error?.message ?? "")")
            try await check(1, fault)
        }
    }

    @Test func whatTheProducerThrowsPublishesNothing() async throws {
        struct Stop: Error {}
        try double.reset()
        await #expect(throws: Stop.self) {
            try await ServerDouble.with(double) { repository in
                _ = try await repository.writeSnapshot(of: Self.source) { writer in
                    try await writer.addFile("dump.sql", bytes: Self.bytes)
                    throw Stop()
                }
            }
        }
        let state = try double.state()
        #expect(state.manifests.isEmpty)
        #expect(state.contents.isEmpty)
    }

    /// Maintenance elsewhere has marked what the backup takes for there.
    @Test func contentsMarkedAsDeletedAreSentAgain() async throws {
        try double.reset()
        #expect(try await backUp()?.message == nil)
        try double.markDeleted()
        let before = try double.state().uploads
        #expect(try await backUp()?.message == nil)
        #expect(try double.state().uploads == before + 10)
    }

    @Test func bytesThatWereAlteredAreNotDelivered() async throws {
        try double.reset()
        #expect(try await backUp()?.message == nil)
        try double.damage()
        let error = try await #require(throws: RepositoryError.self) {
            try await ServerDouble.with(double) { repository in
                let snapshot = try #require(try await repository.snapshots().first)
                _ = try await repository.entry(at: "dump.sql", in: snapshot)
            }
        }
        #expect(error.code == .damaged)
        #expect(error.message.contains("that have the hash"), "\(error.message)")
    }

    /// Reading is asked again in a new session.
    @Test(arguments: ["cut", "rst", "goaway", "nostatus", "lost"])
    func aRestoreGoesOnInANewSession(_ action: String) async throws {
        try double.reset()
        #expect(try await backUp()?.message == nil)
        for number in [1, 3, 8] {
            let count = try double.state().count("get")
            try double.add([Fault("get", count + number, action)])
            try await check(1, Fault("get", number, action))
            #expect(try double.state().faultsLeft == 0)
        }
    }

    /// The policy of the source belongs to somebody who may replace it; a backup that may not is a backup all the same.
    @Test func aPolicyThatMayNotBeReplacedIsAWarning() async throws {
        try double.reset([Fault("delete", 0, "error", code: 5)])
        try double.seed(
            labels: [
                "type": "policy", "policyType": "path", "hostname": "client", "username": "runner",
                "path": "/kanister-backups",
            ], text: #"{"scheduling":{}}"#)
        let written = try await ServerDouble.with(double) { repository in
            try await repository.writeSnapshot(of: Self.source) { try await $0.addFile("dump.sql", bytes: Self.bytes) }
        }
        #expect(written.warnings.count == 1)
        #expect(written.warnings.first?.contains("was left as it is") == true)
        try await check(1, nil)
    }

    @Test(arguments: ["cut", "cut-after", "lost"]) func aDeletionIsDoneOnceWhateverBreaks(_ action: String) async throws
    {
        for request in ["get-manifest", "delete", "flush"] {
            try double.reset()
            #expect(try await backUp()?.message == nil)
            let count = try double.state().count(request)
            let fault = Fault(request, count, action)
            try double.add([fault])
            try await ServerDouble.with(double, ServerDouble.options(for: fault)) { repository in
                let snapshot = try #require(try await repository.snapshots().first)
                try await repository.deleteSnapshot(snapshot.id)
                #expect(try await repository.deleteSnapshot(snapshot.id) == false)
            }
            #expect(try double.state().snapshotCount == 0)
        }
    }

    @Test func twoBackupsAtOnceDoNotDisturbEachOther() async throws {
        try double.reset()
        async let first = backUp()
        async let second = backUp()
        #expect(try await [first, second].compactMap { $0?.message } == [])
        try await check(2, nil)
    }

    @Test func wrongPasswordAndWrongCertificateAreTold() async throws {
        try double.reset()
        let wrong = try await #require(throws: ServerError.self) {
            try await ServerDouble.with(double, password: "guess") { _ in }
        }
        #expect(wrong.code == .credentials)
        #expect(wrong.message.contains("access denied for runner@client"))
        let other = try KopiaServerDouble()
        let error = try await #require(throws: ServerError.self) {
            let address = try ServerAddress(endpoint: double.endpoint, certificate: other.certificate)
            let credentials = try ServerCredentials(userName: "runner", host: "client", password: "client-password")
            try await ServerRepository.with(address, credentials, ServerDouble.options) { _ in }
        }
        #expect(error.code == .certificate)
        #expect(!error.isTransient)
    }
}
