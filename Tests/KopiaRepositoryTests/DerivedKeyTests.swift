import GoFormats
import KopiaFormat
import KopiaManifest
import TestSupport
import Testing

@testable import KopiaRepository

struct DerivedKeyTests {
    private static let secret = SecretBytes(Array(0..<32))

    private func repository(_ secret: SecretBytes?) -> Repository {
        let contents = MemoryContentStore()
        let identity = RepositoryIdentity(userName: "runner", host: "fixture")
        let status = RepositoryStatus(
            location: "memory:", uniqueID: "00", formatVersion: 3, indexVersion: 2, hash: "", encryption: "",
            keyDerivation: "", splitter: contents.defaultSplitter, packSizeMax: 0, usesEpochs: true,
            allowsPasswordChange: true, isReadOnly: false, identity: identity.description)
        return Repository(
            contents: contents, manifests: ContentManifestStore(contents: contents), status: status,
            identity: identity, access: .readWrite, hashSecret: secret)
    }

    /// HKDF-SHA256 by OpenSSL 3.0.19: `openssl kdf -keylen 40 -kdfopt digest:SHA256 -kdfopt hexkey:000102…1f
    /// -kdfopt info:"karaffe row hash" HKDF`.
    @Test func keysAreThoseOfHKDF() throws {
        let key = try #require(try repository(Self.secret).derivedKey(for: "row hash", length: 40))
        #expect(
            Hex.encode(key.bytes)
                == "b8974f2e39fc7f8a9309fdcf2a75f4be5720c6b3ce9c16cc8432abedcf8776fa2ed66169f125c723")
        #expect("\(key)" == "<redacted>")
    }

    @Test func purposesAndRepositoriesHaveKeysOfTheirOwn() throws {
        let one = repository(Self.secret)
        let other = repository(SecretBytes(Array(1..<33)))
        let keys = [
            try one.derivedKey(for: "a"), try one.derivedKey(for: "b"), try other.derivedKey(for: "a"),
        ].compactMap { $0 }
        #expect(keys.map(\.bytes.count) == [32, 32, 32])
        #expect(Set(keys).count == 3)
        #expect(try repository(nil).derivedKey(for: "a") == nil)
    }

    @Test(arguments: [0, -1, 8161])
    func lengthsThatAreNotPossible(_ length: Int) {
        let error = #expect(throws: RepositoryError.self) {
            try repository(Self.secret).derivedKey(for: "a", length: length)
        }
        #expect(error?.message == "a key of \(length) bytes cannot be derived: 1 to 8160 are possible")
    }
}
