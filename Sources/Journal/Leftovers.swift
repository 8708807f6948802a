internal import CLinux
internal import Glibc

/// What processes leave that are killed while they make a file or a folder which is to take its name when it is whole.
///
/// Such a file has a name of its own until then, and a lock as long as its maker lives. Whoever opens the folder removes those
/// that nobody has locked.
enum Leftovers {
    private static let infix = ".new-"
    private static let randomLength = 13
    private static let digits = Array("0123456789abcdefghijklmnopqrstuvwxyz".utf8)

    /// What follows on the random digits, so that no name that a person makes looks like one of ours.
    private static func check(_ random: some Collection<UInt8>) -> [UInt8] {
        Hexadecimal.digits(CRC32.castagnoli.checksum(of: Array(random), seed: 0x504F_5354))
    }

    /// Beyond all bytes that are locked for another reason.
    static let ownedByte: Int64 = 1 << 41

    /// The name that something has until it is whole.
    static func name(besides path: String) -> String {
        let random = (0..<randomLength).map { _ in digits.randomElement() ?? 0x30 }
        return path + infix + String(decoding: random + check(random), as: UTF8.self)
    }

    /// Removes those in a folder of journals, or of whole files.
    static func remove(in path: String, owner: uid_t) {
        for name in Folder.names(in: path) ?? [] where isTemporary(name) {
            let path = path + "/" + name
            guard let file = try? File(opening: path, owner: owner),
                linux_lock_exclusive(file.descriptor, ownedByte, true) == 0
            else { continue }
            unlink(path)
        }
    }

    /// Names of what a person should look at: what was taken out of journals, and what nobody could remove.
    static func names(in path: String) -> [String] {
        (Folder.names(in: path) ?? []).filter { $0.contains(droppedInfix) || isTemporary($0) }.sorted()
    }

    /// In the names of files with what was taken out of a journal.
    private static let droppedInfix = ".dropped-"

    /// The name of a file for what is taken out of a journal.
    static func nameOfDropped(besides path: String) -> String {
        path + droppedInfix + String(UInt64.random(in: .min ... .max), radix: 36)
    }

    private static func isTemporary(_ name: String) -> Bool {
        if isOwn(name) { return true }
        // Of a key that a former version was writing: its process, and the name of the key.
        let parts = name.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].first == ".", parts[1].hasSuffix(".jwk"),
            let process = Decimal.parse(Array(parts[0].dropFirst().utf8)[...]).flatMap({ pid_t(exactly: $0) })
        else { return false }
        return kill(process, 0) != 0 && errno == ESRCH
    }

    private static func isOwn(_ name: String) -> Bool {
        let name = Array(name.utf8)
        let (check, rest) = (name.suffix(8), name.dropLast(8))
        let random = rest.suffix(randomLength)
        return random.count == randomLength && Self.check(random).elementsEqual(check)
            && rest.dropLast(randomLength).suffix(infix.utf8.count).elementsEqual(infix.utf8)
    }

    /// Removes folders that were to become the one at `path`.
    /// - Parameter contents: Names of what may be in one: of nothing else it is ours.
    static func removeFolders(besides path: String, of contents: [String]) {
        guard let last = path.split(separator: "/").last else { return }
        let parent = JournalFolder.parent(of: path)
        for name in Folder.names(in: parent) ?? [] where name.hasPrefix(last + infix) && isOwn(name) {
            let path = parent + "/" + name
            guard Folder.names(in: path)?.allSatisfy(contents.contains) ?? false else { continue }
            if Hold(of: path) != nil { Folder.removeTree(path) }
        }
    }

    /// A lock on a folder, for as long as this is there.
    struct Hold: ~Copyable {
        private let descriptor: Int32

        /// nil when another has it, or it is no folder of ours.
        init?(of path: String) {
            let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            guard descriptor >= 0 else { return nil }
            var status = stat()
            guard fstat(descriptor, &status) == 0, status.st_uid == geteuid() || geteuid() == 0,
                flock(descriptor, LOCK_EX | LOCK_NB) == 0
            else {
                close(descriptor)
                return nil
            }
            self.descriptor = descriptor
        }

        deinit { close(descriptor) }
    }
}
