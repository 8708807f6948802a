internal import Journal
internal import Synchronization

/// Where the tokens of the first part of a journal stand, in a file beside it that all processes have mapped.
///
/// It only says where to look: who a token belongs to and until when it is good is read from the journal's line, which has
/// its own checksum. It is made anew when it is missing, damaged or far behind, and never changed. Its owner may change it by
/// hand: so what it does not have is believed only when the file is as it was, and else it is an error that makes the index
/// anew, ``JournalError/wrongIndex(path:)``.
final class TokenIndex: Sendable {
    private let file: ReadOnlyMap
    private let journal: JournalMap
    private let layout: TokenIndexLayout
    private let path: String
    /// The checksum of the header, which is another one in each index.
    private let header: Int64
    /// Whether the file had changed when something was asked that could not be an error.
    private let isSpoiled = Atomic(false)
    let checkpoint: JournalSource.Checkpoint
    /// Lines of the journal that are in it.
    let events: Int
    /// The greatest id in it, of a token that is there or was.
    let lastID: Token.ID

    /// Tokens in it.
    var count: Int { layout.count }

    /// nil when `file` is not a whole index of the file of `source`.
    private init?(_ file: ReadOnlyMap, of source: JournalSource) {
        let bytes = file.bytes
        guard bytes.count >= TokenIndexLayout.headerSize else { return nil }
        func field(_ field: TokenIndexLayout.Field) -> Int64 {
            bytes.loadUnaligned(fromByteOffset: 8 * field.rawValue, as: Int64.self)
        }
        guard field(.magic) == TokenIndexLayout.magic,
            field(.headerChecksum) == TokenIndexLayout.headerChecksum(of: bytes),
            let count = Int(exactly: field(.count)), let renewalCount = Int(exactly: field(.renewalCount)),
            let layout = TokenIndexLayout(count: count, renewalCount: renewalCount), layout.size == bytes.count,
            let checksum = UInt32(exactly: field(.checksum)), let events = Int(exactly: field(.events)),
            field(.tableChecksum) == TokenIndexLayout.tableChecksum(of: bytes),
            let journal = try? source.map(upTo: field(.offset))
        else { return nil }
        let idFields: [TokenIndexLayout.Field] = [.fileID0, .fileID1, .fileID2, .fileID3]
        checkpoint = JournalSource.Checkpoint(
            fileID: idFields.flatMap { withUnsafeBytes(of: field($0)) { Array($0) } },
            offset: field(.offset),
            sequence: field(.sequence),
            checksum: checksum,
            greatestTime: Timestamp(microseconds: field(.greatestTime))
        )
        lastID = field(.lastID)
        self.file = file
        self.journal = journal
        path = source.savedPath
        header = field(.headerChecksum)
        self.layout = layout
        self.events = events
    }

    // MARK: Looking

    func token(_ digest: SecretDigest) throws(JournalError) -> Token? {
        let fingerprint = TokenIndexLayout.fingerprint(of: digest.firstWord)
        var slot = layout.slot(of: digest.firstWord)
        for _ in 0..<layout.slotCount {
            let word = number(layout.slots, slot, as: UInt64.self)
            if word == 0 { break }
            if word & ~TokenIndexLayout.offsetMask == fingerprint {
                let token = try token(at: Int64(word & TokenIndexLayout.offsetMask))
                if token.digest == digest {
                    // A revocation may have been missed.
                    guard !isSpoiled.load(ordering: .relaxed) else { throw .wrongIndex(path: path) }
                    return token
                }
            }
            slot = layout.slot(after: slot)
        }
        try expectUnchanged()
        return nil
    }

    func token(_ id: Token.ID) throws(JournalError) -> Token? {
        let token: Token? =
            if let place = place(of: id) { try token(at: number(layout.offsets, place, as: Int64.self)) } else { nil }
        try expectUnchanged()
        return token
    }

    /// Asked for what becomes of a token later. After a wrong answer the index is of no use any more, and says so.
    func contains(_ id: Token.ID) -> Bool {
        if place(of: id) != nil { return true }
        if !file.isUnchanged { isSpoiled.store(true, ordering: .relaxed) }
        return false
    }

