import KopiaContent
import TestSupport
import Testing

@testable import KopiaServer

struct AddressTests {
    @Test(
        arguments: [
            ("https://data-mover.kasten-io.svc:51515", "data-mover.kasten-io.svc:51515"),
            ("https://Host:1/", "host:1"), ("kopia://10.0.0.1:51515", "10.0.0.1:51515"), ("host:51515", "host:51515"),
            ("https://host", "host"), ("https://[::1]:51515", "[::1]:51515"),
        ])
    func anAddressIsRead(_ endpoint: String, _ authority: String) throws {
        let address = try ServerAddress(endpoint: endpoint, fingerprint: nil)
        #expect(address.authority == authority)
        #expect(address.description == "repository server \(authority)")
        #expect(address.fingerprint == nil)
    }

    @Test(
        arguments: [
            ("", "is empty"), ("http://host:1", "has no TLS"), ("ftp://host:1", "has an unknown scheme"),
            ("unix+https:///run/kopia", "is a local socket"), ("https://host:1/repo", "has a path or a query"),
            ("https://host:1?x=1", "has a path or a query"), ("https://host:70000", "is not a host and a port"),
            ("https://", "is not a host and a port"), ("a b:1", "is not a host and a port"),
        ])
    func aBadAddressIsRefused(_ endpoint: String, _ text: String) throws {
        let error = try #require(throws: ServerError.self) {
            try ServerAddress(endpoint: endpoint, fingerprint: nil)
        }
        #expect(error.code == .invalidAddress)
        #expect(error.message.contains(text), "\(error.message)")
    }

    @Test func aFingerprintMayHaveColonsAndCapitals() throws {
        let plain = String(repeating: "0a", count: 32)
        let spaced = Array(repeating: "0A", count: 32).joined(separator: ":")
        for text in [plain, spaced] {
            let address = try ServerAddress(endpoint: "h:1", fingerprint: text)
            #expect(address.fingerprintText == plain)
        }
        #expect(throws: ServerError.self) { try ServerAddress(endpoint: "h:1", fingerprint: String(plain.dropLast())) }
        #expect(throws: ServerError.self) { try ServerAddress(endpoint: "h:1", fingerprint: "") }
    }

    private static let body = "MAMBAf8="
    private static let pem = "-----BEGIN CERTIFICATE-----\n\(body)\n-----END CERTIFICATE-----\n"

    @Test func theCertificateOfAProfileGivesTheFingerprint() throws {
        let address = try ServerAddress(endpoint: "h:1", certificate: Self.pem)
        let crlf = try ServerAddress(
            endpoint: "h:1",
            certificate: "subject=/O=Kopia\r\n" + Self.pem.split(separator: "\n").joined(separator: "\r\n"))
        // sha256sum of the bytes 30 03 01 01 ff.
        #expect(address.fingerprintText == "300c899df01254f92b557ffd87a451f66a291257cfa0177aaade0339b9cb533f")
        #expect(address.fingerprint == crlf.fingerprint)
        // The first one is the server's own.
        let chain = try ServerAddress(
            endpoint: "h:1", certificate: Self.pem + Self.pem.replacingBody(of: Self.body, with: "MAMBAQA="))
        #expect(chain.fingerprint == address.fingerprint)
        #expect(try ServerAddress(endpoint: "h:1", certificate: "").fingerprint == nil)
    }

    @Test(
        arguments: [
            "no certificate", "-----BEGIN CERTIFICATE-----\n\(body)\n", pem.replacingBody(of: body, with: "!!!!"),
            pem.replacingBody(of: body, with: "AAAA"), pem.replacingBody(of: body, with: ""),
        ])
    func whatIsNoCertificateIsRefused(_ text: String) throws {
        let error = try #require(throws: ServerError.self) { try ServerAddress(endpoint: "h:1", certificate: text) }
        #expect(error.message == "the certificate of the repository server is no PEM certificate")
    }

    @Test func credentialsAreNotShown() throws {
        let credentials = try ServerCredentials(userName: "runner", host: "client", password: "open sesame")
        var text = "\(credentials) \(String(reflecting: credentials))"
        dump(credentials, to: &text)
        #expect(text.contains("runner@client"))
        #expect(!text.contains("sesame"))
    }

    @Test(arguments: ["", "pässword", " space", "space ", "line\nbreak", "tab\t", "\u{7f}"])
    func aPasswordThatNoHeaderCarriesIsRefused(_ password: String) throws {
        let error = try #require(throws: ServerError.self) {
            try ServerCredentials(userName: "u", host: "h", password: password)
        }
        #expect(error.code == .invalidAddress)
        #expect(!error.description.contains("pässword"))
    }
}

extension String {
    fileprivate func replacingBody(of old: String, with new: String) -> String {
        split(separator: "\n", omittingEmptySubsequences: false).map { $0 == old ? new : String($0) }
            .joined(separator: "\n")
    }
}

struct ExistencePolicyTests {
    @Test func largeContentsAreAlwaysAskedFor() {
        var policy = ExistencePolicy()
        for _ in 0..<100 {
            let asks = policy.asks(length: 50_000)
            #expect(asks)
            policy.answered(isThere: false)
        }
    }

    @Test func smallOnesAreAskedForWhileMostAreThere() {
        var policy = ExistencePolicy()
        let beginning = (0..<160).count { _ in policy.asks(length: 49_999) }
        #expect(beginning == 160)
        for _ in 0..<40 { policy.answered(isThere: false) }
        let first = (0..<160).count { _ in policy.asks(length: 49_999) }
        #expect(first == 10)
        for _ in 0..<40 { policy.answered(isThere: true) }
        let second = (0..<160).count { _ in policy.asks(length: 1) }
        #expect(second == 160)
        for _ in 0..<40 { policy.answered(isThere: false) }
        let third = (0..<160).count { _ in policy.asks(length: 1) }
        #expect(third == 10)
    }
}

