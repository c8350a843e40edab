import GoFormats
import KopiaBlob
import TestSupport
import Testing

@testable import KopiaFormat

@Suite struct RepositoryFormatTests {
    static let password = Password(GoldenRepository.password)
    static let repositoryID = "kopia.repository"

    static func error(
        _ storage: any BlobStorage, password: Password = password, now: Timestamp = .now()
    ) async -> FormatError? {
        await #expect(throws: FormatError.self) {
            _ = try await RepositoryFormat.open(storage, password: password, now: now)
        }
    }

    // MARK: kopia's repositories

    @Test(arguments: [
        ("format-v1-small", 1, GoldenRepository.password), ("kdf-pbkdf2", 3, GoldenRepository.password),
        ("password-changed", 3, "after-the-change"), ("password-unicode", 3, "pässwörd-日本-🔑 with spaces"),
        ("maintained", 3, GoldenRepository.password), ("retention-blobcfg", 3, GoldenRepository.password),
    ])
    func kopiasRepositoriesOpen(_ name: String, _ version: Int, _ password: String) async throws {
        let storage = try await Fixture.repository(name)
        let format = try await RepositoryFormat.open(storage, password: Password(password))
        #expect(format.parameters.version == version)
        #expect(format.keyDerivation == (name == "kdf-pbkdf2" ? .pbkdf2 : .scrypt))
        #expect(format.parameters.enablePasswordChange == (version > 1))
        #expect(format.warnings.isEmpty)
        #expect(
            format.retention
                == (name == "retention-blobcfg" ? BlobRetention(mode: .governance, periodSeconds: 172_800) : nil))
        #expect(format.blobBytes == storage.contents[try #require(BlobID(Self.repositoryID))])
        #expect(try await format.refresh(storage).parameters == format.parameters)
        let frame = try format.packReplicaFrame()
        #expect(frame.isEmpty == (version > 1))
        if version == 1 { #expect(try FormatReplica.recover(head: frame, tail: []) == format.blobBytes) }
    }

    @Test(arguments: ["before-the-change", "", "after-the-change "]) func otherPasswordsAreRefused(_ password: String)
        async throws
    {
        let storage = try await Fixture.repository("password-changed")
        let error = await Self.error(storage, password: Password(password))
        #expect(error?.code == .wrongPassword)
        #expect(
            error?.description == """
                the password is wrong, or the format block 'kopia.repository' was altered: it does not decrypt
                hint: check the password; if it is right, restore 'kopia.repository' from a copy
                """)
    }

    @Test func anAlteredFormatBlockLooksLikeAWrongPasswordAndSaysSo() async throws {
        let error = await Self.error(try await Fixture.repository("corrupt-format-tampered"))
        #expect(error?.code == .wrongPassword)
    }

    @Test func aCutFormatBlockIsExplained() async throws {
        let error = await Self.error(try await Fixture.repository("corrupt-format-blob"))
        #expect(error?.code == .damaged)
        #expect(
            error?.message.hasPrefix(
                "the format block 'kopia.repository' of 615 bytes is damaged or cut short: unexpected end")
                == true)
    }

    @Test func anUnknownFeatureIsRefused() async throws {
        let error = await Self.error(try await Fixture.repository("required-feature"))
        #expect(error?.code == .requiredFeature)
        #expect(
            error?.message
                == "the repository needs the feature 'feature-from-the-future', which this program does not have")
    }

    @Test func anUpgradeLockIsRefusedFromItsTimeOn() async throws {
        let storage = try await Fixture.repository("upgrade-lock")
        let error = await Self.error(storage)
        #expect(error?.code == .upgradeInProgress)
        #expect(
            error?.message
                == "'owner' is upgrading the repository since 2026-11-22T12:26:26.793805307Z: Upgrading from format version 1 -> 3"
        )
        let before = try #require(Timestamp(rfc3339: "2026-11-22T12:26:26.793805306Z"))
        let format = try await RepositoryFormat.open(storage, password: Self.password, now: before)
        #expect(format.parameters.upgradeLock?.ownerID == "owner")
    }

    @Test func anEmptyStorageIsNotARepository() async {
        let error = await Self.error(MemoryBlobStorage())
        #expect(error?.code == .notInitialized)
        #expect(error?.message == "there is no kopia repository in memory:: blob 'kopia.repository' is missing")
    }

    @Test func storageErrorsPassThrough() async throws {
        let storage = FaultyBlobStorage(base: try await Fixture.repository("maintained"))
        storage.script(.get, prefix: "kopia.blobcfg", .fail(FaultyBlobStorage.networkDown))
        let error = await #expect(throws: BlobError.self) {
            _ = try await RepositoryFormat.open(storage, password: Self.password)
        }
        #expect(error?.isTransient == true)
    }

    @Test func aMissingConfigurationMeansNoRetention() async throws {
        let storage = try await Fixture.repository("retention-blobcfg")
        try await storage.delete(try #require(BlobID("kopia.blobcfg")))
        #expect(try await RepositoryFormat.open(storage, password: Self.password).retention == nil)
    }

    @Test func aDamagedConfigurationIsExplained() async throws {
        let storage = try await Fixture.repository("retention-blobcfg")
        storage.damage(try #require(BlobID("kopia.blobcfg"))) { $0[20] ^= 1 }
        let error = await Self.error(storage)
        #expect(error?.code == .damaged)
        #expect(
            error?.message
                == "blob 'kopia.blobcfg' of 92 bytes does not decrypt with the key that opens 'kopia.repository'")
    }

    @Test func kopiasMaintenanceScheduleIsReadAndSealedAgain() async throws {
        let storage = try await Fixture.repository("maintained")
        let format = try await RepositoryFormat.open(storage, password: Self.password)
        let stored = try await storage.get(try #require(BlobID("kopia.maintenance")))
        let json = try format.openMaintenanceSchedule(stored)
        #expect(try JSONParser.parse(json)["runs"]?.objectValue?.isEmpty == false)
        #expect(try format.sealMaintenanceSchedule(json, nonce: Array(stored.prefix(12))) == stored)
        let error = #expect(throws: FormatError.self) { try format.openMaintenanceSchedule(Array(stored.dropLast())) }
        #expect(error?.message == "blob 'kopia.maintenance' of \(stored.count - 1) bytes does not decrypt")
    }

    // MARK: Our own

    @Test(arguments: [1, 2, 3], KeyDerivation.allCases) func newRepositoriesAreWhatKopiaCreates(
        _ version: Int, _ derivation: KeyDerivation
    ) async throws {
        let storage = FaultyBlobStorage()
        var options = RepositoryFormat.Options()
        options.version = version
        options.keyDerivation = derivation
        let created = try await RepositoryFormat.create(storage, password: Self.password, options: options)
        #expect(storage.log.suffix(2) == ["put kopia.blobcfg", "put kopia.repository"])
        let opened = try await RepositoryFormat.open(storage, password: Self.password)
        #expect(opened.parameters == created.parameters)
        #expect(opened.uniqueID == created.uniqueID && opened.uniqueID.count == 32)
        #expect(opened.parameters.secret.bytes.count == 32 && opened.parameters.masterKey.bytes.count == 32)
        #expect(opened.parameters.indexVersion == min(version, 2))
        #expect(opened.parameters.epochParameters == (version == 1 ? .disabled : .standard))
        #expect(opened.parameters.splitter == "DYNAMIC-4M-BUZHASH")
        #expect(
            String(decoding: opened.blobBytes, as: UTF8.self).hasPrefix(
                "{\n  \"tool\": \"https://github.com/kopia/kopia\",\n"))
        let error = await #expect(throws: FormatError.self) {
            _ = try await RepositoryFormat.create(storage, password: Self.password)
        }
        #expect(error?.message == "there is a repository in memory: already: blob 'kopia.repository' exists")
    }

    @Test func aHalfWrittenRepositoryIsNotOverwritten() async throws {
        let storage = FaultyBlobStorage()
        storage.script(.put, prefix: "kopia.repository", .fail(FaultyBlobStorage.diskFull))
        await #expect(throws: BlobError.self) {
            _ = try await RepositoryFormat.create(storage, password: Self.password)
        }
        let error = await #expect(throws: FormatError.self) {
            _ = try await RepositoryFormat.create(storage, password: Self.password)
        }
        #expect(error?.code == .alreadyInitialized)
        #expect(error?.message == "there is a repository in memory: already: blob 'kopia.blobcfg' exists")
    }

    @Test func retentionIsWrittenAndApplied() async throws {
        let storage = MemoryBlobStorage()
        var options = RepositoryFormat.Options()
        options.retention = BlobRetention(mode: .compliance, periodSeconds: 100_000)
        let format = try await RepositoryFormat.create(storage, password: Self.password, options: options)
        #expect(format.retention == options.retention)
        #expect(try await RepositoryFormat.open(storage, password: Self.password).retention == options.retention)
        #expect(storage.retention(of: try #require(BlobID(Self.repositoryID))) == options.retention)
    }

    @Test func thePasswordChangesAndTheDataKeysStay() async throws {
        let storage = FaultyBlobStorage()
        let format = try await RepositoryFormat.create(storage, password: Self.password)
        let sealed = try format.makeCrypto().sealBlob(prefix: "xn0_", suffix: "s1-c1", plaintext: [1, 2, 3])
        let changed = try await format.changePassword(storage, to: Password("another"))
        #expect(storage.log.suffix(2) == ["put kopia.blobcfg", "put kopia.repository"])
        #expect(changed.uniqueID == format.uniqueID && changed.parameters == format.parameters)
        #expect(await Self.error(storage)?.code == .wrongPassword)
        let stale = await #expect(throws: FormatError.self) { _ = try await format.refresh(storage) }
        #expect(stale?.code == .wrongPassword)
        let opened = try await RepositoryFormat.open(storage, password: Password("another"))
        #expect(try opened.makeCrypto().openBlob(sealed.id, sealed.bytes) == [1, 2, 3])
    }

    @Test func aRepositoryWhosePacksCarryTheFormatKeepsItsPassword() async throws {
        let storage = MemoryBlobStorage()
        var options = RepositoryFormat.Options()
        options.version = 1
        let format = try await RepositoryFormat.create(storage, password: Self.password, options: options)
        let before = storage.contents
        let error = await #expect(throws: FormatError.self) {
            _ = try await format.changePassword(storage, to: Password("another"))
        }
        #expect(error?.code == .invalidParameter)
        #expect(
            error?.message
                == "the password of this repository cannot be changed: its packs hold copies of the format block")
        #expect(storage.contents == before)
    }

    @Test func aReplacedRepositoryIsNoticed() async throws {
        let storage = MemoryBlobStorage()
        let format = try await RepositoryFormat.create(storage, password: Self.password)
        storage.replaceContents([:])
        _ = try await RepositoryFormat.create(storage, password: Self.password)
        let error = await #expect(throws: FormatError.self) { _ = try await format.refresh(storage) }
        #expect(error?.message == "the repository in memory: was replaced by another one while it was in use")
    }

    struct BadOptions: Sendable, CustomTestStringConvertible {
        let message: String
        let change: @Sendable (inout RepositoryFormat.Options) -> Void
        var testDescription: String { message }
    }

    static let badOptions = [
        BadOptions(message: "format version 4 cannot be created; 1, 2 and 3 can") { $0.version = 4 },
        BadOptions(message: "a pack size of 1000 bytes is not between 10 and 120 MiB") { $0.maxPackSize = 1000 },
        BadOptions(message: "101 % of error correction are not between 0 and 100") {
            $0.errorCorrectionOverheadPercent = 101
        },
        BadOptions(message: "format version 1 has no error correction") {
            $0.version = 1
            $0.errorCorrectionOverheadPercent = 5
        },
        BadOptions(message: "a retention of 3600 seconds is shorter than 24 hours") {
            $0.retention = BlobRetention(mode: .governance, periodSeconds: 3600)
        },
        BadOptions(message: "the shortest epoch must last at least 10 minutes") {
            $0.epochParameters = .standard
            $0.epochParameters?.minEpochDurationNanoseconds = 1
        },
        BadOptions(message: "the epoch refresh frequency must be at most a third of the shortest epoch") {
            $0.epochParameters = .standard
            $0.epochParameters?.epochRefreshFrequencyNanoseconds = .max
        },
        BadOptions(message: "an epoch must advance on 10 or more index blobs") {
            $0.epochParameters = .standard
            $0.epochParameters?.epochAdvanceOnCountThreshold = 9
        },
    ]

    @Test(arguments: badOptions) func optionsKopiaWouldRefuseAreRefused(_ bad: BadOptions) async throws {
        var changed = RepositoryFormat.Options()
        bad.change(&changed)
        let options = changed
        let storage = MemoryBlobStorage()
        let error = await #expect(throws: FormatError.self) {
            _ = try await RepositoryFormat.create(storage, password: Self.password, options: options)
        }
        #expect(error?.code == .invalidParameter)
        #expect(error?.message == bad.message)
        #expect(storage.contents.isEmpty)
    }

    @Test func anEmptyPasswordIsRefused() async {
        let error = await #expect(throws: FormatError.self) {
            _ = try await RepositoryFormat.create(MemoryBlobStorage(), password: Password(""))
        }
        #expect(error?.message == "the password of a repository cannot be empty")
    }

    // MARK: Keys of single purposes

    /// `kopia-format` §14.1 and §14.5, with the inputs common to that section.
    @Test func maintenanceAndCacheKeysAreThoseOfTheSpecification() throws {
        let format = try Self.specified()
        #expect(
            Bytes.hex(try format.maintenanceKey().bytes)
                == "790dae050a242c02dcde30cf1f6656366615cddbe518cb2235767b81816a9b34")
        #expect(Bytes.hex(try format.localCacheKey().bytes) == "386217908e32f31c2f91cca064a57487")
        let json = Array(
            #"{"nextFullMaintenance":"2026-01-02T00:00:00Z","nextQuickMaintenance":"2026-01-01T01:00:00Z","runs":null}"#
                .utf8)
        #expect(
            Bytes.hex(try format.sealMaintenanceSchedule(json, nonce: Array(0xd0...0xdb)))
                == "d0d1d2d3d4d5d6d7d8d9dadb7d8798f2a008441f08f5982f0ca35734adce5e757ffc7c733cc4ee45c1cf1f7decb9c1d8076bc9ba2ad49a45660897661ed7fe08f2954475de1d577b014bbc8bcb4da4cceda2ecb9910bad52d0e5b755570cb83d1c52b3214a75a0976f05ea8fbc8c7ce73170809b435004c8f541cef31544ad943d784d1d"
        )
    }

    /// The common inputs: secret 00 … 1f, master key 20 … 3f, unique ID 40 … 5f.
    static func specified() throws -> RepositoryFormat {
        var parameters = try RepositoryFormat.Options().makeParameters()
        parameters.secret = SecretBytes(Array(0..<0x20))
        parameters.masterKey = SecretBytes(Array(0x20..<0x40))
        let key = SecretBytes([UInt8](repeating: 9, count: 32))
        let cipher = try FormatCipher(formatKey: key, uniqueID: Array(0x40..<0x60))
        let blob = FormatBlob(
            buildVersion: "", buildInfo: "", uniqueID: Array(0x40..<0x60), keyDerivation: .scrypt,
            encryptedParameters: try cipher.seal(parameters.json, nonce: Array(0..<12)))
        return try RepositoryFormat(blob, blob.encoded, nil, formatKey: key, now: .now())
    }

    // MARK: Warnings and locks

    @Test func aFeatureThatOnlyWarnsIsAWarning() throws {
        var parameters = try RepositoryFormat.Options().makeParameters()
        parameters.requiredFeatures = [
            RequiredFeature(feature: "index-v2", warns: false, message: "", url: "", upgradeToVersion: ""),
            RequiredFeature(
                feature: "new", warns: true, message: "it is faster", url: "https://example.com", upgradeToVersion: "9"),
        ]
        #expect(try FormatParameters(json: parameters.json) == parameters)
        let key = SecretBytes([UInt8](repeating: 9, count: 32))
        let cipher = try FormatCipher(formatKey: key, uniqueID: Array(0x40..<0x60))
        let blob = FormatBlob(
            buildVersion: "", buildInfo: "", uniqueID: Array(0x40..<0x60), keyDerivation: .scrypt,
            encryptedParameters: try cipher.seal(parameters.json, nonce: Array(0..<12)))
        let format = try RepositoryFormat(blob, blob.encoded, nil, formatKey: key, now: .now())
        #expect(
            format.warnings == [
                "the repository needs the feature 'new', which this program does not have: it is faster, see https://example.com (kopia 9 has it)"
            ])
    }

    /// `kopia-format` §2.8; minutes.
    @Test(arguments: [(0, 15, 5, 0), (10, 15, 5, 0), (35, 15, 5, 0), (95, 15, 5, 60)])
    func aLockBeginsEarlyEnoughToDrain(_ notice: Int64, _ drain: Int64, _ drift: Int64, _ begins: Int64) throws {
        let minute: Int64 = 60_000_000_000
        let created = Timestamp(seconds: 1_700_000_000, nanoseconds: 5)
        let lock = UpgradeLock(
            ownerID: "x", creationTime: created, advanceNoticeNanoseconds: notice * minute,
            ioDrainTimeoutNanoseconds: drain * minute, statusPollIntervalNanoseconds: minute, message: "",
            maxPermittedClockDriftNanoseconds: drift * minute)
        #expect(lock.lockedFrom == created.adding(seconds: begins * 60))
        #expect(lock.isLocked(at: created.adding(seconds: begins * 60)))
        #expect(!lock.isLocked(at: created.adding(seconds: begins * 60 - 1)))
    }
}
