public import ActionEngine

/// Every function of Kanister 0.92 to 0.119.
///
/// Source: Kanister `pkg/function`, one file per function: required and supported arguments.
public enum LocalFunctions {
    /// Names of those that run.
    public static var runnable: [String] { all.filter { $0.notRunnable == nil }.map(\.name).sorted() }

    public static var registry: FunctionRegistry { FunctionRegistry(all, removed: removed) }

    /// Source: Kanister 0.115.0, which dropped the volume functions and `pkg/blockstorage`.
    private static let removed: [String: String] = {
        func text(_ name: String) -> String {
            "removed in Kanister 0.115.0; \(name) of the cluster's CSI driver does it"
        }
        return [
            "CreateVolumeSnapshot": text("CreateCSISnapshot"),
            "WaitForSnapshotCompletion":
                "removed in Kanister 0.115.0; CreateCSISnapshot waits by itself, so leave the phase out",
            "CreateVolumeFromSnapshot": text("RestoreCSISnapshot"),
            "DeleteVolumeSnapshot": text("DeleteCSISnapshot"),
        ]
    }()

    public static var all: [any KanisterFunction] {
        [KubeTask(), MultiContainerRun(), ScaleWorkload(), KubeOps(), Wait.onPaths, Wait.onTemplates] + core + restic
            + csi + rds + repositoryServer
    }

    private static let pod = ["podOverride", "podAnnotations", "podLabels"]
    private static let credentials = ["credentialsSource", "credentialsSecret", "region"]
    private static let repository = ["encryptionKey", "insecureTLS"]

    private static let core = [
        TabulatedFunction(
            "PrepareData", "runs a command in a pod that mounts claims", required: ["namespace", "image", "command"],
            optional: ["volumes", "serviceaccount", "failOnError"] + pod, outputs: nil),
        TabulatedFunction(
            "KubeExec", "runs a command in a running container", required: ["namespace", "pod", "command"],
            optional: ["container"], outputs: nil),
        TabulatedFunction(
            "KubeExecAll", "runs a command in several running containers at once",
            required: ["namespace", "pods", "containers", "command"], outputs: nil),
    ]

    private static let restic = [
        TabulatedFunction(
            "BackupData", "backs up a path of a container with restic",
            required: ["namespace", "pod", "container", "includePath", "backupArtifactPrefix"], optional: repository,
            outputs: ["backupID", "backupTag", "fileCount", "size", "phySize", "version"]),
        TabulatedFunction(
            "BackupDataAll", "backs up a path of every pod with restic",
            required: ["namespace", "container", "includePath", "backupArtifactPrefix"],
            optional: ["pods"] + repository, outputs: ["BackupAllInfo", "version"]),
        TabulatedFunction(
            "BackupDataStats", "sizes of a restic snapshot",
            required: ["namespace", "backupArtifactPrefix", "backupID"],
            optional: ["statsMode", "image", "encryptionKey"] + pod,
            outputs: ["mode", "fileCount", "size", "version"]),
        TabulatedFunction(
            "RestoreData", "restores a restic snapshot into volumes",
            required: ["namespace", "image", "backupArtifactPrefix"],
            optional: ["restorePath", "pod", "volumes", "backupTag", "backupIdentifier", "backupPath"]
                + repository + pod),
        TabulatedFunction(
            "RestoreDataAll", "restores what BackupDataAll backed up",
            required: ["namespace", "image", "backupArtifactPrefix", "backupInfo"],
            optional: ["restorePath", "pods"] + repository + pod),
        TabulatedFunction(
            "CopyVolumeData", "backs up a claim with restic", required: ["namespace", "volume", "dataArtifactPrefix"],
            optional: ["image", "mountPath"] + repository + pod,
            outputs: [
                "backupID", "backupRoot", "backupArtifactLocation", "backupTag", "fileCount", "size", "phySize",
                "version",
            ]),
        TabulatedFunction(
            "DeleteData", "deletes a restic snapshot", required: ["namespace", "backupArtifactPrefix"],
            optional: ["backupID", "backupTag", "reclaimSpace", "image"] + repository + pod, outputs: ["spaceFreed"]),
        TabulatedFunction(
            "DeleteDataAll", "deletes what BackupDataAll backed up",
            required: ["namespace", "backupArtifactPrefix", "backupInfo"],
            optional: ["reclaimSpace", "image"] + repository + pod, outputs: ["spaceFreed"]),
        TabulatedFunction(
            "CheckRepository", "says whether a restic repository opens", required: ["backupArtifactPrefix"],
            optional: ["image"] + repository + pod, outputs: ["passwordIncorrect", "repoUnavailable", "version"]),
        TabulatedFunction("LocationDelete", "deletes from the profile's location", required: ["artifact"]),
    ]

