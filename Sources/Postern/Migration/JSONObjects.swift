/// Takes a large JSON text apart into its objects, one after the other, without holding more than one of them: the elements
/// of an array, as `manage.py dumpdata` writes it, or JSON Lines.
struct JSONObjects {
    /// Bytes of an object.
    static let maximumSize = 1 << 20

    private var form = Form.unknown
    private var object: [UInt8] = []
    private var depth = 0
    private var isInString = false
    private var isEscaped = false
    private var isBehindObject = false
    private(set) var count = 0
    private(set) var bytes: Int64 = 0

    private enum Form {
        case unknown, array, lines
        /// The array is closed.
        case ended
    }

    /// - Parameter body: Called with each object that ends in this part.
    /// - Throws: ``ImportError/malformed(path:place:reason:)`` where there is anything but objects.
    mutating func take(
        _ part: UnsafeRawBufferPointer,
        of path: String,
        _ body: ([UInt8], JSONObjects) throws(ImportError) -> Void
    ) throws(ImportError) {
        var start = part.startIndex
        for position in part.indices {
            let byte = part[position]
            guard depth > 0 else {
                bytes += 1
                if try begins(with: byte, path) { start = position }
                continue
            }
            guard ends(with: byte) else { continue }
            object += part[start...position]
            bytes += Int64(position - start)
            start = position + 1
            guard object.count <= Self.maximumSize else { throw tooLarge(path) }
            count += 1
            isBehindObject = true
            try body(object, self)
            object.removeAll(keepingCapacity: true)
        }
        guard depth > 0 else { return }
        object += part[start...]
        bytes += Int64(part.endIndex - start)
        guard object.count <= Self.maximumSize else { throw tooLarge(path) }
    }

    /// What is between objects.
    /// - Returns: Whether an object begins.
    private mutating func begins(with byte: UInt8, _ path: String) throws(ImportError) -> Bool {
        switch (byte, form) {
        case (0x20, _), (0x09, _), (0x0A, _), (0x0D, _): return false
        case (UInt8(ascii: "["), .unknown): form = .array
        case (UInt8(ascii: "]"), .array): form = .ended
        case (UInt8(ascii: ","), .array) where isBehindObject: isBehindObject = false
        case (UInt8(ascii: "{"), .unknown), (UInt8(ascii: "{"), .lines):
            form = .lines
            depth = 1
            return true
        case (UInt8(ascii: "{"), .array) where !isBehindObject:
            depth = 1
            return true
        default:
            let reason =
                switch form {
                case .ended: "Text follows the end of the JSON, as what manage.py prints: write it with --output."
                case .unknown where count == 0, .array where count == 0:
                    "This is no JSON, but text that manage.py or the settings printed, or another format: write JSON with --output."
                default: "This is neither an array of JSON objects nor one object after the other."
                }
            throw .malformed(
                path: path,
                place: "byte \(bytes)",
                reason: reason
            )
        }
        return false
    }

    /// Whether the object ends with a byte of it.
    private mutating func ends(with byte: UInt8) -> Bool {
        if isInString {
            if isEscaped {
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if byte == UInt8(ascii: "\"") {
                isInString = false
            }
            return false
        }
        switch byte {
        case UInt8(ascii: "\""): isInString = true
        case UInt8(ascii: "{"): depth += 1
        case UInt8(ascii: "}"): depth -= 1
        default: break
        }
        return depth == 0
    }

    /// Called when all parts were taken.
    /// - Throws: ``ImportError/malformed(path:place:reason:)`` where it ends too early.
    func finish(_ path: String) throws(ImportError) {
        guard form != .unknown else { throw .malformed(path: path, place: "byte 0", reason: "It is empty.") }
        guard depth == 0, form != .array else {
            throw .malformed(path: path, place: "byte \(bytes)", reason: "It ends before its end: it was cut off.")
        }
    }

    private func tooLarge(_ path: String) -> ImportError {
        .malformed(path: path, place: "object \(count + 1)", reason: "The object has more than a mebibyte.")
    }
}
