import GoFormats
import KopiaBlob
import TestSupport
import Testing

/// The vector files of this target, and readers for their common parts.
enum Fixture {
    static let folder: String = {
        let here = String(describing: #filePath)
        return "/" + here.split(separator: "/").dropLast().joined(separator: "/") + "/Fixtures"
    }()

    /// An empty object when the file is missing, so that the test that wants it says so.
    static func json(_ name: String) -> JSONValue {
        do {
            return try JSONParser.parse(try Files.read("\(folder)/\(name).json"))
        } catch {
            return .object(JSONObject())
        }
    }

    static func list(_ value: JSONValue?) -> [JSONValue] { value?.arrayValue ?? [] }

    /// The format blobs of a golden repository, in memory.
    static func repository(_ name: String) async throws -> MemoryBlobStorage {
        let storage = MemoryBlobStorage()
        for file in Files.names("\(folder)/repositories/\(name)") where file.hasSuffix(".f") {
            let id = try #require(BlobID(String(file.dropLast(2))))
            try await storage.put(id, try Files.read("\(folder)/repositories/\(name)/\(file)"))
        }
        return storage
    }

    /// What `{"kind":…,"length":…,"seed":…}` describes.
    static func input(_ value: JSONValue) -> [UInt8] {
        let length = Int(value["length"]?.integerValue ?? 0)
        let seed = UInt64(clamping: value["seed"]?.integerValue ?? 0)
        switch value["kind"]?.stringValue {
        case "rnd": return SeededBytes.rnd(seed, length)
        case "rndrep":
            return SeededBytes.repeated(SeededBytes.rnd(seed, Int(value["unitLength"]?.integerValue ?? 1)), length)
        case "repeat": return SeededBytes.repeated(Array((value["unit"]?.stringValue ?? "").utf8), length)
        case "counter": return SeededBytes.counter(Int(value["lines"]?.integerValue ?? 0))
        default: return [UInt8](repeating: 0, count: length)
        }
    }

    /// Inputs by name, made once.
    static func inputs(_ file: JSONValue) -> [String: [UInt8]] {
        var inputs: [String: [UInt8]] = [:]
        for value in list(file["inputs"]) { inputs[value["name"]?.stringValue ?? ""] = input(value) }
        return inputs
    }
}

extension JSONValue {
    func text(_ key: String) -> String { self[key]?.stringValue ?? "" }
    func hex(_ key: String) -> [UInt8] { Bytes.fromHex(text(key)) }
    func base64(_ key: String) -> [UInt8] { Bytes.fromBase64(text(key)) }
}
