/// Keys by which tokens are verified (RFC 7517, section 5), as they were at one moment: what holds by them holds by
/// this very object.
final class JSONWebKeySet: Sendable {
    let keys: [JSONWebKey]
    let passedOver: PassedOverKeys
    /// The header of the first token that held by these keys: those of others are the same.
    let knownHeader = WriteOnce<JSONWebSignature.KnownHeader>()

    /// A token is held against so many keys and no more: those of its `kid`, or the first ones of its algorithm.
    static let maximumCandidates = 64
    /// Of a set, so many are judged.
    private static let maximumKeys = 1024

    init(_ keys: [JSONWebKey], passedOver: PassedOverKeys = PassedOverKeys()) {
        self.keys = keys
        self.passedOver = passedOver
    }

    /// Reads a JWK Set of somebody else. Each key is judged alone: one that we have no use for, or that is weak or
    /// malformed, is passed over, and says nothing about the others. Secrets count only in a set of nothing else: among
    /// public keys one is not secret.
    ///
    /// - Throws: ``JSONWebKeyError`` for what is no JWK Set; ``JSONWebKeyError/none`` for one with nothing in it.
    convenience init(parsing text: [UInt8]) throws(JSONWebKeyError) {
        let encoding = TextEncoding(of: text)
        guard
            case .object(let members)? = try? JSONReader.read(
                encoding == .marked ? Array(text.dropFirst(TextEncoding.markLength)) : text,
                JSONReader.Limits(keepsDoubledNames: true)
            )
        else { throw .notAnObject }
        guard members.count(where: { $0.name.hasSameBytes(as: "keys") }) == 1,
            case .array(let elements)? = JSONObject(members)["keys"]
        else { throw .malformed("keys") }
        guard !elements.isEmpty else { throw .none }
        let hasPublicKeys = elements.prefix(Self.maximumKeys).contains { !Self.isSecret($0) }
        var keys: [JSONWebKey] = []
        var passedOver = PassedOverKeys()
        var known: Set<[UInt8]> = []
        for (position, element) in elements.prefix(Self.maximumKeys).enumerated() {
            do throws(JSONWebKeyError) {
                let key = try Self.key(element)
                guard key.algorithm != .hs256 || !hasPublicKeys else { throw .secretAmongPublicKeys }
                if known.insert(key.identity).inserted { keys.append(key) }
            } catch {
                passedOver.add(PassedOverKeys.Key(position: position + 1, id: Self.id(element), reason: error))
            }
        }
        passedOver.count += max(0, elements.count - Self.maximumKeys)
        self.init(keys, passedOver: passedOver)
    }

    private static func key(_ element: JSONValue) throws(JSONWebKeyError) -> JSONWebKey {
        guard case .object(let members) = element else { throw .notAnObject }
        let object = JSONObject(members)
        guard !object.hasDoubledNames else { throw .doubledName }
        return try JSONWebKey(object)
    }

    private static func isSecret(_ element: JSONValue) -> Bool {
        if case .object(let members) = element { JSONObject(members).string("kty") == "oct" } else { false }
    }

    private static func id(_ element: JSONValue) -> String? {
        if case .object(let members) = element { JSONObject(members).string("kid") } else { nil }
    }

    /// - Parameter id: The `kid` of a token; nil: any key may have signed it.
    func candidates(id: String?, _ algorithm: JSONWebKey.Algorithm) -> [JSONWebKey] {
        let candidates = keys.filter { key in
            key.algorithm == algorithm && id.map { id in key.id.map { $0.hasSameBytes(as: id) } ?? false } ?? true
        }
        return candidates.count > Self.maximumCandidates ? Array(candidates.prefix(Self.maximumCandidates)) : candidates
    }
}

/// The keys of a set that are of no use here, and why.
struct PassedOverKeys: Sendable, Equatable, CustomStringConvertible {
    struct Key: Sendable, Equatable, CustomStringConvertible {
        /// From 1.
        let position: Int
        let id: String?
        let reason: JSONWebKeyError

        var description: String {
            "key \(position)\(id.map { " \"\(LogText(String($0.prefix(64))))\"" } ?? "") \(reason)"
        }
    }

    /// As many are described.
    private static let maximumDescribed = 16

    fileprivate(set) var count = 0
    private(set) var keys: [Key] = []

    fileprivate mutating func add(_ key: Key) {
        count += 1
        if keys.count < Self.maximumDescribed { keys.append(key) }
    }

    /// Whether there is one among them that was meant for what we do: others are in most sets.
    var hasFaulty: Bool { keys.contains { $0.reason != .unsupported && $0.reason != .notForSignatures } }

    var description: String {
        let more = count - keys.count
        return (keys.map(\.description) + (more > 0 ? ["and \(more) more"] : [])).joined(separator: "; ")
    }
}
