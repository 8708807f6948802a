/// A journal's file that is to be repaired. Nobody cuts it off while the lock is held.
struct Patient {
    let identity: File.Identity
    private let path: String
    private let text: SalvagedText
    /// nil where it cannot be read.
    private let header: FileHeader?
    private let replaced: [[UInt8]]
    /// Where the groups end that follow on each other from the beginning.
    private let end: Int64
    /// Whether it can be read to its end as it is.
    let isWhole: Bool

    /// nil where there is none, or an empty one.
    ///
    /// - Throws: ``JournalError/foreignFile(path:)`` for the journal of another name.
    init?(_ name: String, in folder: JournalFolder) throws(JournalError) {
        let file: File
        do {
            file = try folder.open(folder.path + "/" + name)
        } catch .missing {
            return nil
        } catch {
            throw error
        }
        let status = try file.status()
        guard status.size > 0 else { return nil }
        path = file.path
        identity = status.identity
        text = SalvagedText(try ReadOnlyMap(file, count: Int(status.size)))
        guard !FileHeader.isOther(than: name, text.bytes) else { throw .foreignFile(path: path) }
        let source: JournalSource?
        do throws(JournalError) {
            source = try JournalSource(file, name: name, folder)
        } catch .foreignFile {
            source = nil
        } catch {
            throw error
        }
        header = source?.header ?? FileHeader(name: name, parsing: Array(text.bytes.prefix(256))[...])
        replaced = source?.replaced ?? []
        if let source {
            var position = source.position
            isWhole = try file.readGroups(from: &position, to: status.size) { _, _ in }.isEmpty
            end = position.offset
        } else {
            (isWhole, end) = (false, 0)
        }
    }

    /// Of it, and of those that it stands in the place of.
    var lineages: [[UInt8]] { replaced + (header.map { [Array($0.lineage)] } ?? []) }

    /// What of it can be believed.
    ///
    /// - Throws: ``JournalError/foreignFile(path:)`` for a file that has nothing of a journal.
    func salvage(_ progress: (Double) -> Void) throws(JournalError) -> Salvage {
        let salvage = Salvage(text, of: header, progress: progress)
        guard header != nil || salvage.events > 0 else { throw .foreignFile(path: path) }
        return salvage
    }

    /// Whether something was on disk once that is not there.
    func hasLost(_ claims: [SyncMark]) -> Bool {
        guard let header else { return true }
        return claims.contains { !$0.isAnswered(by: header, replaced, end: end) }
    }
}

/// The text of a file as it was before an editor put a byte order mark and carriage returns into it.
final class SalvagedText {
    let bytes: UnsafeRawBufferPointer
    private let map: ReadOnlyMap
    /// nil where there are none.
    private let copy: UnsafeMutableRawBufferPointer?

    init(_ map: ReadOnlyMap) {
        self.map = map
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        let hasMark = map.bytes.starts(with: mark)
        // They are escaped in whatever is written.
        guard hasMark || map.bytes.offset(of: 0x0D) != nil else {
            copy = nil
            bytes = map.bytes
            return
        }
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: map.bytes.count, alignment: 8)
        var count = 0
        for byte in map.bytes.dropFirst(hasMark ? mark.count : 0) where byte != 0x0D {
            copy[count] = byte
            count += 1
        }
        self.copy = copy
        bytes = UnsafeRawBufferPointer(rebasing: copy[..<count])
    }

    deinit { copy?.deallocate() }
}
