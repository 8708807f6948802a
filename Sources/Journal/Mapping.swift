internal import CLinux
internal import Glibc
internal import Synchronization

/// The beginning of a file in memory, shared with all who have it mapped, at an address that stays.
///
/// Whoever cuts or overwrites a file in place changes it under everybody who has it mapped. A page that is gone does not end
/// the process: all of the memory becomes zeros of this process alone, and ``isLost`` says so. So who finds nothing in it, or
/// something that cannot be, asks ``isLost`` before believing that.
final class Mapping: @unchecked Sendable {
    // The address and the count never change; what is in the bytes is for processes and threads to agree on. The entry is the
    // mapping's alone until `deinit`.
    let bytes: UnsafeMutableRawBufferPointer
    private let entry: OpaquePointer
    private let note: UnsafePointer<Atomic<UInt64>>

    init(_ file: File, count: Int, isWritable: Bool) throws(JournalError) {
        var address: UnsafeMutableRawPointer?
        guard count > 0, let entry = linux_map(file.system.mappable(file.descriptor), count, isWritable, &address),
            let note = linux_mapping_note(entry)
        else { throw count > 0 ? File.error("mmap", file.path) : .foreignFile(path: file.path) }
        self.entry = entry
        // An atomic is nothing but its value in memory.
        self.note = note.assumingMemoryBound(to: Atomic<UInt64>.self)
        bytes = UnsafeMutableRawBufferPointer(start: address, count: count)
    }

    deinit { linux_unmap(entry) }

    /// Whether a part of the file was gone when somebody looked at it.
    var isLost: Bool {
        let note = note.pointee.load(ordering: .acquiring)
        return note >> 32 != note & 0xFFFF_FFFF
    }

    /// Puts another file of this size in the place of the one that is mapped, in one step: a thread that looks meanwhile
    /// sees the one or the other.
    func become(_ file: File) throws(JournalError) {
        guard linux_map_again(entry, file.system.mappable(file.descriptor)) == 0 else {
            throw File.error("mmap", file.path)
        }
    }

    /// How many there are in this process.
    package static var count: Int { Int(linux_mapping_count()) }
}
