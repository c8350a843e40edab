// This room is the only door of the data plane: whoever imports it also sees the types that its own interface speaks of.
// Rooms behind it stay hidden; nobody above has to name them.
@_exported public import struct KopiaBlob.UnfinishedFile
@_exported public import struct KopiaFormat.Password
@_exported public import struct KopiaFormat.SecretBytes
@_exported public import struct KopiaManifest.ManifestID
@_exported public import struct KopiaObject.ObjectID
@_exported public import struct KopiaObject.Splitter
@_exported public import struct KopiaSnapshot.DirectoryEntry
@_exported public import struct KopiaSnapshot.FileMode
@_exported public import struct KopiaSnapshot.Snapshot
@_exported public import struct KopiaSnapshot.SnapshotSource

/// The password of a repository. Prints as `<redacted>`.
public typealias RepositoryPassword = Password
