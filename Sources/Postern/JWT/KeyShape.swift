internal import Crypto
internal import Journal

/// What a text is by its shape that was given as a secret of HS256: a public key makes everybody a signer, for it is
/// public (RFC 8725, section 2.1), and a private key or a certificate is never what such tokens were signed with.
///
/// Only shapes count that random bytes have less than once in many millions, so that a secret stays one in whatever way
/// it is written.
public enum KeyShape: String, Sendable {
    case pem = "a key or certificate in PEM"
    case ssh = "a key of SSH"
    case json = "JSON, as a JWK or a JWK Set"
    case xml = "a key in XML"
    case der = "a key or certificate in DER"
    case point = "a public key of an elliptic curve"
    case openPGP = "a key of OpenPGP"

    /// nil for what may be a secret.
    public init?(of bytes: [UInt8]) {
        guard let shape = Self.shape(bytes, depth: 0) else { return nil }
        self = shape
    }

    /// Base64 in a JSON string in base64 is deep enough.
    private static let maximumDepth = 4

    private static func shape(_ bytes: [UInt8], depth: Int) -> KeyShape? {
        guard depth < maximumDepth else { return nil }
        if let shape = binary(bytes) { return shape }
        guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
        if let shape = armored(text) { return shape }
        let trimmed = String(text.trimming { $0.isWhitespace || $0 == "\u{FEFF}" })
        if let shape = json(trimmed, depth) ?? json(String(trimmed.trimming { $0 == "'" }), depth) { return shape }
        var inside = trimmed.split { $0.isWhitespace }.map(String.init)
        inside.append(compact(trimmed))
        // `NAME=value`, as in files of environment variables.
        if let sign = trimmed.firstIndex(where: { $0 == "=" || $0 == ":" }),
            trimmed[..<sign].allSatisfy({ $0.isLetter || $0.isNumber || $0 == "_" || $0.isWhitespace })
        {
            let value = String(trimmed[trimmed.index(after: sign)...].trimming(\.isWhitespace))
            if let shape = shape(Array(value.utf8), depth: depth + 1) { return shape }
        }
        for word in Set(inside) {
            for decoded in [hexadecimal(word), base64(word)] {
                if let decoded, let shape = shape(decoded, depth: depth + 1) { return shape }
            }
        }
        return nil
    }

    // MARK: Texts

    private static func armored(_ text: String) -> KeyShape? {
        if text.contains("-----BEGIN") { return .pem }
        if text.contains("---- BEGIN SSH2") { return .ssh }
        if text.contains("<RSAKeyValue") || text.contains("<ECDSAKeyValue") || text.contains("<ECKeyValue") {
            return .xml
        }
        let words = text.split { $0.isWhitespace || $0 == "\"" || $0 == "'" }
        return words.contains { isSSHAlgorithm(String($0)) } ? .ssh : nil
    }

    /// RFC 4253, section 6.6, and its successors.
    private static func isSSHAlgorithm(_ name: String) -> Bool {
        ["ssh-rsa", "ssh-dss", "ssh-ed25519", "ssh-ed448"].contains(name)
            || ["ecdsa-sha2-nistp", "sk-ssh-ed25519@", "sk-ecdsa-sha2-", "ssh-rsa-cert-", "ssh-ed25519-cert-"]
                .contains { name.hasPrefix($0) }
    }

    /// Objects, lists of them, and a string whose text is looked at in turn.
    private static func json(_ text: String, _ depth: Int) -> KeyShape? {
        guard let first = text.utf8.first, [UInt8(ascii: "{"), UInt8(ascii: "["), UInt8(ascii: "\"")].contains(first)
        else { return nil }
        switch try? JSONReader.read(Array(text.utf8)) {
        case .object?: return .json
        case .array(let elements)?:
            return elements.contains { if case .object = $0 { true } else { false } } ? .json : nil
        case .string(let inside)?: return shape(Array(inside.utf8), depth: depth + 1)
        // As Python prints it, or with escaped quotes.
        case nil: return first == UInt8(ascii: "{") && text.contains("kty") ? .json : nil
        default: return nil
        }
    }

    /// Joins lines again that were put into one, and drops quotes.
    private static func compact(_ text: String) -> String {
        let plain = text.trimming { "\"'".contains($0) }
        return String(
            String(plain).replacing("\\r", with: "").replacing("\\n", with: "").filter {
                !$0.isWhitespace && $0 != "\u{FEFF}"
            }
        )
    }

    // MARK: Decoding

    /// Digits with nothing or colons between the bytes.
    private static func hexadecimal(_ text: String) -> [UInt8]? {
        var digits = text.utf8.filter { $0 != UInt8(ascii: ":") }
        if digits.starts(with: "0x".utf8) { digits.removeFirst(2) }
        return digits.count > 32 ? Hexadecimal.bytes(digits.map(ASCII.lowercased)) : nil
    }

    /// Of either alphabet, padded or not, and without the checksum that OpenPGP puts behind it.
    private static func base64(_ text: String) -> [UInt8]? {
        var characters = Array(text.utf8)
        if characters.count > 5, characters[characters.count - 5] == UInt8(ascii: "="),
            characters.last != UInt8(ascii: "=")
        {
            characters.removeLast(5)
        }
        while characters.last == UInt8(ascii: "=") { characters.removeLast() }
        guard characters.count > 32 else { return nil }
        for (position, character) in characters.enumerated() {
            switch character {
            case UInt8(ascii: "+"): characters[position] = UInt8(ascii: "-")
            case UInt8(ascii: "/"): characters[position] = UInt8(ascii: "_")
            default: break
            }
        }
        // What is cut off in its middle is still told by how it begins.
        return Base64URL.decode(characters[...]) ?? Base64URL.decode(characters[..<(characters.count / 4 * 4)])
    }

