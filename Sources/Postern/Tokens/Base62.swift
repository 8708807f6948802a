internal import CSodium

/// The 62 letters and digits of ASCII.
enum Base62 {
    static let alphabet = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

    /// Each as likely as any other: random bytes from four times 62 on are left out.
    static func random(count: Int) -> String {
        var characters: [UInt8] = []
        var bytes = [UInt8](repeating: 0, count: count + 8)
        while characters.count < count {
            randombytes_buf(&bytes, bytes.count)
            characters += bytes.filter { $0 < 4 * 62 }.map { alphabet[Int($0) % 62] }
        }
        return String(decoding: characters.prefix(count), as: UTF8.self)
    }

    static func contains(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        default: false
        }
    }
}
