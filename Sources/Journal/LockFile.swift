internal import Dispatch
internal import Glibc
internal import Synchronization

/// The one file of a folder that is ever locked, and what its holders tell the next ones.
///
/// It has one lock for whoever writes, one a journal for whoever syncs, one a journal for whoever saves its index, and one for
/// whoever makes a slot or a ``MappedFile``, each on a byte of its own; who waits for one holds, for a moment, that of whoever
/// is next for it, far behind. Who needs several takes that of the writer first, and that of the index or the last one last. They are open-file-description locks: such a lock ends with its holder, however that
/// one ends, and closing another descriptor of the file does not drop it. It counts between descriptors, so the threads
/// of a process, which share one, wait for each other at a semaphore first.
///
/// The file's text is memory that the processes of one boot share: slots of equal length, never synced. The first names
/// the writer and is written under its lock; the others are one ``SyncRecord`` a journal and, of one that was compacted, one
/// ``Handover``, written under the journal's.
final class LockFile: Sendable {
    static let name = "lock"

    private let file: File
    private let owner: uid_t
    private var system: any System { file.system }
    /// How long a writer waits.
    let patience: Duration
    private let turn = DispatchSemaphore(value: 1)
    private let makingTurn = DispatchSemaphore(value: 1)
    /// By the coarse clock in milliseconds.
    private let nextSync: Atomic<Int64>
    private static let syncInterval: Int64 = 60_000
    private let syncTurns = Mutex<[String: DispatchSemaphore]>([:])

    init(in folder: String, owner: uid_t, patience: Duration, _ system: any System) throws(JournalError) {
        file = try File(opening: folder + "/" + Self.name, owner: owner, system)
        nextSync = Atomic(system.coarseTime() &+ Self.syncInterval)
        self.owner = owner
        self.patience = patience
    }

    /// What the file of a new folder holds.
    static func initialText(journals: [String]) -> [UInt8] {
        (["holder"] + journals).flatMap { bytes(ofSlot: Array($0.utf8)) }
    }

    /// For whoever writes.
    ///
    /// - Parameter isAwaited: Whether to wait for whoever holds it.
    /// - Throws: ``JournalError/locked(path:holder:)`` when another holds the lock for longer than `patience`.
    func withLock(
        isAwaited: Bool = true,
        _ body: (LockFile) throws(JournalError) -> Void
    ) throws(JournalError) {
        try hold(0, turn, for: isAwaited ? patience : .zero) { () throws(JournalError) in
            try writeSlot(0, Array("holder\t\(system.process)".utf8))
            try body(self)
        }
    }

    /// For whoever syncs this journal, puts another file in its place, or writes its record.
    ///
    /// - Parameter isDone: Asked when it is this thread's turn among those of the process; with true that is all.
    /// - Throws: As ``withLock(_:)``.
    func withSyncLock(
        of journal: String,
        unless isDone: () -> Bool = { false },
        _ body: (LockFile) throws(JournalError) -> Void
    ) throws(JournalError) {
        let turn = syncTurns.withLock { turns in
            let turn = turns[journal] ?? DispatchSemaphore(value: 1)
            turns[journal] = turn
            return turn
        }
        let byte = 1 + Int64(CRC32.castagnoli.checksum(of: Array(journal.utf8), seed: 0))
        try hold(byte, turn, for: patience, unless: isDone) { () throws(JournalError) in try body(self) }
    }

    private func hold(
        _ byte: Int64,
        _ turn: DispatchSemaphore,
        for patience: Duration,
        unless isDone: () -> Bool = { false },
        _ body: () throws(JournalError) -> Void
    ) throws(JournalError) {
        let deadline = system.deadline(in: patience)
        guard turn.wait(timeout: .now() + .milliseconds(Int(patience / .milliseconds(1)))) == .success else {
            throw .locked(path: file.path, holder: system.process)
        }
        defer { turn.signal() }
        if isDone() { return }
        defer { system.lock(file.descriptor, byte: byte, false) }
        try lockInTurn(byte, until: deadline)
        // Where a store was copied over another, the file at the path is the lock of those who came later.
        while try !isAtPath() {
            try file.become(try File(opening: file.path, owner: owner, system))
            try lockInTurn(byte, until: deadline)
        }
        try body()
    }

