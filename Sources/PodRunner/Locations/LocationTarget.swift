import KopiaCloud
import KopiaRepository
import RunnerContract

/// Where `location push|pull|delete` keep data: `Location.type` of the profile decides.
///
/// | type | data is |
/// |---|---|
/// | `filesystem`, `kopia`, `--repository` | a snapshot in a repository |
/// | `s3Compliant`, `azure`, `gcs` | a plain object under prefix and path, as open-source kando keeps it |
///
/// Source: Kanister `pkg/kando/location_push.go`, `dataMoverFromCMD`; `pkg/datamover/profile.go`.
enum LocationTarget: Sendable {
    case repository(RepositoryAccessPoint)
    case objects(ObjectPlace, WaitingReport)
}

extension RepositoryOptions {
    /// - Throws: `PodRunnerError` with exit code 2 or 3.
    func resolveTarget(_ context: RunContext) async throws -> LocationTarget {
        guard let profile = try await resolveProfile(context), profile.holdsObjects else {
            return .repository(try await resolve(context))
        }
        let report = WaitingReport("the storage", context)
        // A bucket need not be opened.
        report.opened()
        var cloud = CloudEnvironment(onTrouble: { report.heard($0) })
        cloud.sleep = context.sleep
        let place = try ObjectPlace(
            profile: profile, environment: context.environment, cloud: cloud, silenceMax: storageTimeout?.duration)
        return .objects(place, report)
    }
}
