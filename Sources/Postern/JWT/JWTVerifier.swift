internal import Glibc
internal import Journal

/// Verifies JSON Web Tokens without a store: their signature, times, issuer and audience.
public struct JWTVerifier: Sendable {
    private let keys: JSONWebKeySet
    private let checks: JWTChecks

    /// How many keys there are that verify.
    public var keyCount: Int { keys.keys.count }

    /// What is to be said of keys of the set that are passed over; nil where there are none.
    public var passedOver: String? { keys.passedOver.count > 0 ? "\(keys.passedOver)" : nil }

    /// The file of keys that cannot be used, and why.
    public struct KeysError: Error, CustomStringConvertible {
        public let description: String

        fileprivate init(_ path: String, _ error: any Error) {
            description = error is UnreadableFile ? "\(error)" : "\(path) \(error)."
        }

        fileprivate init(_ path: String, passedOver: String) {
            description = "\(path) has no key that can be used: \(passedOver)."
        }
    }

    /// Why a token is not good, in simplejwt's words.
    public struct Refusal: Error, CustomStringConvertible {
        public let description: String
    }

    /// - Parameters:
    ///   - path: A folder with a JWK a file (`*.jwk` and `*.json`), or a file with a JWK Set.
    ///   - leeway: Seconds by which clocks may differ.
    /// - Throws: ``KeysError``.
    public init(keysAt path: String, issuer: String? = nil, audience: String? = nil, leeway: Int64 = 0) throws {
        var keys: [JSONWebKey] = []
        if let names = Folder.names(in: path) {
            for name in names {
                guard !name.hasPrefix("."), name.hasSuffix(".jwk") || name.hasSuffix(".json") else { continue }
                let file = path + "/" + name
                do {
                    guard let object = JSONObject(try WholeFile.read(file)) else { throw JSONWebKeyError.notAnObject }
                    keys.append(try JSONWebKey(object))
                } catch {
                    throw KeysError(file, error)
                }
            }
            self.keys = JSONWebKeySet(keys)
        } else {
            do {
                self.keys = try JSONWebKeySet(parsing: try WholeFile.read(path))
            } catch {
                throw KeysError(path, error)
            }
        }
        guard !self.keys.keys.isEmpty else {
            guard self.keys.passedOver.count > 0 else { throw KeysError(path, JSONWebKeyError.none) }
            throw KeysError(path, passedOver: "\(self.keys.passedOver)")
        }
        checks = JWTChecks(issuer: issuer, audience: audience, leeway: leeway)
    }

    /// The claims of a token that is good.
    /// - Throws: ``Refusal``.
    public func claims(in text: [UInt8]) throws -> JSONValue {
        guard let signature = JSONWebSignature(compact: text[...]), signature.signer(among: keys) != nil,
            let contents = JWTContents(signature.payload, .project, signed: signature.signedText)
        else { throw Refusal(description: JWTError.invalid.message) }
        do throws(JWTError) {
            _ = try JWTClaims(contents, checks, now: .now())
            if case .absent = contents.expires { throw .noExpiry }
        } catch {
            throw Refusal(description: error.message)
        }
        return .object(contents.object.members)
    }
}
