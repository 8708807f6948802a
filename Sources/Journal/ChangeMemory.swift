internal import Glibc
internal import Synchronization

/// Counts what is changed in a folder's journals and folders of files, in memory that all processes share: whoever finds a
/// count as it was has nothing to ask the system.
///
/// It is counted up behind each change and before anybody is told that it was done, so a change that was acknowledged is seen
/// by whoever looks later. What is changed by hand is seen at the next look at the path, and so is another file in the place
/// of this memory.
final class ChangeMemory: Sendable {
    static let fileName = "changes"

    private static let magic = Array("changes1".utf8)
    /// A word each, on a line of the cache of its own. The first is the beginning of the file.
    private static let (slotCount, slotSize) = (64, 64)
    /// Milliseconds between two ticks of the clock that looks go by, at most.
    private static let tick: Int64 = 10
    /// Milliseconds until it is tried again.
    private static let patience: Int64 = 1000

    private final class Mapping: Sendable {
        let file: MappedFile
        /// Tells the counts of this memory from those of another that took its place. From 1 on.
        let number: UInt64

        init(_ file: MappedFile, number: UInt64) {
            self.file = file
            self.number = number
        }
    }

    private let current = Atomic<Unmanaged<Mapping>?>(nil)
    /// All that there were, for somebody may still look at one: the last is the current one, unless that is none.
    private let mappings = Mutex<[Mapping]>([])
    /// When to try again where it could not be had, by the coarse clock in milliseconds.
    private let nextTry = Atomic<Int64>(0)

    /// Where a name's count is. Two of one slot would only be looked at more often.
    static func slot(of name: String) -> Int {
        1 + Int(CRC32.castagnoli.checksum(of: Array(name.utf8), seed: 0)) % (slotCount - 1)
    }

    /// Never the same before and after a change; nil where there is no memory: then nothing is known.
    func count(at slot: Int) -> UInt64? {
        current.load(ordering: .acquiring)?._withUnsafeGuaranteedRef { mapping in
            mapping.number << 48 | word(slot, mapping).pointee.load(ordering: .acquiring) & 0xFFFF_FFFF_FFFF
        }
    }

    /// To be called when something was changed, before anybody is told.
    func increase(at slot: Int, in folder: JournalFolder) {
        look(in: folder)
        guard let mapping = mappings.withLock({ $0.last }), current.load(ordering: .acquiring) != nil else {
            // Others may have the memory: they look by themselves meanwhile.
            usleep(UInt32(clamping: (folder.lookInterval + Self.tick) * 1000))
            return
        }
        word(slot, mapping).pointee.add(1, ordering: .releasing)
    }

    /// Sees to it that the memory is that of the file which is in the folder now.
    func look(in folder: JournalFolder) {
        mappings.withLock { mappings in
            var status = stat()
            let isThere = lstat(folder.path + "/" + Self.fileName, &status) == 0
            let identity = File.Identity(inode: status.st_ino, device: status.st_dev)
            let isCurrent = current.load(ordering: .relaxed) != nil
            if isThere, isCurrent, mappings.last?.file.identity == identity { return }
            let now = Journal.coarseTime()
            guard isCurrent || now >= nextTry.load(ordering: .relaxed) else { return }
            let file = try? MappedFile(
                Self.fileName,
                in: folder,
                size: Self.slotCount * Self.slotSize,
                header: Self.magic
            ) { $0.starts(with: Self.magic) }
            guard let file else {
                current.store(nil, ordering: .releasing)
                nextTry.store(now &+ Self.patience, ordering: .relaxed)
                return
            }
            let mapping = Mapping(file, number: UInt64(mappings.count + 1))
            mappings.append(mapping)
            current.store(Unmanaged.passUnretained(mapping), ordering: .releasing)
        }
    }

    /// Of the file; nil where there is no memory.
    var identity: File.Identity? {
        mappings.withLock { current.load(ordering: .relaxed) == nil ? nil : $0.last?.file.identity }
    }

    private func word(_ slot: Int, _ mapping: Mapping) -> UnsafeMutablePointer<Atomic<UInt64>> {
        mapping.file.atomic(at: slot * Self.slotSize)
    }
}
