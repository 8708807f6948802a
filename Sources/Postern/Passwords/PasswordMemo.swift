internal import Journal

/// Which passwords were right a short while ago, so that a client who sends one with each request costs one hash
/// a minute.
///
/// Held against in the place of the hash are digests under a key that only this process knows, over the password
/// and all of the record that it was right for: when that changes in any way, it is as if nothing were known.
/// It is asked after the counters of the failure throttle: whether a password is remembered is an answer about it.
/// Only what was right is remembered, and equal requests do not wait for each other, so that how long an answer
/// takes says nothing about who exists.
final class PasswordMemo: Sendable {
    /// Seconds for which a password is remembered, from the hash on.
    private static let lifetime: Int64 = 60

    private let key = KeyedDigest.Key()
    private let ends = DigestTable<Timestamp>(capacity: 16_384)

    func knows(_ password: [UInt8], of user: User, at now: Timestamp) -> Bool {
        ends[digest(password, user)].map { now < $0 } ?? false
    }

    func remember(_ password: [UInt8], of user: User, at now: Timestamp) {
        ends.put(now.adding(seconds: Self.lifetime), at: digest(password, user)) { $0 <= now }
    }

    private func digest(_ password: [UInt8], _ user: User) -> KeyedDigest {
        var builder = KeyedDigest.Builder(key)
        builder.add(UInt64(bitPattern: user.id))
        builder.add(UInt64(bitPattern: user.epoch))
        builder.add(user.username.bytes[...])
        builder.add(Array((user.passwordHash ?? "").utf8)[...])
        builder.add(password[...])
        return builder.digest
    }
}