    // MARK: Bytes

    private static func binary(_ bytes: [UInt8]) -> KeyShape? {
        if isDER(bytes) { return .der }
        if isSSH(bytes) { return .ssh }
        if isOpenPGP(bytes) { return .openPGP }
        return isPoint(bytes) ? .point : nil
    }

    /// A key of SSH begins with the length of its algorithm's name, and that.
    private static func isSSH(_ bytes: [UInt8]) -> Bool {
        guard bytes.count > 8, bytes.starts(with: [0, 0, 0]), bytes.count > 4 + Int(bytes[3]) else { return false }
        return isSSHAlgorithm(String(decoding: bytes[4..<(4 + Int(bytes[3]))], as: UTF8.self))
    }

    /// X9.63's uncompressed form.
    private static func isPoint(_ bytes: [UInt8]) -> Bool {
        guard bytes.first == 4 else { return false }
        return switch bytes.count {
        case 65: (try? P256.Signing.PublicKey(x963Representation: bytes)) != nil
        case 97: (try? P384.Signing.PublicKey(x963Representation: bytes)) != nil
        case 133: (try? P521.Signing.PublicKey(x963Representation: bytes)) != nil
        default: false
        }
    }

    /// A sequence of several values, the first of which is a sequence, a number or an identifier: SubjectPublicKeyInfo,
    /// PKCS #1, #8 and #12, SEC 1, certificates and requests. Also the beginning of a long one.
    private static func isDER(_ bytes: [UInt8]) -> Bool {
        let firstTags: [UInt8] = [0x02, 0x06, 0x30]
        guard bytes.first == 0x30, let content = contents(of: bytes[...]) else { return false }
        guard let first = bytes[content.lowerBound...].first, firstTags.contains(first) else { return false }
        guard content.upperBound <= bytes.count else {
            let lengths: [UInt8] = [0x01, 0x05, 0x0D, 0x10, 0x13, 0x82]
            return bytes.count > 64 && bytes[1] == 0x82 && lengths.contains(bytes[content.lowerBound + 1])
        }
        var position = content.lowerBound
        var count = 0
        while position < content.upperBound {
            guard let value = contents(of: bytes[position..<content.upperBound]), value.upperBound <= content.upperBound
            else { return false }
            position = value.upperBound
            count += 1
        }
        // A line's end may stand behind it.
        return count > 1 && bytes.count - content.upperBound <= 2
    }

    /// Where the contents of the value are that `bytes` begin with, by its length, which may reach beyond them; nil where
    /// none can begin so.
    private static func contents(of bytes: ArraySlice<UInt8>) -> Range<Int>? {
        let start = bytes.startIndex
        guard bytes.count >= 2 else { return nil }
        let length = Int(bytes[start + 1])
        guard length & 0x80 != 0 else { return (start + 2)..<(start + 2 + length) }
        let digits = length & 0x7F
        guard (1...3).contains(digits), bytes.count > 2 + digits else { return nil }
        let long = bytes[(start + 2)..<(start + 2 + digits)].reduce(0) { $0 << 8 | Int($1) }
        // The shortest form alone is DER.
        guard long >= 0x80, bytes[start + 2] != 0 else { return nil }
        return (start + 2 + digits)..<(start + 2 + digits + long)
    }

    /// A packet of a public key, secret key or subkey (RFC 9580, sections 4.2 and 5.5.2) of version 4 or 6.
    private static func isOpenPGP(_ bytes: [UInt8]) -> Bool {
        guard bytes.count > 24, let tag = bytes.first else { return false }
        let start: Int
        switch tag {
        case 0x94, 0x98: start = 2
        case 0x95, 0x99: start = 3
        case 0xC5, 0xC6: start = bytes[1] < 192 ? 2 : bytes[1] < 224 ? 3 : 6
        default: return false
        }
        let (version, algorithm) = (bytes[start], bytes[start + 5])
        guard version == 4 || version == 6 else { return false }
        let material = start + (version == 6 ? 10 : 6)
        switch algorithm {
        case 1, 2, 3, 16, 17: return (1024...16384).contains(Int(bytes[material]) << 8 | Int(bytes[material + 1]))
        // The length of the curve's identifier, and of what that begins with.
        case 18, 19, 22: return (5...10).contains(bytes[material]) && (0x2A...0x2B).contains(bytes[material + 1])
        case 25...28: return version == 6 && bytes[start + 6] == 0 && bytes[start + 7] == 0
        default: return false
        }
    }
}

/// A key was given where a secret of HS256 belongs.
public struct NotASecretError: Error, CustomStringConvertible {
    public let shape: KeyShape

    public init(_ shape: KeyShape) { self.shape = shape }

    public var description: String {
        "This is \(shape.rawValue), not a secret: RS256, ES256 and EdDSA tokens are verified by the issuer's public keys, in a JWK Set that POSTERN_JWT_JWKS names."
    }
}

extension StoredKey {
    /// What a secret of HS256 really is, where somebody imported a key as one.
    public var shapeOfKey: KeyShape? {
        guard case .secret(let secret, _) = key.material else { return nil }
        return secret.withUnsafeBytes { KeyShape(of: Array($0)) }
    }
}

extension StringProtocol {
    fileprivate func trimming(_ isTrimmed: (Character) -> Bool) -> SubSequence {
        let start = drop(while: isTrimmed)
        guard let last = start.lastIndex(where: { !isTrimmed($0) }) else {
            return start[start.startIndex..<start.startIndex]
        }
        return start[...last]
    }
}
