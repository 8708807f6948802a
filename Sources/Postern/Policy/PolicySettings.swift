internal import FastCGI

/// What the parameters of a location say, before any name in them is resolved.
struct PolicySettings {
    private var values: [PolicyParameter: String] = [:]

    /// - Throws: ``PolicyError`` for a name we do not know, a name that comes twice, a value that is no
    ///   UTF-8 or holds a control character.
    init(_ parameters: Parameters) throws(PolicyError) {
        for position in 0..<parameters.count {
            let (name, value) = parameters[position]
            guard name.starts(with: PolicyParameter.prefix) else { continue }
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

    /// An error about the value of `parameter`.
    func error(_ parameter: PolicyParameter, _ reason: String) -> PolicyError {
        PolicyError(parameter: parameter.rawValue, value: values[parameter] ?? "", reason: reason)
    }
}
