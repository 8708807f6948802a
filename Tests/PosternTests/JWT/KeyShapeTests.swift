import Foundation
import TestSupport
import Testing

@testable import Journal
@testable import Postern

/// Public keys in every form in which people have them, none of which becomes a secret; and secrets that look like much.
@Suite("What key import takes for a secret", .randomized)
struct KeyShapeTests {
    /// Made by openssl, ssh-keygen and gpg.
    private static let keys: [(name: String, base64: String)] = [
        (
            "RSA, SubjectPublicKeyInfo",
            "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAomvtMSaJwO3HcKuDMGcLH9PQWIaoHAxJ9DsHSrub/ZGPZKLnbSgK"
                + "MS3q85aer5XERO+fHSov7nzEpefLV1HPgRRTY2bcvrVSpp+E4QArL2SXH33X/+iztWx29aGirqD4XFC5OaOG4RKUPkS3I2MP"
                + "LCAVCwmNkpQfiewJwxE16TbkC49fMeLFziZpF0ozhbFqL6TaKZ6NlBVgNHwpduJUoVHFksu7OeIdZn6Z4uV786wswMUI2J3j"
                + "pQWF5GnVaPt6uw76Ah1WBUzlAI4+3b8pnMNZIWhqM7ODe6/zJGFb7DtCHMkGlhnhAPTCXUpGAlEv0ux3InEhk0Ql6+JzA6O+"
                + "wQIDAQAB"
        ),
        (
            "RSA, PKCS #1",
            "MIIBCgKCAQEAomvtMSaJwO3HcKuDMGcLH9PQWIaoHAxJ9DsHSrub/ZGPZKLnbSgKMS3q85aer5XERO+fHSov7nzEpefLV1HP"
                + "gRRTY2bcvrVSpp+E4QArL2SXH33X/+iztWx29aGirqD4XFC5OaOG4RKUPkS3I2MPLCAVCwmNkpQfiewJwxE16TbkC49fMeLF"
                + "ziZpF0ozhbFqL6TaKZ6NlBVgNHwpduJUoVHFksu7OeIdZn6Z4uV786wswMUI2J3jpQWF5GnVaPt6uw76Ah1WBUzlAI4+3b8p"
                + "nMNZIWhqM7ODe6/zJGFb7DtCHMkGlhnhAPTCXUpGAlEv0ux3InEhk0Ql6+JzA6O+wQIDAQAB"
        ),
        (
            "P-256, SubjectPublicKeyInfo",
            "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEJn0jDktUlliqq5ZvZ5yaJ6vlDrIFxRir22eLJ+JQHuCBup19YTqOfCF48KIi"
                + "emz6wG3NDG1mTCxA3N/TZICPjw=="
        ),
        (
            "P-384, SubjectPublicKeyInfo",
            "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEhoRLyhToqPe4uj6lS/lk5fb0Awl5/3JoA0OtDbSCcekDJUJMvVtcJThR7qODXCk2"
                + "BR65dYM4/8B0P4BC5/Yc0QQamwepp8d8+s9NNaFdpnmMdXY2TGtCvpSQiI9q5mog"
        ),
        (
            "Ed25519, SubjectPublicKeyInfo",
            "MCowBQYDK2VwAyEA7/qmoj6sexkCUjxtM/8gGk5a4Buf+anqb2vyUuRug5Y="
        ),
        (
            "P-256, PKCS #8",
            "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgzAZIx7R8UCDjfO6aDK4kP1bb+5ntSaQDMvQar8DER+WhRANC"
                + "AAQmfSMOS1SWWKqrlm9nnJonq+UOsgXFGKvbZ4sn4lAe4IG6nX1hOo58IXjwoiJ6bPrAbc0MbWZMLEDc39NkgI+P"
        ),
        (
            "P-256, SEC 1",
            "MHcCAQEEIMwGSMe0fFAg43zumgyuJD9W2/uZ7UmkAzL0Gq/AxEfloAoGCCqGSM49AwEHoUQDQgAEJn0jDktUlliqq5ZvZ5ya"
                + "J6vlDrIFxRir22eLJ+JQHuCBup19YTqOfCF48KIiemz6wG3NDG1mTCxA3N/TZICPjw=="
        ),
        (
            "Ed25519, encrypted PKCS #8",
            "MIGjMF8GCSqGSIb3DQEFDTBSMDEGCSqGSIb3DQEFDDAkBBA0bSJUG0S9VILnPkYRRhgAAgIIADAMBggqhkiG9w0CCQUAMB0G"
                + "CWCGSAFlAwQBKgQQ+jXwKkemNBtjpAPgXqFmrQRAzgWV02MFuEVwnFYvjSQzxjG5/WtyioxjrRVmuFIIJf9IiPSCDJLyQv4i"
                + "ywG/liMO/woMeRTw1KWtzZLs+Cf0Jw=="
        ),
        (
            "P-256, certificate",
            "MIIBGTCBv6ADAgECAgEBMAoGCCqGSM49BAMCMBYxFDASBgNVBAMMC2lkcC5leGFtcGxlMB4XDTI2MDEwMTAwMDAwMFoXDTM1"
                + "MTIzMDAwMDAwMFowFjEUMBIGA1UEAwwLaWRwLmV4YW1wbGUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQmfSMOS1SWWKqr"
                + "lm9nnJonq+UOsgXFGKvbZ4sn4lAe4IG6nX1hOo58IXjwoiJ6bPrAbc0MbWZMLEDc39NkgI+PMAoGCCqGSM49BAMCA0kAMEYC"
                + "IQDU6ckOu4m2ZTiyzIDRgCWVswa+ukE3KWtjuNNYjZQ8jQIhANevoLTqY6FqdFuq5ayCq0QsBwW5rE1SdvgLf3gmFpBA"
        ),
        (
            "P-256, request",
            "MIHQMHgCAQAwFjEUMBIGA1UEAwwLaWRwLmV4YW1wbGUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQmfSMOS1SWWKqrlm9n"
                + "nJonq+UOsgXFGKvbZ4sn4lAe4IG6nX1hOo58IXjwoiJ6bPrAbc0MbWZMLEDc39NkgI+PoAAwCgYIKoZIzj0EAwIDSAAwRQIh"
                + "ALuPvoMmRthugNwrKjJqgUVOs5aIXn+ZkJPU2PybdJdoAiBt2xYlYcRw0d5l1DSNocCpTf1CR8+jmXvmNHXiCjO9oQ=="
        ),
        (
            "P-256, uncompressed point",
            "BCZ9Iw5LVJZYqquWb2ecmier5Q6yBcUYq9tniyfiUB7ggbqdfWE6jnwhePCiInps+sBtzQxtZkwsQNzf02SAj48="
        ),
        (
            "ssh-rsa",
            "AAAAB3NzaC1yc2EAAAADAQABAAABAQCia+0xJonA7cdwq4MwZwsf09BYhqgcDEn0OwdKu5v9kY9koudtKAoxLerzlp6vlcRE"
                + "758dKi/ufMSl58tXUc+BFFNjZty+tVKmn4ThACsvZJcffdf/6LO1bHb1oaKuoPhcULk5o4bhEpQ+RLcjYw8sIBULCY2SlB+J"
                + "7AnDETXpNuQLj18x4sXOJmkXSjOFsWovpNopno2UFWA0fCl24lShUcWSy7s54h1mfpni5XvzrCzAxQjYneOlBYXkadVo+3q7"
                + "DvoCHVYFTOUAjj7dvymcw1khaGozs4N7r/MkYVvsO0IcyQaWGeEA9MJdSkYCUS/S7HcicSGTRCXr4nMDo77B"
        ),
        (
            "ssh-ed25519",
            "AAAAC3NzaC1lZDI1NTE5AAAAIO/6pqI+rHsZAlI8bTP/IBpOWuAbn/mp6m9r8lLkboOW"
        ),
        (
            "ecdsa-sha2-nistp256",
            "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBCZ9Iw5LVJZYqquWb2ecmier5Q6yBcUYq9tniyfiUB7g"
                + "gbqdfWE6jnwhePCiInps+sBtzQxtZkwsQNzf02SAj48="
        ),
        (
            "OpenPGP, Ed25519",
            "mDMEaw2LBxYJKwYBBAHaRw8BAQdAL0utzV6UUUtfwHKh5/8o5WgjWalCVoQ9WjtFgSfUKG60DWFAZXhhbXBsZS5vcmeIlgQT"
                + "FggAPhYhBG7ciMnyxu+MdavHz3Af4wuXbkfDBQJrDYsHAhsDBQkDwmcABQsJCAcCBhUKCQgLAgQWAgMBAh4BAheAAAoJEHAf"
                + "4wuXbkfDj4UBAMLigPE07wVD/HZgB3IiciI8ga0DXO4yNbo9tCc0NaUbAQDV+LghGe7F0i6g+d6j4wKijwUjltInl+zCWxoD"
                + "k7dkBg=="
        ),
    ]

