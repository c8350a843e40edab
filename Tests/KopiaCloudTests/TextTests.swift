import GoFormats
import TestSupport
import Testing

@testable import KopiaCloud

struct XMLReaderTests {
    @Test func elementsTextEntitiesAndSections() throws {
        let text = """
            \u{feff}<?xml version="1.0"?><!-- c --><a:R xmlns:a="x>y" b='1'><K>a&amp;b&#x20;&#233;&lt;</K><E/><K><![CDATA[<&]]>z</K>
            <N><D>1</D></N></a:R>
            """
        let root = try XMLReader.parse(Array(text.utf8))
        #expect(root.name == "R")
        #expect(root.all("K").map(\.text) == ["a&b é<", "<&z"])
        #expect(root.value("E") == "")
        #expect(root.child("N")?.value("D") == "1")
        #expect(root.value("missing") == nil)
    }

    @Test(arguments: [
        "", "x", "<a>", "<a></b>", "<a><b></a></b>", "<a/><b/>", "<a b></a>", "<a b=c/>", "<a>&x;</a>",
        "<a>&#xD800;</a>",
        "<a>&amp</a>", "<!DOCTYPE a><a/>", "<a><![CDATA[</a>", "<!-- <a/>", "<a b=\"></a>", "<></>",
        "<a>&#99999999;</a>",
    ])
    func whatIsNotXMLIsRefused(_ text: String) {
        #expect(throws: XMLReader.Malformed.self) { try XMLReader.parse(Array(text.utf8)) }
    }

    @Test func depthIsBounded() {
        let text = String(repeating: "<a>", count: 100_000)
        #expect(throws: XMLReader.Malformed(description: "elements are nested more than 32 deep, at byte 96")) {
            try XMLReader.parse(Array(text.utf8))
        }
    }

    /// Truncations and flipped bytes of a real answer are refused or read, never a trap.
    @Test func damagedAnswersNeverTrap() {
        let whole = Array("<?xml version='1.0'?><L x='y'><K a=\"b\">v&amp;w</K><![CDATA[z]]></L>".utf8)
        var generator = SeededGenerator(seed: 7)
        for count in 0...whole.count { _ = try? XMLReader.parse(Array(whole.prefix(count))) }
        for _ in 0..<5000 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            _ = try? XMLReader.parse(bytes)
        }
    }
}

struct HTTPDateTests {
    @Test(arguments: [
        ("Tue, 15 Nov 1994 08:12:31 GMT", "1994-11-15T08:12:31Z"),
        ("Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00Z"),
        ("Wed, 31 Dec 1969 23:59:59 GMT", "1969-12-31T23:59:59Z"),
        ("Thu, 29 Feb 2024 12:00:00 GMT", "2024-02-29T12:00:00Z"),
    ])
    func bothWays(_ text: String, _ time: String) throws {
        let time = try #require(Timestamp(rfc3339: time))
        #expect(HTTPDate.parse(text) == time)
        #expect(HTTPDate.format(time) == text)
    }

    @Test(arguments: [
        "", "Tue, 15 Nov 1994 08:12:31 +0100", "Tue 15 Nov 1994 08:12:31 GMT", "Tue, 30 Feb 2024 00:00:00 GMT",
        "Tue, 15 Nov 1994 24:00:00 GMT", "Tue, 15 Nov 1994 8:1 GMT", "Tuesday, 15-Nov-94 08:12:31 GMT",
        "Tue, 99999999999999999999 Nov 1994 08:12:31 GMT", "Tue, 15 Nov 0000 08:12:31 GMT",
    ])
    func anythingElseIsRefused(_ text: String) { #expect(HTTPDate.parse(text) == nil) }
}
