/// A line that a journal writes for itself, the last one of its group. It is no event, and nobody is told it.
///
/// Its first column begins with `#`, which is escaped in that of an event.
enum OwnLine {
    /// `TIME  #synced  NAME  FILE-ID  BYTES  …`: how far other journals of the folder were on disk at that time. It is written
    /// when one of them was further than this one has said before.
    case synced([SyncMark])
    /// `TIME  #replaces  LINEAGE  …`: the file stands in the place of journals of these lineages, of which what could be
    /// believed is in it. Only the first group of a file has it.
    case replaces([[UInt8]])

    static let sign = UInt8(ascii: "#")

    /// nil for one that a later version may write.
    init?(_ line: EventLine) {
        var reader = EventReader(line)
        guard let cause = try? reader.text() else { return nil }
        switch cause {
        case Self.syncedCause:
            var marks: [SyncMark] = []
            while !reader.isAtEnd {
                guard let journal = try? reader.text(), let id = try? reader.bytes(), FileHeader.isID(id),
                    let synced = try? reader.integer()
                else { return nil }
                marks.append(SyncMark(journal: journal, fileID: id, synced: synced))
            }
            self = .synced(marks)
        case Self.replacesCause:
            var lineages: [[UInt8]] = []
            while !reader.isAtEnd {
                guard let lineage = try? reader.bytes() else { return nil }
                lineages.append(lineage)
            }
            self = .replaces(lineages)
        default: return nil
        }
    }

    private static let syncedCause = "#synced"

    /// Whether the first column of such a line stands here that says how far journals were on disk.
    static func isSynced(_ bytes: UnsafeRawBufferPointer) -> Bool { bytes.starts(with: syncedCause.utf8) }

    private static let replacesCause = "#replaces"

    /// What follows on the time. Nothing in it has to be escaped.
    var columns: [UInt8] {
        switch self {
        case .synced(let marks):
            Array("\t\(Self.syncedCause)".utf8)
                + marks.flatMap { Array("\t\($0.journal)\t".utf8) + $0.fileID + Array("\t\($0.synced)".utf8) }
        case .replaces(let lineages):
            Array("\t\(Self.replacesCause)".utf8) + lineages.flatMap { [0x09] + $0 }
        }
    }
}

/// So many bytes of a journal's file are on disk for good.
struct SyncMark: Equatable {
    let journal: String
    let fileID: [UInt8]
    let synced: Int64

    /// Whether all that it counts is in this file, or was when the file was made.
    ///
    /// - Parameters:
    ///   - replaced: Lineages that the file stands in the place of.
    ///   - end: Bytes of the file that are whole.
    func isAnswered(by file: FileHeader, _ replaced: [[UInt8]], end: Int64) -> Bool {
        if fileID == file.fileID { return end >= synced }
        let lineage = FileHeader.lineage(of: fileID)
        if lineage == file.lineage { return FileHeader.generation(of: fileID) < FileHeader.generation(of: file.fileID) }
        return replaced.contains { $0[...] == lineage }
    }
}