    /// Everything that is made of one key's bytes.
    private static func forms(_ name: String, _ base64: String) throws -> [(form: String, text: [UInt8])] {
        let bytes = Array(try #require(Data(base64Encoded: base64)))
        let hexadecimal = String(decoding: bytes.flatMap(Hexadecimal.digits), as: UTF8.self)
        let pairs = bytes.map { String(decoding: Hexadecimal.digits($0), as: UTF8.self) }
        let url = base64.replacingOccurrences(of: "+", with: "-").replacingOccurrences(of: "/", with: "_")
        let bare = base64.replacingOccurrences(of: "=", with: "")
        let lines = stride(from: 0, to: base64.count, by: 64).map { String(base64.dropFirst($0).prefix(64)) }
        let title = name.hasPrefix("OpenPGP") ? "PGP PUBLIC KEY BLOCK" : "PUBLIC KEY"
        let pem = (["-----BEGIN \(title)-----"] + lines + ["-----END \(title)-----", ""]).joined(separator: "\n")
        let escaped = pem.replacingOccurrences(of: "\n", with: "\\n")
        var texts = [
            ("base64", base64), ("without padding", bare), ("base64url", url),
            ("base64url without padding", url.replacingOccurrences(of: "=", with: "")),
            ("with a line's end", base64 + "\n"),
            ("in lines", lines.joined(separator: "\n")), ("in lines of Windows", lines.joined(separator: "\r\n")),
            ("in words", lines.joined(separator: " ")), ("with written line ends", lines.joined(separator: "\\n")),
            ("quoted", "\"\(base64)\""), ("quoted once", "'\(base64)'"), ("of a file", "JWT_KEY=\(base64)"),
            ("of a quoted file", "JWT_PUBLIC_KEY = \"\(base64)\""), ("of YAML", "key: \(base64)"),
            ("hexadecimal", hexadecimal), ("in capitals", hexadecimal.uppercased()),
            ("with colons", pairs.joined(separator: ":")), ("with 0x", "0x" + hexadecimal), ("PEM", pem),
            ("PEM of Windows", pem.replacingOccurrences(of: "\n", with: "\r\n")), ("PEM in one line", escaped),
            ("PEM in words", pem.replacingOccurrences(of: "\n", with: " ")), ("PEM, quoted", "\"\(escaped)\""),
            ("PEM of a file", "export JWT_PUBLIC_KEY=\"\(escaped)\""), ("PEM with a mark", "\u{FEFF}" + pem),
            ("base64 of PEM", Data(pem.utf8).base64EncodedString()),
            ("base64 of base64", Data(base64.utf8).base64EncodedString()),
            ("base64 of hexadecimal", Data(hexadecimal.utf8).base64EncodedString()),
            ("in capitals with spaces", "  \(base64)  \n"),
        ]
        if name.hasPrefix("OpenPGP") { texts.append(("armour in one line", base64 + "=AbCd")) }
        if name.contains("ss") || name.hasPrefix("ecdsa") {
            texts += [
                ("of ssh-keygen", "\(name) \(base64) me@host"), ("authorised", "restrict,pty \(name) \(base64) me"),
                ("of known_hosts", "idp.example,127.0.0.1 \(name) \(base64)"),
                ("SSH2", "---- BEGIN SSH2 PUBLIC KEY ----\n\(base64)\n---- END SSH2 PUBLIC KEY ----"),
            ]
        }
        return texts.map { ($0.0, Array($0.1.utf8)) } + [("bytes", bytes)]
    }

    @Test("A key is told from a secret in every form that can be had", arguments: keys.map(\.name))
    func told(name: String) throws {
        let base64 = try #require(Self.keys.first { $0.name == name }).base64
        for (form, text) in try Self.forms(name, base64) {
            #expect(KeyShape(of: text) != nil, "\(name), \(form): \(String(decoding: text.prefix(80), as: UTF8.self))")
        }
    }

    @Test("JWKs and sets of them, in JSON and what is made of it, and keys in XML")
    func objects() throws {
        let key = try #require(JSONWebKey.random(.es256, id: "k"))
        let jwk = KeySetPublisher.text(key.publicMembers)
        let pretty = String(decoding: JSONWriter.bytes(of: .object(key.publicMembers ?? []), indent: 2), as: UTF8.self)
        let quoted = String(decoding: JSONWriter.bytes(of: .string(jwk)), as: UTF8.self)
        for text in [
            jwk, pretty, KeySetPublisher.set([jwk]), "[\(jwk)]", " \n" + jwk + "\n", "\u{FEFF}" + jwk, quoted,
            "'\(jwk)'",
            Data(jwk.utf8).base64EncodedString(), "JWK=\(jwk)", jwk.replacingOccurrences(of: "\"", with: "'"),
            jwk.replacingOccurrences(of: "\"", with: "\\\""), String(jwk.dropLast()),
            KeySetPublisher.text(key.secretMembers),
            #"{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#,
            "<RSAKeyValue><Modulus>oXX</Modulus><Exponent>AQAB</Exponent></RSAKeyValue>",
        ] {
            #expect(KeyShape(of: Array(text.utf8)) != nil, "\(text)")
        }
    }

    @Test("A store takes none of them, and says where they belong")
    func store() throws {
        let temporary = try TemporaryStore()
        let store = temporary.store
        let before = try store.keyRing().keys.count
        for key in Self.keys {
            do {
                _ = try store.importKey(Array(key.base64.utf8))
                Issue.record("taken: \(key.name)")
            } catch let error as NotASecretError {
                #expect(error.description.contains("POSTERN_JWT_JWKS"))
                #expect(!error.description.contains(key.base64.prefix(20)))
            }
        }
        #expect(try store.keyRing().keys.count == before)
    }

    @Test("One that an older version took for a secret is found in the store")
    func imported() throws {
        let temporary = try TemporaryStore()
        let store = temporary.store
        #expect(try store.keyRing().keys.allSatisfy { $0.shapeOfKey == nil })
        let time = Timestamp(seconds: 0)
        let key = try JSONWebKey(id: "old", secret: Array(Self.keys[0].base64.utf8))
        try store.keys.add(key, created: time, signsFrom: time)
        #expect(try store.keyRing().keys.filter { $0.shapeOfKey == .der }.map(\.id) == ["old"])
    }

    @Test("Secrets of random bytes are secrets however they are written", arguments: 0..<4)
    func randomSecrets(part: UInt64) {
        let seed = Randomized.seed &+ part
        var generator = Seeded(seed: seed)
        for _ in 0..<1000 {
            let count = [32, 33, 48, 64, 65, 91, 128, 256].randomElement(using: &generator) ?? 32
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
            let base64 = Data(bytes).base64EncodedString()
            let hexadecimal = String(decoding: bytes.flatMap(Hexadecimal.digits), as: UTF8.self)
            for text in [bytes, Array(base64.utf8), Base64URL.encode(bytes), Array(hexadecimal.utf8)] {
                #expect(KeyShape(of: text) == nil, "seed \(seed): \(base64)")
            }
        }
    }

    @Test(
        "Texts that only begin like keys are secrets",
        arguments: [
            "django-insecure-4$k2=!x)8w@r^^^t0m3q#zc+9v_ssh-rsa_is_no_word", "MIIBIjANBgkqhkiG9w0",
            "{not json at all, but long enough}",
            "ssh-and-other-words-make-a-passphrase-of-forty", "correct horse battery staple: the secret of the project",
            "SECRET=with an equals sign and more than thirty-two bytes", "\"quoted text that is longer than 32 bytes\"",
            "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]",
            "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "éééééééééééééééééééééééééééé",
        ]
    )
    func secrets(text: String) {
        #expect(KeyShape(of: Array(text.utf8)) == nil)
    }
}
