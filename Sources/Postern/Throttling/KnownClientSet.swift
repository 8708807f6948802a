internal import Synchronization

/// From where users logged in lately: fifteen users and their lock in 1024 bytes of shared memory. A user has one slot, and
/// in it the last seven clients, so that a user with a million addresses pushes out nobody's but their own.
///
/// The words are the lock's; then for each user a tag and seven entries, each with the second until which the client is
/// known and 32 bits that stand for the client. All words are atomic, because they are read without the lock: what a
/// reader makes of a slot that changes under it is at worst a client that is taken for another kind for one request.
struct KnownClientSet {
    private let bytes: UnsafeMutableRawPointer

    static let clientCount = 7
    static let userCount = 15
    private static let slotSize = (1 + clientCount) * 8

    init(_ memory: UnsafeMutableRawBufferPointer, at position: Int) {
        // In bounds by the caller's layout; there is no memory without an address.
        bytes = memory.baseAddress! + position
    }

    /// Until when a client is known, in seconds; nil where it is not.
    func end(of client: UInt32, of user: UInt64) -> UInt64? {
        guard let slot = slot(of: user) else { return nil }
        for position in 0..<Self.clientCount {
            let entry = load(slot, 1 + position)
            if UInt32(truncatingIfNeeded: entry) == client, entry >> 32 != 0 { return entry >> 32 }
        }
        return nil
    }

    /// Keeps a client in the place that it has, or else of the user's client that ends first; and the user in the place
    /// of the one whose last login is the longest ago.
    func keep(_ client: UInt32, of user: UInt64, until end: UInt64, now: UInt64) {
        CounterSet.withLock(CounterSet.atomic(bytes, at: 0), now: now) {
            let slot: Int
            if let known = self.slot(of: user) {
                slot = known
            } else {
                let ends = (0..<Self.userCount).map(lastEnd)
                slot = ends.indices.min { ends[$0] < ends[$1] } ?? 0
                for position in 0..<Self.clientCount { store(0, slot, 1 + position) }
                store(user, slot, 0)
            }
            let places = 1...Self.clientCount
            let place =
                places.first { UInt32(truncatingIfNeeded: load(slot, $0)) == client }
                ?? places.min { load(slot, $0) >> 32 < load(slot, $1) >> 32 } ?? 1
            store(end << 32 | UInt64(client), slot, place)
        }
    }

    private func slot(of user: UInt64) -> Int? { (0..<Self.userCount).first { load($0, 0) == user } }

    private func lastEnd(of slot: Int) -> UInt64 {
        guard load(slot, 0) != 0 else { return 0 }
        return (1...Self.clientCount).reduce(0) { max($0, load(slot, $1) >> 32) }
    }

    private func load(_ slot: Int, _ word: Int) -> UInt64 { self.word(slot, word).pointee.load(ordering: .relaxed) }

    private func store(_ value: UInt64, _ slot: Int, _ word: Int) {
        self.word(slot, word).pointee.store(value, ordering: .relaxed)
    }

    private func word(_ slot: Int, _ word: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
        CounterSet.atomic(bytes, at: 8 + slot * Self.slotSize + word * 8)
    }
}
