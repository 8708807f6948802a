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
        let mantissaEnd = position
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
        if isInteger {
            let text = text(at: start..<position)
            return Int64(text).map { .integer($0) } ?? .bigInteger(text)
        }
        guard position - digitsStart > Self.significantDigits else {
            return .number(Double(text(at: start..<position)) ?? .infinity)
        }
        let number = Double(shortened(digitsStart..<mantissaEnd, point: digitsEnd)) ?? .infinity
        return .number(digitsStart > start ? -number : number)
    }

    /// More digits than the middle between two numbers of 64 bits has (767): of those behind, it counts only whether there is one
    /// that is not zero.
    private static let significantDigits = 800

    /// The same number to a `Double`, without its sign, in digits that are few enough for the C library to read them one by
    /// one. It ends at ``position``.
    /// - Parameters:
    ///   - mantissa: Up to the exponent.
    ///   - point: Where the digits end that stand before the point.
    private func shortened(_ mantissa: Range<Int>, point: Int) -> String {
        let digits = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[..<mantissa.upperBound])
        func endOfZeros(from start: Int) -> Int {
            ByteSearch.end(of: digits, from: start) { word in
                ByteSearch.differs(word, from: 0x30) & ByteSearch.differs(word, from: 0x2E)
            }
        }
        let first = endOfZeros(from: mantissa.lowerBound)
        let end = min(first + Self.significantDigits, digits.count)
        let significant = String(decoding: bytes[first..<end].filter { $0 != UInt8(ascii: ".") }, as: UTF8.self)
        let isMore = endOfZeros(from: end) < digits.count
        let exponent = mantissa.upperBound < position ? text(at: mantissa.upperBound + 1..<position) : "0"
        // Any number with such an exponent is infinite, or zero.
        let power = Int(exponent) ?? (exponent.hasPrefix("-") ? -1_000_000_000 : 1_000_000_000)
        return "0.\(significant)\(isMore ? 1 : 0)e\(power + point - first + (first > point ? 1 : 0))"
    }

    private func text(at place: Range<Int>) -> String { String(decoding: bytes[place], as: UTF8.self) }

    private mutating func skipDigits() {
        position = ByteSearch.end(
            of: UnsafeRawBufferPointer(bytes),
            from: position,
            { word in
                // The highest bit of each byte that is no digit. A carry goes to bytes behind one that is marked.
                let digits = word ^ ByteSearch.ones &* 0x30
                return digits &+ ByteSearch.ones &* 0x76 | digits
            },
            { ($0 &- 0x30 > 9).bit }
        )
    }

    private func isDigit(at position: Int) -> Bool {
        position < bytes.count && bytes[position] &- UInt8(ascii: "0") < 10
    }
}
