internal import Glibc

/// A JWS in compact serialisation (RFC 7515, section 7.1): the only form in which we read and write tokens.
struct JSONWebSignature {
    /// Bytes of a token. Longer ones are refused before anything in them is read.
    static let maximumLength = 8192
    /// Likewise, of a header: it is read before anybody knows whether the signature is right. Beside an algorithm, a key and a
    /// type, some issuers put a certificate into it.
    static let maximumHeaderLength = 4096

    let header: Header
    let payload: [UInt8]
    /// Header and payload, as they were signed.
    let signedText: ArraySlice<UInt8>
    /// Where this very header was read before.
    private let known: KnownHeader?
    private let headerText: ArraySlice<UInt8>
    private let signature: [UInt8]

    /// What we look at of a header. Everything else is of no effect; what asks for an effect is refused.
    struct Header {
        /// nil for one that no key of ours has.
        let algorithm: JSONWebKey.Algorithm?
        let keyID: String?
        let type: String?

        /// Members by which a token brings its own key, asks for extensions that have to be understood (RFC 7515, section
        /// 4.1.11), or is no JWS at all. Those by which issuers say where their keys and certificates are (`jku`, `x5u`, `x5c`)
        /// are never looked at: keys come from the store and the location's file alone (RFC 8725, section 3.10).
        private static let refused = ["jwk", "crit", "b64", "enc", "zip"]

        init?(_ text: [UInt8]) {
            guard let object = JSONObject(text), let algorithm = object.string("alg"),
                !Self.refused.contains(where: object.contains),
                !object.contains("kid") || object.string("kid") != nil,
                !object.contains("typ") || object.string("typ") != nil
            else { return nil }
            self.algorithm = JSONWebKey.Algorithm(name: algorithm)
            keyID = object.string("kid")
            type = object.string("typ").map(Self.shortType)
        }

        /// `at+jwt` is written for `application/at+jwt` (RFC 7515, section 4.1.9).
        private static func shortType(_ type: String) -> String {
            let prefix = "application/"
            guard ASCII.equalsIgnoringCase(type.utf8.prefix(prefix.utf8.count), prefix.utf8) else { return type }
            let rest = String(decoding: type.utf8.dropFirst(prefix.utf8.count), as: UTF8.self)
            return rest.utf8.contains(UInt8(ascii: "/")) ? type : rest
        }
    }

    /// A header, the text that it was read from, and the keys of a set that may have signed a token with it.
    final class KnownHeader: Sendable {
        fileprivate let text: [UInt8]
        fileprivate let header: Header
        fileprivate let candidates: [JSONWebKey]

        fileprivate init(_ text: ArraySlice<UInt8>, _ header: Header, _ candidates: [JSONWebKey]) {
            self.text = Array(text)
            self.header = header
            self.candidates = candidates
        }
    }

    /// Lets the next tokens that have this header, byte for byte, spare the reading of it.
    func remember(headerIn keys: JSONWebKeySet) {
        guard keys.knownHeader.value == nil else { return }
        _ = keys.knownHeader.put(KnownHeader(headerText, header, candidates(among: keys)))
    }

    /// nil for anything but three parts of strict base64url, the first of them a header that we understand.
    init?(compact text: ArraySlice<UInt8>, knownHeader: KnownHeader? = nil) {
        guard text.count <= Self.maximumLength else { return nil }
        guard let (first, last) = Self.dots(in: text), first - text.startIndex <= Self.maximumHeaderLength
        else { return nil }
        let known = knownHeader.flatMap { text[..<first] == $0.text[...] ? $0 : nil }
        guard let header = known?.header ?? Base64URL.decode(text[..<first]).flatMap(Header.init),
            let payload = Base64URL.decode(text[(first + 1)..<last]),
            let signature = Base64URL.decode(text[(last + 1)...])
        else { return nil }
        self.known = known
        self.header = header
        self.payload = payload
        self.signature = signature
        headerText = text[..<first]
        signedText = text[..<last]
    }

    /// Where the two dots are; nil where there are not two.
    private static func dots(in text: ArraySlice<UInt8>) -> (Int, Int)? {
        text.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress,
                let first = memchr(start, Int32(UInt8(ascii: ".")), bytes.count).map({ UnsafeRawPointer($0) - start }),
                let second = memchr(start + first + 1, Int32(UInt8(ascii: ".")), bytes.count - first - 1)
                    .map({ UnsafeRawPointer($0) - start }),
                memchr(start + second + 1, Int32(UInt8(ascii: ".")), bytes.count - second - 1) == nil
            else { return nil }
            return (text.startIndex + first, text.startIndex + second)
        }
    }

    /// The key of `keys` that signed this, or nil. The key says which algorithm it is for; the header must say
    /// the same, byte for byte. A token that names a key is held against that one alone.
    func signer(among keys: JSONWebKeySet) -> JSONWebKey? {
        let known = known.flatMap { $0 === keys.knownHeader.value ? $0.candidates : nil }
        return (known ?? candidates(among: keys)).first { $0.isSignature(signature, of: signedText) }
    }

    private func candidates(among keys: JSONWebKeySet) -> [JSONWebKey] {
        guard let algorithm = header.algorithm else { return [] }
        return keys.candidates(id: header.keyID, algorithm)
    }

    /// - Returns: nil when `key` cannot sign.
    static func compact(_ claims: [(name: String, value: JSONValue)], signedBy key: JSONWebKey) -> [UInt8]? {
        var header: [(name: String, value: JSONValue)] = [("alg", .string(key.algorithm.rawValue))]
        if let id = key.id { header.append(("kid", .string(id))) }
        header.append(("typ", .string("JWT")))
        let text =
            Base64URL.encode(JSONWriter.bytes(of: .object(header))) + [UInt8(ascii: ".")]
            + Base64URL.encode(JSONWriter.bytes(of: .object(claims)))
        return key.sign(text).map { text + [UInt8(ascii: ".")] + Base64URL.encode($0) }
    }
}
