import ActionEngine
import BlueprintRules
import Blueprints
import Diagnostics
import GoFormats
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// Files of this target and of the repository.
enum Fixtures {
    static let folder = folder(of: #filePath) + "/Fixtures"
    static let repository = folder(of: folder(of: folder(of: #filePath)))

    private static func folder(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    }

    static func bytes(_ path: String) throws -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        try #require(descriptor >= 0, "cannot open \(path)")
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count <= 0 { return bytes }
            bytes += buffer[..<count]
        }
    }

    static func source(_ path: String, name: String? = nil) throws -> SourceFile {
        SourceFile(name: name ?? path, bytes: try bytes(path))
    }

    /// Files below a folder whose names end with `suffix`, sorted.
    static func files(in folder: String, suffix: String) -> [String] {
        guard let handle = opendir(folder) else { return [] }
        defer { closedir(handle) }
        var found: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard !name.hasPrefix(".") else { continue }
            let path = "\(folder)/\(name)"
            if name.hasSuffix(suffix) { found.append(path) } else { found += files(in: path, suffix: suffix) }
        }
        return found.sorted()
    }

    static func cluster() throws -> ManifestCluster {
        var cluster = ManifestCluster()
        for manifest in readManifests(try source(folder + "/cluster.yaml")).manifests {
            guard case .object(let object) = manifest, case .object(let json) = object.json else { continue }
            try cluster.add(try KubernetesObject(manifest: json))
        }
        return cluster
    }
}

/// A seeded fault and what has to be said about it.
struct Fault: Sendable, CustomTestStringConvertible {
    let id: String
    let expected: [JSONValue]
    var testDescription: String { id }

    static let all: [Fault] = {
        guard let bytes = try? Fixtures.bytes(Fixtures.folder + "/faults.json"),
            let list = try? JSONParser.parse(bytes), let members = list.objectValue?.members
        else { return [] }
        return members.map { Fault(id: $0.key, expected: $0.value.arrayValue ?? []) }
    }()
}
