internal import Glibc
internal import Synchronization

/// Counts what is changed in a folder's journals and folders of files, in memory that all processes share: whoever finds a
/// count as it was has nothing to ask the system.
///
/// It is counted up behind each change and before anybody is told that it was done, so a change that was acknowledged is seen
/// by whoever looks later. What is changed by hand is seen at the next look at the path, and so is another file in the place
/// of this memory. Until then readers go by the file that they have. So a writer who finds another one than before waits
/// until all of them have looked.
final class ChangeMemory: Sendable {
    static let fileName = "changes"

    private static let magic = Array("changes1".utf8)
    /// A word each, on a line of the cache of its own. The first is the beginning of the file. No count is ever 0: zeros are
    /// what is left of a file that was cut.
    private static let (slotCount, slotSize) = (64, 64)
    /// Milliseconds between two ticks of the clock that looks go by, at most.
    private static let tick: Int64 = 10
    /// Milliseconds until it is tried again.
    private static let patience: Int64 = 1000

    private struct State {
        /// Where it is mapped, from the first time on.
        var file: MappedFile?
        var isUsable = false
        /// When to try again where it could not be had, by the coarse clock in milliseconds.
        var nextTry: Int64 = 0
        /// When all other processes will have seen that this file has taken the place of another one, likewise.
        var settles: Int64 = 0
        /// What each count was at least, when it was counted up last.
        var counts = [UInt64](repeating: 0, count: slotCount)
    }

    private let state = Mutex(State())
    /// Where the memory is; 0: there is none. It never becomes another one.
    private let base = Atomic<UInt>(0)
    /// Tells the counts of this file from those of another that took its place. Odd while one does.
    private let number = Atomic<UInt64>(0)

    /// Where a name's count is. Two of one slot would only be looked at more often.
    static func slot(of name: String) -> Int {
        1 + Int(CRC32.castagnoli.checksum(of: Array(name.utf8), seed: 0)) % (slotCount - 1)
    }

    /// Never the same before and after a change; nil where there is no memory: then nothing is known.
    func count(at slot: Int) -> UInt64? {
        guard let memory = UnsafeMutableRawPointer(bitPattern: base.load(ordering: .acquiring)) else { return nil }
        let number = number.load(ordering: .acquiring)
        // An atomic is nothing but its value in memory. The state has the file, and so its memory, as long as there is a `self`.
        let word = (memory + slot * Self.slotSize).assumingMemoryBound(to: Atomic<UInt64>.self)
        let count = word.pointee.load(ordering: .acquiring) & 0xFFFF_FFFF_FFFF
        return count == 0 ? nil : number << 48 | count
    }

    /// To be called when something was changed, before anybody is told.
    func increase(at slot: Int, in folder: JournalFolder) {
        let wait = state.withLock { state in
            for _ in 0..<Self.tries {
                look(&state, in: folder)
                guard state.isUsable, let file = state.file else { break }
                let number = number.load(ordering: .relaxed)
                let before = file.atomic(at: slot * Self.slotSize).pointee.add(1, ordering: .releasing).oldValue
                guard before != 0, before >= state.counts[slot] else {
                    // Somebody has written over it: what others see there is not what they have seen.
                    folder.system.unlink(folder.path + "/" + Self.fileName)
                    continue
                }
                state.counts[slot] = before &+ 1
                // Who has looked in between has counted by another file.
                look(&state, in: folder)
                guard state.isUsable, self.number.load(ordering: .relaxed) == number else { continue }
                return state.settles &- folder.system.coarseTime()
            }
            // Others may have the memory: they look by themselves meanwhile.
            return folder.lookInterval &+ Self.tick
        }
        if wait > 0 {
            folder.system.pause(microseconds: UInt32(clamping: min(wait, folder.lookInterval &+ Self.tick) * 1000))
        }
    }

    private static let tries = 8

    /// Sees to it that the memory is that of the file which is in the folder now.
    func look(in folder: JournalFolder) {
        state.withLock { look(&$0, in: folder) }
    }

    private func look(_ state: inout State, in folder: JournalFolder) {
        let now = folder.system.coarseTime()
        guard state.isUsable || now >= state.nextTry else { return }
        do throws(JournalError) {
            if let file = state.file {
                let wasUsable = state.isUsable
                var isAnother = false
                try file.look {
                    number.add(1, ordering: .sequentiallyConsistent)
                } isReplaced: {
                    isAnother = true
                    Self.start(file)
                    number.add(1, ordering: .sequentiallyConsistent)
                }
                if isAnother || !wasUsable {
                    state.counts = State().counts
                    state.settles = now &+ folder.lookInterval &+ Self.tick
                }
            } else {
                let file = try MappedFile(
                    Self.fileName,
                    in: folder,
                    size: Self.slotCount * Self.slotSize,
                    magic: Self.magic,
                    header: Self.firstCounts
                )
                Self.start(file)
                state.file = file
                // It may have taken the place of one that others have.
                let isNew = file.age.map { $0 < folder.lookInterval &+ Self.tick } ?? true
                state.settles = isNew ? now &+ folder.lookInterval &+ Self.tick : now
                number.store(2, ordering: .releasing)
            }
            state.isUsable = true
            base.store(UInt(bitPattern: state.file?.bytes.baseAddress), ordering: .releasing)
        } catch {
            base.store(0, ordering: .releasing)
            state.isUsable = false
            state.nextTry = now &+ Self.patience
        }
    }

    /// Behind the magic bytes: each count is 1.
    private static func firstCounts() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: slotCount * slotSize - magic.count)
        for slot in 1..<slotCount {
            withUnsafeBytes(of: UInt64(1)) { one in
                for (place, byte) in one.enumerated() { bytes[slot * slotSize - magic.count + place] = byte }
            }
        }
        return bytes
    }

    /// A file that an older version made begins with zeros.
    private static func start(_ file: MappedFile) {
        for slot in 1..<slotCount {
            _ = file.atomic(at: slot * slotSize).pointee.compareExchange(expected: 0, desired: 1, ordering: .relaxed)
        }
    }

    /// Where the memory is; nil where there is none.
    var address: UInt? {
        let address = base.load(ordering: .relaxed)
        return address == 0 ? nil : address
    }

    /// Of the file; nil where there is no memory.
    var identity: File.Identity? { state.withLock { $0.isUsable ? $0.file?.identity : nil } }
}
