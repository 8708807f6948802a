internal import CSodium
internal import Crypto
internal import CryptoExtras
internal import Journal

/// A password's hash as a store may hold it: ours, and those that came from Django or from an `htpasswd` file.
///
/// | begins with | is |
/// | --- | --- |
/// | `$argon2id$`, `$argon2i$` | the first is ours; Django's `Argon2PasswordHasher` without its first word `argon2` |
/// | `pbkdf2_sha256$`, `pbkdf2_sha1$` | Django's `PBKDF2PasswordHasher` and `PBKDF2SHA1PasswordHasher` |
/// | `scrypt$` | Django's `ScryptPasswordHasher` |
/// | `bcrypt_sha256$` | Django's `BCryptSHA256PasswordHasher` |
/// | `$2a$`, `$2b$`, `$2y$` | bcrypt: `htpasswd -B`; Django's `BCryptPasswordHasher` without its first word `bcrypt` |
/// | `$5$`, `$6$` | SHA-256-crypt and SHA-512-crypt: `htpasswd -2` and `-5` |
/// | `$y$` | yescrypt: `mkpasswd`, `/etc/shadow` |
/// | `$apr1$`, `$1$` | Apache's and BSD's crypt on MD5: `htpasswd -m` |
/// | `{SHA}`, `{SSHA}` | SHA-1 without and with a salt: `htpasswd -s`, LDAP |
/// | `md5$`, `sha1$` | Django's `MD5PasswordHasher` and `SHA1PasswordHasher` |
///
/// All but the first are replaced by ours when their password is next given.
struct PasswordHash {
    private let kind: Kind

    private enum Kind {
        case argon2id(String)
        case pbkdf2(KDF.Insecure.PBKDF2.HashFunction, rounds: Int, salt: [UInt8], digest: [UInt8])
        case scrypt(n: UInt64, r: UInt32, p: UInt32, salt: [UInt8], digest: [UInt8])
        case crypt(String)
        /// bcrypt over the hexadecimal digits of the password's SHA-256, which have one length.
        case cryptOfSHA256(String)
        case md5Crypt(MD5Crypt)
        case sha1(salt: [UInt8], digest: [UInt8], isSaltFirst: Bool)
        case md5(salt: [UInt8], digest: [UInt8])
    }

    /// Reads what a store or an import has; nil for what is no hash of a kind that we can verify, or would cost more than
    /// a server can bear.
    init?(_ text: String) {
        guard let kind = Self.kind(text) else { return nil }
        self.kind = kind
    }

    /// Reads what stands in Django's column `password`, and says how a store writes it; nil likewise.
    static func stored(fromDjango text: String) -> String? {
        var stored = text
        if text.hasPrefix("argon2$") { stored = String(text.dropFirst("argon2".count)) }
        if text.hasPrefix("bcrypt$") { stored = String(text.dropFirst("bcrypt$".count)) }
        return PasswordHash(stored) == nil ? nil : stored
    }

    /// What a hash is called that we cannot verify, as far as that is no secret: `bcrypt of cost 17`, `crypt of DES`.
    static func unknownKind(_ text: String) -> String {
        let words = text.split(separator: "$", omittingEmptySubsequences: true).map(String.init)
        func isName(_ word: String) -> Bool {
            (1..<20).contains(word.utf8.count) && word.utf8.allSatisfy(ASCII.isTokenCharacter)
        }
        // Django's own first words, then those of crypt(3).
        if let place = words.firstIndex(where: { ["2a", "2b", "2y", "2x"].contains($0) }), place < 2 {
            let name = place == 1 ? words[0] : "bcrypt"
            guard words.count > place + 1, let cost = Int(words[place + 1]), (0..<100).contains(cost), isName(name)
            else {
                return "bcrypt"
            }
            return "\(name) of cost \(cost)"
        }
        guard text.contains("$") else {
            if text.hasPrefix("{"), let end = text.firstIndex(of: "}"), isName(String(text[..<end].dropFirst())) {
                return String(text[...end])
            }
            return text.utf8.count == 13 && text.utf8.allSatisfy(Crypt.isDigit) ? "crypt of DES" : "unknown"
        }
        guard let first = words.first, isName(first) else { return "unknown" }
        guard text.hasPrefix("$") else {
            guard first.hasPrefix("pbkdf2"), words.count == 4, let rounds = Int(words[1]) else { return first }
            return "\(first) of \(rounds) rounds"
        }
        let names = ["y": "yescrypt", "gy": "gost-yescrypt", "7": "scrypt", "5": "sha256crypt", "6": "sha512crypt"]
        return names[first] ?? "$\(first)$"
    }

