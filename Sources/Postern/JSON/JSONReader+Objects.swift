/// Objects and lists that are checked, and whose values are made when somebody asks for them.
extension JSONReader {
    enum UnreadValue {
        case text(Text)
        /// A list of texts, and where they stand among those of all lists; nil where an element is something else.
        case list(Range<Int>?)
        /// Where it stands.
        case other(Range<Int>)
    }

    struct UnreadObject {
        /// In order, and all of a name.
        var members: [(name: Text, value: UnreadValue)] = []
        /// Of lists.
        var elements: [Text] = []
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
                object.members.append((name, try reader.unreadValue(&object.elements)))
            }
            object.decoded = Array(UnsafeBufferPointer(start: reader.scratch, count: reader.scratchEnd))
            return object
        }
    }

    private mutating func unreadValue(_ elements: inout [Text]) throws(JSONError) -> UnreadValue {
        if let text = try unreadText() { return .text(text) }
        let start = position
        guard isNext(UInt8(ascii: "[")) else {
            _ = try value(isKept: false)
            return .other(start..<position)
        }
        try countValue()
        let first = elements.count
        var areTexts = true
        try self.elements { reader throws(JSONError) in
            if let text = try reader.unreadText() {
                if areTexts { elements.append(text) }
            } else {
                areTexts = false
                _ = try reader.value(isKept: false)
            }
        }
        return .list(areTexts ? first..<elements.count : nil)
    }

    /// nil where another value begins.
    private mutating func unreadText() throws(JSONError) -> Text? {
        guard isNext(UInt8(ascii: "\"")) else { return nil }
        try countValue()
        return try string()
    }

    // MARK: What ``object(in:_:)`` has found, which needs no other check

    /// Any value, with all that is in it.
    static func value(at place: Range<Int>, in bytes: [UInt8]) -> JSONValue {
        (try? read(bytes, from: place.lowerBound) { reader throws(JSONError) in try reader.value(isKept: true) })
            ?? .null
    }
}