    /// - Throws: ``JournalError/wrongIndex(path:)`` when what was found may not be all.
    private func expectUnchanged() throws(JournalError) {
        guard file.isUnchanged, !journal.isLost, !isSpoiled.load(ordering: .relaxed) else {
            throw .wrongIndex(path: path)
        }
    }

    private func place(of id: Token.ID) -> Int? {
        TokenIndexLayout.place(of: id, among: count) { number(layout.ids, $0, as: Int64.self) }
    }

    /// How many tokens of an owner there are that `isGone` does not name, or `limit` if there are more. Reads no line.
    func count(of owner: TokenOwner, upTo limit: Int, isGone: (Token.ID) -> Bool) throws(JournalError) -> Int {
        var count = 0
        for place in places(ofRanks: ranks(of: owner)) {
            if count == limit { break }
            if !isGone(id(at: place)) { count += 1 }
        }
        try expectUnchanged()
        return count
    }

    /// The ids of an owner's tokens, in the order in which they were issued.
    func ids(of owner: TokenOwner) throws(JournalError) -> [Token.ID] {
        let ids = places(ofRanks: ranks(of: owner)).map(id)
        try expectUnchanged()
        return ids
    }

    /// The ids of a user's tokens, in the order in which they were issued.
    func ids(of user: User.ID) throws(JournalError) -> [Token.ID] {
        let (start, end) = (rank(of: user, UInt8.min), rank(after: user))
        // What is written over the file meanwhile may be in no order at all.
        let ids = start < end ? places(ofRanks: start..<end).map(id) : []
        try expectUnchanged()
        // Of one source they are in order already.
        return ids.sorted()
    }

    /// The greatest id of a user who has a token in it; 0 for an index without tokens.
    var greatestUser: User.ID {
        get throws(JournalError) {
            let last = places(ofRanks: max(0, count - 1)..<count).map { number(layout.users, $0, as: Int64.self) }
            try expectUnchanged()
            return last.first ?? 0
        }
    }

    private func id(at place: Int) -> Token.ID { number(layout.ids, place, as: Int64.self) }

    private func ranks(of owner: TokenOwner) -> Range<Int> {
        let source = owner.source?.rawValue ?? 0
        let (start, end) = (rank(of: owner.user, source), rank(of: owner.user, source + 1))
        return start..<max(start, end)
    }

    /// Ranks of a table that was forged may lead anywhere: such places are left out.
    private func places(ofRanks ranks: Range<Int>) -> some Sequence<Int> {
        ranks.lazy.map { [self] in Int(number(layout.order, $0, as: UInt32.self)) }.filter { [count] in $0 < count }
    }

    /// How many tokens come in the order before all of this user with this source or a greater one.
    private func rank(of user: User.ID, _ source: UInt8) -> Int {
        rank { $0 < user || $0 == user && $1 < source }
    }

    private func rank(after user: User.ID) -> Int { rank { owner, _ in owner <= user } }

