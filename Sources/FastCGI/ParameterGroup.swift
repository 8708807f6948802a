internal import Glibc

/// Some of the parameters of a request, kept to recognise them in the next.
public struct ParameterGroup: Sendable {
    /// Of which parameters. One object for all requests.
    public final class Selection: Sendable {
        fileprivate let prefix: StaticString
        fileprivate let exceptions: [StaticString]

        /// - Parameters:
        ///   - prefix: What their names begin with.
        ///   - exceptions: Names of others that begin so.
        public init(prefix: StaticString, exceptions: [StaticString]) {
            self.prefix = prefix
            self.exceptions = exceptions
        }
    }

    let selection: Selection
    fileprivate let parameters: Parameters
}

extension Parameters {
    private func includes(_ selection: ParameterGroup.Selection, _ entry: Entry) -> Bool {
        guard begins(entry, with: selection.prefix) else { return false }
        for name in selection.exceptions
        where name.utf8CodeUnitCount == entry.nameLength && begins(entry, with: name) { return false }
        return true
    }

    /// A copy of those that are selected.
    public func group(_ selection: ParameterGroup.Selection) -> ParameterGroup {
        var parameters = Parameters()
        for (position, entry) in entries.enumerated() where includes(selection, entry) {
            let (name, value) = self[position]
            parameters.append(name: Array(name), value: Array(value))
        }
        return ParameterGroup(selection: selection, parameters: parameters)
    }

    /// Finds those that are selected.
    public func select(_ selection: ParameterGroup.Selection) -> SelectedParameters {
        var selected = SelectedParameters()
        for (place, entry) in entries.enumerated() where includes(selection, entry) {
            guard selected.add(place) else { break }
            selected.hash = hash(of: entry, after: selected.hash)
        }
        return selected
    }

    private func hash(of entry: Entry, after hash: UInt64) -> UInt64 {
        var hash = hash
        bytes.withUnsafeBytes { bytes in
            let text = UnsafeRawBufferPointer(rebasing: bytes[entry.start..<entry.end])
            var offset = 0
            while text.count - offset > 8 {
                hash = Self.mixed(hash, text.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
                offset += 8
            }
            // The last eight, some of them for the second time; or what there is.
            if text.count >= 8 {
                hash = Self.mixed(hash, text.loadUnaligned(fromByteOffset: text.count - 8, as: UInt64.self))
            } else {
                for byte in text { hash = Self.mixed(hash, UInt64(byte)) }
            }
        }
        return Self.mixed(hash, UInt64(entry.nameLength) << 32 | UInt64(entry.end - entry.start))
    }

    private static func mixed(_ hash: UInt64, _ word: UInt64) -> UInt64 {
        let product = (hash ^ word) &* 0x9E37_79B9_7F4A_7C15
        return product ^ product >> 29
    }

    /// Whether those that were selected are the same, byte for byte and in the same order.
    public func contains(_ selected: SelectedParameters, exactly group: ParameterGroup) -> Bool {
        let known = group.parameters
        guard selected.count == known.entries.count else { return false }
        for number in 0..<selected.count {
            let (mine, other) = (entries[selected[number]], known.entries[number])
            guard mine.nameLength == other.nameLength, mine.end - mine.start == other.end - other.start else {
                return false
            }
            let isSame = bytes.withUnsafeBytes { bytes in
                // An entry has a name, so there are bytes, and as many of the one as of the other.
                known.bytes.withUnsafeBytes { known in
                    memcmp(bytes.baseAddress! + mine.start, known.baseAddress! + other.start, mine.end - mine.start)
                        == 0
                }
            }
            guard isSame else { return false }
        }
        return true
    }
}

/// Where the parameters stand that a ``ParameterGroup/Selection`` selects of a request's.
public struct SelectedParameters {
    private var places = InlineArray<64, Int32>(repeating: 0)
    /// How many there are.
    public private(set) var count = 0
    /// Whether there are more than have room here. What is found is not all then.
    public private(set) var isCutOff = false
    /// A number for them: the same for the same ones in the same order. Different ones may have the same number, and who
    /// wants that can make them have it.
    public fileprivate(set) var hash: UInt64 = 0

    fileprivate subscript(number: Int) -> Int { Int(places[number]) }

    /// - Returns: false when there is no room.
    fileprivate mutating func add(_ place: Int) -> Bool {
        guard count < places.count else {
            isCutOff = true
            return false
        }
        places[count] = Int32(place)
        count += 1
        return true
    }
}
