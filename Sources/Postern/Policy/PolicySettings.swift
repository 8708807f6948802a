internal import FastCGI
internal import Journal

/// What the parameters of a location say, before any name in them is resolved.
struct PolicySettings {
    private var values: [PolicyParameter: String] = [:]

    /// - Throws: ``PolicyError`` for a name we do not know, a name that comes twice, a value that is no
    ///   UTF-8 or holds a control character.
    init(_ parameters: Parameters) throws(PolicyError) {
        for position in 0..<parameters.count {
            let (name, value) = parameters[position]
            guard parameters.hasPrefix(PolicyParameter.prefix, at: position) else { continue }
            let nameText = String(decoding: name, as: UTF8.self)
            let valueText = String(decoding: value, as: UTF8.self)
            func error(_ reason: String) -> PolicyError {
                PolicyError(parameter: nameText, value: valueText, reason: reason)
            }
            guard let parameter = PolicyParameter(rawValue: nameText) else { throw error("is not known") }
            guard values[parameter] == nil else { throw error("is given twice in this location") }
            guard String(validating: value, as: UTF8.self) != nil, !value.contains(where: { $0 < 0x20 || $0 == 0x7F })
            else { throw error("is not plain UTF-8 text") }
            values[parameter] = valueText
        }
    }

    subscript(parameter: PolicyParameter) -> String? { values[parameter] }

    /// The words of a list; nil where the parameter is not given.
    func words(_ parameter: PolicyParameter) -> [String]? {
        values[parameter]?.split(separator: " ").map(String.init)
    }

    /// A span of time as ``TimeSpan`` writes it.
    func seconds(_ parameter: PolicyParameter, in range: ClosedRange<Int64>) throws(PolicyError) -> Int64? {
        guard let text = values[parameter] else { return nil }
        guard let seconds = TimeSpan.seconds(text) else {
            throw error(parameter, "is not a time as 90s, 5m, 12h or 14d")
        }
        guard range.contains(seconds) else {
            throw error(parameter, "is not from \(range.lowerBound)s to \(range.upperBound)s")
        }
        return seconds
    }

    func count(_ parameter: PolicyParameter, in range: ClosedRange<Int>) throws(PolicyError) -> Int? {
        guard let text = values[parameter] else { return nil }
        guard let number = Decimal.parse(Array(text.utf8)[...]).flatMap({ Int(exactly: $0) }), range.contains(number)
        else { throw error(parameter, "is not a number from \(range.lowerBound) to \(range.upperBound)") }
        return number
    }

    func flag(_ parameter: PolicyParameter) throws(PolicyError) -> Bool? {
        switch values[parameter] {
        case nil: nil
        case "on": true
        case "off": false
        default: throw error(parameter, "is neither on nor off")
        }
    }

    /// Which of two words it is; without it, the first.
    func isSecond(_ parameter: PolicyParameter, of first: String, _ second: String) throws(PolicyError) -> Bool {
        switch values[parameter] {
        case nil, first: false
        case second: true
        default: throw error(parameter, "is neither \(first) nor \(second)")
        }
    }

    /// The name of a cookie: a token (RFC 6265, section 4.1.1).
    func cookieName(_ parameter: PolicyParameter) throws(PolicyError) -> String? {
        guard let name = values[parameter] else { return nil }
        guard (1...64).contains(name.utf8.count), name.utf8.allSatisfy(ASCII.isTokenCharacter) else {
            throw error(parameter, "is not the name of a cookie")
        }
        return name
    }

    /// The words that may stand before a credential in `Authorization` (RFC 9110, section 11.1), of which challenges say the
    /// first. Never empty.
    func keywords(_ parameter: PolicyParameter, default word: String) throws(PolicyError) -> [String] {
        let keywords = words(parameter) ?? [word]
        guard !keywords.isEmpty, keywords.allSatisfy({ $0.utf8.allSatisfy(ASCII.isTokenCharacter) }) else {
            throw error(parameter, "is not one or more tokens of RFC 9110")
        }
        return keywords
    }

    /// An error about the value of `parameter`.
    func error(_ parameter: PolicyParameter, _ reason: String) -> PolicyError {
        PolicyError(parameter: parameter.rawValue, value: values[parameter] ?? "", reason: reason)
    }
}
