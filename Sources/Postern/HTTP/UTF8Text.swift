/// UTF-8 (RFC 3629) of any origin: whether it is good, and what it says where it is not.
///
/// A text is checked in blocks: what is wrong with a byte can be told from it and the three before it, by comparisons that the
/// compiler does for sixteen bytes together. So it takes about three instructions for each byte, whatever letters the text has:
/// a client cannot choose letters that cost more.
enum UTF8Text {
    /// Whether all of it is UTF-8.
    static func isValid(_ text: ArraySlice<UInt8>) -> Bool {
        text.withUnsafeBytes { startOfError(in: $0) == nil }
    }

    /// Where the first sequence begins that is no UTF-8 or that the end cuts off; nil where there is none.
    static func startOfError(in text: UnsafeRawBufferPointer) -> Int? {
        let block = ByteSearch.endOfBlocks(of: text, from: 0) { ($0[0] >= 0x80).bit }
        var place = ByteSearch.end(of: text, from: block) { $0 }
        // A byte that is looked at in a block has three before it.
        while place < min(3, text.count) {
            let piece = piece(of: text, at: place)
            guard piece.kind == .character else { return place }
            place += piece.length
        }
        return startOfError(in: text, near: ByteSearch.endOfBlocks(of: text, from: place, isWrong))
    }

    /// Not zero for a byte that cannot come after the three before it (RFC 3629, section 4).
    @inline(__always)
    private static func isWrong(_ bytes: UnsafePointer<UInt8>) -> UInt8 {
        let (byte, first, second, third) = (bytes[0], bytes[-1], bytes[-2], bytes[-3])
        let goesOn = (Int8(bitPattern: byte) < -0x40).bit
        let hasToGoOn = (first >= 0xC2).bit | (second >= 0xE0).bit | (third >= 0xF0).bit
        let (isBelowA0, isBelow90) = ((byte < 0xA0).bit, (byte < 0x90).bit)
        // What has a shorter sequence, what is half of a surrogate pair, and what is above U+10FFFF.
        let isShorter =
            (byte & 0xFE == 0xC0).bit | (first == 0xE0).bit & isBelowA0 | (first == 0xF0).bit & isBelow90
        let isHalf = (first == 0xED).bit & (isBelowA0 ^ 1)
        let isAbove = (first >= 0xF4 &+ isBelow90).bit
        return goesOn ^ hasToGoOn | isShorter | isHalf | isAbove
    }

    /// - Parameter known: What begins before it is good, or cut off there.
    private static func startOfError(in text: UnsafeRawBufferPointer, near known: Int) -> Int? {
        // A sequence may have begun up to three bytes before.
        var place = known
        while place > max(0, known - 3), isContinuation(text[place - 1]) { place -= 1 }
        place = max(0, place - 1)
        while place < text.count {
            let piece = piece(of: text, at: place)
            guard piece.kind == .character else { return place }
            place += piece.length
        }
        return nil
    }

    private static func isContinuation(_ byte: UInt8) -> Bool { byte & 0xC0 == 0x80 }

    // MARK: Sequences

    /// What begins at a byte: a character, or bytes that are none and get one U+FFFD together, as in CPython.
    struct Piece {
        enum Kind {
            case character, badStart, badContinuation
            /// The end of the text cuts it off.
            case cutOff
        }

        let kind: Kind
        let length: Int
    }

    @inline(__always)
    static func piece(of text: UnsafeRawBufferPointer, at place: Int) -> Piece {
        let byte = text[place]
        guard byte >= 0x80 else { return Piece(kind: .character, length: 1) }
        guard byte >= 0xC2, byte < 0xF5 else { return Piece(kind: .badStart, length: 1) }
        let length = byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4
        let end = min(length, text.count &- place)
        var valid = 1
        if valid < end, isContinuation(text[place &+ 1]), secondBytes(after: byte).contains(text[place &+ 1]) {
            repeat { valid &+= 1 } while valid < end && isContinuation(text[place &+ valid])
        }
        if valid == length { return Piece(kind: .character, length: length) }
        return Piece(kind: place + valid == text.count ? .cutOff : .badContinuation, length: valid)
    }

    /// What may come after the first byte of a sequence (RFC 3629, section 4).
    @inline(__always)
    private static func secondBytes(after first: UInt8) -> ClosedRange<UInt8> {
        switch first {
        case 0xE0: 0xA0...0xBF
        case 0xED: 0x80...0x9F
        case 0xF0: 0x90...0xBF
        case 0xF4: 0x80...0x8F
        default: 0x80...0xBF
        }
    }

    // MARK: Repair

    /// U+FFFD.
    static let replacement: [UInt8] = [0xEF, 0xBF, 0xBD]

    /// The text with U+FFFD for what is no UTF-8: Python's `errors="replace"`.
    static func repaired(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        text.withUnsafeBytes { bytes in
            guard let start = startOfError(in: bytes) else { return text }
            // At most three bytes for each.
            return [UInt8](unsafeUninitializedCapacity: 3 * bytes.count) { room, end in
                for place in 0..<start { room[place] = bytes[place] }
                end = start
                // No sum of places in a text overflows.
                var place = start
                while place < bytes.count {
                    let piece = piece(of: bytes, at: place)
                    if piece.kind == .character {
                        for offset in 0..<piece.length { room[end &+ offset] = bytes[place &+ offset] }
                        end &+= piece.length
                    } else {
                        (room[end], room[end &+ 1], room[end &+ 2]) = (0xEF, 0xBF, 0xBD)
                        end &+= 3
                    }
                    place &+= piece.length
                }
            }[...]
        }
    }
}
