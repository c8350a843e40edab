// Whoever uses an `ObjectStore` also meets the errors it throws.
@_exported public import struct KopiaBlob.BlobError
