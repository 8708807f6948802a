/// How far a journal is on disk, as the last holder of its lock left it.
struct SyncRecord: Equatable {
    /// In which it was written, 32 digits.
    private let boot: [UInt8]
    let journal: String
    let fileID: [UInt8]
    /// Of the file that was synced: a copy of it that took its place may be shorter.
    let inode: UInt
    /// Bytes that a sync has covered. Always the end of a group.
    var synced: Int64
    /// The error of the sync that failed; 0: none did. Until the journal is rewritten nobody appends to it.
    var failure: Int32 = 0
    /// Whether a sync runs, whose end was not noted yet. Whoever finds that under the lock knows that it never will be: who
    /// made it was killed, and the system may have told nobody but him that it failed.
    var isSyncing = false

    init(of journal: String, _ header: FileHeader, _ identity: File.Identity, synced: Int64, in boot: [UInt8]) {
        self.init(boot: boot, journal: journal, fileID: header.fileID, inode: identity.inode, synced: synced)
    }

    private init(boot: [UInt8], journal: String, fileID: [UInt8], inode: UInt, synced: Int64) {
        self.boot = boot
        self.journal = journal
        self.fileID = fileID
        self.inode = inode
        self.synced = synced
    }

    /// Whether both are about the same file.
    func isAbout(_ other: SyncRecord) -> Bool { fileID == other.fileID && inode == other.inode }

    /// Whether all that `needed` counts as synced is on disk, there or in a file that was made of that one. This record is
    /// the newer one of the two.
    func covers(_ needed: SyncRecord) -> Bool {
        if fileID == needed.fileID { return inode == needed.inode && synced >= needed.synced }
        // Such a file holds all that stood in the other one, and was synced whole.
        return failure == 0 && FileHeader.isCompacted(fileID, needed.fileID)
    }

    /// nil for what ``text`` does not write, in whatever boot.
    init?(parsing text: ArraySlice<UInt8>) {
        let columns = text.split(separator: 0x09, omittingEmptySubsequences: false)
        guard columns.count == 7, FileHeader.isID(columns[2]), columns[3].first == UInt8(ascii: "x"),
            let inode = UInt(String(decoding: columns[3].dropFirst(), as: UTF8.self), radix: 16),
            let synced = Decimal.parse(columns[4])
        else { return nil }
        self.init(
            boot: Array(columns[1]),
            journal: String(decoding: columns[0], as: UTF8.self),
            fileID: Array(columns[2]),
            inode: inode,
            synced: synced
        )
        isSyncing = columns[5].elementsEqual(Self.syncing.utf8)
        failure = Decimal.parse(columns[5]).flatMap { Int32(exactly: $0) } ?? 0
        // Only what would be written like this: no other number, nor a checksum that is wrong.
        guard self.text.elementsEqual(text) else { return nil }
    }

    /// What is true for good, also after the boot in which it was written. The rest of it is about memory that is gone then.
    /// nil after a failure: the file itself may be gone with a power cut.
    var mark: SyncMark? { failure == 0 ? SyncMark(journal: journal, fileID: fileID, synced: synced) : nil }

    /// Whether it was begun in that boot, whole or not.
    static func isOfBoot(_ boot: [UInt8], _ text: ArraySlice<UInt8>) -> Bool {
        text.split(separator: 0x09, omittingEmptySubsequences: false).dropFirst().first?.elementsEqual(boot) ?? false
    }

    /// Where another record has the number of an error.
    private static let syncing = "syncing"

    /// At most 152 bytes for a name of 32.
    var text: [UInt8] {
        let content =
            Array("\(journal)\t".utf8) + boot + [0x09] + fileID
            + Array("\tx\(String(inode, radix: 16))\t\(synced)\t\(isSyncing ? Self.syncing : String(failure))".utf8)
        return content + Line.checksum(content, seed: 0).dropLast()
    }
}
