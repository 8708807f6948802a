/// Content negotiation for answers that are always JSON: DRF's `DefaultContentNegotiation`, with
/// `JSONRenderer` as the only renderer.
enum Negotiation {
    /// Whether whoever asks is a browser that shows a page, at a view that has both pages and JSON.
    static func prefersHTML(_ request: APIRequest) -> Bool {
        if request.isJSON { return false }
        let ranges = (request.accept ?? []).split(separator: UInt8(ascii: ",")).map { MediaType(MediaType.trimmed($0)) }
        func names(_ type: String, _ subtype: String) -> Bool {
            ranges.contains { $0.type.elementsEqual(type.utf8) && $0.subtype.elementsEqual(subtype.utf8) }
        }
        return names("text", "html") || !names("application", "json")
    }

    /// - Parameters:
    ///   - accept: The field `Accept`; nil when there is none.
    ///   - query: Where `format` may ask for another form than JSON.
    /// - Returns: The spaces of one level of indentation that the client asked for, 1 to 8, or nil.
    /// - Throws: 404 for another `format`, 406 when JSON is not acceptable.
    static func indent(accept: ArraySlice<UInt8>?, query: ArraySlice<UInt8>) throws(APIError) -> Int? {
        if !query.isEmpty, let format = Form.lastValue(of: "format", in: query), !format.isEmpty, format != "json" {
            throw .notFound
        }
        guard let accept, !accept.elementsEqual("*/*".utf8) else { return nil }
        var best: MediaType?
        for range in accept.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
            let range = MediaType(MediaType.trimmed(range))
            guard range.matches("application", "json"), range.precedence > best?.precedence ?? -1 else { continue }
            best = range
        }
        guard let best else { throw .notAcceptable }
        guard let text = best.parameter("indent"), let indent = Int(String(decoding: text, as: UTF8.self)), indent > 0
        else { return nil }
        return min(indent, 8)
    }
}
