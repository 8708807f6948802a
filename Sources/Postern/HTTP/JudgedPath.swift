/// The path that a rule may go by: the one by which the web server routes, not the request target as the client typed
/// it, which says the same in many ways.
enum JudgedPath {
    /// What a web server makes of a request target in origin form: without query and fragment, decoded once, without
    /// dot segments and doubled slashes (RFC 3986, section 5.2.4). For servers that tell us only the target.
    ///
    /// - Returns: nil for what has no such form, as a path that leaves its root or has a broken escape, and for one of more
    ///   than ``maximumLength`` bytes.
    static func canonical(_ target: ArraySlice<UInt8>) -> [UInt8]? {
        guard target.count <= maximumLength, target.first == slash else { return nil }
        return target.withUnsafeBufferPointer { target in
            var isGood = false
            // It never is longer than what was typed.
            let path = [UInt8](unsafeUninitializedCapacity: target.count) { path, count in
                isGood = canonical(target, path, &count)
            }
            return isGood ? path : nil
        }
    }

    /// Bytes of a target: more than web servers take by default.
    static let maximumLength = 16 * 1024

    private static let slash = UInt8(ascii: "/")

    /// - Parameter count: Where the path ends. It always begins with a slash, and a segment is judged at its end.
    private static func canonical(
        _ typed: UnsafeBufferPointer<UInt8>,
        _ path: UnsafeMutableBufferPointer<UInt8>,
        _ count: inout Int
    ) -> Bool {
        let digits = HexadecimalDigits()
        var position = 0
        // Behind the last slash that was written.
        var segment = 0
        while true {
            var byte: UInt8?
            if position < typed.count, typed[position] != UInt8(ascii: "?"), typed[position] != UInt8(ascii: "#") {
                byte = typed[position]
                position += 1
            }
            if byte == Percent.sign {
                byte = Percent.byte(in: typed, escapedAt: position - 1, digits)
                guard let byte, byte > 0 else { return false }
                position += 2
            }
            guard byte == nil || byte == slash else {
                path.initializeElement(at: count, to: byte ?? 0)
                count += 1
                continue
            }
            let length = count - segment
            if length == 1, path[segment] == UInt8(ascii: ".") {
                count = segment
            } else if length == 2, path[segment] == UInt8(ascii: "."), path[segment + 1] == UInt8(ascii: ".") {
                guard segment > 1 else { return false }
                count = segment - 1
                while count > 0, path[count - 1] != slash { count -= 1 }
                segment = count
            } else if byte != nil, length > 0 || count == 0 {
                path.initializeElement(at: count, to: slash)
                count += 1
                segment = count
            }
            if byte == nil { return true }
        }
    }

    /// Whether some upstream may read it as another path than the web server: one that decodes a second time, takes
    /// `\` for a slash or cuts parameters off (`/a/..;/b`).
    static func isAmbiguous(_ path: ArraySlice<UInt8>) -> Bool {
        guard path.first == UInt8(ascii: "/") else { return true }
        var segment = path.startIndex
        for position in path.indices {
            let byte = path[position]
            if isSuspicious.contains(byte) { return true }
            guard byte == UInt8(ascii: "/") else { continue }
            if position > path.startIndex, position == segment { return true }
            if isDots(path[segment..<position]) { return true }
            segment = position + 1
        }
        return isDots(path[segment...])
    }

    /// Whether every server and application reads a target that was typed as the same path: it has no dot segments, no empty
    /// ones but for the last, no escape or byte that some take for a slash, for the end of a segment (`;`), for an escape
    /// (`%25` before two digits) or for the end of the path, and no letter of more bytes than it needs (RFC 3986, section 6.2;
    /// RFC 3629, section 3).
    static func isPlain(_ target: ArraySlice<UInt8>) -> Bool {
        guard target.count <= maximumLength, target.first == slash else { return false }
        return target.withUnsafeBufferPointer { typed in
            let digits = HexadecimalDigits()
            var position = 1
            // Of the segment: its bytes, and whether all are dots.
            var (length, isDots) = (0, true)
            // What came before it may be in the segment, decoded.
            var (last, beforeLast) = (slash, slash)
            while position < typed.count, typed[position] != UInt8(ascii: "?") {
                var byte = typed[position]
                position += 1
                if byte == slash {
                    guard length > 2 || length > 0 && !isDots else { return false }
                    (length, isDots, last, beforeLast) = (0, true, slash, slash)
                    continue
                }
                if byte == Percent.sign {
                    guard let meant = Percent.byte(in: typed, escapedAt: position - 1, digits), meant != slash else {
                        return false
                    }
                    byte = meant
                    position += 2
                } else if byte == UInt8(ascii: "#") {
                    return false
                }
                guard !isNeverPlain.contains(byte), byte < 0x80 || !isOverlong(last, byte),
                    beforeLast != Percent.sign || !isHexadecimal(last) || !isHexadecimal(byte)
                else { return false }
                length += 1
                isDots = isDots && byte == UInt8(ascii: ".")
                (beforeLast, last) = (last, byte)
            }
            return length == 0 || length > 2 || !isDots
        }
    }

    private static let isNeverPlain = ByteSet { $0 < 0x20 || $0 == 0x7F }.union(#"\;"#)

    private static func isHexadecimal(_ byte: UInt8) -> Bool { ASCII.hexadecimalValue(byte) < 16 }

    /// Whether a byte begins or goes on with UTF-8 of a letter that fewer bytes stand for, as `C0 AF` for a slash.
    private static func isOverlong(_ last: UInt8, _ byte: UInt8) -> Bool {
        byte == 0xC0 || byte == 0xC1 || last == 0xE0 && byte < 0xA0 || last == 0xF0 && byte < 0x90
    }

    private static let isSuspicious = isNeverPlain.union("%?#")

    private static func isDots(_ segment: ArraySlice<UInt8>) -> Bool {
        segment.elementsEqual(".".utf8) || segment.elementsEqual("..".utf8)
    }
}

/// What a client asks for (RFC 9112, section 3.2).
public enum RequestTarget {
    /// The path by which a web server routes a target in origin form; nil where there is none.
    public static func canonical(_ target: String) -> String? {
        JudgedPath.canonical(Array(target.utf8)[...]).map { String(decoding: $0, as: UTF8.self) }
    }
}
