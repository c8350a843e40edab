import GoFormats
import KopiaRepository
import RunnerContract

extension ImmutabilityReport {
    /// Blobs named one by one in the text; the rest is in the JSON.
    private static let linesMax = 20

    /// For people.
    var lines: [String] {
        var lines: [String] = []
        for problem in unreadable.prefix(Self.linesMax) { lines.append("unknown: \(Listing.safe(problem))") }
        for blob in weak.prefix(Self.linesMax) {
            lines.append("\(blob.kind.rawValue) \(blob.id): \(blob.state(at: time))")
        }
        if weakCount > Self.linesMax { lines.append("… and \(weakCount - Self.linesMax) more blobs") }
        lines.append("\(subject): \(verdict)")
        let kinds = Blob.Kind.allCases.compactMap { kind in counts[kind].map { "\($0) \(kind.rawValue)" } }
        lines.append(
            "looked at \(blobCount) blobs (\(kinds.joined(separator: ", "))) at \(Listing.time(time)), \(clock)")
        return lines
    }

    private var subject: String {
        snapshots.count == 1
            ? "snapshot \(snapshots[0])" : (snapshots.isEmpty ? "no" : "\(snapshots.count)") + " snapshots"
    }

    /// `undeletable until …`, or why not.
    var verdict: String {
        guard let until = undeletableUntil, let weakest else { return "DELETABLE NOW" }
        let left = DurationText.text(Int64(until.secondsSince(time)))
        let except = isUnconditional ? "" : ", except by those who may bypass governance"
        return
            "undeletable until \(Listing.time(until)) (\(left))\(except); weakest: \(weakest.kind.rawValue) \(weakest.id)"
    }

    private var clock: String {
        guard let skew = clockSkewSeconds else { return "by this machine's clock" }
        guard abs(skew) >= 60 else { return "by the storage's clock" }
        return "by the storage's clock; this machine's is \(DurationText.text(Int64(abs(skew)))) "
            + (skew > 0 ? "ahead" : "behind")
    }

    /// Exit code 6; nil when the promise holds.
    var failure: PodRunnerError? {
        guard !holds else { return nil }
        if locksVersions == false {
            let what = location.hasPrefix("file:") ? "a folder keeps no locks" : "the storage does not lock versions"
            return PodRunnerError(
                .verification, "no storage lock: deletable now (\(what): \(location))",
                hint:
                    "S3: a bucket with object lock; Azure: versioning and version-level immutability; and a retention of the repository"
            )
        }
        guard let blob = weak.first else {
            return PodRunnerError(
                .verification, "\(subject): some blobs are not known, because what leads to them cannot be read",
                hint: "see what 'snapshot verify' says")
        }
        let others = weakCount > 1 ? "; so with \(weakCount - 1) more" : ""
        let isTooShort = blob.isProtected(until: time)
        return PodRunnerError(
            .verification, "\(subject): \(blob.kind.rawValue) \(blob.id) \(blob.state(at: time))\(others)",
            hint: blob.remedy(isTooShort: isTooShort))
    }

    var json: JSONValue {
        [
            "location": .string(location), "snapshots": .array(snapshots.map { .string($0.description) }),
            "holds": .bool(holds), "undeletableUntil": undeletableUntil.map { .string($0.description) } ?? .null,
            "requiredUntil": .string(requiredUntil.description), "unconditional": .bool(isUnconditional),
            "checkedAt": .string(time.description),
            "clockSkewSeconds": clockSkewSeconds.map { .integer(Int64($0.rounded())) } ?? .null,
            "keepsVersions": keepsVersions.map { .bool($0) } ?? .null,
            "locksVersions": locksVersions.map { .bool($0) } ?? .null,
            "blobs": .integer(Int64(blobCount)), "weakest": weakest?.json ?? .null,
            "weakBlobs": .integer(Int64(weakCount)), "weak": .array(weak.map(\.json)),
            "unknown": .array(unreadable.map { .string($0) }),
        ]
    }

    /// For an output key: who reads it wants one answer, not a list.
    var summaryJSON: JSONValue {
        guard case .object(var object) = json else { return json }
        object["weak"] = nil
        return .object(object)
    }
}

extension ImmutabilityReport.Blob {
    /// What is the matter with it, or until when it is locked.
    func state(at time: Timestamp) -> String {
        let lock = until.map { "locked until \(Listing.time($0)) (\(mode ?? "?"))" }
        switch state {
        case .missing: return "is missing"
        case .hidden:
            let since = hiddenSince.map { " since \(Listing.time($0))" } ?? ""
            return
                "is hidden\(since): it was deleted, its version \(version ?? "?") is still there, \(lock ?? "not locked")"
        case .visible:
            guard let lock else { return "is not locked: deletable now" }
            if !isProtected(until: time), mode == "Unlocked" { return "is \(lock), which can be taken back" }
            return isProtected(until: time) ? "is \(lock)" : "is not locked any more: \(lock)"
        }
    }

    func remedy(isTooShort: Bool) -> String {
        switch state {
        case .missing: return "restore the blob from a copy of the storage"
        case .hidden:
            if let marker { return "delete the marker, which is version \(marker) of it, and the blob is there again" }
            return "copy version \(version ?? "?") over the blob, and it is there again"
        case .visible:
            return isTooShort
                ? "lock it for longer with 'immutability extend'"
                : "'immutability extend' locks it; without permission to see locks (s3:GetObjectRetention) every blob looks like this"
        }
    }

    var json: JSONValue {
        var object = JSONObject(["blob": .string(id), "kind": .string(kind.rawValue), "state": .string(state.rawValue)])
        object["mode"] = mode.map { .string($0) } ?? .null
        object["until"] = until.map { .string($0.description) } ?? .null
        if let version { object["version"] = .string(version) }
        if let marker { object["deleteMarker"] = .string(marker) }
        if let hiddenSince { object["hiddenSince"] = .string(hiddenSince.description) }
        return .object(object)
    }
}

extension LockExtension {
    var json: JSONValue {
        [
            "until": .string(until.description), "mode": .string(mode), "blobs": .integer(Int64(blobCount)),
            "failures": .array(failures.map { ["blob": .string($0.blob), "message": .string($0.message)] }),
            "unknown": .array(unreadable.map { .string($0) }),
        ]
    }
}
