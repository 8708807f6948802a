internal import Synchronization

/// What is known of secrets that were presented, by their digests: so much and no more. It is made of parts that each
/// have a lock, so that threads hardly ever meet.
final class DigestTable<Value: Sendable>: Sendable {
    private let parts = InlineArray<64, Mutex<[KeyedDigest: Value]>> { _ in Mutex([:]) }
    private let partCapacity: Int

    /// Entries at most.
    var capacity: Int { parts.count * partCapacity }

    init(capacity: Int) { partCapacity = capacity / 64 }

    subscript(digest: KeyedDigest) -> Value? {
        parts[digest.number(below: parts.count)].withLock { $0[digest] }
    }

    /// - Parameter isOver: What goes when there is no room. If that makes none, all goes that is in the same part: what was
    ///   forgotten costs no more than finding it out again.
    func put(_ value: Value, at digest: KeyedDigest, isOver: (Value) -> Bool) {
        let part = digest.number(below: parts.count)
        // Released when nobody waits for it any more.
        let old = parts[part].withLock { entries in
            var old: [KeyedDigest: Value] = [:]
            if entries.count >= partCapacity {
                old = entries
                entries = entries.filter { !isOver($0.value) }
                if entries.count >= partCapacity { entries = [:] }
            }
            entries[digest] = value
            return old
        }
        _ = old
    }

    /// How many there are now.
    var count: Int {
        var count = 0
        for number in parts.indices { count += parts[number].withLock { $0.count } }
        return count
    }
}
