internal import CSodium

/// 32 letters and digits, which a client presents as they are, or masked anew each time as 64.
struct CSRFSecret {
    private let characters: [UInt8]

    static let length = 32

    /// Django's, in its order, which who masks a secret has to know.
    private static let alphabet = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789".utf8)

    struct FormatError: Error {
        /// Django's text, as the end of a sentence.
        let reason: String
    }

    static func random() -> CSRFSecret { CSRFSecret(characters: Array(Base62.random(count: length).utf8)) }

    /// The secret of a session, of which it says nothing.
    /// - Parameter key: What only the session's owner has.
    init(of key: some Sequence<UInt8>) {
        let digest = SecretDigest(of: (Array("csrf ".utf8) + key)[...])
        characters = digest.bytes.map { Self.alphabet[Int($0) % 62] }
    }

    /// What a client presents.
    /// - Throws: ``FormatError`` for another length, or other characters.
    init(presented text: ArraySlice<UInt8>) throws(FormatError) {
        guard text.count == Self.length || text.count == 2 * Self.length else {
            throw FormatError(reason: "has incorrect length")
        }
        guard text.allSatisfy(Base62.contains) else { throw FormatError(reason: "has invalid characters") }
        characters = text.count == Self.length ? Array(text) : Self.unmasked(text)
    }

    private init(characters: [UInt8]) { self.characters = characters }

    var text: String { String(decoding: characters, as: UTF8.self) }

    /// Another text each time, so that a page that is compressed does not give it away letter by letter.
    var masked: String {
        let mask = Array(Base62.random(count: Self.length).utf8)
        let cipher = zip(characters, mask).map { Self.alphabet[(Self.value($0) + Self.value($1)) % 62] }
        return String(decoding: mask + cipher, as: UTF8.self)
    }

    /// Takes the same time for all secrets.
    func isSame(as other: CSRFSecret) -> Bool {
        characters.count == other.characters.count
            && sodium_memcmp(characters, other.characters, characters.count) == 0
    }

    private static func unmasked(_ text: ArraySlice<UInt8>) -> [UInt8] {
        zip(text.suffix(length), text.prefix(length)).map { alphabet[(value($0) - value($1) + 62) % 62] }
    }

    private static func value(_ character: UInt8) -> Int { alphabet.firstIndex(of: character) ?? 0 }
}
