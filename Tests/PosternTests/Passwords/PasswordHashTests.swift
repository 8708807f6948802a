import Testing

@testable import Journal
@testable import Postern

/// Hashes of "lètmein" that Python's hashlib and crypt and the command openssl made.
@Suite("Password hashes of other programs")
struct PasswordHashTests {
    static let hashes = [
        "pbkdf2_sha256$1000$NaCl$LQ6EEOQjlZNKL9zOthemcCgPZiqpz3tRAUcd9S07nGU=",
        "pbkdf2_sha1$1000$NaCl$HSyloAl0Q70EaLjsEVfInd7ayvg=",
        "scrypt$1024$NaCl$8$2$ZA1HNbFolI6gt+DwVuoS/8+f6uM+TyjarDvihl/9FjLTMTBXEuL8VpcX7+FRn9Bzs3aaL07jzcv7LIZABjQD7A==",
        "$2b$04$abcdefghijklmnopqrstuuanVo7Xut1CH8VGIGlz1JovQh9GJbbtG",
        "bcrypt_sha256$$2b$04$abcdefghijklmnopqrstuulyx/yrfLnuLCi6gwFG5mrkJjuQKpL6S",
        "$5$rounds=1000$salt$9WDE0ST4D4yGau6VXM8W0qv.qNSaQgfFkC0aMRb7Zo5",
        "$6$saltsalt$F.Sl7yZBDrBmc.yHz45ohIXtT6jBaT.71P/v.Ggg.4pOrYQ5XL.RSnlcbeJAROmC7KlQWZFY4ZuTfEzVOiCAe.",
        "$y$j75$saltsalt$/eh2ZJbpfVkdYLVloLB.eugBgoc/Hs0vuKBxY1H5DDB",
        "$apr1$saltsalt$IIKfMyvhFlEeXQFA3GhyZ/",
        "$1$saltsalt$dReGpJJU8600y5nMM.mFy0",
        "{SHA}bROMo65UVjGzq9caTwds51nFcAs=",
        "{SSHA}vNeTQVdkcr2ZfdaJU1NOND8uA45zYWx0",
        "md5$NaCl$f35b863d8f174ecf9ce1ce4e034b930f",
        "sha1$NaCl$cc150217de0ac30bc855efea7b045a51c90e5555",
        PasswordTests.djangoHash,
    ]

    @Test("The password is right, and nothing near it", arguments: hashes)
    func verify(text: String) throws {
        let hash = try #require(PasswordHash(text))
        #expect(try hash.verify(Array("lètmein".utf8)))
        for wrong in ["lètmeim", "lètmein ", "lètmein\0", "Lètmein", "letmein", ""] {
            #expect(try !hash.verify(Array(wrong.utf8)), "\(wrong)")
        }
        #expect(Argon2id.isOutdated(text))
    }

