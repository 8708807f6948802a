extension JSONReader {
    /// CPython's `sys.get_int_max_str_digits()`: integers of more digits are refused.
    private static let maximumDigits = 4300

    /// nil where none begins.
    mutating func number(isKept: Bool) throws(JSONError) -> JSONValue? {
        let start = position
        if isNext(UInt8(ascii: "-")) { position += 1 }
        let digitsStart = position
        if isNext(UInt8(ascii: "0")) { position += 1 } else { skipDigits() }
        guard position > digitsStart else {
            position = start
            return nil
        }
        let digitsEnd = position
        var isInteger = true
        if isNext(UInt8(ascii: ".")), isDigit(at: position + 1) {
            position += 1
            skipDigits()
            isInteger = false
        }
        if isNext(UInt8(ascii: "e")) || isNext(UInt8(ascii: "E")) {
            let hasSign =
                position + 1 < bytes.count
                && (bytes[position + 1] == UInt8(ascii: "+") || bytes[position + 1] == UInt8(ascii: "-"))
            if isDigit(at: position + (hasSign ? 2 : 1)) {
                position += hasSign ? 2 : 1
                skipDigits()
                isInteger = false
            }
        }
        if isInteger, digitsEnd - digitsStart > Self.maximumDigits {
            throw JSONError(
                "Exceeds the limit (\(Self.maximumDigits) digits) for integer string conversion: value has \(digitsEnd - digitsStart) digits; use sys.set_int_max_str_digits() to increase the limit"
            )
        }
        guard isKept else { return isInteger ? .integer(0) : .number(0) }
        if isInteger, digitsEnd - digitsStart <= 18 {
            var number: Int64 = 0
            for place in digitsStart..<digitsEnd { number = number &* 10 &+ Int64(bytes[place] &- UInt8(ascii: "0")) }
            return .integer(digitsStart > start ? -number : number)
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isInteger { return Int64(text).map { .integer($0) } ?? .bigInteger(text) }
        return .number(Double(text) ?? .infinity)
    }

    private mutating func skipDigits() {
        position = ByteSearch.end(of: UnsafeRawBufferPointer(bytes), from: position) { word in
            // The highest bit of each byte that is no digit. A carry goes to bytes behind one that is marked.
            let digits = word ^ ByteSearch.ones &* 0x30
            return digits &+ ByteSearch.ones &* 0x76 | digits
        }
    }

    private func isDigit(at position: Int) -> Bool {
        position < bytes.count && bytes[position] &- UInt8(ascii: "0") < 10
    }
}
