/// What whoever compacts a journal leaves for those who have followed the old file to its end: where in the new file to go on, so
/// that nobody has to read it from its beginning before the next answer.
///
/// Why that is the same. Whoever compacts holds the lock of the writers when the new file takes the place of the old one, and has
/// written to it by then what makes anew the state that the old file adds up to at its very end: that is its base. Nobody appends
/// to the old file any more. So somebody who was told all of the old file, whose end is named here by its chain, knows what the
/// base says, and besides only what the base left out because nobody will ask for it again: what was revoked, has ended, or is of
/// an epoch that is over. What is appended behind the base means the same to both. A reader who has not read the end of the old
/// file yet still has it open, and is told the rest of it first.
///
/// It is not written where the new file says more than the old one, as an import does.
struct Handover: Equatable {
    let journal: String
    /// The halves of the ids by which the two files differ: see ``FileHeader/compacted``.
    let old: [UInt8]
    let new: [UInt8]
    /// Of the old file.
    let oldEnd: Int64
    let oldChecksum: UInt32
    /// Of the base of the new file.
    let end: Int64
    let sequence: Int64
    let checksum: UInt32
    let events: Int

    init(
        of journal: String,
        from old: FileHeader,
        _ oldEnd: ChainPosition,
        to new: FileHeader,
        _ base: ChainPosition,
        events: Int
    ) {
        self.journal = journal
        self.old = Self.half(of: old.fileID)
        self.new = Self.half(of: new.fileID)
        self.oldEnd = oldEnd.offset
        oldChecksum = oldEnd.checksum
        end = base.offset
        sequence = base.sequence
        checksum = base.checksum
        self.events = events
    }

    /// Whether it leads from the file of one id to that of the other.
    func leads(from old: FileHeader, to new: FileHeader) -> Bool {
        FileHeader.isCompacted(new.fileID, old.fileID) && Self.half(of: old.fileID) == self.old
            && Self.half(of: new.fileID) == self.new
    }

    /// Whether a reader of the old file stands at its end.
    func isEnd(_ position: ChainPosition) -> Bool {
        position.offset == oldEnd && position.checksum == oldChecksum
    }

    private static func half(of id: [UInt8]) -> [UInt8] { Array(id.suffix(FileHeader.idLength / 2)) }

    // MARK: In the lock file

    /// The name of its slot.
    static func slotName(of journal: String) -> String { journal + ".base" }

    /// At most 146 bytes for a name of 11. One that is too long for its slot is cut off there, and believed by nobody.
    var text: [UInt8] {
        let content = [
            Array(Self.slotName(of: journal).utf8), old, new, Self.digits(oldEnd), Hexadecimal.digits(oldChecksum),
            Self.digits(end), Self.digits(sequence), Hexadecimal.digits(checksum), Self.digits(Int64(events)),
        ].joined(separator: [0x09])
        return content + Line.checksum(Array(content), seed: 0).dropLast()
    }

    /// nil for what ``text`` would not write like this.
    init?(of journal: String, parsing text: ArraySlice<UInt8>) {
        let columns = text.split(separator: 0x09, omittingEmptySubsequences: false)
        guard columns.count == 10, let oldEnd = Self.number(columns[3]), let oldChecksum = Self.number(columns[4]),
            let end = Self.number(columns[5]), let sequence = Self.number(columns[6]),
            let checksum = Self.number(columns[7]), let events = Self.number(columns[8]).flatMap({ Int(exactly: $0) }),
            let oldChecksum = UInt32(exactly: oldChecksum), let checksum = UInt32(exactly: checksum)
        else { return nil }
        self.journal = journal
        old = Array(columns[1])
        new = Array(columns[2])
        self.oldEnd = oldEnd
        self.oldChecksum = oldChecksum
        self.end = end
        self.sequence = sequence
        self.checksum = checksum
        self.events = events
        guard self.text.elementsEqual(text) else { return nil }
    }

    private static func digits(_ number: Int64) -> [UInt8] { Array(String(number, radix: 16).utf8) }

    private static func number(_ column: ArraySlice<UInt8>) -> Int64? {
        Int64(String(decoding: column, as: UTF8.self), radix: 16).flatMap { $0 >= 0 ? $0 : nil }
    }
}

extension LockFile {
    /// How those go on who have followed the file that was compacted last; nil where nobody can.
    func handover(of journal: String) throws(JournalError) -> Handover? {
        for _ in 0..<Self.readings {
            guard let text = try text(ofSlot: Handover.slotName(of: journal)) else { return nil }
            if let handover = Handover(of: journal, parsing: text) { return handover }
            // It is being written.
            pause()
        }
        return nil
    }

    /// To be called under the lock of the journal's sync.
    func setHandover(_ handover: Handover) throws(JournalError) {
        try setText(handover.text, ofSlot: Handover.slotName(of: handover.journal))
    }
}
