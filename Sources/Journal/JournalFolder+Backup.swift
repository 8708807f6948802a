internal import Glibc

/// Copies a folder as it is at one moment, while others go on reading and writing.
///
/// Files only grow, and what takes the place of one leaves the old one to whoever has it open. So the lock is held only
/// while all are opened and measured; the copying goes on without it.
extension JournalFolder {
    /// - Parameters:
    ///   - path: Where there is nothing yet. When this throws nothing is left of it; of a process that is killed something is,
    ///     beside that path, which the next copy to it removes.
    ///   - kind: As given to ``create(at:kind:version:journals:folders:)``, likewise the others.
    ///   - end: Called under the lock with the name of a journal; returns how many bytes of it are whole groups.
    ///   - progress: Called now and then with the name of a journal and which part of it has been copied.
    ///   - finish: Called with the path at which the copy is before it has its name.
    /// - Throws: ``JournalError``; among others ``JournalError/damaged(path:line:offset:)`` for a journal that would be no
    ///   good in the copy either.
    public func backUp(
        to path: String,
        kind: String,
        version: Int,
        journals: [String],
        folders: [String],
        end: (_ journal: String) throws(JournalError) -> Int64,
        progress: (String, Double) -> Void = { _, _ in },
        finish: (_ path: String) throws -> Void = { _ in }
    ) throws {
        let target = Self.withoutSlashes(path)
        guard system.access(target, F_OK) != 0 else { throw JournalError.notEmpty(path: target) }
        let files = [LockFile.name, Self.versionFile, ChangeMemory.fileName, Reserve.name]
        Leftovers.removeFolders(besides: target, of: journals + folders + files, system)
        let path = Leftovers.name(besides: target, system)
        try Folder.make(path, owner: owner, group: group, system)
        let hold = Leftovers.Hold(of: path, system)
        defer { _ = hold }
        do {
            try copy(to: path, journals, folders, end, progress)
            let contents = [
                (LockFile.name, LockFile.initialText(journals: journals)),
                // Last, so that what a crash leaves is no store.
                (Self.versionFile, Array("\(kind) \(version)\n".utf8)),
            ]
            for (name, bytes) in contents { try write(bytes, to: path + "/" + name) }
            try Folder.sync(path, system)
            try finish(path)
            try Self.move(path, to: target, system)
        } catch {
            system.removeTree(path)
            throw error
        }
    }

    /// Lets a folder have another name, which nothing has yet.
    /// - Throws: ``JournalError/notEmpty(path:)`` when something has it.
    package static func move(
        _ path: String,
        to target: String,
        _ system: any System = Linux()
    ) throws(JournalError) {
        guard system.rename(path, to: target, isNew: true) == 0 else {
            throw errno == EEXIST ? .notEmpty(path: target) : File.error("rename", target)
        }
        try Folder.sync(parent(of: target), system)
    }

    private func copy(
        to path: String,
        _ journals: [String],
        _ folders: [String],
        _ end: (String) throws(JournalError) -> Int64,
        _ progress: (String, Double) -> Void
    ) throws(JournalError) {
        var files: [(name: String, file: File, size: Int64)] = []
        var isAtOnce = false
        while !isAtOnce {
            try lockFile.withLock { lock throws(JournalError) in
                files = []
                defer { for (_, file, _) in files { file.unlock() } }
                for name in journals { files.append(try measure(name, lock, end)) }
                // Where another lock file was put there, others may have written meanwhile.
                isAtOnce = try lock.isAtPath()
            }
        }
        for (name, file, size) in files { try copy(file, name, size, to: path, progress) }
        for name in folders {
            let source = try FileFolder(opening: name, in: self)
            let target = path + "/" + name
            try Folder.make(target, owner: owner, group: group, system)
            for name in try source.names(endingWith: "") where !name.hasPrefix(".") {
                try write(try source.read(name), to: target + "/" + name)
            }
            try Folder.sync(target, system)
        }
    }

    private func measure(
        _ name: String,
        _ lock: LockFile,
        _ end: (String) throws(JournalError) -> Int64
    ) throws(JournalError) -> (name: String, file: File, size: Int64) {
        // Whoever holds the lock of a lock file that is there no more has this one, too.
        var file = try open(path + "/" + name)
        while try !file.isLockedAtPath(for: lock.patience) { file = try open(path + "/" + name) }
        // What a killed writer left beyond that may be written over while we copy.
        return (name, file, try end(name))
    }

    /// The groups of a journal that are whole, which are all but what a killed writer left.
    private func copy(
        _ file: File,
        _ name: String,
        _ size: Int64,
        to path: String,
        _ progress: (String, Double) -> Void
    ) throws(JournalError) {
        let copy = try make(path + "/" + name)
        var offset: Int64 = 0
        while offset < size {
            progress(name, Double(offset) / Double(size))
            let chunk = try file.read(Int(min(size - offset, File.chunk)), at: offset)
            guard !chunk.isEmpty else { break }
            try copy.write(chunk, at: offset)
            offset += Int64(chunk.count)
        }
        guard let header = FileHeader(name: name, parsing: try copy.read(256, at: 0)[...]) else {
            throw .foreignFile(path: file.path)
        }
        var position = ChainPosition(after: header)
        let tail = try copy.readGroups(from: &position, to: size) { _, _ in }
        guard position.greatestMark(in: tail[...]) <= position.offset else {
            throw .damaged(path: file.path, line: try file.lineNumber(at: position.offset), offset: position.offset)
        }
        if !tail.isEmpty { try copy.truncate(to: position.offset) }
        try copy.sync()
    }

    private func write(_ bytes: [UInt8], to path: String) throws(JournalError) {
        let file = try make(path)
        try file.write(bytes, at: 0)
        try file.sync()
    }
}