    @Test("Each has a name, by which an operator finds what is weak")
    func names() {
        let names = Self.hashes.map { PasswordHash($0)?.name }
        #expect(
            names == [
                "pbkdf2_sha256", "pbkdf2_sha1", "scrypt", "bcrypt", "bcrypt_sha256", "sha256crypt", "sha512crypt",
                "yescrypt", "md5crypt", "md5crypt", "sha1", "sha1", "md5", "sha1", "argon2id",
            ]
        )
    }

    @Test(
        "What cannot be verified has a name that holds no secret",
        arguments: [
            ("$2b$17$abcdefghijklmnopqrstuuanVo7Xut1CH8VGIGlz1JovQh9GJbbtG", "bcrypt of cost 17"),
            ("bcrypt$$2b$17$abcdefghijklmnopqrstuuanVo7Xut1CH8VGIGlz1JovQh9GJbbtG", "bcrypt of cost 17"),
            ("bcrypt_sha256$$2b$15$abcdefghijklmnopqrstuu", "bcrypt_sha256 of cost 15"), ("$2b$xx$secret", "bcrypt"),
            ("$y$jFT$saltsalt$/eh2ZJbpfVkdYLVloLB.eugBgoc/Hs0vuKBxY1H5DDB", "yescrypt"), ("$y$secret", "yescrypt"),
            ("$gy$j9T$secret$secret", "gost-yescrypt"), ("rqXexS6ZhobKA", "crypt of DES"), ("{PLAIN}secret", "{PLAIN}"),
            ("{SHA}secret", "{SHA}"), ("pbkdf2_sha256$9000000$secret$secret", "pbkdf2_sha256 of 9000000 rounds"),
            ("pbkdf2_sha512$secret", "pbkdf2_sha512"), ("secret", "unknown"), ("", "unknown"), ("$", "unknown"),
            ("secret secret$x", "unknown"), ("{secret", "unknown"), ("$6$rounds=9$secret$secret", "sha512crypt"),
        ]
    )
    func unknownKinds(text: String, name: String) {
        #expect(PasswordHash(text) == nil)
        #expect(PasswordHash.unknownKind(text) == name)
    }

    @Test(
        "Apache's MD5 of passwords as long as its blocks, and a byte around",
        arguments: [
            (1, "bHQMM1UunWFj8XWEuTGlW."), (15, "8G6wem9Lx9IX6iLu1N2Bg."), (16, "tGyojr2hKrz9wPUD.f7930"),
            (17, "QL63IGI2mZ73ci/PC/E.M."), (33, "di0r0Gmw85Za/Vj7uDyAt/"), (72, "tnycJuZ1hGUMdumj9GUb10"),
        ]
    )
    func apr1(length: Int, digest: String) throws {
        let hash = try #require(PasswordHash("$apr1$s$" + digest))
        #expect(try hash.verify([UInt8](repeating: UInt8(ascii: "x"), count: length)))
    }

    @Test("A changed digit of the digest opens nothing", arguments: hashes)
    func changed(text: String) throws {
        var bytes = Array(text.utf8)
        // Of base64 the last digits may say nothing.
        let place = bytes.count - 6
        bytes[place] = bytes[place] == UInt8(ascii: "0") ? UInt8(ascii: "1") : UInt8(ascii: "0")
        let hash = try #require(PasswordHash(String(decoding: bytes, as: UTF8.self)))
        #expect(try !hash.verify(Array("lètmein".utf8)))
    }

    @Test(
        "What is no hash, or costs more than a server can bear, is none",
        arguments: [
            "", "!", "!abc", "plain", "pbkdf2_sha256$1000$NaCl$",
            "pbkdf2_sha256$0$NaCl$LQ6EEOQjlZNKL9zOthemcCgPZiqpz3tRAUcd9S07nGU=",
            "pbkdf2_sha256$99999999$NaCl$LQ6EEOQjlZNKL9zOthemcCgPZiqpz3tRAUcd9S07nGU=", "scrypt$1000$NaCl$8$2$ZA==",
            "scrypt$16777216$NaCl$8$1$ZA1HNbFolI6gt+DwVuoS/8+f6uM+TyjarDvihl/9FjLTMTBXEuL8VpcX7+FRn9Bzs3aaL07jzcv7LIZABjQD7A==",
            "$2b$31$abcdefghijklmnopqrstuuanVo7Xut1CH8VGIGlz1JovQh9GJbbtG", "$2b$04$abc",
            "bcrypt_sha256$abc", "$5$rounds=999999999$salt$9WDE0ST4D4yGau6VXM8W0qv.qNSaQgfFkC0aMRb7Zo5",
            "$6$salt$short",
            "$apr1$saltsalt$short", "$apr1$toolongasalt$IIKfMyvhFlEeXQFA3GhyZ/", "{SHA}abc",
            "{SSHA}bROMo65UVjGzq9caTwds51nFcAs=",
            "md5$$f35b863d8f174ecf9ce1ce4e034b930f", "md5$NaCl$f35b", "rqXexS6ZhobKA", "{PLAIN}lètmein",
            "$y$j9T$abc$def",
            "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$",
            "$argon2id$v=19$m=+9456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=19$m=99999999,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        ]
    )
    func noHash(text: String) {
        #expect(PasswordHash(text) == nil)
    }

    @Test("Django's words before a hash that has a form of its own are left out")
    func django() {
        #expect(PasswordHash.stored(fromDjango: "argon2" + PasswordTests.djangoHash) == PasswordTests.djangoHash)
        #expect(PasswordHash.stored(fromDjango: "bcrypt$" + Self.hashes[3]) == Self.hashes[3])
        #expect(PasswordHash.stored(fromDjango: Self.hashes[4]) == Self.hashes[4])
        #expect(PasswordHash.stored(fromDjango: "unsalted_md5$$abc") == nil)
    }

    @Test("A name that nobody has costs what some user's hash costs, the same one's each time, as far as users stay")
    func decoy() throws {
        let temporary = try TemporaryStore()
        let store = temporary.store
        #expect(try store.decoyHash(for: Array("eve".utf8)) == nil)
        for number in 0..<40 {
            _ = try store.addUser(try Username("user\(number)".utf8), passwordHash: Self.hashes[number % 2])
        }
        let names = (0..<1000).map { Array("nobody\($0)".utf8) }
        let before = try names.map { try store.decoyHash(for: $0) }
        // Half of the users have either hash, and so have about half of the names.
        #expect((400..<600).contains(before.count { $0 == Self.hashes[0] }))
        #expect(before.allSatisfy { $0 != nil })
        #expect(try names.map { try store.decoyHash(for: $0) } == before)
        _ = try store.addUser(try Username("user40".utf8), passwordHash: Self.hashes[2])
        let changed = try zip(names, before).count { try store.decoyHash(for: $0) != $1 }
        #expect((1..<100).contains(changed), "\(changed)")
    }

    @Test("The decoy's password does not open anything")
    func decoyOpensNothing() throws {
        let hasher = PasswordHasher(threads: 1)
        #expect(try !hasher.verify(Array("lètmein".utf8), against: nil, decoy: Self.hashes[0]))
        #expect(try hasher.verify(Array("lètmein".utf8), against: Self.hashes[0], decoy: Self.hashes[1]))
    }
}
