/// Reads a body by its media type, as DRF's `Request._parse` does with its default parsers.
enum BodyParser {
    /// - Parameter contentType: The field `Content-Type`; nil when there is none.
    /// - Returns: What a serializer validates; an empty object for an empty body, whatever its type.
    static func parse(_ body: [UInt8], contentType: ArraySlice<UInt8>?) throws(ParseError) -> JSONValue {
        guard !body.isEmpty else { return .object([]) }
        let type = MediaType(contentType ?? [])
        if type.matches("application", "x-www-form-urlencoded") { return .object(try Form.fields(in: body)) }
        if type.matches("multipart", "form-data") { return .object(try Multipart.fields(in: body, type: type)) }
        guard type.matches("application", "json") else {
            // As WSGI hands it to DRF.
            throw .unsupportedMediaType(String(decoding: Latin1.utf8(Array(contentType ?? [])), as: UTF8.self))
        }
        do {
            return try JSONReader.read(body)
        } catch {
            throw .malformed("JSON parse error - \(error)")
        }
    }
}

/// Why a body cannot be read.
enum ParseError: Error, Equatable {
    case malformed(String)
    /// The text of `Content-Type`, whole.
    case unsupportedMediaType(String)
}

extension APIError {
    init(_ error: ParseError) {
        switch error {
        case .malformed(let text): self = .parseError(text)
        case .unsupportedMediaType(let type): self = .unsupportedMediaType(type)
        }
    }
}
