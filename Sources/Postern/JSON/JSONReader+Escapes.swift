internal import Glibc

extension JSONReader {
    /// Puts together what a text means that has escapes.
    struct EscapedText {
        enum Fault { case unterminated, controlCharacter, escape, unicodeEscape }

        /// All that is read.
        private let bytes: UnsafeBufferPointer<UInt8>
        /// As long as `bytes`. No text is longer than what stands for it, so the end of what is put together is never behind
        /// the place up to which it was read.
        private let room: UnsafeMutablePointer<UInt8>
        /// Where to go on: after ``decode()`` behind the quote, or at what is wrong.
        private(set) var place: Int
        private(set) var end: Int
        /// The first half of a pair that has no other.
        private(set) var surrogate: UInt16?

        /// - Parameter plain: What stands before the first escape.
        init(
            _ bytes: UnsafeBufferPointer<UInt8>,
            _ plain: Range<Int>,
            to room: UnsafeMutablePointer<UInt8>,
            at end: Int
        ) {
            self.bytes = bytes
            self.room = room
            place = plain.upperBound
            self.end = end + plain.count
            if let text = bytes.baseAddress { memcpy(room + end, text + plain.lowerBound, plain.count) }
        }

        /// Goes on up to a quote.
        mutating func decode() -> Fault? {
            guard let text = bytes.baseAddress else { return .unterminated }
            let (digits, classes, room, last) = (HexadecimalDigits(), Self.classes, room, text + bytes.count)
            var (from, to) = (text + place, room + end)
            defer { (place, end) = (from - text, to - room) }
            var half = Half()
            while from < last {
                guard from[0] == backslash else {
                    guard classes[Int(from[0])] < Self.special else {
                        guard from[0] == quote else { return .controlCharacter }
                        from += 1
                        return nil
                    }
                    Self.copyPlain(&from, &to, last, classes)
                    continue
                }
                guard from + 1 < last else { return .unterminated }
                let meant = classes[Int(from[1])] & ~Self.special
                if meant != 0 {
                    to[0] = meant
                    from += 2
                    to += 1
                    continue
                }
                guard from[1] == UInt8(ascii: "u") else { return .escape }
                // CPython wants a character behind the digits too.
                guard from + 6 < last else { return .unicodeEscape }
                // Greater where there are not four of them.
                let unit = UInt32(bitPattern: digits.four(from + 2))
                if unit < 0x80 {
                    to[0] = UInt8(truncatingIfNeeded: unit)
                    to += 1
                } else if unit > 0xFFFF {
                    return .unicodeEscape
                } else if unit & 0xF800 != 0xD800 {
                    to += Self.put(unit, to)
                } else if unit >= 0xDC00, half.end == from {
                    // The first half was taken for one without the other.
                    Self.putPair(0x10000 &+ half.bits &+ unit & 0x3FF, to - 3)
                    to += 1
                    surrogate = half.surrogateBefore
                } else {
                    if unit < 0xDC00 {
                        half = Half(end: from + 6, bits: (unit & 0x3FF) << 10, surrogateBefore: surrogate)
                    }
                    surrogate = surrogate ?? UInt16(truncatingIfNeeded: unit)
                    to += Self.put(0xFFFD, to)
                }
                from += 6
            }
            return .unterminated
        }

        /// The first half of a surrogate pair.
        private struct Half {
            /// Where the second half begins, if it is one.
            var end: UnsafePointer<UInt8>?
            var bits: UInt32 = 0
            var surrogateBefore: UInt16?
        }

        /// Copies a byte that means nothing special, and more of them if they follow. What is behind them is written over, too.
        @inline(__always)
        private static func copyPlain(
            _ from: inout UnsafePointer<UInt8>,
            _ to: inout UnsafeMutablePointer<UInt8>,
            _ last: UnsafePointer<UInt8>,
            _ classes: UnsafePointer<UInt8>
        ) {
            // Few of them are copied in fewer steps one by one.
            var few = 4
            repeat {
                to[0] = from[0]
                from += 1
                to += 1
                guard from < last, classes[Int(from[0])] < special else { return }
                few &-= 1
            } while few > 0
            while last - from >= 8 {
                let word = UnsafeRawPointer(from).loadUnaligned(as: UInt64.self)
                UnsafeMutableRawPointer(to).storeBytes(of: word, as: UInt64.self)
                let marked = JSONReader.marks(UInt64(littleEndian: word)) & ByteSearch.highBits
                guard marked == 0 else {
                    from += marked.trailingZeroBitCount / 8
                    to += marked.trailingZeroBitCount / 8
                    return
                }
                from += 8
                to += 8
            }
        }

        /// The highest bit of a class.
        private static let special: UInt8 = 0x80

        /// Of each byte whether it means something in a string, and what it stands for behind a backslash; 0: nothing. Nobody
        /// frees or changes them.
        private static nonisolated(unsafe) let classes: UnsafePointer<UInt8> = {
            let classes = UnsafeMutablePointer<UInt8>.allocate(capacity: 256)
            classes.initialize(repeating: 0, count: 256)
            for (letter, meant) in zip("\"\\/bfnrt".utf8, "\"\\/\u{8}\u{C}\n\r\t".utf8) { classes[Int(letter)] = meant }
            for byte in [UInt8](0..<firstPlain) + [quote, backslash] { classes[Int(byte)] |= special }
            return UnsafePointer(classes)
        }()

        /// Writes UTF-8 (RFC 3629, section 3) of a character from U+0080 to U+FFFF.
        /// - Returns: Its bytes.
        @inline(__always)
        private static func put(_ codePoint: UInt32, _ room: UnsafeMutablePointer<UInt8>) -> Int {
            func byte(_ prefix: UInt32, _ shift: UInt32, _ mask: UInt32 = 0x3F) -> UInt8 {
                UInt8(truncatingIfNeeded: prefix | codePoint >> shift & mask)
            }
            if codePoint < 0x800 {
                room[0] = byte(0xC0, 6, 0x1F)
                room[1] = byte(0x80, 0)
                return 2
            }
            room[0] = byte(0xE0, 12, 0x0F)
            room[1] = byte(0x80, 6)
            room[2] = byte(0x80, 0)
            return 3
        }

        /// Writes UTF-8 of a character above U+FFFF, which has four bytes, at once: byte by byte, Swift 6.3.1 leaves the first
        /// store out when it optimizes, because it takes the one before it for that (its pass dead-store-elimination).
        @inline(__always)
        private static func putPair(_ codePoint: UInt32, _ room: UnsafeMutablePointer<UInt8>) {
            let later = (codePoint >> 12 & 0x3F) << 8 | (codePoint >> 6 & 0x3F) << 16 | (codePoint & 0x3F) << 24
            let word = 0x8080_80F0 | codePoint >> 18 | later
            UnsafeMutableRawPointer(room).storeBytes(of: word.littleEndian, as: UInt32.self)
        }
    }
}
