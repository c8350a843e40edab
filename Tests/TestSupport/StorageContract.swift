internal import GoFormats
public import KopiaBlob

/// What every `BlobStorage` must do, run against each provider and against the doubles. The storage must be empty, and
/// is empty again afterwards.
///
/// - Parameter overwritesConcurrently: false leaves out several writers of one blob at once, for servers that cannot.
/// - Throws: `TestSupportError` listing every violation.
public func verifyStorageContract(_ storage: any BlobStorage, overwritesConcurrently: Bool = true) async throws {
    var contract = StorageContract(storage: storage)
    await contract.run("missing blobs") { contract async throws in try await contract.checkMissing() }
    await contract.run("round trips") { contract async throws in try await contract.checkRoundTrips() }
    await contract.run("pieces") { contract async throws in try await contract.checkPieces() }
    await contract.run("ranges") { contract async throws in try await contract.checkRanges() }
    await contract.run("overwriting") { contract async throws in try await contract.checkOverwriting() }
    await contract.run("listing") { contract async throws in try await contract.checkListing() }
    if overwritesConcurrently {
        await contract.run("concurrency") { contract async throws in try await contract.checkConcurrency() }
    }
    guard contract.violations.isEmpty else {
        throw TestSupportError(
            "\(storage.displayName) breaks the storage contract:\n" + contract.violations.joined(separator: "\n"))
    }
}

private struct StorageContract {
    let storage: any BlobStorage
    var violations: [String] = []

    /// An error that a check did not expect is a violation as well.
    mutating func run(_ name: String, _ check: (inout StorageContract) async throws -> Void) async {
        do {
            try await check(&self)
        } catch {
            violations.append("\(name): \(error)")
        }
    }

    private mutating func expect(_ condition: Bool, _ message: @autoclosure () -> String) {
        if !condition { violations.append(message()) }
    }

    private func id(_ text: String) throws -> BlobID {
        guard let id = BlobID(text) else { throw TestSupportError("'\(text)' is not a blob ID") }
        return id
    }

    private mutating func expectError(
        _ code: BlobError.Code, of id: BlobID, _ what: String, _ call: () async throws -> Void
    ) async {
        do {
            try await call()
            violations.append("\(what) did not throw")
        } catch let error as BlobError {
            expect(error.code == code, "\(what) threw another code: \(error)")
            expect(error.blob == id, "\(what) threw an error about \(error.blob.map { "\($0)" } ?? "no blob")")
            expect(error.message.contains(id.description), "\(what) does not name the blob: \(error.message)")
        } catch {
            violations.append("\(what) threw \(error)")
        }
    }

    mutating func checkMissing() async throws {
        let storage = storage
        let missing = try id("p00000000000000000000000000000000-s0000000000000000144")
        expect(try await storage.list(prefix: "").isEmpty, "the storage is not empty at the start")
        await expectError(.notFound, of: missing, "get of a missing blob") { _ = try await storage.get(missing) }
        await expectError(.notFound, of: missing, "a range of a missing blob") {
            _ = try await storage.get(missing, range: 0..<1)
        }
        await expectError(.notFound, of: missing, "metadata of a missing blob") {
            _ = try await storage.metadata(of: missing)
        }
        try await storage.delete(missing)
    }

    mutating func checkRoundTrips() async throws {
        for (number, length) in [0, 1, 5, 4096, 1 << 20 + 3].enumerated() {
            let blob = try id("q\(number)1111111111111111111111111111111-s0000000000000000144")
            let bytes = SeededBytes.rnd(UInt64(number), length)
            try await storage.put(blob, bytes)
            expect(try await storage.get(blob) == bytes, "\(length) bytes do not come back")
            let metadata = try await storage.metadata(of: blob)
            expect(
                metadata.id == blob && metadata.length == Int64(length), "metadata of \(length) bytes is \(metadata)")
            let age = Timestamp.now().secondsSince(metadata.timestamp)
            expect(abs(age) < 3600, "a blob just written is \(age) seconds old")
            expect(try await storage.list(prefix: "q\(number)") == [metadata], "listing and metadata disagree")
            try await storage.delete(blob)
            try await storage.delete(blob)
            let storage = storage
            await expectError(.notFound, of: blob, "get of a deleted blob") { _ = try await storage.get(blob) }
            expect(try await storage.list(prefix: "q").isEmpty, "a deleted blob is still listed")
        }
    }

    mutating func checkPieces() async throws {
        let blob = try id("p22222222222222222222222222222222-s0000000000000000144")
        for lengths in [[], [0], [5], [0, 1, 0, 2], [1_000_000, 1, 700_000]] {
            let pieces = lengths.enumerated().map { SeededBytes.rnd(UInt64($0.offset), $0.element) }
            try await storage.put(blob, pieces: pieces, retention: nil)
            let whole = Array(pieces.joined())
            expect(try await storage.get(blob) == whole, "a blob of pieces of \(lengths) bytes does not come back")
            expect(
                try await storage.metadata(of: blob).length == Int64(whole.count), "pieces of \(lengths): the length")
            try await storage.delete(blob)
        }
    }

