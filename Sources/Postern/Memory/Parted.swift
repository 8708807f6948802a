/// A dictionary in 256 parts. While somebody keeps a copy of it, a change copies the part that it is in and no other, so
/// that nobody waits for the copy of a million entries; nor does one that grows move all of them at once.
struct Parted<Key: PartKey, Value> {
    private var parts = [[Key: Value]](repeating: [:], count: 256)
    private(set) var count = 0

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

    /// In no order.
    var keys: some Sequence<Key> { parts.lazy.flatMap(\.keys) }

    var values: some Sequence<Value> { parts.lazy.flatMap(\.values) }

    private func part(of key: Key) -> Int { Int(truncatingIfNeeded: key.partNumber & 255) }
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
