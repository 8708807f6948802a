internal import CLinux
internal import Dispatch
internal import Glibc

/// The one file of a folder that is ever locked, and what its holder tells the next one.
///
/// The lock is an open-file-description lock: it ends with its holder, however that one ends, and closing
/// another descriptor of the file does not drop it. It counts between descriptors, so the threads of a
/// process, which share one, wait for each other at a semaphore first.
///
/// The file's text is memory that the processes of one boot share: slots of equal length, written only under
/// the lock and never synced. The first names the holder, the others are one ``SyncRecord`` a journal.
final class LockFile: Sendable {
    static let name = "lock"

    private let file: File
    private let patience: Duration
    private let turn = DispatchSemaphore(value: 1)

    init(_ file: File, patience: Duration) {
        self.file = file
        self.patience = patience
    }

    /// What the file of a new folder holds.
    static func initialText(journals: [String]) -> [UInt8] {
        (["holder"] + journals).flatMap { slot(Array($0.utf8)) }
    }

    /// - Throws: ``JournalError/locked(path:holder:)`` when another holds the lock for longer than `patience`.
    func withLock(_ body: (LockFile) throws(JournalError) -> Void) throws(JournalError) {
        let milliseconds = Int(patience / .milliseconds(1))
        guard turn.wait(timeout: .now() + .milliseconds(milliseconds)) == .success else {
            throw .locked(path: file.path, holder: getpid())
        }
        defer { turn.signal() }
        try lock()
        defer { _ = linux_lock_exclusive(file.descriptor, false) }
        try writeSlot(0, Array("holder\t\(getpid())".utf8))
        try body(self)
    }

    /// What is known about the journal of this name; nil when there is no record of it that checks.
    func record(of journal: String) throws(JournalError) -> SyncRecord? {
        guard let slot = try slotNumber(of: journal) else { return nil }
        return SyncRecord(parsing: try readSlot(slot))
    }

    func setRecord(_ record: SyncRecord) throws(JournalError) {
        guard let slot = try slotNumber(of: record.journal) else { throw .foreignFile(path: file.path) }
        try writeSlot(slot, record.text)
    }

    /// Tries, and waits a little longer each time.
    private func lock() throws(JournalError) {
        let clock = ContinuousClock()
        let deadline = clock.now + patience
        var pause: UInt32 = 50
        while linux_lock_exclusive(file.descriptor, true) != 0 {
            switch errno {
            case EINTR: continue
            case EAGAIN, EACCES:
                guard clock.now < deadline else { throw .locked(path: file.path, holder: holder()) }
                usleep(pause)
                pause = min(pause * 2, 10_000)
            default: throw File.error("fcntl", file.path)
            }
        }
    }

    private func holder() -> Int32 {
        let text = (try? readSlot(0)) ?? []
        let digits = text.split(separator: 0x09).dropFirst().first ?? []
        return Decimal.parse(digits).flatMap { Int32(exactly: $0) } ?? 0
    }

    private func slotNumber(of journal: String) throws(JournalError) -> Int? {
        let count = Int(try file.status().size) / Self.slotLength
        for slot in 1..<max(1, min(count, 64)) {
            if try readSlot(slot).split(separator: 0x09).first?.elementsEqual(journal.utf8) ?? false { return slot }
        }
        return nil
    }

    /// Without the spaces and the line feed that fill it.
    private func readSlot(_ slot: Int) throws(JournalError) -> ArraySlice<UInt8> {
        let bytes = try file.read(Self.slotLength, at: Int64(slot * Self.slotLength))
        let end = bytes.lastIndex { $0 != 0x20 && $0 != 0x0A } ?? -1
        return bytes[..<(end + 1)]
    }

    private func writeSlot(_ slot: Int, _ text: [UInt8]) throws(JournalError) {
        try file.write(Self.slot(text), at: Int64(slot * Self.slotLength), with: DiskCalls())
    }

    private static let slotLength = 160

    private static func slot(_ text: [UInt8]) -> [UInt8] {
        text.prefix(slotLength - 1) + [UInt8](repeating: 0x20, count: max(0, slotLength - 1 - text.count)) + [0x0A]
    }
}

/// How far a journal is on disk, as the last holder of the lock left it.
struct SyncRecord: Equatable {
    let journal: String
    let fileID: [UInt8]
    /// Bytes that a sync has covered. Always the end of a group.
    var synced: Int64
    /// The error of the sync that failed; 0: none did. Until the journal is rewritten nobody appends to it.
    var failure: Int32 = 0

    init(journal: String, fileID: [UInt8], synced: Int64) {
        self.journal = journal
        self.fileID = fileID
        self.synced = synced
    }

    /// nil for a record of another boot, whose memory this is not.
    init?(parsing text: ArraySlice<UInt8>) {
        let columns = text.split(separator: 0x09, omittingEmptySubsequences: false)
        guard columns.count == 6, columns[1].elementsEqual(Self.boot), let synced = Decimal.parse(columns[3]),
            let failure = Decimal.parse(columns[4]).flatMap({ Int32(exactly: $0) })
        else { return nil }
        self.init(journal: String(decoding: columns[0], as: UTF8.self), fileID: Array(columns[2]), synced: synced)
        self.failure = failure
        guard self.text.elementsEqual(text) else { return nil }
    }

    var text: [UInt8] {
        let content = Array("\(journal)\t".utf8) + Self.boot + [0x09] + fileID + Array("\t\(synced)\t\(failure)".utf8)
        return content + Line.checksum(content, seed: 0).dropLast()
    }

    /// The id that Linux gives to each boot, without its line feed. Where it cannot be read no record is believed.
    private static let boot: [UInt8] = {
        let descriptor = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return Array("unknown \(getpid())".utf8) }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 36)
        guard read(descriptor, &bytes, bytes.count) == bytes.count else { return Array("unknown \(getpid())".utf8) }
        return bytes
    }()
}
