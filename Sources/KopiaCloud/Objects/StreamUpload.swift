internal import KopiaBlob

/// What a service offers to store one object in parts.
protocol PartSink: Sendable {
    associatedtype Receipt: Sendable
    /// Completes "could not …".
    var action: String { get }

    /// Stores a small object in one piece.
    func putWhole(_ bytes: [UInt8]) async throws
    func begin() async throws
    /// - Parameter number: from 1 on.
    func putPart(_ number: Int, _ bytes: [UInt8]) async throws -> Receipt
    /// Makes the object appear.
    func complete(_ receipts: [Receipt], bytes: Int64) async throws
    /// Removes what is stored of an object that is not to appear.
    func abort() async throws
}

/// Cuts a stream into parts and stores several at a time; all or nothing.
///
/// Memory: the part that is being filled, and parts on the way that are together at most `bytesInFlightMax`, or one. With
/// the plans there are that is 80 MiB up to 64 GiB on S3 and 268 GiB on Azure, and two parts beyond.
struct StreamUpload<Sink: PartSink>: Sendable {
    static var bytesInFlightMax: Int { 64 << 20 }

    let plan: PartPlan
    let sink: Sink
    var bytesInFlightMax = Self.bytesInFlightMax

    /// - Returns: bytes stored.
    func run(length: Int64?, next: () async throws -> [UInt8]?) async throws -> Int64 {
        var cutter = PartCutter(plan: plan, length: length)
        var filled: [[UInt8]] = []
        while filled.count < 2, let part = try await cutter.next(from: next) { filled.append(part) }
        guard filled.count == 2 else {
            try await sink.putWhole(filled.first ?? [])
            return cutter.total
        }
        try await sink.begin()
        do {
            let receipts = try await store(&filled, &cutter, next)
            try Task.checkCancellation()
            try await sink.complete(receipts, bytes: cutter.total)
            return cutter.total
        } catch {
            throw await abandon(after: error)
        }
    }

    /// - Parameter filled: the first parts; taken out, so that none is held longer than it is on its way.
    private func store(
        _ filled: inout [[UInt8]], _ cutter: inout PartCutter, _ next: () async throws -> [UInt8]?
    ) async throws -> [Sink.Receipt] {
        try await withThrowingTaskGroup(of: (Int, Int, Sink.Receipt).self) { group in
            var receipts: [Int: Sink.Receipt] = [:]
            var bytesInFlight = 0
            var inFlight = 0
            var number = 0
            func collect() async throws {
                guard let (number, bytes, receipt) = try await group.next() else { return }
                receipts[number] = receipt
                bytesInFlight -= bytes
                inFlight -= 1
            }
            while true {
                let part: [UInt8]
                if !filled.isEmpty {
                    part = filled.removeFirst()
                } else if let more = try await cutter.next(from: next) {
                    part = more
                } else {
                    break
                }
                try Task.checkCancellation()
                number += 1
                guard number <= plan.partsMax, cutter.total <= plan.objectBytesMax else {
                    throw BlobError(
                        .unsupported, "could not \(sink.action): it is larger than the service takes as one object",
                        hint: "store it in a repository (--repository), which has no such limit, or compress it first")
                }
                while inFlight > 0, bytesInFlight + part.count > bytesInFlightMax { try await collect() }
                bytesInFlight += part.count
                inFlight += 1
                group.addTask { [number, sink] in (number, part.count, try await sink.putPart(number, part)) }
            }
            while inFlight > 0 { try await collect() }
            return try (1...number).map { position in
                guard let receipt = receipts[position] else {
                    throw BlobError(.io, "could not \(sink.action): part \(position) has no receipt")
                }
                return receipt
            }
        }
    }

    /// Leaves no orphan, also when this task is cancelled: the clean-up has a task of its own, awaited here.
    private func abandon(after error: any Error) async -> any Error {
        do {
            try await Task { try await sink.abort() }.value
            return error
        } catch let leftover {
            guard let error = error as? BlobError else { return error }
            let note = (leftover as? BlobError)?.message ?? "\(leftover)"
            return BlobError(
                error.code, blob: error.blob, "\(error.message); the parts stored so far are still there: \(note)",
                hint: error.hint, isTransient: error.isTransient)
        }
    }
}

/// Joins and cuts chunks of any size into parts of the planned sizes.
struct PartCutter {
    let plan: PartPlan
    let length: Int64?
    /// Bytes handed out.
    private(set) var total: Int64 = 0
    private var rest: ArraySlice<UInt8> = []

    init(plan: PartPlan, length: Int64?) {
        self.plan = plan
        self.length = length
    }

    /// The next part, full unless it is the last; nil after that.
    mutating func next(from source: () async throws -> [UInt8]?) async throws -> [UInt8]? {
        let size = plan.partBytes(at: total, length: length)
        var part: [UInt8] = []
        part.reserveCapacity(size)
        while part.count < size {
            if rest.isEmpty {
                guard let chunk = try await source() else { break }
                rest = chunk[...]
            }
            let count = min(size - part.count, rest.count)
            part += rest.prefix(count)
            rest = rest.dropFirst(count)
        }
        total += Int64(part.count)
        return part.isEmpty ? nil : part
    }
}
