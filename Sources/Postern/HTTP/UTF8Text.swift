/// UTF-8 (RFC 3629) of any origin: whether it is good, and what it says where it is not.
///
/// A text is read by an automaton that takes about four instructions for each byte, whatever letters the text has: a client
/// cannot choose letters that cost more. Its nine states are shifts. The table has a number for each byte, and six bits of
/// that are the state that follows each state.
enum UTF8Text {
    /// Whether all of it is UTF-8.
    static func isValid(_ text: ArraySlice<UInt8>) -> Bool {
        text.withUnsafeBytes { startOfError(in: $0) == nil }
    }

    /// Where the first sequence begins that is no UTF-8 or that the end cuts off; nil where there is none.
    static func startOfError(in text: UnsafeRawBufferPointer) -> Int? {
        let notASCII = ByteSearch.end(of: text, from: 0) { $0 }
        guard notASCII < text.count else { return nil }
        return table.withUnsafeBufferPointer { table in
            // Both have an address: neither is empty.
            guard let rows = table.baseAddress, let bytes = text.baseAddress else { return nil }
            var (state, place) = (State.start, notASCII)
            while text.count - place >= block {
                state = after(state, bytes + place, rows)
                // A state that has failed stays so.
                if state == State.failed { return startOfError(in: text, near: place) }
                place += block
                if state == State.start { place = ByteSearch.end(of: text, from: place) { $0 } }
            }
            let known = place
            while place < text.count {
                state = rows[Int(text[place])] &>> state & State.mask
                place += 1
            }
            return state == State.start ? nil : startOfError(in: text, near: known)
        }
    }

    /// Bytes that the automaton takes together.
    private static let block = 32

    /// The state after a block. Apart from those who look at eight bytes at a time, so that it loads each byte by itself.
    @inline(never)
    private static func after(_ state: UInt64, _ bytes: UnsafeRawPointer, _ rows: UnsafePointer<UInt64>) -> UInt64 {
        // Raw memory is bytes, and whoever calls has `block` of them.
        let bytes = bytes.assumingMemoryBound(to: UInt8.self)
        var state = state
        // The lowest six bits of a state are the state, and a shift goes by them alone.
        for start in stride(from: 0, to: block, by: 8) {
            for offset in 0..<8 { state = rows[Int(bytes[start &+ offset])] &>> state }
        }
        return state & State.mask
    }

    /// - Parameter known: Where the automaton had not failed yet.
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
        guard let (length, second) = expected(after: byte) else { return Piece(kind: .badStart, length: 1) }
        var valid = 1
        while valid < length, place &+ valid < text.count,
            valid == 1 ? second.contains(text[place &+ 1]) : isContinuation(text[place &+ valid])
        {
            valid &+= 1
        }
        if valid == length { return Piece(kind: .character, length: length) }
        return Piece(kind: place + valid == text.count ? .cutOff : .badContinuation, length: valid)
    }

    /// The length of the sequence that a byte begins, and what its second byte may be (RFC 3629, section 4).
    private static func expected(after first: UInt8) -> (length: Int, second: ClosedRange<UInt8>)? {
        switch first {
        case 0xC2...0xDF: (2, 0x80...0xBF)
        case 0xE0: (3, 0xA0...0xBF)
        case 0xED: (3, 0x80...0x9F)
        case 0xE1...0xEF: (3, 0x80...0xBF)
        case 0xF0: (4, 0x90...0xBF)
        case 0xF1...0xF3: (4, 0x80...0xBF)
        case 0xF4: (4, 0x80...0x8F)
        default: nil
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

    // MARK: The automaton

    private enum State {
        static let start: UInt64 = 0
        static let failed: UInt64 = 6
        /// So many bytes of 0x80 to 0xBF have to come.
        static let one: UInt64 = 12
        static let two: UInt64 = 18
        static let three: UInt64 = 24
        /// The second byte has to be in a part of that range.
        static let afterE0: UInt64 = 30
        static let afterED: UInt64 = 36
        static let afterF0: UInt64 = 42
        static let afterF4: UInt64 = 48

        static let mask: UInt64 = 63
    }

    private static let table: [UInt64] = (UInt8.min...UInt8.max).map { byte in
        func row(_ state: UInt64, _ next: UInt64) -> UInt64 { next << state }
        func after(_ state: UInt64, _ range: ClosedRange<UInt8>, _ next: UInt64) -> UInt64 {
            row(state, range.contains(byte) ? next : State.failed)
        }
        let first: UInt64 =
            switch byte {
            case 0..<0x80: State.start
            case 0xE0: State.afterE0
            case 0xED: State.afterED
            case 0xF0: State.afterF0
            case 0xF4: State.afterF4
            default:
                switch expected(after: byte)?.length {
                case 2: State.one
                case 3: State.two
                case 4: State.three
                default: State.failed
                }
            }
        return row(State.start, first) | row(State.failed, State.failed) | after(State.one, 0x80...0xBF, State.start)
            | after(State.two, 0x80...0xBF, State.one) | after(State.three, 0x80...0xBF, State.two)
            | after(State.afterE0, 0xA0...0xBF, State.one) | after(State.afterED, 0x80...0x9F, State.one)
            | after(State.afterF0, 0x90...0xBF, State.two) | after(State.afterF4, 0x80...0x8F, State.two)
    }
}
