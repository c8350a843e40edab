public import ActionEngine
public import GoFormats

/// A function of which only the arguments are known: it renders and validates, and says that it does not run.
public struct TabulatedFunction: KanisterFunction {
    public let name: String
    public let summary: String
    public let arguments: [FunctionArgument]
    public let outputKeys: [String]?
    public let notRunnable: String?

    /// - Parameter outputs: nil when the command it runs decides.
    init(
        _ name: String, _ summary: String, required: [String], optional: [String] = [], outputs: [String]? = [],
        removedIn removal: String? = nil
    ) {
        self.name = name
        self.summary = summary
        outputKeys = outputs
        arguments =
            required.map { ArgumentGlossary.argument($0, isRequired: true) }
            + optional.map { ArgumentGlossary.argument($0, isRequired: false) }
        notRunnable =
            removal.map { "\(name) was removed from Kanister after \($0) and does not run here" }
            ?? "\(name) cannot run locally: \(Self.places[name] ?? "it works on a cluster")"
    }

    /// Where those run whose place is not plain from their name.
    private static let places = [
        "KubeExec": "it works inside a container that runs in the cluster",
        "KubeExecAll": "it works inside containers that run in the cluster",
        "PrepareData": "its pod mounts volumes of the cluster",
        "LocationDelete": "it deletes from the location of the Profile, which a rehearsal must not do",
        "CreateRDSSnapshot": "it calls the AWS API", "DeleteRDSSnapshot": "it calls the AWS API",
        "RestoreRDSSnapshot": "it calls the AWS API", "ExportRDSSnapshotToLocation": "it calls the AWS API",
        "CreateCSISnapshot": "it needs the cluster's CSI driver",
        "CreateCSISnapshotStatic": "it needs the cluster's CSI driver",
        "RestoreCSISnapshot": "it needs the cluster's CSI driver",
        "DeleteCSISnapshot": "it needs the cluster's CSI driver",
        "DeleteCSISnapshotContent": "it needs the cluster's CSI driver",
        "BackupData": "it runs restic beside volumes of the cluster",
        "BackupDataAll": "it runs restic beside volumes of the cluster",
        "BackupDataStats": "it runs restic in a pod of Kanister's tools image",
        "RestoreData": "it runs restic beside volumes of the cluster",
        "RestoreDataAll": "it runs restic beside volumes of the cluster",
        "CopyVolumeData": "it runs restic beside volumes of the cluster",
        "DeleteData": "it runs restic in a pod of Kanister's tools image",
        "DeleteDataAll": "it runs restic in a pod of Kanister's tools image",
        "CheckRepository": "it runs restic in a pod of Kanister's tools image",
    ]

    public func staticProblems(_ arguments: FunctionArguments) -> [String] {
        PodMetadata.staticProblems(arguments)
    }

    public func execute(_ arguments: FunctionArguments, in call: FunctionCall) async throws -> JSONObject {
        guard call.executor.runsPods else { return JSONObject() }
        throw FunctionFailure(
            notRunnable ?? "\(name) does not run here",
            hint: "functions that run locally: \(LocalFunctions.runnable.joined(separator: ", "))")
    }
}

