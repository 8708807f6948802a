import CSodium
import Testing

@testable import Postern

@Suite("Passwords")
struct PasswordTests {
    private let hasher = PasswordHasher(threads: 2)
    static let djangoHash =
        "$argon2id$v=19$m=102400,t=2,p=8$Qaoz1pJbeEMzPEUllQcyqg$B1HpFwcz1Pf5BtsuvL2fUuETTbKVzOXyKraNaqh3XxY"

    @Test("A hash is a PHC string of Argon2id with OWASP's parameters, and a salt of its own")
    func form() throws {
        let first = try hasher.hash(Array("correct horse battery".utf8))
        #expect(first.hasPrefix("$argon2id$v=19$m=19456,t=2,p=1$"))
        // Salt and tag, in base64 without padding: 16 and 32 bytes.
        #expect(first.split(separator: "$").suffix(2).map(\.count) == [22, 43])
        #expect(try hasher.hash(Array("correct horse battery".utf8)) != first)
        #expect(!Argon2id.isOutdated(first))
    }

    @Test("libsodium has been told to look what the processor can do, which makes a hash nearly twice as fast")
    func initialized() throws {
        _ = try Argon2id.verify([], against: Argon2id.hashOfNobody)
        // 1: it was initialised before.
        #expect(sodium_init() == 1)
    }

    @Test("The whole password counts, every byte of it", arguments: [1, 64, 128, 1024])
    func whole(length: Int) throws {
        let password = [UInt8](repeating: 0x61, count: length)
        let hash = try hasher.hash(password)
        #expect(try hasher.verify(password, against: hash))
        #expect(try !hasher.verify(password.dropLast() + [0x62], against: hash))
    }

    @Test("A NUL does not end a password")
    func nul() throws {
        let hash = try hasher.hash(Array("before\0after".utf8))
        #expect(try hasher.verify(Array("before\0after".utf8), against: hash))
        #expect(try !hasher.verify(Array("before\0other".utf8), against: hash))
        #expect(try !hasher.verify(Array("before".utf8), against: hash))
    }

    @Test("Composed and decomposed letters are different passwords")
    func normalisation() throws {
        let hash = try hasher.hash(Array("\u{E9}".utf8))
        #expect(try !hasher.verify(Array("e\u{301}".utf8), against: hash))
    }

    @Test("A password of Django's argon2 hasher with eight lanes is understood")
    func lanes() throws {
        // Made by argon2-cffi with the parameters of Django 5's Argon2PasswordHasher and the password "lètmein".
        #expect(try hasher.verify(Array("lètmein".utf8), against: Self.djangoHash))
        #expect(Argon2id.isOutdated(Self.djangoHash))
    }

    @Test("Without a hash, or beyond the longest password, the answer is no after the same work")
    func nobody() throws {
        #expect(try !hasher.verify(Array("anything".utf8), against: nil))
        let long = [UInt8](repeating: 0x61, count: PasswordRules.maximumBytes + 1)
        #expect(try !hasher.verify(long, against: try hasher.hash([])))
        #expect(!Argon2id.isOutdated(Argon2id.hashOfNobody))
        #expect(try !Argon2id.verify([], against: Argon2id.hashOfNobody))
    }

    @Test("What is no hash opens nothing", arguments: ["", "!", "*0", "$2b$12$abc", "password"])
    func noHash(text: String) throws {
        #expect(try !hasher.verify(Array(text.utf8), against: text))
    }

    @Test("Where no more may wait, or the wait is over, the answer is to try again")
    func limits() {
        let full = PasswordHasher(threads: 1, maximumQueue: 0)
        #expect(throws: PasswordError.unavailable) { try full.verify([], against: nil) }
        let impatient = PasswordHasher(threads: 1, patience: .zero)
        #expect(throws: PasswordError.unavailable) { try impatient.hash([]) }
    }

    @Test("15 characters are asked for, whatever they are; a setting goes down to 8")
    func rules() throws {
        let ann = try Username("ann".utf8)
        let rules = PasswordRules()
        try rules.check(Array("😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀".utf8), for: ann)
        #expect(throws: PasswordError.self) { try rules.check(Array("fourteen chars".utf8), for: ann) }
        try PasswordRules(minimumLength: 8).check(Array("pj3kfwq0".utf8), for: ann)
        #expect(throws: PasswordError.self) {
            try PasswordRules(minimumLength: 1).check(Array("1234567".utf8), for: ann)
        }
        #expect(throws: PasswordError.self) { try rules.check([UInt8](repeating: 0x61, count: 1025), for: ann) }
        #expect(throws: PasswordError.self) { try rules.check([UInt8](repeating: 0xFF, count: 20), for: ann) }
        let long = try Username("a-username-of-some-length".utf8)
        #expect(throws: PasswordError.self) { try rules.check(long.bytes, for: long) }
    }
}

@Suite("Passwords that are long and guessed at once")
struct CommonPasswordTests {
    private func isRefused(_ password: String, for name: String = "annabel") throws -> Bool {
        do {
            try PasswordRules(minimumLength: 8).check(Array(password.utf8), for: try Username(name.utf8))
            return false
        } catch PasswordError.refused {
            return true
        }
    }

    @Test(
        "Common words, doubled, decorated, in rows and runs",
        arguments: [
            "password", "Password1234", "passwordpassword", "iloveyouiloveyou", "qwertyuiopasdfghjkl",
            "123456789012345", "000000000000000",
            "abcdefghijklmnop", "zyxwvutsrqponmlk", "abcabcabcabcabcabc", "letmein-letmein!", "MonkeyDragon2024!",
            "p@$$w0rdp@$$w0rd",
            "annabel12345678", "Annabel-Annabel-1", "12345annabel67890", "postern-password", "111111qwertyuiop",
            "!!!!!!!!!!!!!!!!",
            "password\u{20}\u{20}\u{20}\u{20}\u{20}\u{20}\u{20}\u{20}",
        ]
    )
    func common(password: String) throws {
        #expect(try isRefused(password))
    }

    @Test(
        "Phrases, and what nobody has thought of",
        arguments: [
            "correct horse battery staple", "motdepassé très long", "pj3kfwq0zlx9dnv", "Ünder the sky of blue",
            "😀😃😄😁😆😅😂🤣☺️😊😇🙂🙃😉😌",
            "annabel had a little lamb", "the quick brown fox jumps",
        ]
    )
    func good(password: String) throws {
        #expect(try !isRefused(password))
    }

    @Test("Sixty-four characters are nobody's first guess, whatever they are")
    func long() throws {
        #expect(try !isRefused(String(repeating: "a", count: 64)))
        #expect(try isRefused(String(repeating: "a", count: 63)))
    }
}