    /// Whether `password` is the one that it was made of.
    /// - Throws: ``PasswordError/unavailable`` when there is no memory for it.
    func verify(_ password: [UInt8]) throws(PasswordError) -> Bool {
        let isRight = try isMade(of: password)
        if case .argon2id = kind { return isRight }
        // To HMAC a text is the same with NULs behind it, and crypt(3) ends at one.
        return isRight && !password.contains(0)
    }

    private func isMade(of password: [UInt8]) throws(PasswordError) -> Bool {
        switch kind {
        case .argon2id(let text): return try Argon2id.verify(password, against: text)
        case .pbkdf2(let function, let rounds, let salt, let digest):
            let key = try? KDF.Insecure.PBKDF2.deriveKey(
                from: password,
                salt: salt,
                using: function,
                outputByteCount: digest.count,
                unsafeUncheckedRounds: rounds
            )
            guard let key else { throw .unavailable }
            return key.withUnsafeBytes { Self.isEqual(Array($0), digest) }
        case .scrypt(let n, let r, let p, let salt, let digest):
            var key = [UInt8](repeating: 0, count: digest.count)
            let status = crypto_pwhash_scryptsalsa208sha256_ll(
                password,
                password.count,
                salt,
                salt.count,
                n,
                r,
                p,
                &key,
                key.count
            )
            guard status == 0 else { throw .unavailable }
            return Self.isEqual(key, digest)
        case .crypt(let text): return try Crypt.verify(password, against: text)
        case .cryptOfSHA256(let text):
            return try Crypt.verify(SecretDigest(of: password[...]).hexadecimal, against: text)
        case .md5Crypt(let hash): return Self.isEqual(hash.digest(of: password), hash.digest)
        case .sha1(let salt, let digest, let isSaltFirst):
            let computed = Insecure.SHA1.hash(data: isSaltFirst ? salt + password : password + salt)
            return Self.isEqual(Array(computed), digest)
        case .md5(let salt, let digest): return Self.isEqual(Array(Insecure.MD5.hash(data: salt + password)), digest)
        }
    }

    /// Its name, as `argon2id` or `bcrypt`.
    var name: String {
        switch kind {
        case .argon2id(let text): text.hasPrefix("$argon2i$") ? "argon2i" : "argon2id"
        case .pbkdf2(let function, _, _, _): function == .sha256 ? "pbkdf2_sha256" : "pbkdf2_sha1"
        case .scrypt: "scrypt"
        case .crypt(let text):
            text.hasPrefix("$2")
                ? "bcrypt" : text.hasPrefix("$y") ? "yescrypt" : text.hasPrefix("$5") ? "sha256crypt" : "sha512crypt"
        case .cryptOfSHA256: "bcrypt_sha256"
        case .md5Crypt: "md5crypt"
        case .sha1: "sha1"
        case .md5: "md5"
        }
    }

    /// In a time that does not tell how much of them is equal.
    private static func isEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        left.count == right.count && sodium_memcmp(left, right, left.count) == 0
    }
}

extension User {
    /// Of which kind the password's hash is, as `argon2id`; nil where no password opens the account.
    public var passwordHashName: String? { passwordHash.flatMap { PasswordHash($0)?.name } }
}

// MARK: - Reading

extension PasswordHash {
    private static func kind(_ text: String) -> Kind? {
        let words = text.split(separator: "$", omittingEmptySubsequences: false).map(String.init)
        switch words[0] {
        case "pbkdf2_sha256": return pbkdf2(words, .sha256, digestLength: 32)
        case "pbkdf2_sha1": return pbkdf2(words, .insecureSHA1, digestLength: 20)
        case "scrypt": return scrypt(words)
        case "bcrypt_sha256":
            let bcrypt = String(text.dropFirst("bcrypt_sha256$".count))
            return isBcrypt(bcrypt) ? .cryptOfSHA256(bcrypt) : nil
        case "md5": return hexadecimal(words, length: 16).map { .md5(salt: Array(words[1].utf8), digest: $0) }
        case "sha1":
            return hexadecimal(words, length: 20)
                .map { .sha1(salt: Array(words[1].utf8), digest: $0, isSaltFirst: true) }
        case "": return modular(text, words)
        default: return ldap(text)
        }
    }

    /// The modular crypt format: `$id$…`.
    private static func modular(_ text: String, _ words: [String]) -> Kind? {
        switch words.count > 1 ? words[1] : "" {
        case "argon2id", "argon2i": Argon2id.isBearable(words) ? .argon2id(text) : nil
        case "2a", "2b", "2y": isBcrypt(text) ? .crypt(text) : nil
        case "y": isYescrypt(words) ? .crypt(text) : nil
        case "5", "6": isSHACrypt(text, words) ? .crypt(text) : nil
        case "apr1", "1": MD5Crypt(words).map { .md5Crypt($0) }
        default: nil
        }
    }