/// What the arguments mean that several functions share.
enum ArgumentGlossary {
    private static let entries: [String: (shape: FunctionArgument.Shape, summary: String)] = [
        "accessModes": (.listOfText, "access modes of the restored claim; ReadWriteOnce when absent"),
        "artifact": (.text, "path of what to delete, inside the profile's location"),
        "backgroundCommand": (.listOfText, "command of the container 'background'"),
        "backgroundImage": (.text, "image of the container 'background'"),
        "backupArtifactPrefix": (.text, "path of the restic repository; the bucket is put in front"),
        "backupID": (.text, "snapshot ID, or the name of the dump"),
        "backupIdentifier": (.text, "snapshot ID; give this or backupTag"),
        "backupInfo": (.text, "output BackupAllInfo of BackupDataAll"),
        "backupPath": (.text, "path that was backed up; restorePath when absent"),
        "backupTag": (.text, "tag of the snapshot"),
        "command": (.listOfText, "command and its arguments"),
        "conditions": (.object, "anyOf and allOf, lists of conditions"),
        "container": (.text, "container the command runs in"),
        "containers": (.text, "containers, separated by spaces"),
        "credentialsSecret": (.text, "Secret with the credentials"),
        "credentialsSource": (.text, "profile, secret or eks_service_account"),
        "dataArtifactPrefix": (.text, "path of the restic repository; the bucket is put in front"),
        "databases": (.listOfText, "databases to dump; all when absent"),
        "dbEngine": (.text, "database engine, for example PostgreSQL"),
        "dbSubnetGroup": (.text, "subnet group of the instance"),
        "driver": (.text, "CSI driver of the VolumeSnapshotContent"),
        "encryptionKey": (.text, "password of the restic repository; a public constant when absent"),
        "failOnError": (.boolean, "fail the phase when the command fails; false when absent"),
        "image": (.text, "image of the pod"),
        "includePath": (.text, "path to back up"),
        "initCommand": (.listOfText, "command of the init container"),
        "initImage": (.text, "image of the init container"),
        "insecureTLS": (.boolean, "do not verify the storage's certificate"),
        "instanceID": (.text, "RDS instance"),
        "kind": (.text, "statefulset, deployment or deploymentconfig; the object's when absent"),
        "labels": (.mapOfText, "labels of the new object"),
        "mountPath": (.text, "where the volume is mounted"),
        "name": (.text, "name of the object"),
        "namespace": (.text, "namespace to work in"),
        "objectReference": (.object, "apiVersion, group, resource, name and namespace of the object"),
        "operation": (.text, "create, delete or patch"),
        "outputCommand": (.listOfText, "command of the container 'output'"),
        "outputImage": (.text, "image of the container 'output'"),
        "password": (.text, "password of the database"),
        "pod": (.text, "pod to work in"),
        "pods": (.text, "pods, separated by spaces"),
        "pvc": (.text, "persistent volume claim"),
        "reclaimSpace": (.boolean, "prune the repository afterwards"),
        "region": (.text, "AWS region; the profile's when absent"),
        "replicas": (.integer, "wanted number of replicas"),
        "repositoryServerUserHostname": (.text, "host name of the repository user"),
        "restorePath": (.text, "where to restore to"),
        "restoreSize": (.text, "size of the restored claim, a quantity"),
        "securityGroupID": (.listOfText, "security groups of the instance"),
        "serviceaccount": (.text, "service account of the pod"),
        "sharedVolumeDir": (.text, "where the shared volume is mounted; /tmp/ when absent"),
        "sharedVolumeMedium": (.text, "empty for the node's disk, or Memory"),
        "sharedVolumeSizeLimit": (.text, "size limit of the shared volume, a quantity"),
        "snapshotClass": (.text, "VolumeSnapshotClass"),
        "snapshotHandle": (.text, "handle of the snapshot in the storage"),
        "snapshotID": (.text, "RDS snapshot"),
        "snapshotTags": (.text, "tags of the snapshot, key:value separated by commas"),
        "spec": (.text, "manifest, as YAML text"),
        "statsMode": (.text, "restic stats mode; restore-size when absent"),
        "storageClass": (.text, "storage class of the restored claim"),
        "timeout": (.text, "how long to wait, a Go duration such as 5m"),
        "username": (.text, "user of the database"),
        "volume": (.text, "claim to copy"),
        "volumeMode": (.text, "Filesystem or Block; Filesystem when absent"),
        "volumes": (.mapOfText, "claims and where to mount them"),
        "waitForReady": (.boolean, "wait until the workload is ready; true when absent"),
    ]

    static func argument(_ name: String, isRequired: Bool) -> FunctionArgument {
        if let shared = PodMetadata.arguments.first(where: { $0.name == name }) { return shared }
        let entry = entries[name] ?? (.any, "")
        return FunctionArgument(name, entry.shape, isRequired: isRequired, entry.summary)
    }
}
