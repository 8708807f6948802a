internal import CSodium
internal import Glibc
internal import Journal

/// Argon2id (RFC 9106) at 19 MiB, two passes, one lane: one of the pairs that OWASP's Password Storage
/// Cheat Sheet names. Hashes are PHC strings with a salt of 128 bits from the system.
enum Argon2id {
    /// Memory of one hash, in bytes.
    static let memory = 19 * 1024 * 1024
    static let passes: UInt64 = 2

    /// What a password is held against when there is no user: it costs what every other hash costs. Its
    /// salt and its digest are zeros, which no known password gives.
    static let hashOfNobody =
        "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

    /// Lets libsodium look what the processor can do: without that it takes the slowest of its implementations. false where
    /// it cannot be used at all.
    private static let isInitialized = sodium_init() >= 0

    /// - Throws: ``PasswordError/unavailable`` when there is no memory for it.
    static func hash(_ password: [UInt8]) throws(PasswordError) -> String {
        guard isInitialized else { throw .unavailable }
        var encoded = [CChar](repeating: 0, count: Int(crypto_pwhash_STRBYTES))
        let status = withCharacters(of: password) { text, length in
            crypto_pwhash_str_alg(&encoded, text, length, passes, memory, crypto_pwhash_ALG_ARGON2ID13)
        }
        guard status == 0 else { throw .unavailable }
        return String(decoding: encoded.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// Whether `password` is the one that `hash` was made of.
    /// - Throws: ``PasswordError/unavailable`` when the primitive failed. libsodium answers -1 for a wrong
    ///   password and for want of memory alike, but sets `errno` to EINVAL only for the first.
    static func verify(_ password: [UInt8], against hash: String) throws(PasswordError) -> Bool {
        guard isInitialized else { throw .unavailable }
        let (status, reason) = withCharacters(of: password) { text, length in
            errno = 0
            let status = crypto_pwhash_str_verify(hash, text, length)
            return (status, errno)
        }
        if status == 0 { return true }
        guard reason == EINVAL else { throw .unavailable }
        return false
    }

    /// Whether a hash, `$argon2id$v=19$m=…,t=…,p=…$SALT$TAG` in its words, is of parameters that a server can bear:
    /// all passes together go over at most a gibibyte.
    static func isBearable(_ words: [String]) -> Bool {
        guard words.count == 6, words[2] == "v=19", [words[4], words[5]].allSatisfy(isBase64) else { return false }
        let texts = words[3].split(separator: ",", omittingEmptySubsequences: false)
        let numbers = zip(texts, ["m=", "t=", "p="]).compactMap { text, name in
            text.hasPrefix(name) ? Decimal.parse(Array(text.utf8.dropFirst(name.utf8.count))[...]) : nil
        }
        guard texts.count == 3, numbers.count == 3, numbers.allSatisfy({ (1...1 << 20).contains($0) }) else {
            return false
        }
        return numbers[0] * numbers[1] <= 1 << 20 && numbers[2] <= 255 && numbers[0] >= 8 * numbers[2]
    }

    /// Without padding, as PHC strings have it; at least as long as a salt may be.
    private static func isBase64(_ text: String) -> Bool {
        let padded = text + String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
        return text.utf8.count >= 11 && Base64.decode(padded) != nil
    }

    /// Whether `hash` was made with other parameters than those of today.
    static func isOutdated(_ hash: String) -> Bool {
        crypto_pwhash_str_needs_rehash(hash, passes, memory) != 0
    }

    /// Lends the password as C's `char` with its length: a NUL in it does not end it.
    private static func withCharacters<Result>(
        of password: [UInt8],
        _ body: (UnsafePointer<CChar>, UInt64) -> Result
    ) -> Result {
        var text = password.map(CChar.init(bitPattern:))
        text.append(0)
        defer { sodium_memzero(&text, text.count) }
        return text.withUnsafeBufferPointer { buffer in
            withUnsafePointer(to: CChar(0)) { body(buffer.baseAddress ?? $0, UInt64(password.count)) }
        }
    }
}
