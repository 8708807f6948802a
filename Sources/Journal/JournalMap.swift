internal import Glibc
internal import Synchronization

/// The beginning of a journal's file in memory, which all processes that have it mapped share.
///
/// Only what is synced may be mapped: it is never cut off nor written over, and reading mapped bytes that a file no longer
/// has would be the end of the process.
package final class JournalMap: Sendable {
    private let bytes: ReadOnlyMap
    private let path: String
    /// What was found last to be damaged: counting lines takes long.
    private let known = Mutex<(offset: Int64, line: Int)?>(nil)

    init(_ file: File, count: Int64) throws(JournalError) {
        bytes = try ReadOnlyMap(file, count: Int(count))
        path = file.path
    }

    /// The line that begins at `offset`. It points into the mapped file: it is good as long as somebody has this map.
    ///
    /// - Throws: ``JournalError/damaged(path:line:offset:)`` when there is none whose checksum goes on from the line before.
    package func line(at offset: Int64) throws(JournalError) -> EventLine {
        let all = bytes.bytes
        guard offset >= Line.endLength, offset < all.count, all[Int(offset) - 1] == 0x0A,
            let seed = Hexadecimal.word(all, at: Int(offset) - Line.endLength + 1)
        else { throw damage(at: offset) }
        let rest = all.dropFirst(Int(offset))
        guard let line = Line(rest, seed: seed), let event = EventLine(rest.prefix(line.contentLength), offset: offset)
        else { throw damage(at: offset) }
        return event
    }

    /// - Parameter offset: Where something stands that cannot be.
    package func damage(at offset: Int64) -> JournalError {
        let line = known.withLock { known in
            if let known, known.offset == offset { return known.line }
            let line = 1 + bytes.bytes.prefix(Int(max(0, offset))).count { $0 == 0x0A }
            known = (offset, line)
            return line
        }
        return .damaged(path: path, line: line, offset: offset)
    }
}

/// A part of a file from its beginning, mapped for reading.
package final class ReadOnlyMap: @unchecked Sendable {
    // Never written to, and unmapped when nobody has it any more.
    package let bytes: UnsafeRawBufferPointer

    init(_ file: File, count: Int) throws(JournalError) {
        guard count > 0, let address = mmap(nil, count, PROT_READ, MAP_SHARED, file.descriptor, 0),
            address != MAP_FAILED
        else { throw File.error("mmap", file.path) }
        bytes = UnsafeRawBufferPointer(start: address, count: count)
    }

    deinit { munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count) }
}
