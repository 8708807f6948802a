internal import Glibc

/// The parameters of a request: names and values of any bytes but NUL, in the order in which the web server sent
/// them, doubled names included.
///
/// All of them lie in one array, so that the parameters of one request after the other can be kept without
/// an allocation for each.
public struct Parameters: Sendable {
    // Visible to other modules' optimiser: a request walks over its parameters more than once.
    @usableFromInline private(set) var bytes: [UInt8] = []
    @usableFromInline private(set) var entries: [Entry] = []

    /// Where a name and the value behind it stand in `bytes`. All are within its bounds: they are made here alone.
    @usableFromInline
    struct Entry: Sendable {
        @usableFromInline let start: Int
        @usableFromInline let nameEnd: Int
        @usableFromInline let end: Int

        @inlinable var nameLength: Int { nameEnd - start }
    }

    public init() {}

    /// For tests, and for answering without a web server.
    public init(_ pairs: [(name: String, value: [UInt8])]) {
        for (name, value) in pairs { append(name: Array(name.utf8), value: value) }
    }

    @inlinable
    public var count: Int { entries.count }

    @inlinable
    public subscript(position: Int) -> (name: ArraySlice<UInt8>, value: ArraySlice<UInt8>) {
        let entry = entries[position]
        return (bytes[entry.start..<entry.nameEnd], bytes[entry.nameEnd..<entry.end])
    }

    /// The value at a position.
    @inlinable
    public func value(at position: Int) -> ArraySlice<UInt8> {
        let entry = entries[position]
        return bytes[entry.nameEnd..<entry.end]
    }

    /// How many bytes the name at a position has.
    @inlinable
    public func nameLength(at position: Int) -> Int { entries[position].nameLength }

    /// Whether the parameter at a position has this name.
    @inlinable @inline(__always)
    public func isName(_ name: StaticString, at position: Int) -> Bool {
        let entry = entries[position]
        return entry.nameLength == name.utf8CodeUnitCount && begins(entry, with: name)
    }

    /// Whether the name of the parameter at a position begins so.
    @inlinable
    public func hasPrefix(_ prefix: StaticString, at position: Int) -> Bool { begins(entries[position], with: prefix) }

    /// The value of the first parameter of this name.
    public func value(of name: StaticString) -> ArraySlice<UInt8>? {
        entries.indices.first { isName(name, at: $0) }.map { value(at: $0) }
    }

    /// The value of the parameter of this name; nil when there is none, or more than one.
    public func onlyValue(of name: StaticString) -> ArraySlice<UInt8>? {
        guard let first = entries.indices.first(where: { isName(name, at: $0) }),
            !entries.indices[(first + 1)...].contains(where: { isName(name, at: $0) })
        else { return nil }
        return value(at: first)
    }

    /// Whether the name of an entry begins with all of `text`. Most names are told apart by their first eight bytes.
    @inlinable @inline(__always)
    func begins(_ entry: Entry, with text: StaticString) -> Bool {
        let length = text.utf8CodeUnitCount
        guard entry.nameLength >= length else { return false }
        return bytes.withUnsafeBytes { bytes in
            // As many bytes as are compared are there, of the entry as of the text.
            let text = UnsafeRawBufferPointer(start: text.utf8Start, count: length)
            var offset = 0
            while length - offset >= 8 {
                let word = bytes.loadUnaligned(fromByteOffset: entry.start + offset, as: UInt64.self)
                guard word == text.loadUnaligned(fromByteOffset: offset, as: UInt64.self) else { return false }
                offset += 8
            }
            while offset < length {
                guard bytes[entry.start + offset] == text[offset] else { return false }
                offset += 1
            }
            return true
        }
    }
}

// MARK: - What a request's parameters are made of

extension Parameters {
    /// What ``findPairs(maximumLength:)`` made of it.
    enum Pairs {
        case whole
        /// The last pair ends later.
        case unfinished
        /// No web server sends this: a pair that is too long, or with a NUL, which would end a value for whoever reads it
        /// as a C string.
        case malformed
    }

    /// Bytes of all names, values and lengths.
    var size: Int { bytes.count }

    mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        entries.removeAll(keepingCapacity: true)
    }

    /// Adds the contents of a PARAMS record, which may end anywhere in a pair.
    mutating func append(_ contents: UnsafeRawBufferPointer) { bytes.append(contentsOf: contents) }

    /// Finds the name-value pairs in all contents (FastCGI 1.0, section 3.4). What has no name is passed over.
    mutating func findPairs(maximumLength: Int) -> Pairs {
        var found: [Entry] = []
        swap(&found, &entries)
        let pairs = bytes.withUnsafeBytes { Self.findPairs(in: $0, maximumLength, &found) }
        swap(&found, &entries)
        return pairs
    }

    private static func findPairs(
        in bytes: UnsafeRawBufferPointer,
        _ maximumLength: Int,
        _ found: inout [Entry]
    ) -> Pairs {
        var position = 0
        while position < bytes.count {
            guard let nameLength = takeLength(bytes, &position), let valueLength = takeLength(bytes, &position) else {
                return .unfinished
            }
            let length = nameLength + valueLength
            guard length <= maximumLength else { return .malformed }
            let present = min(length, bytes.count - position)
            // No bytes are looked at beyond those that are there; without any there may be no address.
            if present > 0, let start = bytes.baseAddress, memchr(start + position, 0, present) != nil {
                return .malformed
            }
            guard present == length else { return .unfinished }
            if nameLength > 0 {
                found.append(Entry(start: position, nameEnd: position + nameLength, end: position + length))
            }
            position += length
        }
        return .whole
    }

    /// One byte, or four of which the first has its highest bit set; nil when they are not all there.
    private static func takeLength(_ bytes: UnsafeRawBufferPointer, _ position: inout Int) -> Int? {
        guard position < bytes.count else { return nil }
        let first = Int(bytes[position])
        guard first & 0x80 != 0 else {
            position += 1
            return first
        }
        guard bytes.count - position >= 4 else { return nil }
        defer { position += 4 }
        return (first & 0x7F) << 24 | Int(bytes[position + 1]) << 16 | Int(bytes[position + 2]) << 8
            | Int(bytes[position + 3])
    }

    /// Takes the place of what was there: an array of C strings `NAME=value` that ends with a null pointer.
    /// What has no name is passed over.
    mutating func load(_ environment: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) {
        removeAll()
        guard var next = environment else { return }
        while let text = next.pointee {
            next += 1
            guard let equals = strchr(text, Int32(UInt8(ascii: "="))), equals > text else { continue }
            let name = UnsafeRawBufferPointer(start: text, count: equals - text)
            let value = UnsafeRawBufferPointer(start: equals + 1, count: strlen(equals + 1))
            append(name: Array(name), value: Array(value))
        }
    }

    mutating func append(name: [UInt8], value: [UInt8]) {
        let start = bytes.count
        bytes += name
        let nameEnd = bytes.count
        bytes += value
        entries.append(Entry(start: start, nameEnd: nameEnd, end: bytes.count))
    }
}
