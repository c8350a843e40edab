import GoTemplate

/// The Go types of Kanister's template root, as the recorded vectors have them.
enum KanisterTypes {
    private static func structure(_ name: String, _ fields: [GoField]) -> GoType {
        .structure(GoStructType(name: name, fields: fields))
    }
    private static func map(_ value: GoType) -> GoType { .map(key: .string, value: value) }

    static let root: GoType = structure(
        "param.TemplateParams",
        [
            GoField("StatefulSet", .pointer(workload("StatefulSet"))),
            GoField("DeploymentConfig", .pointer(workload("DeploymentConfig"))),
            GoField("Deployment", .pointer(workload("Deployment"))),
            GoField("PVC", .pointer(named("PVC"))), GoField("Namespace", .pointer(named("Namespace"))),
            GoField("ArtifactsIn", map(artifact)), GoField("ConfigMaps", map(configMap)),
            GoField("Secrets", map(secret)),
            GoField("Time", .string), GoField("Profile", .pointer(profile)),
            GoField("RepositoryServer", .pointer(repositoryServer), omitEmpty: true),
            GoField("Options", .stringMap), GoField("Object", .dictionary),
            GoField("CurrentPhase", .pointer(phase)), GoField("Phases", map(.pointer(phase))),
            GoField("DeferPhase", .pointer(phase)), GoField("PodOverride", .named("v1alpha1.JSONMap", .dictionary)),
            GoField("PodAnnotations", .stringMap), GoField("PodLabels", .stringMap),
        ])

    private static func workload(_ kind: String) -> GoType {
        structure(
            "param.\(kind)Params",
            [
                GoField("Name", .string), GoField("Namespace", .string), GoField("Pods", .strings),
                GoField("Containers", .slice(.strings)), GoField("PersistentVolumeClaims", map(.stringMap)),
            ])
    }
    private static func named(_ kind: String) -> GoType {
        structure("param.\(kind)Params", [GoField("Name", .string), GoField("Namespace", .string)])
    }

    private static let artifact = structure(
        "v1alpha1.Artifact",
        [
            GoField("KeyValue", .stringMap, json: "keyValue", omitEmpty: true),
            GoField("KopiaSnapshot", .string, json: "kopiaSnapshot", omitEmpty: true),
        ])
    private static let phase = structure(
        "param.Phase",
        [GoField("Secrets", map(secret)), GoField("ConfigMaps", map(configMap)), GoField("Output", .dictionary)])
    private static let location = structure(
        "v1alpha1.Location",
        [
            GoField("Type", .named("v1alpha1.LocationType", .string), json: "type"),
            GoField("Bucket", .string, json: "bucket"), GoField("Endpoint", .string, json: "endpoint"),
            GoField("Prefix", .string, json: "prefix"), GoField("Region", .string, json: "region"),
        ])
    private static let credential = structure(
        "param.Credential",
        [
            GoField("Type", .named("param.CredentialType", .string)),
            GoField(
                "KeyPair", .pointer(structure("param.KeyPair", [GoField("ID", .string), GoField("Secret", .string)]))),
            GoField("Secret", .pointer(secret)),
            GoField(
                "KopiaServerSecret",
                .pointer(
                    structure(
                        "param.KopiaServerCreds",
                        [
                            GoField("Username", .string), GoField("Hostname", .string), GoField("Password", .string),
                            GoField("Cert", .string), GoField("ConnectOptions", map(.int)),
                        ]))),
        ])
    private static let profile = structure(
        "param.Profile",
        [GoField("Location", location), GoField("Credential", credential), GoField("SkipSSLVerify", .bool)])
    private static let repositoryServer = structure(
        "param.RepositoryServer",
        [
            GoField("Name", .string), GoField("Namespace", .string),
            GoField(
                "ServerInfo",
                structure(
                    "param.ServerInfo",
                    [
                        GoField("PodName", .string, json: "podName", omitEmpty: true),
                        GoField("ServiceName", .string, json: "serviceName", omitEmpty: true),
                    ])),
            GoField("Username", .string),
            GoField(
                "Credentials",
                structure(
                    "param.RepositoryServerCredentials",
                    [GoField("ServerTLS", secret), GoField("ServerUserAccess", secret)])),
            GoField("Address", .string), GoField("ContentCacheMB", .int), GoField("MetadataCacheMB", .int),
        ])

    private static let typeMeta = structure(
        "v1.TypeMeta",
        [
            GoField("Kind", .string, json: "kind", omitEmpty: true),
            GoField("APIVersion", .string, json: "apiVersion", omitEmpty: true),
        ])
    private static let objectMeta = structure(
        "v1.ObjectMeta",
        [
            GoField("Name", .string, json: "name", omitEmpty: true),
            GoField("GenerateName", .string, json: "generateName", omitEmpty: true),
            GoField("Namespace", .string, json: "namespace", omitEmpty: true),
            GoField("SelfLink", .string, json: "selfLink", omitEmpty: true),
            GoField("UID", .string, json: "uid", omitEmpty: true),
            GoField("ResourceVersion", .string, json: "resourceVersion", omitEmpty: true),
            GoField("Generation", .int64, json: "generation", omitEmpty: true),
            GoField("CreationTimestamp", .kubernetesTime, json: "creationTimestamp"),
            GoField("DeletionTimestamp", .pointer(.kubernetesTime), json: "deletionTimestamp", omitEmpty: true),
            GoField(
                "DeletionGracePeriodSeconds", .pointer(.int64), json: "deletionGracePeriodSeconds", omitEmpty: true),
            GoField("Labels", .stringMap, json: "labels", omitEmpty: true),
            GoField("Annotations", .stringMap, json: "annotations", omitEmpty: true),
            GoField("Finalizers", .strings, json: "finalizers", omitEmpty: true),
        ])
    private static let secret = structure(
        "v1.Secret",
        [
            GoField("TypeMeta", typeMeta, embedded: true),
            GoField("ObjectMeta", objectMeta, json: "metadata", embedded: true),
            GoField("Immutable", .pointer(.bool), json: "immutable", omitEmpty: true),
            GoField("Data", map(.bytes), json: "data", omitEmpty: true),
            GoField("StringData", .stringMap, json: "stringData", omitEmpty: true),
            GoField("Type", .named("v1.SecretType", .string), json: "type", omitEmpty: true),
        ])
    private static let configMap = structure(
        "v1.ConfigMap",
        [
            GoField("TypeMeta", typeMeta, embedded: true),
            GoField("ObjectMeta", objectMeta, json: "metadata", embedded: true),
            GoField("Immutable", .pointer(.bool), json: "immutable", omitEmpty: true),
            GoField("Data", .stringMap, json: "data", omitEmpty: true),
            GoField("BinaryData", map(.bytes), json: "binaryData", omitEmpty: true),
        ])
}
