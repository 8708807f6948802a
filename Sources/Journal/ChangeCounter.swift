internal import Synchronization

/// Counts what is changed in a journal or a folder of files, in memory that all processes of a ``JournalFolder`` share:
/// whoever finds the count as it was has nothing to ask the system.
///
/// It is counted up behind each change and before anybody is told that it was done, so a change that was acknowledged is seen
/// by whoever looks later. What changes without it, by hand or by a writer that is killed at once, is seen at the next look
/// at the path.
struct ChangeCounter: @unchecked Sendable {
    // Nothing of it changes but the word, which is atomic.
    private let memory: MappedFile
    private let word: UnsafeMutablePointer<Atomic<UInt64>>

    static let fileName = "changes"
    private static let magic = Array("changes1".utf8)
    /// A word each, on a line of the cache of its own. The first is the beginning of the file.
    private static let (slotCount, slotSize) = (64, 64)

    /// What the file of a new folder holds.
    static var initialText: [UInt8] { magic + [UInt8](repeating: 0, count: slotCount * slotSize - magic.count) }

    /// The memory in which the counters of a folder are.
    static func memory(in folder: JournalFolder) throws(JournalError) -> MappedFile {
        try MappedFile(fileName, in: folder, size: slotCount * slotSize, header: magic) { $0.starts(with: magic) }
    }

    /// - Parameter name: Of the journal or folder. Two of one slot would only be looked at more often.
    init(of name: String, in memory: MappedFile) {
        self.memory = memory
        word = memory.atomic(at: Self.slot(of: name) * Self.slotSize)
    }

    static func slot(of name: String) -> Int {
        1 + Int(CRC32.castagnoli.checksum(of: Array(name.utf8), seed: 0)) % (slotCount - 1)
    }

    /// Never 0.
    var count: UInt64 { word.pointee.load(ordering: .acquiring) &+ 1 }

    func increase() { word.pointee.add(1, ordering: .releasing) }
}
