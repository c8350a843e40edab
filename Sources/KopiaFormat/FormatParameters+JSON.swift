internal import GoFormats

/// Reads members of a JSON object the way Go's decoder does (names without regard to case, null and absent are the
/// default), but reports a wrong type instead of a line number.
struct FieldReader {
    let object: JSONObject
    /// For messages, for example `the format block`.
    let place: String

    init(_ value: JSONValue, _ place: String) throws(FormatError) {
        guard let object = value.objectValue else { throw FormatError(.damaged, "\(place) is not a JSON object") }
        self.object = object
        self.place = place
    }

    private func wrong(_ name: String, _ expected: String) -> FormatError {
        FormatError(.damaged, "'\(name)' in \(place) is not \(expected)")
    }

    func value(_ name: String) -> JSONValue? {
        guard let value = object.caseInsensitive(name), !value.isNull else { return nil }
        return value
    }

    func string(_ name: String) throws(FormatError) -> String {
        guard let value = value(name) else { return "" }
        guard let text = value.stringValue else { throw wrong(name, "a string") }
        return text
    }

    func bytes(_ name: String) throws(FormatError) -> [UInt8] {
        guard let bytes = Base64.decode(try string(name)) else { throw wrong(name, "base64") }
        return bytes
    }

    func integer(_ name: String) throws(FormatError) -> Int64 {
        guard let value = value(name) else { return 0 }
        guard let number = value.integerValue else { throw wrong(name, "a whole number") }
        return number
    }

    func bool(_ name: String) throws(FormatError) -> Bool {
        guard let value = value(name) else { return false }
        guard let flag = value.boolValue else { throw wrong(name, "true or false") }
        return flag
    }

    func time(_ name: String) throws(FormatError) -> Timestamp {
        guard let time = Timestamp(rfc3339: try string(name)) else { throw wrong(name, "a time in RFC 3339") }
        return time
    }
}

extension FormatParameters {
    /// Reads the decrypted JSON `{"format":{…}}` and checks what kopia checks when opening.
    ///
    /// - Throws: `FormatError.Code.damaged`, `.unsupported`.
    init(json: [UInt8]) throws(FormatError) {
        let parsed: JSONValue
        do {
            parsed = try JSONParser.parse(json, limits: .init(depth: 32, bytes: 4 << 20))
        } catch {
            throw FormatError(.damaged, "the decrypted format block is not JSON: \(error)")
        }
        let outer = try FieldReader(parsed, "the decrypted format block")
        let fields = try FieldReader(outer.value("format") ?? nil, "'format' of the decrypted format block")

        let version = try fields.integer("version")
        guard (1...3).contains(version) else {
            throw FormatError(
                .unsupported, "the repository has format version \(version); this program knows 1, 2 and 3",
                hint: version > 3 ? "use a newer version of this program or kopia" : "the format block is not kopia's")
        }
        let hashName = try fields.string("hash")
        guard let hash = HashAlgorithm(rawValue: hashName) else {
            throw Self.unknown("hash", hashName, HashAlgorithm.allCases.map(\.rawValue))
        }
        let encryptionName = try fields.string("encryption")
        guard let encryption = EncryptionAlgorithm(rawValue: encryptionName) else {
            throw Self.unknown("encryption", encryptionName, EncryptionAlgorithm.allCases.map(\.rawValue))
        }
        let indexVersion = try fields.integer("indexVersion")
        guard (0...2).contains(indexVersion) else {
            throw FormatError(
                .unsupported, "the repository has index version \(indexVersion); this program knows 1 and 2")
        }
        let maxPackSize = try fields.integer("maxPackSize")
        guard (0...(1 << 30)).contains(maxPackSize) else {
            throw FormatError(.damaged, "'maxPackSize' in the format block is \(maxPackSize) bytes")
        }
        let overhead = try fields.integer("eccOverheadPercent")
        guard (0...100).contains(overhead) else {
            throw FormatError(
                .unsupported, "the repository has \(overhead) % of error correction; 1 to 100 are possible")
        }
        let errorCorrection = try fields.string("ecc")
        guard errorCorrection.isEmpty || errorCorrection == Self.reedSolomon else {
            throw Self.unknown("error correction", errorCorrection, [Self.reedSolomon])
        }
        let splitter = try fields.string("splitter")
        self.init(
            hash: hash, encryption: encryption, errorCorrection: errorCorrection,
            errorCorrectionOverheadPercent: Int(overhead), secret: SecretBytes(try fields.bytes("secret")),
            masterKey: SecretBytes(try fields.bytes("masterKey")), version: Int(version),
            maxPackSize: maxPackSize == 0 ? 20 << 20 : Int(maxPackSize),
            indexVersion: indexVersion == 0 ? 1 : Int(indexVersion),
            epochParameters: try EpochParameters(fields.value("epochParameters")),
            enablePasswordChange: try fields.bool("enablePasswordChange"),
            splitter: splitter.isEmpty ? "FIXED" : splitter,
            upgradeLock: try fields.value("upgradeLock").map { value throws(FormatError) in try UpgradeLock(value) },
            requiredFeatures: try RequiredFeature.list(fields.value("requiredFeatures")))
    }

    private static func unknown(_ what: String, _ name: String, _ known: [String]) -> FormatError {
        FormatError(
            .unsupported, "the repository uses \(what) '\(name)', which this program does not know",
            hint: "known are \(known.joined(separator: ", "))")
    }

