/// What the client's cookie holds: `pss_` and 43 base62 characters from the system's random source (256 bits).
public struct SessionKey: Sendable {
    static let prefix = Array("pss_".utf8)
    private static let randomLength = 43

    /// ASCII.
    public let text: String

    package init(text: String) { self.text = text }

    /// Makes a new one.
    public static func random() -> SessionKey {
        SessionKey(text: "pss_" + Base62.random(count: randomLength))
    }

    public var digest: SecretDigest { SecretDigest(of: Array(text.utf8)[...]) }

    /// Whether a cookie's value can be the key of a session at all.
    static func isPlausible(_ text: ArraySlice<UInt8>) -> Bool {
        text.count == prefix.count + randomLength && text.starts(with: prefix)
            && text.dropFirst(prefix.count).allSatisfy(Base62.contains)
    }
}
