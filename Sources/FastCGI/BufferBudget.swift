internal import Synchronization

/// Bytes that all connections of a server together may keep for what is not finished.
final class BufferBudget: Sendable {
    private let limit: Int
    private let used = Atomic(0)

    init(limit: Int) { self.limit = limit }

    /// - Returns: false where there is no room; then nothing has changed.
    func change(from old: Int, to new: Int) -> Bool {
        let after = used.add(new - old, ordering: .relaxed).newValue
        guard new > old, after > limit else { return true }
        used.subtract(new - old, ordering: .relaxed)
        return false
    }

    func hasRoom(_ count: Int) -> Bool { used.load(ordering: .relaxed) + count <= limit }

    /// To be called where there is room, or it is given back.
    func add(_ count: Int) { used.add(count, ordering: .relaxed) }

    /// Whether more than three quarters are used.
    var isTight: Bool { used.load(ordering: .relaxed) > limit / 4 * 3 }
}
