/// The path that a rule may go by: the one by which the web server routes, not the request target as the client typed
/// it, which says the same in many ways.
enum JudgedPath {
    /// What a web server makes of a request target in origin form: without query and fragment, decoded once, without
    /// dot segments and doubled slashes (RFC 3986, section 5.2.4). For servers that tell us only the target.
    ///
    /// - Returns: nil for what has no such form, as a path that leaves its root or has a broken escape.
    static func canonical(_ target: ArraySlice<UInt8>) -> [UInt8]? {
        let typed = target.prefix { $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") }
        guard typed.first == UInt8(ascii: "/"), let decoded = decoded(typed) else { return nil }
        let parts = decoded.split(separator: UInt8(ascii: "/"))
        var segments: [ArraySlice<UInt8>] = []
        for part in parts {
            switch part {
            case [UInt8(ascii: ".")]: break
            case [UInt8(ascii: "."), UInt8(ascii: ".")]: if segments.popLast() == nil { return nil }
            default: segments.append(part)
            }
        }
        let path = [UInt8(ascii: "/")] + segments.joined(separator: [UInt8(ascii: "/")])
        let isFolder = decoded.last == UInt8(ascii: "/") || parts.last?.allSatisfy { $0 == UInt8(ascii: ".") } ?? false
        return isFolder && path.count > 1 ? path + [UInt8(ascii: "/")] : path
    }

    /// Whether some upstream may read it as another path than the web server: one that decodes a second time, takes
    /// `\` for a slash or cuts parameters off (`/a/..;/b`).
    static func isAmbiguous(_ path: ArraySlice<UInt8>) -> Bool {
        guard path.first == UInt8(ascii: "/") else { return true }
        var segment = path.startIndex
        for position in path.indices {
            let byte = path[position]
            if byte < 0x20 || byte == 0x7F || #"\%;?#"#.utf8.contains(byte) { return true }
            guard byte == UInt8(ascii: "/") else { continue }
            if position > path.startIndex, position == segment { return true }
            if isDots(path[segment..<position]) { return true }
            segment = position + 1
        }
        return isDots(path[segment...])
    }

    private static func isDots(_ segment: ArraySlice<UInt8>) -> Bool {
        segment.elementsEqual(".".utf8) || segment.elementsEqual("..".utf8)
    }

    private static func decoded(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        var bytes: [UInt8] = []
        var rest = text
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let value = ASCII.byte(hexadecimal: rest.prefix(2)), value != 0 else { return nil }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return bytes
    }
}

/// What a client asks for (RFC 9112, section 3.2).
public enum RequestTarget {
    /// The path by which a web server routes a target in origin form; nil where there is none.
    public static func canonical(_ target: String) -> String? {
        JudgedPath.canonical(Array(target.utf8)[...]).map { String(decoding: $0, as: UTF8.self) }
    }
}
