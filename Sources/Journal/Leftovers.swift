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
    static func name(besides path: String, _ system: any System) -> String {
        let random = (0..<randomLength).map { _ in digits[Int(system.random() % UInt64(digits.count))] }
        return path + infix + String(decoding: random + check(random), as: UTF8.self)
    }

    /// Removes those in a folder of journals, or of whole files.
    static func remove(in path: String, owner: uid_t, _ system: any System) {
        for name in system.names(in: path) ?? [] where isTemporary(name, system) {
            let path = path + "/" + name
            guard let file = try? File(opening: path, owner: owner, system),
                system.lock(file.descriptor, byte: ownedByte, true) == 0
            else { continue }
            system.unlink(path)
        }
    }

    /// Names of what a person should look at: what was taken out of journals, and what nobody could remove.
    static func names(in path: String, _ system: any System) -> [String] {
        (system.names(in: path) ?? []).filter { $0.contains(droppedInfix) || isTemporary($0, system) }.sorted()
    }

    /// In the names of files with what was taken out of a journal.
    private static let droppedInfix = ".dropped-"

    /// The name of a file for what is taken out of a journal.
    static func nameOfDropped(besides path: String, _ system: any System) -> String {
        path + droppedInfix + String(system.random(), radix: 36)
    }

    private static func isTemporary(_ name: String, _ system: any System) -> Bool {
        if isOwn(name) { return true }
        // Of a key that a former version was writing: its process, and the name of the key.
        let parts = name.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].first == ".", parts[1].hasSuffix(".jwk"),
            let process = Decimal.parse(Array(parts[0].dropFirst().utf8)[...]).flatMap({ pid_t(exactly: $0) })
        else { return false }
        return !system.isAlive(process)
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
    static func removeFolders(besides path: String, of contents: [String], _ system: any System) {
        guard let last = path.split(separator: "/").last else { return }
        let parent = JournalFolder.parent(of: path)
        for name in system.names(in: parent) ?? [] where name.hasPrefix(last + infix) && isOwn(name) {
            let path = parent + "/" + name
            guard system.names(in: path)?.allSatisfy(contents.contains) ?? false else { continue }
            if Hold(of: path, system) != nil { system.removeTree(path) }
        }
    }

    /// A lock on a folder, for as long as this is there.
    struct Hold: ~Copyable {
        private let descriptor: Int32
        private let system: any System

        /// nil when another has it, or it is no folder of ours.
        init?(of path: String, _ system: any System) {
            let descriptor = system.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            guard descriptor >= 0 else { return nil }
            guard let status = system.status(of: descriptor), status.owner == system.user || system.user == 0,
                system.lockFolder(descriptor) == 0
            else {
                system.close(descriptor)
                return nil
            }
            self.descriptor = descriptor
            self.system = system
        }

        deinit { system.close(descriptor) }
    }
}