    /// How many tokens at the beginning of the order `isBefore` is true of. A predicate that is true of more never gives less,
    /// whatever a forged table says.
    private func rank(_ isBefore: (User.ID, UInt8) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            let place = Int(number(layout.order, middle, as: UInt32.self))
            let isLower =
                place < count
                && isBefore(number(layout.users, place, as: Int64.self), number(layout.sources, place, as: UInt8.self))
            if isLower { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Lends every token, in the order in which they were issued, with its line, and says whether it ends later than the
    /// line says.
    /// - Parameter isGone: Names those to leave out.
    func lend(
        without isGone: (Token.ID) -> Bool,
        _ body: (Token, EventLine, _ isRenewed: Bool) throws(JournalError) -> Void
    ) throws(JournalError) {
        for place in 0..<count where !isGone(id(at: place)) {
            try withLine(at: number(layout.offsets, place, as: Int64.self)) { line throws(JournalError) in
                let written = try written(line)
                let token = try renewed(written)
                try body(token, line, token.expires != written.expires)
            }
        }
        try expectUnchanged()
    }

    private func token(at offset: Int64) throws(JournalError) -> Token {
        var token: Token?
        try withLine(at: offset) { line throws(JournalError) in token = try renewed(try written(line)) }
        guard let token else { throw journal.damage(at: offset) }
        return token
    }

    private func withLine(at offset: Int64, _ body: (EventLine) throws(JournalError) -> Void) throws(JournalError) {
        do throws(JournalError) {
            try journal.withLine(at: offset, body)
        } catch .damaged(let path, let line, let offset) {
            // The line is what it was, and the index leads to where it is not.
            try expectUnchanged()
            guard journal.beginsLine(at: offset) else { throw .wrongIndex(path: self.path) }
            throw .damaged(path: path, line: line, offset: offset)
        } catch {
            throw error
        }
    }

    /// The token that the line issued.
    private func written(_ line: EventLine) throws(JournalError) -> Token {
        guard case .issued(let id, var columns)? = try? TokenEvent(line), let token = try? Token(id, &columns) else {
            throw journal.damage(at: line.offset)
        }
        return token
    }

    private func renewed(_ token: Token) throws(JournalError) -> Token {
        // Only those can be.
        guard token.renewal != nil else { return token }
        let place = TokenIndexLayout.place(
            of: token.id,
            among: layout.renewalCount,
            { number(layout.renewals, 2 * $0, as: Int64.self) }
        )
        var token = token
        if let place {
            token.expires = Timestamp(microseconds: number(layout.renewals, 2 * place + 1, as: Int64.self))
        }
        // Without a system call: whatever is written over the file begins with another header.
        guard !file.isLost, field(.headerChecksum) == header else { throw .wrongIndex(path: path) }
        return token
    }

    private func field(_ field: TokenIndexLayout.Field) -> Int64 {
        file.bytes.loadUnaligned(fromByteOffset: 8 * field.rawValue, as: Int64.self)
    }

    /// The number at a place of a table; both are within the layout, and so within the file.
    private func number<Number: FixedWidthInteger & BitwiseCopyable>(
        _ table: Int,
        _ place: Int,
        as type: Number.Type
    ) -> Number {
        file.bytes.loadUnaligned(fromByteOffset: table + place * MemoryLayout<Number>.size, as: type)
    }

    /// Whether it is, byte for byte, what `builder` makes.
    func isMade(by builder: TokenIndexBuilder, greatestTime: Timestamp) -> Bool {
        let checkpoint = JournalSource.Checkpoint(
            fileID: checkpoint.fileID,
            offset: checkpoint.offset,
            sequence: checkpoint.sequence,
            checksum: checkpoint.checksum,
            greatestTime: greatestTime
        )
        return builder.withIndex(checkpoint) { $0.elementsEqual(file.bytes) } ?? false
    }

    // MARK: Making

    /// The index that is saved beside the file of `source`, made anew when it is missing or far behind. nil for a small
    /// journal, which needs none, and where there can be none.
    static func upToDate(_ source: JournalSource) throws(JournalError) -> TokenIndex? {
        // Whoever makes it may take longer than we wait for a lock.
        for _ in 0..<12 {
            let saved = try saved(source)
            guard try source.isFarAhead(of: saved?.checkpoint.offset ?? 0) else { return saved }
            do throws(JournalError) {
                try source.exclusively { () throws(JournalError) in _ = try save(source) }
            } catch .locked {
                continue
            } catch {
                // Of a damaged journal the first part can still be told.
            }
            break
        }
        return try saved(source)
    }

    /// Makes the index and saves it beside the file of `source`, unless a good one is there, or the journal is small.
    /// - Returns: Bytes of the journal that are in the one that is there now; 0 for none.
    static func save(_ source: JournalSource) throws(JournalError) -> Int64 {
        let known = try saved(source)?.checkpoint.offset ?? 0
        guard try source.isFarAhead(of: known) else { return known }
        var builder = TokenIndexBuilder()
        let checkpoint = try source.scan { line throws(EventError) in try builder.apply(line) }
        guard checkpoint.offset > known else { return known }
        try builder.save(source, checkpoint)
        return checkpoint.offset
    }

    /// nil when there is none, or none by which `source` can go on.
    static func saved(_ source: JournalSource) throws(JournalError) -> TokenIndex? {
        guard let index = source.saved().flatMap({ TokenIndex($0, of: source) }), try source.stands(index.checkpoint)
        else { return nil }
        return index
    }
}
