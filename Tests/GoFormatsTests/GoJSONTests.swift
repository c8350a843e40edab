import GoFormats
import Testing

struct GoJSONTests {
    @Test(arguments: [
        (#"{"b":1,"a":[true,null,"x"]}"#, #"{"b":1,"a":[true,null,"x"]}"#),
        (#" { "a" : 1.50 , "b":-0.0 } "#, #"{"a":1.5,"b":-0}"#),
        (#""<&>\u2028\/\u0001\b\f""#, #""\u003c\u0026\u003e\u2028/\u0001\b\f""#),
        (#""\ud83d\ude00 \ud83d x""#, "\"😀 \u{fffd} x\""),
        (
            "[1e21,1e20,1e-6,1e-7,123456789012345678901234]",
            "[1e+21,100000000000000000000,0.000001,1e-7,1.2345678901234569e+23]"
        ),
        ("9223372036854775807", "9223372036854775807"),
        ("9223372036854775808", "9223372036854776000"),
    ])
    func reencodesAsGoDoes(_ text: String, _ expected: String) throws {
        #expect(GoJSON.text(try JSONParser.parse(text)) == expected)
    }

    @Test(arguments: [
        ("", "unexpected end of the text, expected a value at byte 0"),
        ("{", "unexpected end of the text, expected a member name in quotes at byte 1"),
        ("[1,]", "unexpected ']', expected a value at byte 3"),
        ("01", "unexpected text after the value at byte 1"),
        ("\"a\nb\"", "control character 10 inside a string at byte 2"),
        ("1e999", "number 1e999 is out of range at byte 0"),
        (#""\u12g4""#, "unexpected 'g', expected four hexadecimal digits at byte 5"),
        ("tru", "unexpected 't', expected a value at byte 0"),
    ])
    func refusesWithTheOffset(_ text: String, _ message: String) {
        let error = #expect(throws: JSONError.self) { try JSONParser.parse(text) }
        #expect(error?.description == message)
    }

    @Test func nestingIsBounded() {
        let error = #expect(throws: JSONError.self) {
            try JSONParser.parse(String(repeating: "[", count: 1_000_000))
        }
        #expect(error?.message == "nesting is over the limit of 512 levels")
    }

    @Test func theLastOfTwoEqualKeysWinsAndKeepsTheFirstPlace() throws {
        #expect(GoJSON.text(try JSONParser.parse(#"{"a":1,"b":2,"a":3}"#)) == #"{"a":3,"b":2}"#)
    }

    @Test func largeObjectsAreIndexed() throws {
        var object = JSONObject()
        for number in 0..<1000 { object["key\(number)"] = .integer(Int64(number)) }
        object["key7"] = nil
        #expect(object["key999"] == 999)
        #expect(object["key7"] == nil)
        #expect(object.count == 999)
        #expect(object.caseInsensitive("KEY8") == 8)
    }

    @Test func indentsAsGoDoes() throws {
        let value = try JSONParser.parse(#"{"a":[1,2],"b":{},"c":[]}"#)
        let expected = "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {},\n  \"c\": []\n}"
        #expect(GoJSON.text(value, style: .init(indent: "  ")) == expected)
    }
}