    /// `pbkdf2_sha256$ROUNDS$SALT$BASE64`
    private static func pbkdf2(
        _ words: [String],
        _ function: KDF.Insecure.PBKDF2.HashFunction,
        digestLength: Int
    ) -> Kind? {
        guard words.count == 4, let rounds = Int(words[1]), (1...5_000_000).contains(rounds),
            let digest = base64(words[3]), digest.count == digestLength
        else { return nil }
        return .pbkdf2(function, rounds: rounds, salt: Array(words[2].utf8), digest: digest)
    }

    /// `scrypt$N$SALT$R$P$BASE64`: Django writes the salt as text between N and r.
    private static func scrypt(_ words: [String]) -> Kind? {
        guard words.count == 6, let n = UInt64(words[1]), let r = UInt32(words[3]), let p = UInt32(words[4]),
            n > 1, n & (n - 1) == 0, n <= 1 << 20, (1...32).contains(r), (1...16).contains(p),
            128 * n * UInt64(r * p) <= 1 << 29, let digest = base64(words[5]), digest.count == 64
        else { return nil }
        return .scrypt(n: n, r: r, p: p, salt: Array(words[2].utf8), digest: digest)
    }

    /// `$2b$12$` and 53 characters; each one more of the number doubles the work.
    private static func isBcrypt(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard bytes.count == 60, ["$2a$", "$2b$", "$2y$"].contains(where: { bytes.starts(with: $0.utf8) }),
            let cost = Int(String(decoding: bytes[4..<6], as: UTF8.self)), (4...14).contains(cost),
            bytes[6] == UInt8(ascii: "$")
        else { return false }
        return bytes[7...].allSatisfy(Crypt.isDigit)
    }

    /// `$6$SALT$DIGEST` or `$6$rounds=N$SALT$DIGEST`.
    private static func isSHACrypt(_ text: String, _ words: [String]) -> Bool {
        var rest = words.dropFirst(2)
        if let rounds = rest.first, rounds.hasPrefix("rounds=") {
            guard let number = Int(rounds.dropFirst("rounds=".count)), (1000...5_000_000).contains(number) else {
                return false
            }
            rest = rest.dropFirst()
        }
        guard rest.count == 2, let salt = rest.first, let digest = rest.last, salt.utf8.count <= 16 else {
            return false
        }
        return digest.utf8.count == (words[1] == "5" ? 43 : 86) && digest.utf8.allSatisfy(Crypt.isDigit)
            && text.utf8.allSatisfy { (0x21..<0x7F).contains($0) && $0 != UInt8(ascii: ":") }
    }

    /// `$y$PARAMETERS$SALT$DIGEST`, as crypt(5) has it: a letter each for the flavour, for N and for r.
    private static func isYescrypt(_ words: [String]) -> Bool {
        guard words.count == 5 else { return false }
        let parameters = Array(words[2].utf8)
        guard parameters.count == 3, parameters[0] == UInt8(ascii: "j"), let n = Crypt.value(of: parameters[1]),
            let r = Crypt.value(of: parameters[2]), (9..<22).contains(n), r < 32, 128 * (r + 1) << (n + 1) <= 1 << 29
        else { return false }
        let (salt, digest) = (words[3].utf8, words[4].utf8)
        return (1...64).contains(salt.count) && digest.count == 43 && salt.allSatisfy(Crypt.isDigit)
            && digest.allSatisfy(Crypt.isDigit)
    }

    /// RFC 2307's `{SHA}` and its salted kin.
    private static func ldap(_ text: String) -> Kind? {
        if text.hasPrefix("{SHA}"), let digest = base64(String(text.dropFirst(5))), digest.count == 20 {
            return .sha1(salt: [], digest: digest, isSaltFirst: false)
        }
        if text.hasPrefix("{SSHA}"), let bytes = base64(String(text.dropFirst(6))), bytes.count > 20 {
            return .sha1(salt: Array(bytes[20...]), digest: Array(bytes[..<20]), isSaltFirst: false)
        }
        return nil
    }

    /// `md5$SALT$HEXADECIMAL`
    private static func hexadecimal(_ words: [String], length: Int) -> [UInt8]? {
        guard words.count == 3, !words[1].isEmpty, words[2].utf8.count == 2 * length else { return nil }
        return Hexadecimal.bytes(words[2].utf8)
    }

    private static func base64(_ text: String) -> [UInt8]? { Base64.decode(text) }
}
