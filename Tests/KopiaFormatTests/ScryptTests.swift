import COpenSSL
import TestSupport
import Testing

@testable import KopiaFormat

@Suite struct ScryptTests {
    struct Vector: Sendable, CustomTestStringConvertible {
        let password: String
        let salt: String
        let n: Int
        let r: Int
        let p: Int
        let key: String
        var testDescription: String { "N=\(n) r=\(r) p=\(p)" }
    }

    /// RFC 7914, section 12. All but the first take seconds without optimisation.
    static let vectors: [Vector] = {
        var vectors = [
            Vector(
                password: "", salt: "", n: 16, r: 1, p: 1,
                key: "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
                    + "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906")
        ]
        #if !DEBUG
            vectors += [
                Vector(
                    password: "password", salt: "NaCl", n: 1024, r: 8, p: 16,
                    key: "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
                        + "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"),
                Vector(
                    password: "pleaseletmein", salt: "SodiumChloride", n: 16384, r: 8, p: 1,
                    key: "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
                        + "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"),
            ]
        #endif
        return vectors
    }()

    @Test(arguments: vectors, [1, 2, 4, 8]) func theVectorsOfTheRFCHold(_ vector: Vector, stride: Int) throws {
        let key = try #require(
            Scrypt.key(
                password: Array(vector.password.utf8), salt: Array(vector.salt.utf8), n: vector.n, r: vector.r,
                p: vector.p, length: 64, stride: stride))
        #expect(Bytes.hex(key) == vector.key)
    }

    #if !DEBUG
        /// The RFC's largest, whose table is 1 GiB: an eighth of it is kept.
        @Test func theLargestVectorOfTheRFCHolds() {
            let key = Scrypt.key(
                password: Array("pleaseletmein".utf8), salt: Array("SodiumChloride".utf8), n: 1_048_576, r: 8, p: 1,
                length: 64, stride: 8)
            #expect(
                key.map { Bytes.hex($0) }
                    == "2101cb9b6a511aaeaddbbe09cf70f881ec568d574a2ffd4dabe5ee9820adaa47"
                    + "8e56fd8f4ba5d09ffa1c6d927c40f4c337304049e8a952fbcbf45c6fa77a41a4")
        }
    #endif

    /// Whatever is kept of the table, the key is libcrypto's.
    @Test(arguments: [(2, 1, 1), (4, 3, 2), (32, 8, 1), (64, 2, 3)], [1, 2, 4, 64])
    func libcryptoAgrees(_ parameters: (n: Int, r: Int, p: Int), stride: Int) throws {
        let (password, salt) = (Array("a password \u{1f511}".utf8), [UInt8](0x40..<0x60))
        var expected = [UInt8](repeating: 0, count: 32)
        let status = password.withUnsafeBytes { bytes in
            EVP_PBE_scrypt(
                bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count, salt, salt.count,
                UInt64(parameters.n), UInt64(parameters.r), UInt64(parameters.p), 80 << 20, &expected, 32)
        }
        try #require(status == 1)
        #expect(
            Scrypt.key(
                password: password, salt: salt, n: parameters.n, r: parameters.r, p: parameters.p, length: 32,
                stride: stride) == expected)
    }
}
