internal import Glibc

/// The file that is to take the place of another one, while it is written.
public final class CompactedFile {
    let path: String
    private let file: File
    private let folder: JournalFolder
    let header: FileHeader
    private(set) var position: ChainPosition
    private var written: Int64 = 0
    private var group = UnwrittenLines()
    private var waiting: [UInt8] = []
    /// In whole groups.
    private(set) var events = 0
    private var report: ((Int) -> Void)?

    /// Events of a group: as many are lost at most with one damaged line.
    private static let groupSize = 64

    /// - Parameter replacing: Lineages of the journals that the file is to stand in the place of.
    init(
        _ header: FileHeader,
        replacing: [[UInt8]],
        path: String,
        _ folder: JournalFolder
    ) throws(JournalError) {
        self.header = header
        self.path = path
        self.folder = folder
        position = ChainPosition(after: header)
        file = try folder.make(path)
        waiting = header.line
        if !replacing.isEmpty { put(.replaces(replacing.suffix(Self.greatestReplaced))) }
    }

    /// As many as fit into what is read of a file's beginning. The last ones are kept, which somebody may still name.
    private static let greatestReplaced = 64

    private func put(_ own: OwnLine) {
        group.add(own, at: folder.now())
        position.put(group, synced: position.offset, into: &waiting)
        group.removeAll()
    }

    /// Lets `report` be called now and then with how many events were written.
    public func whenWritten(_ report: @escaping (Int) -> Void) { self.report = report }

    /// Adds an event, with the time that it has.
    public func add(_ event: Event) throws(JournalError) {
        group.add(event)
        if group.count == Self.groupSize { try endGroup() }
    }

    /// Adds an event with another time.
    public func add(_ event: Event, at time: Timestamp) throws(JournalError) {
        try add(Event(time: time, event.columns))
    }

    /// Adds a line of the old file as it is.
    public func add(_ line: EventLine) throws(JournalError) {
        group.add(line)
        if group.count == Self.groupSize { try endGroup() }
    }

    private func endGroup() throws(JournalError) {
        guard group.count > 0 else { return }
        // All before it is on disk when this file is in its place.
        position.put(group, synced: position.offset, into: &waiting)
        events += group.count
        group.removeAll()
        guard waiting.count >= File.chunk else { return }
        try flush()
        report?(events)
    }

    /// What is in it so far, all of it on disk.
    func source() throws(JournalError) -> JournalSource {
        try endGroup()
        try flush()
        try file.sync()
        return try JournalSource(file, name: header.name, folder)
    }

    /// Syncs it.
    /// - Parameter marks: What it is to say of other journals.
    func finish(saying marks: [SyncMark]) throws(JournalError) -> SyncRecord {
        try endGroup()
        if !marks.isEmpty { put(.synced(marks)) }
        try flush()
        try file.sync()
        let status = try file.status()
        guard status.size == position.offset else { throw .system(call: "pwrite", path: path, errno: EIO) }
        return SyncRecord(of: header.name, header, status.identity, synced: position.offset, in: folder.system.boot)
    }

    private func flush() throws(JournalError) {
        try file.write(waiting, at: written)
        written += Int64(waiting.count)
        waiting.removeAll(keepingCapacity: true)
    }
}