    /// Who waits for a lock holds another one meanwhile, of whoever is next: a process whose threads follow on each other
    /// cannot take the lock again and again while another one sleeps between two tries.
    private func lockInTurn(_ byte: Int64, until deadline: Int64) throws(JournalError) {
        let next = byte + Self.nextOffset
        defer { system.lock(file.descriptor, byte: next, false) }
        // Not for long: who is next may have been stopped, and the lock be free.
        let turnDeadline = min(deadline, system.deadline(in: .milliseconds(500)))
        do throws(JournalError) {
            try lock(next, for: byte, until: turnDeadline, longestPause: 2000)
        } catch .locked {
        } catch {
            throw error
        }
        try lock(byte, for: byte, until: deadline, longestPause: 100)
    }

    /// Beyond all bytes of locks, which are numbers of 32 bits and two more.
    private static let nextOffset: Int64 = 1 << 40
    private static let makingByte: Int64 = 1 << 32 + 1

    /// Whether the file at the path is still the one that is locked.
    func isAtPath() throws(JournalError) -> Bool { try file.isAtPath() }

    /// What is known about the journal of this name; nil when there is no record of it from this boot.
    func record(of journal: String) throws(JournalError) -> SyncRecord? { try look(at: journal).record }

    /// What is known about a journal, and about the time.
    struct Look {
        /// Of this boot.
        var record: SyncRecord?
        /// What that, or one of an earlier boot, counts as on disk.
        var mark: SyncMark?
        var clock: StoreClock.Anchor?
        /// When somebody has repaired the folder in this boot, in microseconds since it began.
        var repaired: Int64?
    }

    func look(at journal: String) throws(JournalError) -> Look {
        var look = Look()
        for _ in 0..<Self.readings {
            let slots = try slots()
            look.clock = slots.firstIndex(of: StoreClock.Anchor.slotName)
                .flatMap { StoreClock.Anchor(parsing: slots[$0], in: system.boot) }
            look.repaired = repaired(slots)
            guard let slot = slots.firstIndex(of: journal).map({ slots[$0] }) else { break }
            let record = SyncRecord(parsing: slot)
            look.mark = record?.mark
            guard SyncRecord.isOfBoot(system.boot, slot) else { break }
            look.record = record
            if record != nil { break }
            // It is being written.
            pause()
        }
        return look
    }

    /// What the store's clock was at some moment of this boot; nil where nobody has said.
    func clock() throws(JournalError) -> StoreClock.Anchor? {
        try text(ofSlot: StoreClock.Anchor.slotName).flatMap { StoreClock.Anchor(parsing: $0, in: system.boot) }
    }

    func setClock(_ anchor: StoreClock.Anchor) throws(JournalError) {
        try setText(anchor.text(in: system.boot), ofSlot: StoreClock.Anchor.slotName)
    }

    private static let repairSlot = "repaired"

    private func repaired(_ slots: [ArraySlice<UInt8>]) -> Int64? {
        slots.firstIndex(of: Self.repairSlot).flatMap { BootNote.numbers(slots[$0], in: system.boot)?.first }
    }

    /// As ``Look/repaired``.
    func repaired() throws(JournalError) -> Int64? { repaired(try slots()) }

    /// Lets everybody of this boot know that what they have seen of the files themselves counts no more.
    func setRepaired() throws(JournalError) {
        let text = BootNote.text(Self.repairSlot, [system.elapsedTime()], in: system.boot)
        try setText(text, ofSlot: Self.repairSlot)
    }

    /// How far all journals but one are on disk, as far as that is known in this boot.
    func marks(but journal: String) throws(JournalError) -> [SyncMark] {
        try slots().filter { SyncRecord.isOfBoot(system.boot, $0) }.compactMap { SyncRecord(parsing: $0)?.mark }
            .filter { $0.journal != journal }
    }

    /// The lock file that is at the path now. Only whoever takes a lock goes on with it: others are not to lose one that they have.
    func atPath() throws(JournalError) -> LockFile {
        guard try !isAtPath() else { return self }
        return try LockFile(in: JournalFolder.parent(of: file.path), owner: owner, patience: patience, system)
    }

    static let readings = 100

    func pause() { system.pause(microseconds: 50) }

    /// Whether the folder has, or had, a journal of this name.
    func knows(_ journal: String) throws(JournalError) -> Bool { try slots().firstIndex(of: journal) != nil }

    /// Notes that the folder has a journal of this name.
    func learn(_ journal: String) throws(JournalError) {
        if try !knows(journal) { try addSlot(of: journal, Array(journal.utf8)) }
    }

