/// DRF's `CharField`.
struct CharField {
    let name: String
    var trimsWhitespace = true
    var isRequired = true
    var allowsBlank = false
    /// DRF's takes a number for its digits; views that are ours alone do not.
    var takesNumbers = true
    /// In code points; nil: none.
    var maximumLength: Int?

    struct Messages: Error {
        let texts: [String]

        init(_ texts: String...) { self.init(texts: texts) }

        init(texts: [String]) { self.texts = texts }
    }

    /// - Parameter value: nil when the body has no such field.
    /// - Returns: UTF-8.
    func validate(_ value: RequestData.Value?) -> Result<ArraySlice<UInt8>, Messages> {
        var surrogate: UInt16?
        let text: ArraySlice<UInt8>
        switch value {
        case nil: return .failure(Messages("This field is required."))
        case .other(.null): return .failure(Messages("This field may not be null."))
        case .text(let string, let half): (text, surrogate) = (string, half)
        case .other(.integer(let number)) where takesNumbers: text = Array(String(number).utf8)[...]
        case .other(.bigInteger(let digits)) where takesNumbers: text = Array(digits.utf8)[...]
        case .other(.number(let number)) where takesNumbers: text = Array(number.description.utf8)[...]
        case .list, .other: return .failure(Messages("Not a valid string."))
        }
        let trimmed = trimsWhitespace ? PythonText.trimmed(text) : text
        guard allowsBlank || !trimmed.isEmpty else { return .failure(Messages("This field may not be blank.")) }
        var messages: [String] = []
        if ByteSearch.place(of: 0, in: text) != nil { messages.append("Null characters are not allowed.") }
        if let surrogate {
            messages.append("Surrogate characters are not allowed: U+\(String(surrogate, radix: 16, uppercase: true)).")
        }
        if let maximumLength, PythonText.isLonger(trimmed, than: maximumLength) {
            messages.append("Ensure this field has no more than \(maximumLength) characters.")
        }
        return messages.isEmpty ? .success(trimmed) : .failure(Messages(texts: messages))
    }
}
