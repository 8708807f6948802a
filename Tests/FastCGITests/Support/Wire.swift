/// The bytes that a web server sends. FastCGI 1.0, section 3.3.
enum Wire {
    static func record(
        _ type: UInt8,
        id: UInt16 = 1,
        _ content: [UInt8] = [],
        padding: Int = 0,
        version: UInt8 = 1
    ) -> [UInt8] {
        let length = UInt16(content.count)
        return [
            version, type, UInt8(id >> 8), UInt8(id & 0xFF), UInt8(length >> 8), UInt8(length & 0xFF), UInt8(padding),
            0,
        ] + content + [UInt8](repeating: 0, count: padding)
    }

    static func begin(id: UInt16 = 1, role: UInt8 = 1, keep: Bool = true) -> [UInt8] {
        record(1, id: id, [0, role, keep ? 1 : 0, 0, 0, 0, 0, 0])
    }

    static func parameters(_ content: [UInt8], id: UInt16 = 1) -> [UInt8] { record(4, id: id, content) }
    static func body(_ content: [UInt8], id: UInt16 = 1) -> [UInt8] { record(5, id: id, content) }

    static func pair(_ name: String, _ value: [UInt8]) -> [UInt8] {
        length(name.utf8.count) + length(value.count) + Array(name.utf8) + value
    }

    static func pair(_ name: String, _ value: String) -> [UInt8] { pair(name, Array(value.utf8)) }

    static func length(_ count: Int) -> [UInt8] {
        count < 128 ? [UInt8(count)] : (0..<4).map { UInt8(count >> (24 - 8 * $0) & 0xFF) | ($0 == 0 ? 0x80 : 0) }
    }

    /// A request up to the end of its parameters.
    static func head(
        _ parameters: [(String, String)] = [("REQUEST_METHOD", "GET")],
        id: UInt16 = 1,
        role: UInt8 = 1,
        keep: Bool = true
    ) -> [UInt8] {
        begin(id: id, role: role, keep: keep)
            + self.parameters(parameters.flatMap { pair($0.0, $0.1) }, id: id) + self.parameters([], id: id)
    }

    /// A whole request; the body in records of 32 KiB.
    static func request(
        _ parameters: [(String, String)] = [("REQUEST_METHOD", "GET")],
        id: UInt16 = 1,
        role: UInt8 = 1,
        keep: Bool = true,
        body content: [UInt8] = []
    ) -> [UInt8] {
        var bytes = head(parameters, id: id, role: role, keep: keep)
        for start in stride(from: 0, to: content.count, by: 32_768) {
            bytes += body(Array(content[start..<min(start + 32_768, content.count)]), id: id)
        }
        return bytes + body([], id: id)
    }

    /// A request with a body and what goes with it.
    static func post(_ content: [UInt8], id: UInt16 = 1, keep: Bool = true, more: [(String, String)] = []) -> [UInt8] {
        request(
            [("REQUEST_METHOD", "POST"), ("CONTENT_LENGTH", String(content.count))] + more,
            id: id,
            keep: keep,
            body: content
        )
    }
}
