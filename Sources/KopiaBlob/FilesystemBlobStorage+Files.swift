internal import Glibc

/// The blocking halves of the provider's calls.
extension FilesystemBlobStorage {
    private func place(_ id: BlobID) throws(BlobError) -> (folders: [String], file: String) {
        guard let place = layout.place(id) else {
            throw BlobError(.unsupported, blob: id, "blob ID '\(id)' would leave the repository folder")
        }
        return place
    }

    private func filePath(_ id: BlobID) throws(BlobError) -> String {
        let (folders, file) = try place(id)
        return folders.reduce(path) { $0 + "/" + $1 } + "/" + file
    }

    private func missing(_ id: BlobID) -> BlobError {
        BlobError(.notFound, blob: id, "blob '\(id)' is not in \(displayName)")
    }

    func getBlocking(_ id: BlobID, _ range: Range<Int64>?) throws(BlobError) -> [UInt8] {
        let file = try filePath(id)
        let (status, bytes): (FileSystem.Status, [UInt8]?)
        do throws(FileSystem.Failure) {
            let descriptor = try FileSystem.open(file, O_RDONLY | O_NOFOLLOW)
            defer { _ = close(descriptor) }
            status = try FileSystem.status(descriptor, path: file)
            let wanted = range ?? 0..<status.size
            bytes =
                wanted.lowerBound < 0 || wanted.upperBound > status.size || !status.isRegularFile
                ? nil
                : try FileSystem.read(descriptor, path: file, offset: wanted.lowerBound, count: wanted.count)
        } catch {
            if error.isMissing { throw missing(id) }
            throw error.error(blob: id, "read blob '\(id)'")
        }
        guard status.isRegularFile else { throw missing(id) }
        let wanted = range ?? 0..<status.size
        guard let bytes else {
            throw BlobError(
                .invalidRange, blob: id,
                "blob '\(id)' has \(status.size) bytes; bytes \(wanted.lowerBound) to \(wanted.upperBound) were asked for"
            )
        }
        guard bytes.count == wanted.count else {
            throw BlobError(
                .io, blob: id,
                "blob '\(id)' gave \(bytes.count) bytes where \(wanted.count) were expected: it was cut short while being read",
                isTransient: true)
        }
        return bytes
    }

    func putBlocking(_ id: BlobID, _ pieces: [[UInt8]]) throws(BlobError) {
        let (folders, file) = try place(id)
        state.writeShardsFileOnce { try? replaceFile(folder: path, name: ShardLayout.fileName, [layout.encoded]) }
        do throws(FileSystem.Failure) {
            try inFolder(folders) { folder throws(FileSystem.Failure) in
                try replaceFile(folder: folder, name: file, pieces)
            }
        } catch {
            throw error.error(blob: id, "write blob '\(id)'")
        }
    }

    func makeWriterBlocking(_ id: BlobID) throws(BlobError) -> FilesystemBlobWriter {
        let (folders, file) = try place(id)
        do throws(FileSystem.Failure) {
            return try inFolder(folders) { folder throws(FileSystem.Failure) in
                try FilesystemBlobWriter(id, folder: folder, name: file)
            }
        } catch {
            throw error.error(blob: id, "write blob '\(id)'")
        }
    }

    /// Calls `body` with the path of these folders below the root.
    private func inFolder<Result>(
        _ folders: [String], _ body: (String) throws(FileSystem.Failure) -> Result
    ) throws(FileSystem.Failure) -> Result {
        do throws(FileSystem.Failure) {
            return try body(try makeFolders(folders))
        } catch {
            // A folder that is remembered went away meanwhile: make it again, once.
            guard error.isMissing, !folders.isEmpty else { throw error }
            state.forgetDurable()
            return try body(try makeFolders(folders))
        }
    }

    /// The folders below the root, made where missing, and durable.
    private func makeFolders(_ names: [String]) throws(FileSystem.Failure) -> String {
        var folder = path
        for name in names {
            let parent = folder
            folder += "/" + name
            if state.isDurable(folder) { continue }
            _ = try FileSystem.makeFolder(folder)
            // Also when it was there: whoever made it may not have synced it yet.
            try FileSystem.syncFolder(parent)
            state.rememberDurable(folder)
        }
        return folder
    }

