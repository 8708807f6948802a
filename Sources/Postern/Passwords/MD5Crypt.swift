internal import Crypto

/// Crypt on MD5 as FreeBSD 2.0 had it, and with another word as Apache's `htpasswd -m`, which libxcrypt does not know.
/// Fast to guess: it is here to be replaced.
struct MD5Crypt {
    /// The bytes in the order in which they are written.
    let digest: [UInt8]
    private let magic: [UInt8]
    private let salt: [UInt8]

    /// Reads `$apr1$SALT$DIGEST` or `$1$SALT$DIGEST` in its words; nil for anything else.
    init?(_ words: [String]) {
        guard words.count == 4, (1...8).contains(words[2].utf8.count), words[3].utf8.count == 22,
            words[3].utf8.allSatisfy(Crypt.isDigit)
        else { return nil }
        magic = Array("$\(words[1])$".utf8)
        salt = Array(words[2].utf8)
        digest = Array(words[3].utf8)
    }

    /// What stands in the place of the digest for this password.
    func digest(of password: [UInt8]) -> [UInt8] {
        let inner = Self.md5(password, salt, password)
        var first = Insecure.MD5()
        for part in [password, magic, salt] { first.update(data: part) }
        for position in stride(from: 0, to: password.count, by: 16) {
            first.update(data: inner.prefix(password.count - position))
        }
        var bits = password.count
        while bits != 0 {
            first.update(data: bits & 1 == 1 ? [0] : Array(password.prefix(1)))
            bits >>= 1
        }
        var result = Array(first.finalize())
        for round in 0..<1000 {
            let (outer, other) = round & 1 == 1 ? (password, result) : (result, password)
            result = Self.md5(outer, round % 3 == 0 ? [] : salt, round % 7 == 0 ? [] : password, other)
        }
        return Self.write(result)
    }

    private static func md5(_ parts: [UInt8]...) -> [UInt8] {
        var function = Insecure.MD5()
        for part in parts { function.update(data: part) }
        return Array(function.finalize())
    }

    private static let alphabet = Array("./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

    /// Three bytes in four digits, the lowest six bits first, and the bytes in an order of its own.
    private static func write(_ bytes: [UInt8]) -> [UInt8] {
        let order = [(0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5)]
        var words = order.map { (UInt32(bytes[$0]) << 16 | UInt32(bytes[$1]) << 8 | UInt32(bytes[$2]), 4) }
        words.append((UInt32(bytes[11]), 2))
        return words.flatMap { word, count in (0..<count).map { alphabet[Int(word >> UInt32(6 * $0)) & 63] } }
    }
}
