/// A dictionary in 1024 parts. While somebody keeps a copy of it, a change copies the part that it is in and no other, so
/// that nobody waits for the copy of a million entries; nor does one that grows move all of them at once.
struct Parted<Key: PartKey, Value> {
    private var parts = [[Key: Value]](repeating: [:], count: Self.partCount)
    private(set) var count = 0

    /// A power of two.
    private static var partCount: Int { 1024 }

    subscript(key: Key) -> Value? {
        get { parts[part(of: key)][key] }
        set { _ = replace(key, with: newValue) }
    }

    /// Lends what is there to be changed in its place; nil: nothing is, or is to be.
    mutating func change<Result>(_ key: Key, _ body: (inout Value?) throws -> Result) rethrows -> Result {
        let part = part(of: key)
        let before = parts[part].count
        defer { count += parts[part].count - before }
        return try body(&parts[part][key])
    }

    /// - Returns: What was there.
    mutating func replace(_ key: Key, with value: Value?) -> Value? {
        let part = part(of: key)
        guard let value else {
            let old = parts[part].removeValue(forKey: key)
            if old != nil { count -= 1 }
            return old
        }
        let old = parts[part].updateValue(value, forKey: key)
        if old == nil { count += 1 }
        return old
    }

    /// What of it is over, in the parts whose turn it is when there is one more entry: one after the other, so that nobody
    /// waits until all of them were looked through.
    func over(_ sweep: inout Sweep, where isOver: (Key, Value) -> Bool) -> [Key] {
        guard let part = sweep.next(among: count, parts.count) else { return [] }
        return parts[part].compactMap { isOver($0.key, $0.value) ? $0.key : nil }
    }

    /// In no order.
    var keys: some Sequence<Key> { parts.lazy.flatMap(\.keys) }

    var values: some Sequence<Value> { parts.lazy.flatMap(\.values) }

    /// In no order.
    var entries: some Sequence<(key: Key, value: Value)> { parts.lazy.flatMap { $0.lazy.map { ($0.key, $0.value) } } }

    private func part(of key: Key) -> Int { Int(truncatingIfNeeded: key.partNumber) & (Self.partCount - 1) }
}

/// Whose turn it is among the parts of a ``Parted`` that are looked through for what is over.
struct Sweep {
    private var part = 0
    private var entries = 0

    /// - Returns: The part that is to be looked through when there is one entry more; nil: none yet.
    fileprivate mutating func next(among count: Int, _ parts: Int) -> Int? {
        entries += 1
        // Some four entries are looked at for each that comes, and all of them before there are a quarter more.
        guard count >= 1024, entries >= count / (4 * parts) else { return nil }
        entries = 0
        defer { part = (part + 1) % parts }
        return part
    }
}

extension Parted: Sendable where Key: Sendable, Value: Sendable {}

/// What says in which part of a ``Parted`` it is.
protocol PartKey: Hashable {
    /// Its lowest bits are as evenly spread as they can be.
    var partNumber: UInt64 { get }
}

extension Int64: PartKey {
    /// Ids follow on each other.
    var partNumber: UInt64 { UInt64(bitPattern: self) }
}

extension SecretDigest: PartKey {
    var partNumber: UInt64 { firstWord }
}

extension Username: PartKey {
    var partNumber: UInt64 { bytes.reduce(0) { $0 &* 31 &+ UInt64($1) } }
}

extension [UInt8]: PartKey {
    /// Names that were drawn at random are so at their ends as well.
    var partNumber: UInt64 {
        var number: UInt64 = 0
        for place in Swift.max(0, count - 4)..<count { number = number &* 31 &+ UInt64(self[place]) }
        return number
    }
}
