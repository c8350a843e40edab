import Digests
import GoFormats
import Testing

struct DigestTests {
    /// Vectors: FIPS 180-2, RFC 1321, RFC 4231 case 2 and 6 (a key longer than a block), and an empty key.
    @Test func knownAnswers() throws {
        #expect(
            Hex.encode(try Digest.sha256(Array("abc".utf8)))
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(
            Hex.encode(try Digest.sha256([])) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(Hex.encode(try Digest.md5(Array("abc".utf8))) == "900150983cd24fb0d6963f7d28e17f72")
        #expect(Hex.encode(try Digest.md5([])) == "d41d8cd98f00b204e9800998ecf8427e")
        #expect(
            Hex.encode(
                try Digest.hmacSHA256(Array("what do ya want for nothing?".utf8), key: Array("Jefe".utf8)))
                == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        #expect(
            Hex.encode(
                try Digest.hmacSHA256(
                    Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
                    key: [UInt8](repeating: 0xaa, count: 131)))
                == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")
        #expect(
            Hex.encode(try Digest.hmacSHA256([], key: []))
                == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad")
    }

    @Test(arguments: [[], [0], [0, 0], [3], [1, 1, 1], [0, 2, 0, 1, 0]])
    func piecesHaveTheDigestOfTheWhole(_ lengths: [Int]) throws {
        var rest = Array("abc".utf8)[...]
        let pieces = lengths.map { length in
            defer { rest = rest.dropFirst(length) }
            return Array(rest.prefix(length))
        }
        let whole = Array(pieces.joined())
        #expect(try Digest.sha256(pieces: pieces) == Digest.sha256(whole))
        #expect(try Digest.md5(pieces: pieces) == Digest.md5(whole))
    }

    /// Vectors: RFC 4648 §10.
    @Test(arguments: ["": "", "f": "Zg==", "fo": "Zm8=", "foo": "Zm9v", "foob": "Zm9vYg==", "foobar": "Zm9vYmFy"])
    func base64(_ plain: String, _ encoded: String) {
        #expect(Base64.encode(Array(plain.utf8)) == encoded)
        #expect(Base64.decode(encoded) == Array(plain.utf8))
    }

    @Test(arguments: ["Z", "Zg", "Zg=", "Zg===", "====", "Z===", "Zm9v=", "Zg==Zg==", "Zm 9", "Zm-_"])
    func whatIsNotBase64IsRefused(_ text: String) { #expect(Base64.decode(text) == nil) }
}
