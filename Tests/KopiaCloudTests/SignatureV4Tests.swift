import GoFormats
import HTTPTransport
import Secrets
import TestSupport
import Testing

@testable import KopiaCloud

struct SignatureV4Tests {
    private static let amazonExample = S3Credentials(
        accessKeyID: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"))
    private static let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    private func signature(_ request: HTTPRequest, payloadHash: String) throws -> String {
        var request = request
        let signer = SignatureV4(credentials: Self.amazonExample, region: "us-east-1")
        let time = try #require(Timestamp(rfc3339: "2013-05-24T00:00:00Z"))
        try signer.sign(&request, payloadHash: payloadHash, at: time)
        return String((request.headers["Authorization"] ?? "").split(separator: "=").last ?? "")
    }

    struct Example: Sendable, CustomTestStringConvertible {
        let id: String
        let method: HTTPMethod
        let target: String
        var headers: HTTPHeaders = [:]
        var payloadHash = SignatureV4Tests.empty
        let signature: String
        var testDescription: String { id }
    }

    /// Source: Amazon S3 API Reference, "Signature Calculations for the Authorization Header: Transferring Payload in a
    /// Single Chunk", its four examples.
    @Test(arguments: [
        Example(
            id: "GET object", method: .get, target: "/test.txt", headers: ["Range": "bytes=0-9"],
            signature: "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
        Example(
            id: "PUT object", method: .put, target: "/test%24file.text",
            headers: ["Date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"],
            payloadHash: "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
            signature: "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"),
        Example(
            id: "GET bucket lifecycle", method: .get, target: "/?lifecycle",
            signature: "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        Example(
            id: "list objects", method: .get, target: "/?max-keys=2&prefix=J",
            signature: "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
    ])
    func amazonsPublishedExamples(_ example: Example) throws {
        let url = try HTTPURL("https://examplebucket.s3.amazonaws.com\(example.target)")
        let request = HTTPRequest(example.method, url, headers: example.headers)
        #expect(try signature(request, payloadHash: example.payloadHash) == example.signature)
    }

    /// Source: AWS Signature Version 4 test suite, `get-vanilla`, `get-vanilla-query-order-key-case`, `post-vanilla`.
    @Test(arguments: [
        Example(
            id: "get-vanilla", method: .get, target: "/",
            signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        Example(
            id: "get-vanilla-query-order-key-case", method: .get, target: "/?Param2=value2&Param1=value1",
            signature: "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
        Example(
            id: "post-vanilla", method: .post, target: "/",
            signature: "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    ])
    func amazonsTestSuite(_ example: Example) throws {
        let credentials = S3Credentials(
            accessKeyID: "AKIDEXAMPLE", secretAccessKey: Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"))
        var request = HTTPRequest(example.method, try HTTPURL("https://example.amazonaws.com\(example.target)"))
        let time = try #require(Timestamp(rfc3339: "2015-08-30T12:36:00Z"))
        try SignatureV4(credentials: credentials, region: "us-east-1", service: "service").sign(
            &request, payloadHash: example.payloadHash, at: time)
        #expect(
            request.headers["Authorization"]
                == "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=\(example.signature)"
        )
    }

    /// Vectors: `Fixtures/make-sigv4-vectors.py`.
    @Test func amazonsOwnClientSignsTheSame() throws {
        let file = try Fixture.json("sigv4-botocore.json")
        let object = try #require(file.objectValue)
        func text(_ object: JSONObject, _ name: String) throws -> String { try #require(object[name]?.stringValue) }
        let time = try #require(Timestamp(rfc3339: try text(object, "time")))
        let vectors = try #require(object["vectors"]?.arrayValue)
        #expect(vectors.count == 12)
        for vector in vectors {
            let vector = try #require(vector.objectValue)
            let credentials = S3Credentials(
                accessKeyID: try text(object, "accessKeyID"),
                secretAccessKey: Secret(try text(object, "secretAccessKey")),
                sessionToken: vector["token"]?.stringValue.map { Secret($0) })
            var request = HTTPRequest(
                HTTPMethod(rawValue: try text(vector, "method")), try HTTPURL(try text(vector, "url")))
            for member in try #require(vector["headers"]?.objectValue).members {
                request.headers.append(member.key, try #require(member.value.stringValue))
            }
            let hash = SHA256.hex(Array(try text(vector, "body").utf8))
            try SignatureV4(credentials: credentials, region: try text(object, "region")).sign(
                &request, payloadHash: hash, at: time)
            let (expected, id) = (try text(vector, "authorization"), try text(vector, "id"))
            #expect(request.headers["Authorization"] == expected, "\(id)")
        }
    }

    @Test func secretsAreNotPrinted() {
        let credentials = S3Credentials(
            accessKeyID: "id", secretAccessKey: Secret("s3cr3t"), sessionToken: Secret("t0k3n"))
        var dumped = ""
        dump(credentials, to: &dumped)
        for text in ["\(credentials)", String(reflecting: credentials), dumped] {
            #expect(!text.contains("s3cr3t") && !text.contains("t0k3n"))
        }
    }
}
