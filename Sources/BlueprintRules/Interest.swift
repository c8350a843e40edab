public import Diagnostics

extension SourceFile {
    /// True when the text could hold a Blueprint, an ActionSet, a Profile or a BlueprintBinding. Of a folder, other files
    /// are passed over without a word.
    public var mayHoldBlueprints: Bool {
        ["cr.kanister.io", "config.kio.kasten.io", "kind: Blueprint", "\"Blueprint\""].contains {
            text.containsText($0)
        }
    }
}
