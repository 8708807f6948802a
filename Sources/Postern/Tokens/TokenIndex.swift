internal import Journal

/// Where the tokens of the first part of a journal stand, in a file beside it that all processes have mapped.
///
/// It only says where to look: who a token belongs to and until when it is good is read from the journal's line, which has
/// its own checksum. It is made anew when it is missing, damaged or far behind, and never changed.
final class TokenIndex: Sendable {
    private let file: ReadOnlyMap
    private let journal: JournalMap
    private let layout: TokenIndexLayout
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
        self.layout = layout
        self.events = events
    }

    // MARK: Looking

    func token(_ digest: SecretDigest) throws(JournalError) -> Token? {
        let fingerprint = TokenIndexLayout.fingerprint(of: digest.firstWord)
        var slot = layout.slot(of: digest.firstWord)
        for _ in 0..<layout.slotCount {
            let word = number(layout.slots, slot, as: UInt64.self)
            guard word != 0 else { return nil }
            if word & ~TokenIndexLayout.offsetMask == fingerprint {
                let token = try token(at: Int64(word & TokenIndexLayout.offsetMask))
                if token.digest == digest { return token }
            }
            slot = layout.slot(after: slot)
        }
        return nil
    }

    func token(_ id: Token.ID) throws(JournalError) -> Token? {
        guard let place = place(of: id) else { return nil }
        return try token(at: number(layout.offsets, place, as: Int64.self))
    }

    func contains(_ id: Token.ID) -> Bool { place(of: id) != nil }

    private func place(of id: Token.ID) -> Int? {
        TokenIndexLayout.place(of: id, among: count) { number(layout.ids, $0, as: Int64.self) }
    }

    /// How many tokens of an owner there are that `isGone` does not name, or `limit` if there are more. Reads no line.
    func count(of owner: TokenOwner, upTo limit: Int, isGone: (Token.ID) -> Bool) -> Int {
        var count = 0
        for place in places(ofRanks: ranks(of: owner)) {
            if count == limit { break }
            if !isGone(id(at: place)) { count += 1 }
        }
        return count
    }

    /// The ids of an owner's tokens, in the order in which they were issued.
    func ids(of owner: TokenOwner) -> [Token.ID] { places(ofRanks: ranks(of: owner)).map(id) }

    /// The ids of a user's tokens, in the order in which they were issued.
    func ids(of user: User.ID) -> [Token.ID] {
        let ranks = rank(of: user, UInt8.min)..<rank(after: user)
        // Of one source they are in order already.
        return places(ofRanks: ranks).map(id).sorted()
    }

    private func id(at place: Int) -> Token.ID { number(layout.ids, place, as: Int64.self) }

    private func ranks(of owner: TokenOwner) -> Range<Int> {
        let source = owner.source?.rawValue ?? 0
        return rank(of: owner.user, source)..<rank(of: owner.user, source + 1)
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
            let line = try journal.line(at: number(layout.offsets, place, as: Int64.self))
            let written = try written(line)
            let token = renewed(written)
            try body(token, line, token.expires != written.expires)
        }
    }

    private func token(at offset: Int64) throws(JournalError) -> Token {
        renewed(try written(try journal.line(at: offset)))
    }

    /// The token that the line issued.
    private func written(_ line: EventLine) throws(JournalError) -> Token {
        guard case .issued(let id, var columns)? = try? TokenEvent(line), let token = try? Token(id, &columns) else {
            throw journal.damage(at: line.offset)
        }
        return token
    }

    private func renewed(_ token: Token) -> Token {
        // Only those can be.
        guard token.renewal != nil,
            let place = TokenIndexLayout.place(
                of: token.id,
                among: layout.renewalCount,
                { number(layout.renewals, 2 * $0, as: Int64.self) }
            )
        else { return token }
        var token = token
        token.expires = Timestamp(microseconds: number(layout.renewals, 2 * place + 1, as: Int64.self))
        return token
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
