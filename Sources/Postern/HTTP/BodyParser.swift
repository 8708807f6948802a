/// Reads a body by its media type, as DRF's `Request._parse` does with its default parsers.
enum BodyParser {
    /// Views read texts, numbers and lists of texts. As many members as a form may have fields, and as many values as the
    /// longest list of permissions that fits in a body.
    private static let limits = JSONReader.Limits(keptDepth: 2, values: 3000, members: Form.maximumFields)

    /// - Parameters:
    ///   - contentType: The field `Content-Type`; nil when there is none.
    ///   - order: Of the parsers: the first that the type, or a range in its place, fits reads the body.
    /// - Returns: What a serializer validates; an empty object for an empty body, whatever its type.
    static func parse(
        _ body: [UInt8],
        contentType: ArraySlice<UInt8>?,
        order: [BodyFormat]
    ) throws(ParseError) -> JSONValue {
        guard !body.isEmpty else { return .object([]) }
        let type = MediaType(contentType ?? [])
        switch order.first(where: { $0.fits(type) }) {
        case .json?:
            do {
                return try JSONReader.read(body, limits)
            } catch {
                throw .malformed("JSON parse error - \(error)")
            }
        case .form?: return .object(try Form.fields(in: body))
        case .multipart?: return .object(try Multipart.fields(in: body, type: type))
        // As WSGI hands it to DRF.
        case nil: throw .unsupportedMediaType(Latin1.excerpt(contentType ?? []))
        }
    }
}

/// How a body is written, in the order of DRF's default parsers.
public enum BodyFormat: String, Sendable, CaseIterable {
    case json = "application/json"
    case form = "application/x-www-form-urlencoded"
    case multipart = "multipart/form-data"

    func fits(_ type: MediaType) -> Bool {
        switch self {
        case .json: type.matches("application", "json")
        case .form: type.matches("application", "x-www-form-urlencoded")
        case .multipart: type.matches("multipart", "form-data")
        }
    }
}

/// Why a body cannot be read.
enum ParseError: Error, Equatable {
    case malformed(String)
    /// The text of `Content-Type`, as far as an answer repeats it.
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
