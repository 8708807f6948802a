/// Keys by which tokens are verified (RFC 7517, section 5), as they were at one moment: what holds by them holds by
/// this very object.
final class JSONWebKeySet: Sendable {
    let keys: [JSONWebKey]
    /// The header of the first token that held by these keys: those of others are the same.
    let knownHeader = WriteOnce<JSONWebSignature.KnownHeader>()

    /// A token without `kid` is held against so many keys and no more.
    static let maximumKeys = 64

    init(_ keys: [JSONWebKey]) { self.keys = keys }

    /// Reads a JWK Set of somebody else. Keys for other purposes are passed over; one for signatures that is
    /// weak or malformed, two of the same `kid`, and secrets among public keys make the whole set one that
    /// cannot be trusted.
    init(parsing text: [UInt8]) throws(JSONWebKeyError) {
        guard let object = JSONObject(text), case .array(let elements)? = object["keys"] else { throw .notAnObject }
        var keys: [JSONWebKey] = []
        for element in elements {
            guard case .object(let members) = element else { throw .malformed("keys") }
            do {
                keys.append(try JSONWebKey(JSONObject(members)))
            } catch .unsupported, .notForSignatures {
                continue
            } catch {
                throw error
            }
        }
        let ids = keys.compactMap { $0.id.map { Array($0.utf8) } }
        guard Set(ids).count == ids.count else { throw .malformed("kid") }
        let secrets = keys.count { $0.algorithm == .hs256 }
        guard keys.count <= Self.maximumKeys, secrets == 0 || secrets == keys.count else { throw .malformed("keys") }
        self.keys = keys
    }

    /// - Parameter id: The `kid` of a token; nil: any key may have signed it.
    func candidates(id: String?, _ algorithm: JSONWebKey.Algorithm) -> [JSONWebKey] {
        keys.filter { key in
            key.algorithm == algorithm && id.map { id in key.id.map { $0.hasSameBytes(as: id) } ?? false } ?? true
        }
    }
}
