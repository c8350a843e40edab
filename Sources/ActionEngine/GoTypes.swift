import GoTemplate

/// The Go types behind the template root: field names as templates write them, JSON names as `toJson` writes them.
///
/// Source: Kanister `pkg/param/param.go`, `pkg/apis/cr/v1alpha1/types.go`; Kubernetes `core/v1`, `meta/v1`.
enum GoTypes {
    static let templateParams = GoStructType(
        name: "param.TemplateParams",
        fields: [
            GoField("StatefulSet", .pointer(.structure(workload("StatefulSet")))),
            GoField("DeploymentConfig", .pointer(.structure(workload("DeploymentConfig")))),
            GoField("Deployment", .pointer(.structure(workload("Deployment")))),
            GoField("PVC", .pointer(.structure(pvc))),
            GoField("Namespace", .pointer(.structure(namespace))),
            GoField("ArtifactsIn", .map(key: .string, value: .structure(artifact))),
            GoField("ConfigMaps", .map(key: .string, value: .structure(configMap))),
            GoField("Secrets", .map(key: .string, value: .structure(secret))),
            GoField("Time", .string),
            GoField("Profile", .pointer(.structure(profile))),
            GoField("Options", .stringMap),
            GoField("Object", .dictionary),
            GoField("CurrentPhase", .pointer(.structure(phase))),
            GoField("Phases", .map(key: .string, value: .pointer(.structure(phase)))),
            GoField("DeferPhase", .pointer(.structure(phase))),
            GoField("PodOverride", .named("v1alpha1.JSONMap", .dictionary)),
            GoField("PodAnnotations", .stringMap),
            GoField("PodLabels", .stringMap),
        ])

    /// `StatefulSet`, `Deployment` and `DeploymentConfig` look the same.
    static func workload(_ kind: String) -> GoStructType {
        GoStructType(
            name: "param.\(kind)Params",
            fields: [
                GoField("Name", .string), GoField("Namespace", .string), GoField("Pods", .strings),
                GoField("Containers", .slice(.strings)),
                GoField("PersistentVolumeClaims", .map(key: .string, value: .stringMap)),
            ])
    }

    static let pvc = GoStructType(
        name: "param.PVCParams", fields: [GoField("Name", .string), GoField("Namespace", .string)])
    static let namespace = GoStructType(
        name: "param.NamespaceParams", fields: [GoField("Name", .string), GoField("Namespace", .string)])

    static let artifact = GoStructType(
        name: "v1alpha1.Artifact",
        fields: [
            GoField("KeyValue", .stringMap, json: "keyValue", omitEmpty: true),
            GoField("KopiaSnapshot", .string, json: "kopiaSnapshot", omitEmpty: true),
        ])

    static let phase = GoStructType(
        name: "param.Phase",
        fields: [
            GoField("Secrets", .map(key: .string, value: .structure(secret))),
            GoField("ConfigMaps", .map(key: .string, value: .structure(configMap))),
            GoField("Output", .dictionary),
        ])

    static let location = GoStructType(
        name: "v1alpha1.Location",
        fields: [
            GoField("Type", .named("v1alpha1.LocationType", .string), json: "type"),
            GoField("Bucket", .string, json: "bucket"), GoField("Endpoint", .string, json: "endpoint"),
            GoField("Prefix", .string, json: "prefix"), GoField("Region", .string, json: "region"),
        ])

    static let keyPair = GoStructType(
        name: "param.KeyPair", fields: [GoField("ID", .string), GoField("Secret", .string)])

    static let kopiaServerCredentials = GoStructType(
        name: "param.KopiaServerCreds",
        fields: [
            GoField("Username", .string), GoField("Hostname", .string), GoField("Password", .string),
            GoField("Cert", .string), GoField("ConnectOptions", .map(key: .string, value: .int)),
        ])

    static let credential = GoStructType(
        name: "param.Credential",
        fields: [
            GoField("Type", .named("param.CredentialType", .string)),
            GoField("KeyPair", .pointer(.structure(keyPair))),
            GoField("Secret", .pointer(.structure(secret))),
            GoField("KopiaServerSecret", .pointer(.structure(kopiaServerCredentials))),
        ])

    static let profile = GoStructType(
        name: "param.Profile",
        fields: [
            GoField("Location", .structure(location)), GoField("Credential", .structure(credential)),
            GoField("SkipSSLVerify", .bool),
        ])

    private static let typeMeta = GoStructType(
        name: "v1.TypeMeta",
        fields: [
            GoField("Kind", .string, json: "kind", omitEmpty: true),
            GoField("APIVersion", .string, json: "apiVersion", omitEmpty: true),
        ])

    /// `creationTimestamp` is written as null when it is not set, the others are left out.
    private static let objectMeta = GoStructType(
        name: "v1.ObjectMeta",
        fields: [
            GoField("Name", .string, json: "name", omitEmpty: true),
            GoField("GenerateName", .string, json: "generateName", omitEmpty: true),
            GoField("Namespace", .string, json: "namespace", omitEmpty: true),
            GoField("SelfLink", .string, json: "selfLink", omitEmpty: true),
            GoField("UID", .named("types.UID", .string), json: "uid", omitEmpty: true),
            GoField("ResourceVersion", .string, json: "resourceVersion", omitEmpty: true),
            GoField("Generation", .int64, json: "generation", omitEmpty: true),
            GoField("CreationTimestamp", .kubernetesTime, json: "creationTimestamp"),
            GoField("Labels", .stringMap, json: "labels", omitEmpty: true),
            GoField("Annotations", .stringMap, json: "annotations", omitEmpty: true),
            GoField("Finalizers", .strings, json: "finalizers", omitEmpty: true),
        ])

    static let secret = GoStructType(
        name: "v1.Secret",
        fields: [
            GoField("TypeMeta", .structure(typeMeta), embedded: true),
            GoField("ObjectMeta", .structure(objectMeta), json: "metadata", embedded: true),
            GoField("Immutable", .pointer(.bool), json: "immutable", omitEmpty: true),
            GoField("Data", .map(key: .string, value: .bytes), json: "data", omitEmpty: true),
            GoField("StringData", .stringMap, json: "stringData", omitEmpty: true),
            GoField("Type", .named("v1.SecretType", .string), json: "type", omitEmpty: true),
        ])

    static let configMap = GoStructType(
        name: "v1.ConfigMap",
        fields: [
            GoField("TypeMeta", .structure(typeMeta), embedded: true),
            GoField("ObjectMeta", .structure(objectMeta), json: "metadata", embedded: true),
            GoField("Immutable", .pointer(.bool), json: "immutable", omitEmpty: true),
            GoField("Data", .stringMap, json: "data", omitEmpty: true),
            GoField("BinaryData", .map(key: .string, value: .bytes), json: "binaryData", omitEmpty: true),
        ])
}
