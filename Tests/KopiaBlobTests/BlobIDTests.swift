import KopiaBlob
import Testing

@Suite struct BlobErrorTests {
    @Test func descriptionsCarryTheHint() {
        #expect(
            BlobError(.noSpace, "no space is left", hint: "free some").description
                == "no space is left\nhint: free some")
        #expect(BlobError(.io, "broken").description == "broken")
    }

    @Test func codesAreComparable() {
        #expect(BlobError.Code.notFound == .notFound)
        #expect(BlobError.Code.notFound != .io)
    }
}

@Suite struct BlobIDTests {
    @Test(arguments: ["", "a/b", "a b", "é", "a\n", "a\u{7f}"]) func namesThatCannotBeAreRefused(_ name: String) {
        #expect(BlobID(name) == nil)
    }

    @Test func lengthsAreBounded() {
        #expect(BlobID(String(repeating: "a", count: 512)) != nil)
        #expect(BlobID(String(repeating: "a", count: 513)) == nil)
    }

    @Test func orderIsBytewise() throws {
        let ids = try ["xe10", "xe2", "XE", "x", "kopia.repository"].map { try #require(BlobID($0)) }
        #expect(ids.sorted().map(\.description) == ["XE", "kopia.repository", "x", "xe10", "xe2"])
    }
}