struct KnownContentsTests {
    private func id(_ number: UInt8, prefix: UInt8 = 0) -> ContentID {
        ContentID(prefix: prefix, hash: [UInt8](repeating: number, count: 16))
    }

    @Test func whatIsKnownGrowsOld() {
        var known = KnownContents()
        let start = ContinuousClock.now
        known.insert(id(1), length: 10, now: start)
        #expect(known.length(of: id(1), now: start + .seconds(1799)) == 10)
        known.insert(id(2), length: 20, now: start + .seconds(1800))
        #expect(known.length(of: id(1), now: start + .seconds(1801)) == 10)
        #expect(known.length(of: id(1), now: start + .seconds(3600)) == nil)
        #expect(known.length(of: id(2), now: start + .seconds(3600)) == 20)
        #expect(known.length(of: id(2), now: start + .seconds(9000)) == nil)
        #expect(known.length(of: id(3), now: start) == nil)
    }

    @Test func thePrefixCounts() {
        var known = KnownContents()
        known.insert(id(1), length: 10, now: .now)
        #expect(known.length(of: id(1, prefix: UInt8(ascii: "k")), now: .now) == nil)
    }
}

struct WriteJournalTests {
    private static let limits = WriteJournal.Limits(
        onTheWayBytesMax: 100, onTheWayCountMax: 3, bytesMax: 300, flushBytes: 200)

    private func id(_ number: UInt8) -> ContentID { ContentID(prefix: 0, hash: [UInt8](repeating: number, count: 16)) }
    private func content(_ count: Int) -> WriteJournal.Content {
        WriteJournal.Content(plaintext: [UInt8](repeating: 1, count: count), compression: 0)
    }

    @Test func aContentGoesThroughItsStages() {
        var journal = WriteJournal(Self.limits)
        #expect(journal.admit(id(1), content(10), checks: true) == .step(.check(id(1))))
        #expect(journal.admit(id(1), content(10), checks: true) == .alreadyThere)
        #expect(journal.checked(id(1), isThere: false) == .write(id(1)))
        #expect(!journal.isAnswered(upTo: journal.lastSequence))
        journal.written(id(1))
        #expect(journal.isAnswered(upTo: journal.lastSequence))
        #expect(journal.bytes == 10)
        #expect(journal.onTheWayBytes == 0)
        #expect(journal.flushed(upTo: 1).map(\.length) == [10])
        #expect(journal.isEmpty)
    }

    @Test func whatIsThereNeedsNothing() {
        var journal = WriteJournal(Self.limits)
        _ = journal.admit(id(1), content(10), checks: true)
        #expect(journal.checked(id(1), isThere: true) == nil)
        #expect(journal.isEmpty)
        #expect((journal.bytes, journal.onTheWayBytes, journal.onTheWayCount) == (0, 0, 0))
    }

    @Test func whatIsOnTheWayIsBounded() {
        var journal = WriteJournal(Self.limits)
        #expect(journal.admit(id(1), content(101), checks: false) == .step(.write(id(1))))
        #expect(journal.admit(id(2), content(1), checks: false) == .full)
        journal.written(id(1))
        for number in 2..<5 as Range<UInt8> {
            #expect(journal.admit(id(number), content(1), checks: false) == .step(.write(id(number))))
        }
        #expect(journal.admit(id(5), content(1), checks: false) == .full)
    }

    @Test func whatIsKeptIsBounded() {
        var journal = WriteJournal(Self.limits)
        for number in 1..<4 as Range<UInt8> {
            #expect(journal.wantsFlush == (number == 3))
            #expect(journal.admit(id(number), content(100), checks: false) == .step(.write(id(number))))
            journal.written(id(number))
        }
        #expect(journal.admit(id(4), content(1), checks: false) == .full)
        _ = journal.flushed(upTo: 2)
        #expect(journal.bytes == 100)
        #expect(journal.admit(id(4), content(1), checks: false) == .step(.write(id(4))))
        // One that is larger than everything is let through alone.
        var empty = WriteJournal(Self.limits)
        #expect(empty.admit(id(9), content(1000), checks: false) == .step(.write(id(9))))
    }

    @Test func aFlushCoversWhatWasAnsweredBefore() {
        var journal = WriteJournal(Self.limits)
        _ = journal.admit(id(1), content(1), checks: false)
        _ = journal.admit(id(2), content(1), checks: false)
        journal.written(id(2))
        #expect(!journal.isAnswered(upTo: 2))
        journal.written(id(1))
        _ = journal.admit(id(3), content(1), checks: false)
        #expect(journal.isAnswered(upTo: 2))
        #expect(journal.flushed(upTo: 2).count == 2)
        #expect(journal.bytes == 1)
    }

    @Test func aNewSessionIsSentEverythingThatIsNotDurable() {
        var journal = WriteJournal(Self.limits)
        _ = journal.admit(id(1), content(1), checks: false)
        journal.written(id(1))
        _ = journal.admit(id(2), content(2), checks: true)
        _ = journal.admit(id(3), content(3), checks: true)
        _ = journal.checked(id(3), isThere: false)
        #expect(journal.restart() == [.write(id(1)), .check(id(2)), .write(id(3))])
        #expect((journal.bytes, journal.onTheWayBytes, journal.onTheWayCount) == (6, 6, 3))
        #expect(journal.restart() == [.write(id(1)), .check(id(2)), .write(id(3))])
        journal.written(id(1))
        _ = journal.checked(id(2), isThere: true)
        journal.written(id(3))
        #expect((journal.bytes, journal.onTheWayBytes, journal.onTheWayCount) == (4, 0, 0))
    }
}
