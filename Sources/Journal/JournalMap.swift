internal import Glibc
internal import Synchronization

/// The beginning of a journal's file in memory, which all processes that have it mapped share.
///
/// Only what is synced may be mapped: we never cut it off nor write over it. Its owner may, at any moment: so each line is
/// copied before its checksum is looked at, and what is read is the copy.
package final class JournalMap: Sendable {
    private let bytes: ReadOnlyMap
    private let path: String
    /// What was found last to be damaged: counting lines takes long.
    private let known = Mutex<(offset: Int64, line: Int)?>(nil)

    init(_ file: File, count: Int64) throws(JournalError) {
        bytes = try ReadOnlyMap(file, count: Int(count))
        path = file.path
    }

    /// Whether a part of the file is gone: no line is found any more.
    package var isLost: Bool { bytes.isLost }

    /// Lends the line that begins at `offset`. `body` returns nothing: where it may return anything, the runtime looks up the type
    /// of that for each line, which takes as long as the line.
    ///
    /// - Throws: ``JournalError/damaged(path:line:offset:)`` when there is none whose checksum goes on from the line before.
    package func withLine(at offset: Int64, _ body: (EventLine) throws(JournalError) -> Void) throws(JournalError) {
        let all = bytes.bytes
        guard offset >= Line.endLength, offset < all.count else { throw damage(at: offset) }
        let rest = all.dropFirst(Int(offset) - Line.endLength)
        // Nearly all lines are shorter than that.
        var look = withUnsafeTemporaryAllocation(byteCount: Self.usualLength, alignment: 8) { copy in
            Self.look(rest, copy, offset, body)
        }
        var length = Self.usualLength
        while case .longer = look, length < rest.count {
            length *= 16
            let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: min(length, rest.count), alignment: 8)
            look = Self.look(rest, copy, offset, body)
            copy.deallocate()
        }
        switch look {
        case .found: return
        case .failed(let error): throw error
        case .damaged, .longer: throw damage(at: offset)
        }
    }

    private static let usualLength = 512

    private enum Look {
        case found
        /// What `body` throws.
        case failed(JournalError)
        /// No line ends in what was copied.
        case longer
        case damaged
    }

    /// - Parameter bytes: From the checksum of the line before on.
    private static func look(
        _ bytes: UnsafeRawBufferPointer,
        _ copy: UnsafeMutableRawBufferPointer,
        _ offset: Int64,
        _ body: (EventLine) throws(JournalError) -> Void
    ) -> Look {
        let bytes = bytes.prefix(copy.count)
        copy.copyMemory(from: bytes)
        let all = UnsafeRawBufferPointer(rebasing: copy[..<bytes.count])
        guard all[Line.endLength - 1] == 0x0A, let seed = Hexadecimal.word(all, at: 1) else { return .damaged }
        let rest = all.dropFirst(Line.endLength)
        guard let line = Line(rest, seed: seed), let event = EventLine(rest.prefix(line.contentLength), offset: offset)
        else { return rest.offset(of: 0x0A) == nil ? .longer : .damaged }
        do throws(JournalError) {
            try body(event)
            return .found
        } catch {
            return .failed(error)
        }
    }

    /// Whether a line ends just before `offset`.
    package func beginsLine(at offset: Int64) -> Bool {
        offset > 0 && offset < bytes.bytes.count && bytes.bytes[Int(offset) - 1] == 0x0A
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

/// A part of a file from its beginning, mapped for reading, which nobody but its owner ever changes.
package final class ReadOnlyMap: Sendable {
    private let mapping: Mapping
    private let file: File
    /// Before anything of it was read.
    private let status: File.Status

    init(_ file: File, count: Int) throws(JournalError) {
        self.file = file
        status = try file.status()
        mapping = try Mapping(file, count: count, isWritable: false)
    }

    package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(mapping.bytes) }

    /// Whether a part of the file is gone: all of it is zeros then.
    package var isLost: Bool { mapping.isLost }

    /// Whether nobody has changed the file since it was mapped. It asks the system. A file that lost its name to one that
    /// was saved anew is what it was.
    package var isUnchanged: Bool { !isLost && (try? file.status())?.isSame(since: status) ?? false }
}
