/// Reads a body by its media type, as DRF's `Request._parse` does with its default parsers.
enum BodyParser {
    /// What is read of a body at most.
    struct Limits {
        let bytes: Int
        /// Members of a JSON object, fields of a form.
        let fields: Int
        /// Of JSON.
        let values: Int

        /// As many fields as Django takes, and as many values as the longest list of permissions that fits.
        static let ofUser = Limits(bytes: Application.maximumBody, fields: Form.maximumFields, values: 3000)

        /// Of those who have not shown who they are. A username and a password of the greatest length fit, however they are
        /// written, and reading them costs about what reading the longest header does.
        static let ofNobody = Limits(bytes: 16 * 1024, fields: 100, values: 200)
    }

    /// - Parameters:
    ///   - contentType: The field `Content-Type`; nil when there is none.
    ///   - order: Of the parsers: the first that the type, or a range in its place, fits reads the body.
    /// - Returns: What a serializer validates; without a field for an empty body, whatever its type.
    static func parse(
        _ body: [UInt8],
        contentType: ArraySlice<UInt8>?,
        order: [BodyFormat],
        _ limits: Limits
    ) throws(ParseError) -> RequestData {
        guard !body.isEmpty else { return .empty }
        let type = MediaType(contentType ?? [])
        switch order.first(where: { $0.fits(type) }) {
        case .json?:
            do {
                return try RequestData(
                    json: try Charset(of: type).utf8(body),
                    JSONReader.Limits(values: limits.values, members: limits.fields)
                )
            } catch ParseError.malformed(let reason) {
                throw .malformed("JSON parse error - \(reason)")
            } catch {
                throw .malformed("JSON parse error - \(error)")
            }
        case .form?:
            return RequestData(body, try Form.fields(in: body, charset: Charset(of: type), limit: limits.fields))
        case .multipart?: return try Multipart.data(in: body, type: type, limit: limits.fields)
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
