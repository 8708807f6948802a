internal import Synchronization

/// What is known of secrets that were presented, by their digests: so much and no more. It is made of sets of a few places,
/// and of parts that each have a lock, so that threads hardly ever meet.
final class DigestTable<Value: Sendable>: Sendable {
    /// Place after place, set after set; none before the first is needed. The digests lie by themselves, so that looking for
    /// one touches nothing else.
    private struct Part {
        var digests: [KeyedDigest] = []
        var values: [Value?] = []
        /// Which place of a full set goes next, whichever set it is.
        var turn = 0
    }

    private let parts = InlineArray<64, Mutex<Part>> { _ in Mutex(Part()) }
    private let setsOfPart: Int

    private static var setSize: Int { 8 }

    /// Entries at most.
    var capacity: Int { parts.count * setsOfPart * Self.setSize }

    /// - Parameter capacity: A multiple of 512.
    init(capacity: Int) { setsOfPart = capacity / Self.setSize / parts.count }

    subscript(digest: KeyedDigest) -> Value? {
        let (number, set) = place(of: digest)
        return parts[number].withLock { part in
            guard !part.digests.isEmpty, let place = set.first(where: { part.digests[$0] == digest }) else {
                return nil
            }
            return part.values[place]
        }
    }

    /// - Parameter isOver: What goes first where there is no room; otherwise one of the set, another each time.
    func put(_ value: Value, at digest: KeyedDigest, isOver: ((Value) -> Bool)? = nil) {
        let (number, set) = place(of: digest)
        // Released when nobody waits for it any more.
        var value: Value? = value
        parts[number].withLock { part in
            if part.digests.isEmpty {
                part.digests = Array(repeating: .none, count: setsOfPart * Self.setSize)
                part.values = Array(repeating: nil, count: setsOfPart * Self.setSize)
            }
            let place =
                set.first { part.digests[$0] == digest } ?? set.first { part.digests[$0] == .none }
                ?? isOver.flatMap { isOver in set.first { part.values[$0].map(isOver) ?? true } }
                ?? set.lowerBound + part.turn
            part.turn = (part.turn + 1) % Self.setSize
            part.digests[place] = digest
            swap(&value, &part.values[place])
        }
    }

    private func place(of digest: KeyedDigest) -> (part: Int, set: Range<Int>) {
        let number = digest.number(below: parts.count * setsOfPart)
        let start = number / parts.count * Self.setSize
        return (number % parts.count, start..<start + Self.setSize)
    }

    /// How many there are now.
    var count: Int {
        var count = 0
        for number in parts.indices { count += parts[number].withLock { $0.digests.count { $0 != .none } } }
        return count
    }
}
