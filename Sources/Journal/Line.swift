internal import Glibc

/// A line with a checksum that holds: what stands in it, a TAB, eight digits and a line feed.
struct Line {
    /// Bytes before the TAB and the checksum.
    let contentLength: Int
    let checksum: UInt32

    /// With the TAB, the checksum and the line feed.
    var length: Int { contentLength + Self.endLength }

    static let endLength = 10

    /// nil when `bytes` do not begin with a whole line whose checksum goes on from `seed`.
    init?(_ bytes: UnsafeRawBufferPointer, seed: UInt32) {
        guard let feed = bytes.offset(of: 0x0A) else { return nil }
        let contentLength = feed + 1 - Self.endLength
        guard contentLength > 0, bytes[contentLength] == 0x09,
            let checksum = Hexadecimal.word(bytes, at: contentLength + 1),
            checksum == CRC32.castagnoli.checksum(of: bytes.prefix(contentLength), seed: seed)
        else { return nil }
        self.contentLength = contentLength
        self.checksum = checksum
    }

    init?(_ bytes: ArraySlice<UInt8>, seed: UInt32) {
        guard let line = bytes.withUnsafeBytes({ Line($0, seed: seed) }) else { return nil }
        self = line
    }

    /// The TAB, the digits and the line feed that end a line.
    static func checksum(_ content: [UInt8], seed: UInt32) -> [UInt8] {
        var bytes: [UInt8] = []
        end(with: CRC32.castagnoli.checksum(of: content, seed: seed), in: &bytes)
        return bytes
    }

    static func end(with checksum: UInt32, in bytes: inout [UInt8]) {
        bytes.append(0x09)
        Hexadecimal.write(checksum, into: &bytes)
        bytes.append(0x0A)
    }
}

extension UnsafeRawBufferPointer {
    func prefix(_ count: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: self[..<Swift.min(count, self.count)])
    }

    func dropFirst(_ count: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: self[Swift.min(count, self.count)...])
    }

    func equals(_ other: UnsafeRawBufferPointer) -> Bool {
        guard count == other.count else { return false }
        guard let bytes = baseAddress, let others = other.baseAddress else { return true }
        return memcmp(bytes, others, count) == 0
    }

    package func equals(_ text: StaticString) -> Bool {
        equals(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// Of the first such byte.
    func offset(of byte: UInt8) -> Int? {
        guard let start = baseAddress, let found = memchr(start, Int32(byte), count) else { return nil }
        return UnsafeRawPointer(found) - start
    }

    /// Takes what stands before the next TAB, or all that is left; both are gone then. nil when nothing is left.
    static func takeColumn(of rest: inout UnsafeRawBufferPointer?) -> UnsafeRawBufferPointer? {
        guard let all = rest else { return nil }
        guard let length = all.offset(of: 0x09) else {
            rest = nil
            return all
        }
        rest = all.dropFirst(length + 1)
        return all.prefix(length)
    }
}
