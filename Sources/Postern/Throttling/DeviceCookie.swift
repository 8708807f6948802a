internal import CSodium
internal import Crypto
internal import Journal

/// A browser in which a user has logged in: OWASP's device cookies ("Slow Down Online Guessing Attacks with Device
/// Cookies"). Wrong passwords from it count by themselves, so that nobody else can use up the tries that its owner has.
///
/// It opens nothing: who has one still needs the password, and may guess at this one account as often as a known address
/// may.
struct KnownDevice: Equatable {
    let user: User.ID
    /// At random; it stays the same when the cookie is renewed, also after a change of the password.
    let id: UInt64
    /// The first second at which it is no longer known, by ``CounterTable/now()``.
    let ends: UInt64
}

/// Writes and reads the cookie: `1.USER.DEVICE.END.CODE`, numbers in decimal, and the HMAC of all that stands before it
/// under a key that lives with the counters.
struct DeviceCookie: Sendable {
    static let name = "postern_device"
    private static let maximumLength = 128
    private let hash: KeyedHash

    init(key: [UInt8]) { hash = KeyedHash(SymmetricKey(data: key)) }

    func text(of device: KnownDevice) -> String {
        let text = "1.\(device.user).\(device.id).\(device.ends)"
        let code = Base64URL.encode(hash.code(of: Array(("postern device " + text).utf8)[...]))
        return text + "." + String(decoding: code, as: UTF8.self)
    }

    /// - Returns: nil for anything but a text that ``text(of:)`` wrote, to the byte.
    func device(in text: ArraySlice<UInt8>) -> KnownDevice? {
        guard text.count <= Self.maximumLength else { return nil }
        let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 5, let user = Decimal.parse(parts[1]), let id = Decimal.parse(parts[2]),
            let ends = Decimal.parse(parts[3]), id >= 0, ends >= 0
        else { return nil }
        let device = KnownDevice(user: user, id: UInt64(id), ends: UInt64(ends))
        let (right, presented) = (Array(self.text(of: device).utf8), Array(text))
        guard right.count == presented.count, sodium_memcmp(right, presented, right.count) == 0 else { return nil }
        return device
    }
}
