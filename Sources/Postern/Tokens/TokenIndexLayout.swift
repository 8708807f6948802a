internal import Journal

/// What stands where in the file of a ``TokenIndex``: a header of numbers, then tables, all of the machine's own byte order.
///
/// | table | entries | an entry |
/// | --- | --- | --- |
/// | slots | some more than tokens | 24 bits of a digest and 40 of where its line begins in the journal; 0: none |
/// | ids, offsets, users | one a token, by growing id | where its line begins, and whose it is |
/// | renewals | one a token whose end was put off | its id, and when it ends (microseconds) |
/// | order | one a token | its place among the ids; by user, then by source, then by id |
/// | sources | one a token, by growing id | which view issued it; 0: none |
///
/// Slots are a hash table with open addressing. The tokens of a user, and those of one source among them, lie side by side in
/// the order: a search by halves finds where they begin and end, so that counting them costs nothing more.
struct TokenIndexLayout {
    let count: Int
    let renewalCount: Int
    let slotCount: Int

    let slots, ids, offsets, users, renewals, order, sources: Int
    /// Bytes of the file.
    let size: Int

    /// Bytes of the header: so many numbers of 64 bits.
    static let headerSize = 8 * Field.allCases.count

    /// nil for numbers that no file can have.
    init?(count: Int, renewalCount: Int) {
        guard (0..<1 << 32 - 1).contains(count), (0...count).contains(renewalCount) else { return nil }
        self.count = count
        self.renewalCount = renewalCount
        slotCount = count + count / 2 + 1
        slots = Self.headerSize
        ids = slots + 8 * slotCount
        offsets = ids + 8 * count
        users = offsets + 8 * count
        renewals = users + 8 * count
        order = renewals + 16 * renewalCount
        sources = order + 4 * count
        size = sources + count
    }

    enum Field: Int, CaseIterable {
        case magic, fileID0, fileID1, fileID2, fileID3, offset, sequence, checksum, greatestTime
        case events, lastID, count, renewalCount
        /// CRC-32C of the tables, and of the header before it.
        case tableChecksum, headerChecksum
    }

    /// "PSTidx" and the version of this layout; another byte order reads another number.
    static let magic: Int64 = 0x50_53_54_69_64_78_00_02

    static func headerChecksum(of file: UnsafeRawBufferPointer) -> Int64 {
        checksum(of: file[..<(8 * Field.headerChecksum.rawValue)])
    }

    static func tableChecksum(of file: UnsafeRawBufferPointer) -> Int64 { checksum(of: file[headerSize...]) }

    private static func checksum(of bytes: Slice<UnsafeRawBufferPointer>) -> Int64 {
        Int64(CRC32.castagnoli.checksum(of: UnsafeRawBufferPointer(rebasing: bytes), seed: 0))
    }

    // MARK: Places in the tables

    /// Of an id among ids that grow.
    static func place(of id: Token.ID, among count: Int, _ idAt: (Int) -> Token.ID) -> Int? {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if idAt(middle) < id { low = middle + 1 } else { high = middle }
        }
        return low < count && idAt(low) == id ? low : nil
    }

    /// Where the search for a digest begins, by its first word.
    func slot(of digest: UInt64) -> Int { Self.place(digest, in: slotCount) }

    func slot(after slot: Int) -> Int { slot + 1 == slotCount ? 0 : slot + 1 }

    /// What is kept of a digest in its slot, above the offset.
    static func fingerprint(of digest: UInt64) -> UInt64 { digest << offsetBits }

    static let offsetBits: UInt64 = 40

    static let offsetMask: UInt64 = 1 << offsetBits - 1

    private static func place(_ hash: UInt64, in count: Int) -> Int {
        Int(truncatingIfNeeded: hash.multipliedFullWidth(by: UInt64(truncatingIfNeeded: count)).high)
    }
}
