internal import GoFormats

/// When the epoch manager advances, compacts and cleans up; durations in nanoseconds, as kopia stores them.
///
/// Source: kopia `internal/epoch/epoch_manager.go` `Parameters`; `kopia-format` §2.4.
public struct EpochParameters: Sendable, Hashable {
    public var isEnabled: Bool
    public var epochRefreshFrequencyNanoseconds: Int64
    public var fullCheckpointFrequency: Int64
    public var cleanupSafetyMarginNanoseconds: Int64
    public var minEpochDurationNanoseconds: Int64
    public var epochAdvanceOnCountThreshold: Int64
    public var epochAdvanceOnTotalSizeBytesThreshold: Int64
    public var deleteParallelism: Int64

    /// What kopia gives new repositories of format version 2 and 3.
    public static let standard = EpochParameters(
        isEnabled: true, epochRefreshFrequencyNanoseconds: 1_200_000_000_000, fullCheckpointFrequency: 7,
        cleanupSafetyMarginNanoseconds: 14_400_000_000_000, minEpochDurationNanoseconds: 86_400_000_000_000,
        epochAdvanceOnCountThreshold: 20, epochAdvanceOnTotalSizeBytesThreshold: 10 << 20, deleteParallelism: 4)

    /// Format version 1: no epochs.
    public static let disabled = EpochParameters(
        isEnabled: false, epochRefreshFrequencyNanoseconds: 0, fullCheckpointFrequency: 0,
        cleanupSafetyMarginNanoseconds: 0, minEpochDurationNanoseconds: 0, epochAdvanceOnCountThreshold: 0,
        epochAdvanceOnTotalSizeBytesThreshold: 0, deleteParallelism: 0)
}

/// A name in `requiredFeatures` and what to do when it is not understood.
public struct RequiredFeature: Sendable, Hashable {
    public var feature: String
    /// Go on with a warning instead of refusing.
    public var warns: Bool
    public var message: String
    public var url: String
    public var upgradeToVersion: String

    /// What this program understands, as kopia does.
    static let understood: Set<String> = ["index-v1", "index-v2"]

    var explanation: String {
        var text = "the repository needs the feature '\(feature)', which this program does not have"
        if !message.isEmpty { text += ": \(message)" }
        if !url.isEmpty { text += ", see \(url)" }
        if !upgradeToVersion.isEmpty { text += " (kopia \(upgradeToVersion) has it)" }
        return text
    }
}

/// The decrypted part of `kopia.repository`: everything that must be the same for all who use the repository.
///
/// Decide behaviour by the single values, not by `version`: an upgraded repository of version 1 is "version 3, index
/// version 2, epochs enabled, password change not enabled".
///
/// Source: kopia `repo/format/format_blob.go`, `content_format.go`; `kopia-format` §2.4.
public struct FormatParameters: Sendable, Hashable {
    public var hash: HashAlgorithm
    public var encryption: EncryptionAlgorithm
    /// `REED-SOLOMON-CRC32`, or empty for none.
    public var errorCorrection: String
    /// 1 … 100 when there is error correction.
    public var errorCorrectionOverheadPercent: Int
    public var secret: SecretBytes
    public var masterKey: SecretBytes
    /// 1, 2 or 3.
    public var version: Int
    /// Bytes from which on a pack is closed.
    public var maxPackSize: Int
    /// 1 or 2. Contents are compressed only from 2 on.
    public var indexVersion: Int
    public var epochParameters: EpochParameters
    /// When false, each pack starts with a copy of the format block, and the maintenance key hangs on the password.
    public var enablePasswordChange: Bool
    /// For example `DYNAMIC-4M-BUZHASH`; its names belong to the object layer.
    public var splitter: String
    public var upgradeLock: UpgradeLock?
    public var requiredFeatures: [RequiredFeature]
}