    mutating func checkRanges() async throws {
        let storage = storage
        let blob = try id("pabcdef00000000000000000000000000-s0000000000000000144")
        let bytes = SeededBytes.rnd(3, 1000)
        try await storage.put(blob, bytes)
        for range in [0..<0, 0..<1, 0..<1000, 1..<999, 500..<501, 999..<1000, 1000..<1000] as [Range<Int64>] {
            let expected = Array(bytes[Int(range.lowerBound)..<Int(range.upperBound)])
            expect(try await storage.get(blob, range: range) == expected, "range \(range) gives other bytes")
        }
        for range in [0..<1001, 1000..<1001, 1001..<1001, 5000..<6000, -1..<5, 0..<Int64.max] as [Range<Int64>] {
            await expectError(.invalidRange, of: blob, "range \(range) of 1000 bytes") {
                _ = try await storage.get(blob, range: range)
            }
        }
        try await storage.delete(blob)
    }

    mutating func checkOverwriting() async throws {
        let blob = try id("kopia.repository")
        for length in [10, 1000, 0, 7] {
            let bytes = SeededBytes.rnd(UInt64(length), length)
            try await storage.put(blob, bytes)
            expect(try await storage.get(blob) == bytes, "overwriting with \(length) bytes left something else")
            expect(try await storage.metadata(of: blob).length == Int64(length), "the length stayed after overwriting")
        }
        expect(try await storage.list(prefix: "").count == 1, "overwriting left other blobs")
        try await storage.delete(blob)
    }

    /// Names around every border a sharded layout may have.
    mutating func checkListing() async throws {
        let names = [
            "a", "xe0", "xe1", "xe12", "xw1767225600", "kopia.repository", "kopia.blobcfg", "kopia.maintenance",
            "xn0_00112233445566778899aabbccddeeff-s0011223344556677144-c1",
            "xn0_01112233445566778899aabbccddeeff-s0011223344556677144-c2",
            "xn1_00112233445566778899aabbccddeeff-s0011223344556677144-c1",
            "xr0_6_00112233445566778899aabbccddeeff-s0011223344556677-c1",
            "p00112233445566778899aabbccddeeff-s0011223344556677144",
            "p00122233445566778899aabbccddeeff-s0011223344556677144",
            "q00112233445566778899aabbccddeeff-s0011223344556677144",
            "12345678901234567890", "123456789012345678901",
            "_log_20260101000000_abcd_1_2_3_00112233445566778899aabbccddeeff",
        ]
        let blobs = try names.map(id)
        for blob in blobs { try await storage.put(blob, Array(blob.description.utf8)) }
        let prefixes = [
            "", "x", "xe", "xe1", "xn", "xn0", "xn0_", "xn0_0", "xn0_00", "xn0_001", "p", "p0", "p00", "p001", "p0011",
            "p0012", "kopia.", "kopia.repository", "kopia.repository2", "1234567890123456789", "12345678901234567890",
            "123456789012345678901", "_log_", "z", "P", ".", "..",
            "p00112233445566778899aabbccddeeff-s0011223344556677144",
            "p00112233445566778899aabbccddeeff-s00112233445566771445", "a.", "a.f", "x/", "xn0_/",
        ]
        for prefix in prefixes {
            let found = try await storage.list(prefix: prefix)
            let expected = blobs.filter { $0.hasPrefix(prefix) }.sorted()
            expect(found.map(\.id).sorted() == expected, "prefix '\(prefix)' lists \(found.map(\.id).sorted())")
            expect(
                found.allSatisfy { $0.length == Int64($0.id.description.utf8.count) },
                "prefix '\(prefix)' lists wrong lengths")
        }
        for blob in blobs {
            expect(try await storage.get(blob) == Array(blob.description.utf8), "'\(blob)' gives other bytes")
            try await storage.delete(blob)
        }
        expect(try await storage.list(prefix: "").isEmpty, "blobs are left after deleting all")
    }

    /// Many writers and readers at once; a reader sees one whole value or none.
    mutating func checkConcurrency() async throws {
        let storage = storage
        let shared = try id("pffffffff000000000000000000000000-s0000000000000000144")
        let others = try (10..<26).map { try id("p\($0)fffffff00000000000000000000000-s0000000000000000144") }
        let torn = try await withThrowingTaskGroup(of: Int.self) { group in
            for (number, other) in others.enumerated() {
                group.addTask {
                    try await storage.put(other, SeededBytes.rnd(UInt64(number), 10_000))
                    try await storage.put(shared, [UInt8](repeating: UInt8(number), count: 50_000 + number))
                    return 0
                }
                group.addTask {
                    do {
                        let bytes = try await storage.get(shared)
                        let isWhole = bytes.first.map { first in
                            bytes.count == 50_000 + Int(first) && bytes.allSatisfy { $0 == first }
                        }
                        return isWhole == true ? 0 : 1
                    } catch let error as BlobError where error.code == .notFound {
                        return 0
                    }
                }
                group.addTask {
                    _ = try await storage.list(prefix: "p")
                    return 0
                }
            }
            return try await group.reduce(0, +)
        }
        expect(torn == 0, "\(torn) readers saw a torn blob")
        for (number, other) in others.enumerated() {
            expect(
                try await storage.get(other) == SeededBytes.rnd(UInt64(number), 10_000), "'\(other)' gives other bytes")
            try await storage.delete(other)
        }
        try await storage.delete(shared)
        expect(try await storage.list(prefix: "").isEmpty, "blobs are left at the end")
    }
}