    /// The bytes kopia would write: members in its order, no line break.
    var json: [UInt8] {
        var format = JSONObject([
            "hash": .string(hash.rawValue),
            "encryption": .string(encryption.rawValue),
        ])
        if !errorCorrection.isEmpty { format["ecc"] = .string(errorCorrection) }
        if errorCorrectionOverheadPercent != 0 {
            format["eccOverheadPercent"] = .integer(Int64(errorCorrectionOverheadPercent))
        }
        format["secret"] = .string(Base64.encode(secret.bytes))
        format["masterKey"] = .string(Base64.encode(masterKey.bytes))
        format["version"] = .integer(Int64(version))
        format["maxPackSize"] = .integer(Int64(maxPackSize))
        format["indexVersion"] = .integer(Int64(indexVersion))
        format["epochParameters"] = epochParameters.json
        format["enablePasswordChange"] = .bool(enablePasswordChange)
        if !splitter.isEmpty { format["splitter"] = .string(splitter) }
        if let upgradeLock { format["upgradeLock"] = upgradeLock.json }
        if !requiredFeatures.isEmpty { format["requiredFeatures"] = .array(requiredFeatures.map(\.json)) }
        return GoJSON.encode(.object(JSONObject(["format": .object(format)])))
    }
}

extension EpochParameters {
    /// The names are PascalCase: an accident of kopia's that is now part of the format.
    init(_ value: JSONValue?) throws(FormatError) {
        guard let value else {
            self = .disabled
            return
        }
        let fields = try FieldReader(value, "'epochParameters' of the format block")
        self.init(
            isEnabled: try fields.bool("Enabled"),
            epochRefreshFrequencyNanoseconds: try fields.integer("EpochRefreshFrequency"),
            fullCheckpointFrequency: try fields.integer("FullCheckpointFrequency"),
            cleanupSafetyMarginNanoseconds: try fields.integer("CleanupSafetyMargin"),
            minEpochDurationNanoseconds: try fields.integer("MinEpochDuration"),
            epochAdvanceOnCountThreshold: try fields.integer("EpochAdvanceOnCountThreshold"),
            epochAdvanceOnTotalSizeBytesThreshold: try fields.integer("EpochAdvanceOnTotalSizeBytesThreshold"),
            deleteParallelism: try fields.integer("DeleteParallelism"))
    }

    var json: JSONValue {
        [
            "Enabled": .bool(isEnabled),
            "EpochRefreshFrequency": .integer(epochRefreshFrequencyNanoseconds),
            "FullCheckpointFrequency": .integer(fullCheckpointFrequency),
            "CleanupSafetyMargin": .integer(cleanupSafetyMarginNanoseconds),
            "MinEpochDuration": .integer(minEpochDurationNanoseconds),
            "EpochAdvanceOnCountThreshold": .integer(epochAdvanceOnCountThreshold),
            "EpochAdvanceOnTotalSizeBytesThreshold": .integer(epochAdvanceOnTotalSizeBytesThreshold),
            "DeleteParallelism": .integer(deleteParallelism),
        ]
    }
}

extension UpgradeLock {
    init(_ value: JSONValue) throws(FormatError) {
        let fields = try FieldReader(value, "'upgradeLock' of the format block")
        self.init(
            ownerID: try fields.string("ownerID"), creationTime: try fields.time("creationTime"),
            advanceNoticeNanoseconds: try fields.integer("advanceNoticeDuration"),
            ioDrainTimeoutNanoseconds: try fields.integer("ioDrainTimeout"),
            statusPollIntervalNanoseconds: try fields.integer("statusPollInterval"),
            message: try fields.string("message"),
            maxPermittedClockDriftNanoseconds: try fields.integer("maxPermittedClockDrift"))
    }

    var json: JSONValue {
        var object = JSONObject([
            "ownerID": .string(ownerID), "creationTime": .string(creationTime.description),
        ])
        if advanceNoticeNanoseconds != 0 { object["advanceNoticeDuration"] = .integer(advanceNoticeNanoseconds) }
        object["ioDrainTimeout"] = .integer(ioDrainTimeoutNanoseconds)
        object["statusPollInterval"] = .integer(statusPollIntervalNanoseconds)
        object["message"] = .string(message)
        object["maxPermittedClockDrift"] = .integer(maxPermittedClockDriftNanoseconds)
        return .object(object)
    }
}

extension RequiredFeature {
    static func list(_ value: JSONValue?) throws(FormatError) -> [RequiredFeature] {
        guard let value else { return [] }
        guard let items = value.arrayValue else {
            throw FormatError(.damaged, "'requiredFeatures' of the format block is not a list")
        }
        var features: [RequiredFeature] = []
        for item in items {
            let fields = try FieldReader(item, "'requiredFeatures' of the format block")
            let reaction = try FieldReader(fields.value("ifNotUnderstood") ?? [:], "'ifNotUnderstood'")
            features.append(
                RequiredFeature(
                    feature: try fields.string("feature"), warns: try reaction.bool("warn"),
                    message: try reaction.string("message"), url: try reaction.string("url"),
                    upgradeToVersion: try reaction.string("upgradeToVersion")))
        }
        return features
    }

    var json: JSONValue {
        var reaction = JSONObject(["warn": .bool(warns)])
        if !message.isEmpty { reaction["message"] = .string(message) }
        if !url.isEmpty { reaction["url"] = .string(url) }
        if !upgradeToVersion.isEmpty { reaction["upgradeToVersion"] = .string(upgradeToVersion) }
        return ["feature": .string(feature), "ifNotUnderstood": .object(reaction)]
    }
}
