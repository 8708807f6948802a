/// Where the members of an object stand by their names: an open table of numbers, for objects of many members.
struct NamePlaces {
    /// -1 where there is none; as many as a power of two, less than half of them taken.
    private var places: [Int32] = []

    /// - Returns: nil for a name that is new, whose place is the next then.
    mutating func place(of name: String, in members: [(name: String, value: JSONValue)]) -> Int? {
        if 2 * (members.count + 1) >= places.count {
            places = [Int32](repeating: -1, count: max(64, 4 * places.count))
            for (place, member) in members.enumerated() { _ = find(member.name, in: members, orPut: place) }
        }
        return find(name, in: members, orPut: members.count)
    }

    private mutating func find(
        _ name: String,
        in members: [(name: String, value: JSONValue)],
        orPut place: Int
    ) -> Int? {
        var hasher = Hasher()
        var text = name
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        var slot = hasher.finalize() & (places.count - 1)
        while places[slot] >= 0 {
            let known = Int(places[slot])
            if known < members.count, members[known].name.hasSameBytes(as: name) { return known }
            slot = (slot + 1) & (places.count - 1)
        }
        places[slot] = Int32(truncatingIfNeeded: place)
        return nil
    }
}
