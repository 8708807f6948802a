/// Puts values in the places of `$name` and `${name}`.
public enum Variables {
    /// - Parameter value: nil for a variable that is not known, which then stands for nothing.
    public static func expand(_ text: String, _ value: (String) -> String?) -> String {
        var result: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "$") else {
                result.append(byte)
                continue
            }
            let isBraced = rest.first == UInt8(ascii: "{")
            if isBraced { rest.removeFirst() }
            let name = rest.prefix { isNameByte($0) }
            guard !name.isEmpty else {
                result.append(byte)
                continue
            }
            rest = rest.dropFirst(name.count)
            if isBraced, rest.first == UInt8(ascii: "}") { rest.removeFirst() }
            result += Array((value(String(decoding: name, as: UTF8.self)) ?? "").utf8)
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// The names in a text.
    public static func names(in text: String) -> [String] {
        var names: [String] = []
        _ = expand(text) {
            names.append($0)
            return nil
        }
        return names
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
