internal import Glibc

/// The parameters of a request: names and values of any bytes, in the order in which the web server sent
/// them, doubled names included.
///
/// All of them lie in one array, so that the parameters of one request after the other can be kept without
/// an allocation for each.
public struct Parameters: Sendable {
    // Visible to other modules' optimiser: a request walks over its parameters more than once.
    @usableFromInline var bytes: [UInt8] = []
    @usableFromInline var entries: [Entry] = []

    @usableFromInline
    struct Entry: Sendable {
        @usableFromInline let start: Int
        @usableFromInline let nameEnd: Int
        @usableFromInline let end: Int
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

    /// The value of the first parameter of this name.
    public func value(of name: StaticString) -> ArraySlice<UInt8>? {
        name.withUTF8Buffer { name in
            for entry in entries
            where entry.nameEnd - entry.start == name.count && bytes[entry.start..<entry.nameEnd].elementsEqual(name) {
                return bytes[entry.nameEnd..<entry.end]
            }
            return nil
        }
    }

    /// The value of the parameter of this name; nil when there is none, or more than one.
    public func onlyValue(of name: StaticString) -> ArraySlice<UInt8>? {
        name.withUTF8Buffer { name in
            var found: ArraySlice<UInt8>?
            for entry in entries
            where entry.nameEnd - entry.start == name.count && bytes[entry.start..<entry.nameEnd].elementsEqual(name) {
                guard found == nil else { return nil }
                found = bytes[entry.nameEnd..<entry.end]
            }
            return found
        }
    }

    /// Takes the place of what was there: an array of C strings `NAME=value` that ends with a null pointer.
    /// What has no name is passed over.
    mutating func load(_ environment: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, skipping: Int = 0) {
        bytes.removeAll(keepingCapacity: true)
        entries.removeAll(keepingCapacity: true)
        guard var next = environment?.advanced(by: skipping) else { return }
        while let text = next.pointee {
            next += 1
            guard let equals = strchr(text, Int32(UInt8(ascii: "="))), equals > text else { continue }
            let start = bytes.count
            text.withMemoryRebound(to: UInt8.self, capacity: equals - text) {
                bytes.append(contentsOf: UnsafeBufferPointer(start: $0, count: equals - text))
            }
            let length = strlen(equals + 1)
            let nameEnd = bytes.count
            (equals + 1).withMemoryRebound(to: UInt8.self, capacity: length) {
                bytes.append(contentsOf: UnsafeBufferPointer(start: $0, count: length))
            }
            entries.append(Entry(start: start, nameEnd: nameEnd, end: bytes.count))
        }
    }

    private mutating func append(name: [UInt8], value: [UInt8]) {
        let start = bytes.count
        bytes += name
        let nameEnd = bytes.count
        bytes += value
        entries.append(Entry(start: start, nameEnd: nameEnd, end: bytes.count))
    }
}
