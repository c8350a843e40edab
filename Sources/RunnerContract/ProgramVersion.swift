/// The version of `karaffe` and `pod-runner`: they are built and shipped together.
public enum ProgramVersion {
    public static let current = "0.1.0"
}
