internal import Glibc

/// A body as fields: DRF's `request.data`.
///
/// The body has been checked as a whole, and is kept as it came, with the places of its fields. A view asks for few of
/// them, and what a field says is made when it asks: a client sends what it likes, and what nobody reads costs no more than
/// the check.
struct RequestData {
    /// What a field says.
    enum Value {
        /// UTF-8. Halves of surrogate pairs have become U+FFFD: the first is in `surrogate`.
        case text(ArraySlice<UInt8>, surrogate: UInt16?)
        /// A list of JSON: the texts in it; nil where an element is something else, or a text with half of a surrogate pair.
        case list([ArraySlice<UInt8>]?)
        /// Neither of both; an object without what is in it.
        case other(JSONValue)

        /// nil for what is no text.
        var text: ArraySlice<UInt8>? { if case .text(let text, nil) = self { text } else { nil } }

        /// Python's name of the type.
        var pythonType: String {
            switch self {
            case .text: "str"
            case .list: "list"
            case .other(let value): value.pythonType
            }
        }
    }

    /// A part of the body.
    struct Piece {
        enum Form {
            case utf8
            /// In ``RequestData/decoded``.
            case decoded(surrogate: UInt16?)
            case quoted(Postern.Form.Encoding)
            /// UTF-8, as far as it is.
            case bytes
            /// Likewise, in base64 if it is.
            case base64
            /// In ``RequestData/elements``.
            case texts
            /// A list of JSON with something else in it.
            case list
            /// JSON that is neither.
            case json
            case file
        }

        let place: Range<Int>
        let form: Form

        init(_ place: Range<Int>, _ form: Form) {
            self.place = place
            self.form = form
        }
    }

    struct Field {
        let name, value: Piece
    }

    /// An object, or another value of JSON without what is in it.
    let shape: JSONValue
    /// Whether a field that comes several times is a list.
    let isForm: Bool
    private let body: [UInt8]
    /// Texts that stand nowhere in the body as they are meant.
    private let decoded: [UInt8]
    /// Of all lists of texts.
    private let elements: [JSONReader.Text]
    private let fields: [Field]

    /// - Parameter body: In UTF-8, where it is JSON.
    init(
        _ body: [UInt8],
        _ fields: [Field],
        decoded: [UInt8] = [],
        elements: [JSONReader.Text] = [],
        shape: JSONValue = .object([]),
        isForm: Bool = true
    ) {
        self.shape = shape
        self.isForm = isForm
        self.body = body
        self.decoded = decoded
        self.elements = elements
        self.fields = fields
    }

    static let empty = RequestData([], [])

    /// - Throws: ``JSONError``
    init(json: [UInt8], _ limits: JSONReader.Limits) throws(JSONError) {
        let object = try JSONReader.object(in: json, limits)
        func piece(_ text: JSONReader.Text) -> Piece {
            Piece(text.place, text.isDecoded ? .decoded(surrogate: text.surrogate) : .utf8)
        }
        let fields = object.members.map { name, value in
            switch value {
            case .text(let text): Field(name: piece(name), value: piece(text))
            case .list(let places?): Field(name: piece(name), value: Piece(places, .texts))
            case .list(nil): Field(name: piece(name), value: Piece(0..<0, .list))
            case .other(let place): Field(name: piece(name), value: Piece(place, .json))
            }
        }
        self.init(
            json,
            fields,
            decoded: object.decoded,
            elements: object.elements,
            shape: object.shape,
            isForm: false
        )
    }

    // MARK: What a view asks for

    /// The last field of the name counts, as in Python.
    subscript(name: String) -> Value? { last(name).map { value(of: $0) } }

    func contains(_ name: String) -> Bool { last(name) != nil }

    /// nil where there is none, and for one that is no text.
    func text(_ name: String) -> ArraySlice<UInt8>? { self[name]?.text }

    /// All texts that fields of this name have, in order.
    func texts(_ name: String) -> [ArraySlice<UInt8>] {
        withTest(of: name) { isNamed in fields.filter(isNamed) }.compactMap { value(of: $0.value).text }
    }

    private func last(_ name: String) -> Piece? { withTest(of: name) { isNamed in fields.last(where: isNamed) }?.value }

    /// - Parameter find: Gets what tells whether a field has the name.
    @inline(__always)
    private func withTest<Result>(of name: String, _ find: ((Field) -> Bool) -> Result) -> Result {
        var name = name
        return name.withUTF8 { name in
            body.withUnsafeBufferPointer { body in
                decoded.withUnsafeBufferPointer { decoded in
                    find { Self.isName($0.name, name, body, decoded) }
                }
            }
        }
    }

    private func value(of piece: Piece) -> Value {
        switch piece.form {
        case .utf8: .text(body[piece.place], surrogate: nil)
        case .decoded(let surrogate): .text(decoded[piece.place], surrogate: surrogate)
        case .quoted(let encoding): .text(Form.unquoted(body[piece.place], encoding), surrogate: nil)
        case .bytes: .text(UTF8Text.repaired(body[piece.place]), surrogate: nil)
        // What is not base64 after all stays as it is.
        case .base64:
            .text(
                UTF8Text.repaired(Base64.decodeLeniently(body[piece.place])?[...] ?? body[piece.place]),
                surrogate: nil
            )
        case .texts: .list(texts(elements[piece.place]))
        case .list: .list(nil)
        // No view asks for what is in an object.
        case .json where body[piece.place.lowerBound] == UInt8(ascii: "{"): .other(.object([]))
        case .json: .other(JSONReader.value(at: piece.place, in: body))
        case .file: .other(.object([]))
        }
    }

    private func texts(_ elements: ArraySlice<JSONReader.Text>) -> [ArraySlice<UInt8>]? {
        var texts: [ArraySlice<UInt8>] = []
        texts.reserveCapacity(elements.count)
        for element in elements {
            guard element.surrogate == nil else { return nil }
            texts.append((element.isDecoded ? decoded : body)[element.place])
        }
        return texts
    }

    private static func isName(
        _ piece: Piece,
        _ name: UnsafeBufferPointer<UInt8>,
        _ body: UnsafeBufferPointer<UInt8>,
        _ decoded: UnsafeBufferPointer<UInt8>
    ) -> Bool {
        if case .quoted = piece.form { return Form.isName(UnsafeBufferPointer(rebasing: body[piece.place]), name) }
        guard piece.place.count == name.count else { return false }
        let typed = if case .decoded = piece.form { decoded } else { body }
        // As many bytes are compared as both have.
        guard let name = name.baseAddress, let typed = typed.baseAddress else { return true }
        return memcmp(typed + piece.place.lowerBound, name, piece.place.count) == 0
    }
}