    /// Temporary name, sync, rename, sync the folder. On failure the temporary file is removed.
    func replaceFile(folder: String, name: String, _ pieces: [[UInt8]]) throws(FileSystem.Failure) {
        let final = "\(folder)/\(name)"
        let temporary = FileSystem.temporaryPath(for: final)
        let descriptor = try FileSystem.open(temporary, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
        do throws(FileSystem.Failure) {
            do throws(FileSystem.Failure) {
                for piece in pieces { try FileSystem.write(descriptor, path: temporary, piece) }
                try FileSystem.sync(descriptor, path: temporary)
            } catch {
                _ = close(descriptor)
                throw error
            }
            // Linux frees the descriptor even when close fails; network file systems report late writes here.
            guard close(descriptor) == 0 else { throw FileSystem.Failure("close", temporary) }
            try FileSystem.rename(temporary, to: final)
        } catch {
            try? FileSystem.remove(temporary)
            throw error
        }
        try FileSystem.syncFolder(folder)
    }

    func deleteBlocking(_ id: BlobID) throws(BlobError) {
        let file = try filePath(id)
        do throws(FileSystem.Failure) {
            try FileSystem.remove(file)
        } catch {
            if !error.isMissing { throw error.error(blob: id, "delete blob '\(id)'") }
        }
    }

    func metadataBlocking(_ id: BlobID) throws(BlobError) -> BlobMetadata {
        let file = try filePath(id)
        let status: FileSystem.Status
        do throws(FileSystem.Failure) {
            status = try FileSystem.linkStatus(file)
        } catch {
            if error.isMissing { throw missing(id) }
            throw error.error(blob: id, "look at blob '\(id)'")
        }
        guard status.isRegularFile else { throw missing(id) }
        return BlobMetadata(id: id, length: status.size, timestamp: status.modified)
    }

    /// Blobs whose IDs begin with a prefix.
    func collectBlobs(prefix: String, into found: inout [BlobMetadata]) throws(FileSystem.Failure) {
        try walk(
            enters: { text, _ in
                (text.utf8.starts(with: prefix.utf8) || prefix.utf8.starts(with: text.utf8)) && text.utf8.count <= 512
            },
            wants: { name, text -> BlobID? in
                guard name.hasSuffix(ShardLayout.blobSuffix),
                    let id = BlobID(String(text.dropLast(ShardLayout.blobSuffix.count))), id.hasPrefix(prefix)
                else { return nil }
                return id
            },
            take: { id, _, status in
                found.append(BlobMetadata(id: id, length: status.size, timestamp: status.modified))
            })
    }

    /// Visits the regular files below the root; what goes away meanwhile is passed over, but for the root itself.
    ///
    /// - Parameters:
    ///   - enters: whether to look into a folder, by what the folder names from the root down spell and how many they are.
    ///   - wants: what a file is to `take`, by its name and by what the names from the root down spell; nil passes over it.
    ///   - take: gets that, the file's path and its status.
    func walk<Wanted>(
        enters: (_ text: String, _ depth: Int) -> Bool, wants: (_ name: String, _ text: String) -> Wanted?,
        take: (Wanted, _ path: String, FileSystem.Status) -> Void
    ) throws(FileSystem.Failure) {
        try walk(folder: path, textSoFar: "", depth: 0, enters: enters, wants: wants, take: take)
    }

    private func walk<Wanted>(
        folder: String, textSoFar: String, depth: Int, enters: (String, Int) -> Bool,
        wants: (String, String) -> Wanted?, take: (Wanted, String, FileSystem.Status) -> Void
    ) throws(FileSystem.Failure) {
        let entries: [FileSystem.Entry]
        do throws(FileSystem.Failure) {
            entries = try FileSystem.entries(folder)
        } catch {
            if error.isMissing, depth > 0 { return }
            throw error
        }
        for entry in entries {
            let text = textSoFar + entry.name
            let entryPath = "\(folder)/\(entry.name)"
            var isFolder = entry.isFolder
            if isFolder == nil { isFolder = (try? FileSystem.linkStatus(entryPath))?.isDirectory }
            if isFolder == true {
                if enters(text, depth + 1) {
                    try walk(
                        folder: entryPath, textSoFar: text, depth: depth + 1, enters: enters, wants: wants, take: take)
                }
                continue
            }
            guard entry.isRegularFile != false, let wanted = wants(entry.name, text) else { continue }
            do throws(FileSystem.Failure) {
                let status = try FileSystem.linkStatus(entryPath)
                guard status.isRegularFile else { continue }
                take(wanted, entryPath, status)
            } catch {
                if !error.isMissing { throw error }
            }
        }
    }
}
