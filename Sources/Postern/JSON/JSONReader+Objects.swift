/// Objects and lists that are checked, and whose values are made when somebody asks for them.
extension JSONReader {
    enum UnreadValue {
        case text(Text)
        /// Where it stands.
        case other(Range<Int>)
    }

    struct UnreadObject {
        /// In order, and all of a name.
        var members: [(name: Text, value: UnreadValue)] = []
        /// What texts with escapes mean.
        var decoded: [UInt8] = []
        /// What was read: an object, or another value without what is in it.
        var shape: JSONValue = .object([])
    }

    /// - Throws: As ``read(_:)``.
    static func object(in bytes: [UInt8], _ limits: Limits) throws(JSONError) -> UnreadObject {
        try read(bytes, limits) { reader throws(JSONError) in
            guard reader.isNext(UInt8(ascii: "{")) else {
                return UnreadObject(shape: try reader.value(isKept: false))
            }
            var object = UnreadObject()
            try reader.countValue()
            try reader.members { reader, name throws(JSONError) in
                object.members.append((name, try reader.unreadValue()))
            }
            object.decoded = reader.decoded
            return object
        }
    }

    private mutating func unreadValue() throws(JSONError) -> UnreadValue {
        guard isNext(UInt8(ascii: "\"")) else {
            let start = position
            _ = try value(isKept: false)
            return .other(start..<position)
        }
        try countValue()
        return .text(try string())
    }

    private var decoded: [UInt8] { Array(UnsafeBufferPointer(start: scratch, count: scratchEnd)) }

    // MARK: What ``object(in:_:)`` has found, which needs no other check

    /// Any value, with all that is in it.
    static func value(at place: Range<Int>, in bytes: [UInt8]) -> JSONValue {
        (try? read(bytes, from: place.lowerBound) { reader throws(JSONError) in try reader.value(isKept: true) })
            ?? .null
    }

    /// The elements of a list, and what those with escapes mean.
    static func elements(at place: Range<Int>, in bytes: [UInt8]) -> (elements: [UnreadValue], decoded: [UInt8]) {
        let list = try? read(bytes, from: place.lowerBound) { reader throws(JSONError) in
            var elements: [UnreadValue] = []
            try reader.elements { reader throws(JSONError) in elements.append(try reader.unreadValue()) }
            return (elements, reader.decoded)
        }
        return list ?? ([], [])
    }
}