    private static let csi = [
        TabulatedFunction(
            "CreateCSISnapshot", "snapshots a claim", required: ["pvc", "namespace", "snapshotClass"],
            optional: ["name", "labels"], outputs: ["name", "pvc", "namespace", "restoreSize", "snapshotContent"]),
        TabulatedFunction(
            "CreateCSISnapshotStatic", "makes a VolumeSnapshot of a snapshot that exists",
            required: ["name", "namespace", "driver", "snapshotHandle", "snapshotClass"],
            outputs: ["name", "namespace", "restoreSize", "snapshotContent"]),
        TabulatedFunction(
            "RestoreCSISnapshot", "makes a claim of a VolumeSnapshot",
            required: ["name", "pvc", "namespace", "storageClass", "restoreSize"],
            optional: ["accessModes", "volumeMode", "labels"]),
        TabulatedFunction("DeleteCSISnapshot", "deletes a VolumeSnapshot", required: ["name", "namespace"]),
        TabulatedFunction("DeleteCSISnapshotContent", "deletes a VolumeSnapshotContent", required: ["name"]),
    ]

    private static let rds = [
        TabulatedFunction(
            "CreateRDSSnapshot", "snapshots an RDS instance", required: ["instanceID"],
            optional: ["dbEngine"] + credentials,
            outputs: ["snapshotID", "instanceID", "securityGroupID", "allocatedStorage", "dbSubnetGroup"]),
        TabulatedFunction(
            "ExportRDSSnapshotToLocation", "dumps an RDS snapshot into the profile's location",
            required: ["namespace", "instanceID", "snapshotID", "dbEngine"],
            optional: [
                "username", "password", "backupArtifactPrefix", "databases", "securityGroupID", "dbSubnetGroup",
                "podAnnotations", "podLabels",
            ] + credentials, outputs: ["backupID", "snapshotID", "instanceID", "securityGroupID"]),
        TabulatedFunction(
            "RestoreRDSSnapshot", "restores an RDS snapshot or a dump", required: ["instanceID"],
            optional: [
                "snapshotID", "dbEngine", "backupArtifactPrefix", "backupID", "username", "password", "namespace",
                "securityGroupID", "dbSubnetGroup", "podAnnotations", "podLabels",
            ] + credentials, outputs: ["endpoint"]),
        TabulatedFunction(
            "DeleteRDSSnapshot", "deletes an RDS snapshot", required: ["snapshotID"],
            optional: ["dbEngine"] + credentials),
    ]

    private static let repositoryServer = [
        TabulatedFunction(
            "BackupDataUsingKopiaServer", "backs up a path of a container through a repository server",
            required: ["container", "includePath", "namespace", "pod"],
            optional: ["snapshotTags", "repositoryServerUserHostname"], outputs: ["backupID", "size", "phySize"],
            removedIn: "0.119.0"),
        TabulatedFunction(
            "RestoreDataUsingKopiaServer", "restores a snapshot through a repository server",
            required: ["backupIdentifier", "namespace", "restorePath", "image"],
            optional: ["pod", "volumes", "podOverride", "repositoryServerUserHostname"], outputs: nil,
            removedIn: "0.119.0"),
        TabulatedFunction(
            "DeleteDataUsingKopiaServer", "deletes a snapshot through a repository server",
            required: ["backupID", "namespace", "image"], outputs: nil, removedIn: "0.119.0"),
    ]
}
