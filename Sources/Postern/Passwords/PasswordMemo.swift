internal import Journal

/// Which passwords were right a short while ago, so that a client who sends one with each request costs one hash
/// a minute.
///
/// Held against in the place of the hash are digests under a key that only this process knows, over the password
/// and all of the record that it was right for: when that changes in any way, it is as if nothing were known. A record has
/// one password at a time.
/// It is asked after the counters of the failure throttle: whether a password is remembered is an answer about it.
/// Only what was right is remembered, and equal requests do not wait for each other, so that how long an answer
/// takes says nothing about who exists.
final class PasswordMemo: Sendable {
    /// Seconds for which a password is remembered, from the hash on.
    private static let lifetime: Int64 = 60

    private let key = KeyedDigest.Key()
    private let remembered = DigestTable<Remembered>(capacity: 16_384)

    private struct Remembered {
        let password: KeyedDigest
        let ends: Timestamp
    }

    /// Whether the password is the one that is remembered; nil where none is, so that nothing is known about this one.
    func verdict(on password: [UInt8], of user: User, at now: Timestamp) -> Bool? {
        let (record, password) = digests(password, user)
        guard let known = remembered[record], now < known.ends else { return nil }
        return known.password == password
    }

    func remember(_ password: [UInt8], of user: User, at now: Timestamp) {
        let (record, password) = digests(password, user)
        let new = Remembered(password: password, ends: now.adding(seconds: Self.lifetime))
        remembered.put(new, at: record) { $0.ends <= now }
    }

    private func digests(_ password: [UInt8], _ user: User) -> (record: KeyedDigest, password: KeyedDigest) {
        var builder = KeyedDigest.Builder(key)
        builder.add(UInt64(bitPattern: user.id))
        builder.add(UInt64(bitPattern: user.epoch))
        builder.add(user.username.bytes[...])
        builder.add(Array((user.passwordHash ?? "").utf8)[...])
        let record = builder.digest
        builder.add(password[...])
        return (record, builder.digest)
    }
}
