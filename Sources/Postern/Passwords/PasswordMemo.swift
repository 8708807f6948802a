internal import CSodium
internal import Journal
internal import Synchronization

/// Which passwords were right a short while ago, so that a client who sends one with each request costs one hash
/// a minute.
///
/// Held against in the place of the hash are digests under a key that only this process knows, over the password
/// and all of the record that it was right for: when that changes in any way, it is as if nothing were known.
/// Only what was right is remembered, and equal requests do not wait for each other, so that how long an answer
/// takes says nothing about who exists.
final class PasswordMemo: Sendable {
    /// Seconds for which a password is remembered, from the hash on.
    private static let lifetime: Int64 = 60
    private static let capacity = 16_384

    private let key: [UInt8]
    private let ends = Mutex<[[UInt8]: Timestamp]>([:])

    init() {
        var key = [UInt8](repeating: 0, count: Int(crypto_generichash_KEYBYTES))
        randombytes_buf(&key, key.count)
        self.key = key
    }

    func knows(_ password: [UInt8], of user: User, at now: Timestamp) -> Bool {
        let digest = digest(password, user)
        return ends.withLock { $0[digest].map { now < $0 } ?? false }
    }

    func remember(_ password: [UInt8], of user: User, at now: Timestamp) {
        let digest = digest(password, user)
        ends.withLock { ends in
            if ends.count >= Self.capacity { ends = ends.filter { now < $0.value } }
            if ends.count < Self.capacity { ends[digest] = now.adding(seconds: Self.lifetime) }
        }
    }

    /// Keyed BLAKE2b over parts of which each says its length, so that none can be taken for another.
    private func digest(_ password: [UInt8], _ user: User) -> [UInt8] {
        let parts = [
            Array(String(user.id).utf8), Array(String(user.epoch).utf8), user.username.bytes,
            Array((user.passwordHash ?? "").utf8), password,
        ]
        var text: [UInt8] = []
        for part in parts {
            text += withUnsafeBytes(of: UInt64(part.count).littleEndian, Array.init)
            text += part
        }
        defer { sodium_memzero(&text, text.count) }
        var digest = [UInt8](repeating: 0, count: 32)
        _ = crypto_generichash(&digest, digest.count, text, UInt64(text.count), key, key.count)
        return digest
    }
}
