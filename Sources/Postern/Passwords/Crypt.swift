internal import CCrypt
internal import CSodium
internal import Glibc

/// crypt(3): bcrypt, SHA-256-crypt and SHA-512-crypt of libxcrypt.
enum Crypt {
    /// A NUL ends a password. Of bcrypt, bytes after the 72nd do not count; of the others no password of more than 512 bytes
    /// is right.
    /// - Throws: ``PasswordError/unavailable`` when the primitive failed.
    static func verify(_ password: [UInt8], against hash: String) throws(PasswordError) -> Bool {
        var text = password.map(CChar.init(bitPattern:)) + [0]
        // It holds the password while it is hashed, and is too large for a thread's stack.
        let data = UnsafeMutablePointer<crypt_data>.allocate(capacity: 1)
        data.initialize(to: crypt_data())
        defer {
            sodium_memzero(data, MemoryLayout<crypt_data>.size)
            data.deallocate()
            sodium_memzero(&text, text.count)
        }
        guard let computed = crypt_r(text, hash, data) else { throw .unavailable }
        // What failed begins with a star, which no hash does that was read.
        let length = hash.utf8.count
        return strlen(computed) == length && hash.withCString { sodium_memcmp(computed, $0, length) == 0 }
    }

    /// Of one of the 64 that write a hash down.
    static func value(of digit: UInt8) -> Int? {
        switch digit {
        case UInt8(ascii: "."): 0
        case UInt8(ascii: "/"): 1
        case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(digit - UInt8(ascii: "0")) + 2
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): Int(digit - UInt8(ascii: "A")) + 12
        case UInt8(ascii: "a")...UInt8(ascii: "z"): Int(digit - UInt8(ascii: "a")) + 38
        default: nil
        }
    }

    /// Whether a byte is one of the 64 that write a hash down.
    static func isDigit(_ byte: UInt8) -> Bool {
        Base62.contains(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "/")
    }
}