    /// In the slot of its journal, or in a new one. To be called under that journal's lock.
    func setRecord(_ record: SyncRecord) throws(JournalError) { try setText(record.text, ofSlot: record.journal) }

    /// nil where there is no slot whose first column is this name.
    func text(ofSlot name: String) throws(JournalError) -> ArraySlice<UInt8>? {
        let slots = try slots()
        return slots.firstIndex(of: name).map { slots[$0] }
    }

    /// Lets what is known by now be known after a power cut, if that was not done just before: no write waits for it.
    func syncNowAndThen() {
        let now = system.coarseTime()
        let due = nextSync.load(ordering: .relaxed)
        guard now >= due,
            nextSync.compareExchange(expected: due, desired: now &+ Self.syncInterval, ordering: .relaxed).exchanged
        else { return }
        try? file.sync()
    }

    func setText(_ text: [UInt8], ofSlot name: String) throws(JournalError) {
        if let slot = try slots().firstIndex(of: name) {
            try writeSlot(slot, text)
        } else {
            try addSlot(of: name, text)
        }
    }

    private func addSlot(of journal: String, _ text: [UInt8]) throws(JournalError) {
        try withMakingLock { () throws(JournalError) in
            let slots = try slots()
            // What is in no name's place is damage.
            let free = slots.indices.first { $0 > 0 && !Self.isNamed(slots[$0]) }
            try writeSlot(slots.firstIndex(of: journal) ?? free ?? max(1, slots.count), text)
        }
    }

    /// Whether a slot begins with a name: letters and perhaps points, up to a tab or the end.
    private static func isNamed(_ slot: ArraySlice<UInt8>) -> Bool {
        let name = slot.prefix { $0 != 0x09 }
        return (1...48).contains(name.count)
            && name.allSatisfy {
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0 | 0x20) || $0 == UInt8(ascii: ".")
                    || $0 == UInt8(ascii: "-")
            }
    }

    /// For whoever adds what there is to be one of, for all processes. Nobody who has it takes another one.
    func withMakingLock(_ body: () throws(JournalError) -> Void) throws(JournalError) {
        try hold(Self.makingByte, makingTurn, for: patience, body)
    }

    /// Tries, and waits a little longer each time.
    ///
    /// - Parameters:
    ///   - lock: Whose holder is named where it takes too long.
    ///   - longestPause: In microseconds.
    private func lock(
        _ byte: Int64,
        for lock: Int64,
        until deadline: Int64,
        longestPause: UInt32
    ) throws(JournalError) {
        var pause: UInt32 = 50
        while system.lock(file.descriptor, byte: byte, true) != 0 {
            switch errno {
            case EINTR: continue
            case EAGAIN, EACCES:
                guard system.elapsedTime() < deadline else {
                    throw .locked(path: file.path, holder: lock == 0 ? holder() : 0)
                }
                system.pause(microseconds: pause)
                pause = min(pause * 2, longestPause)
            default: throw File.error("fcntl", file.path)
            }
        }
    }

    private func holder() -> Int32 {
        let digits = (try? slots())?.first?.split(separator: 0x09).dropFirst().first ?? []
        return Decimal.parse(digits).flatMap { Int32(exactly: $0) } ?? 0
    }

    // MARK: Slots

    private static let slotLength = 160
    private static let greatestSlotCount = 16

    /// Without the spaces and the line feed that fill them.
    private func slots() throws(JournalError) -> [ArraySlice<UInt8>] {
        let bytes = try file.read(Self.greatestSlotCount * Self.slotLength, at: 0)
        return stride(from: 0, to: bytes.count, by: Self.slotLength).map { start in
            let slot = bytes[start..<min(start + Self.slotLength, bytes.count)]
            return slot[...(slot.lastIndex { $0 != 0x20 && $0 != 0x0A } ?? start)]
        }
    }

    private func writeSlot(_ number: Int, _ text: [UInt8]) throws(JournalError) {
        try file.write(Self.bytes(ofSlot: text), at: Int64(number * Self.slotLength))
    }

    private static func bytes(ofSlot text: [UInt8]) -> [UInt8] {
        let text = text.prefix(slotLength - 1)
        return text + [UInt8](repeating: 0x20, count: slotLength - 1 - text.count) + [0x0A]
    }
}

extension [ArraySlice<UInt8>] {
    fileprivate func firstIndex(of journal: String) -> Int? {
        firstIndex { $0.split(separator: 0x09).first?.elementsEqual(journal.utf8) ?? false }
    }
}
