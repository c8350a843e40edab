import KopiaBlob
import KopiaFormat
import TestSupport
import Testing

@Suite struct CreatedRepositoryTests {
    @Test func aNewRepositoryOpensAndKeepsWhatItIsGiven() async throws {
        let s = MemoryBlobStorage()
        let f = try await RepositoryFormat.create(s, password: Password("x"))
        let g = try await RepositoryFormat.open(s, password: Password("x"))
        #expect(f.uniqueID == g.uniqueID)
        let c = try f.makeCrypto()
        let d = SeededBytes.dump(1, 2000)
        let (z, h) = try c.compress(d, headerID: 0x1101)
        #expect(h == 0x1101)
        #expect(try c.decompress(z, headerID: h, expectedLength: d.count) == d)
        let (id, b) = try c.sealBlob(prefix: "xn0_", suffix: "sabc-c1", plaintext: d)
        #expect(try c.openBlob(id, b) == d)
    }
}
