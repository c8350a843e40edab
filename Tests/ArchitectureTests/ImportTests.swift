import Testing

/// Who imports whom, by the sources, by Package.swift and by the table in `Rooms.swift`: all three must agree.
struct ImportTests {
    static let targets = ManifestTarget.read(Repository.lines("Package.swift").joined(separator: "\n"))
    static let testTargets = targets.filter { $0.kind == "testTarget" }
    static let roomTargets = targets.filter {
        ["target", "executableTarget"].contains($0.kind)
            && !["TestSupport", "CloudTestSupport", "CrashWriter"].contains($0.name) && !cTargets.contains($0.name)
    }
    /// In C; imported like a system's library.
    static let cTargets: Set<String> = ["CBlake2b"]

    private static let importsByFile = Dictionary(
        uniqueKeysWithValues: ["Sources", "Tests"].flatMap { Repository.files(under: $0, endingWith: ".swift") }.map {
            ($0, readImports(of: $0))
        })

    /// The modules a file imports.
    static func imports(in path: String) -> [String] { importsByFile[path] ?? [] }

    private static func readImports(of path: String) -> [String] {
        Repository.lines(path).filter { $0.utf8.count < 120 && $0.contains("import ") }.compactMap { line in
            var words = line.split(separator: " ").map(String.init)
            let modifiers = ["public", "internal", "package", "private", "fileprivate", "@testable", "@_exported"]
            while let first = words.first, modifiers.contains(first) { words.removeFirst() }
            guard words.first == "import", words.count >= 2 else { return nil }
            let kinds = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
            let name = kinds.contains(words[1]) && words.count > 2 ? words[2] : words[1]
            return String(name.prefix { $0 != "." && $0 != ";" })
        }
    }

    static func closure(of name: String) -> Set<String> {
        var seen: Set<String> = []
        var waiting = [name]
        while let next = waiting.popLast() {
            for dependency in targets.first(where: { $0.name == next })?.dependencies ?? [] {
                if seen.insert(dependency).inserted { waiting.append(dependency) }
            }
        }
        return seen
    }

    @Test func everyRoomIsInTheTableAndInTheManifest() {
        #expect(Set(Self.roomTargets.map(\.name)) == Set(Room.all.map(\.name)))
        #expect(Room.all.count == Set(Room.all.map(\.name)).count)
        let libraries = Set(Self.targets.filter { $0.kind == "systemLibrary" }.map(\.name))
        #expect(Set(Repository.names(in: "Sources")) == Set(Room.all.map(\.name)).union(libraries).union(Self.cTargets))
    }

    @Test(arguments: Room.all) func sourcesImportWhatTheTableAllows(_ room: Room) {
        let files = Repository.files(under: "Sources/" + room.name, endingWith: ".swift")
        #expect(!files.isEmpty)
        let allowed = room.imports.union(Room.everywhere)
        let found = files.flatMap { file in
            Self.imports(in: file).filter { !allowed.contains($0) }.map { "\(file) imports \($0)" }
        }
        #expect(found == [])
    }

    @Test(arguments: Room.all) func manifestDeclaresWhatTheTableAllows(_ room: Room) throws {
        let target = try #require(Self.targets.first { $0.name == room.name })
        #expect(Set(target.dependencies).subtracting(room.imports) == [])
    }

    @Test(arguments: Room.all) func importsGoDownward(_ room: Room) {
        #expect(!Self.closure(of: room.name).contains(room.name))
    }

    @Test(arguments: Room.all) func planesNeverMeet(_ room: Room) {
        let others: [Room.Plane: Set<Room.Plane>] = [
            .control: [.control, .shared], .data: [.data, .shared], .shared: [.shared],
        ]
        let reached = Self.closure(of: room.name).compactMap { Room.named($0) }
        let wrong = reached.filter { !(others[room.plane] ?? []).contains($0.plane) }.map(\.name)
        #expect(wrong.sorted() == [])
    }

    /// `exit` frees what other threads still use; `endProcess` does not.
    @Test func nobodyCallsExit() {
        let files = Repository.files(under: "Sources", endingWith: ".swift")
        let calls = files.flatMap { file in
            Repository.lines(file).filter { $0.firstMatch(of: #/(^|\s|\(|Glibc\.)exit\([^)]/#) != nil }.map {
                "\(file): \($0)"
            }
        }
        #expect(files.count > 300)
        #expect(calls == [])
    }

    @Test(arguments: Room.doors.keys.sorted()) func outsideModulesEnterThroughTheirDoor(_ module: String) {
        let users = Room.all.map(\.name).filter { name in
            Repository.files(under: "Sources/" + name, endingWith: ".swift").contains {
                Self.imports(in: $0).contains(module)
            }
        }
        #expect(Set(users).subtracting(Room.doors[module] ?? []) == [])
    }

    @Test func everyOutsideModuleHasADoor() {
        let rooms = Set(Room.all.map(\.name)).union(Room.everywhere).union(["Dispatch"])
        let outside = Room.all.reduce(into: Set<String>()) { $0.formUnion($1.imports) }.subtracting(rooms)
        #expect(outside == Set(Room.doors.keys))
    }

    @Test(arguments: testTargets.map(\.name)) func testsImportWhatTheyDeclare(_ name: String) throws {
        let target = try #require(Self.targets.first { $0.name == name })
        let allowed = Set(target.dependencies).union(Room.everywhere).union(Room.inTests)
        let found = Repository.files(under: "Tests/" + name, endingWith: ".swift").flatMap { file in
            Self.imports(in: file).filter { !allowed.contains($0) }.map { "\(file) imports \($0)" }
        }
        #expect(found == [])
    }

    /// A room's own tests see its plane only; what needs both planes is an integration test.
    @Test(arguments: testTargets.map(\.name)) func testsKeepToOnePlane(_ name: String) {
        let planes = Set(Self.closure(of: name).compactMap { Room.named($0)?.plane }.filter { $0 != .shared })
        #expect(planes.count <= 1)
    }
}
