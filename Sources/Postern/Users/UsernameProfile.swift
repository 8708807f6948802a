/// What the name of a new user may be: a name of PRECIS's UsernameCasePreserved (RFC 8265, section 3.4), in one script or in
/// those of Chinese, Japanese or Korean beside Latin (UTS 39, section 5.2, Highly Restrictive). So nobody is called by letters
/// that cannot be seen, nor by another script's letters that look like those of somebody's name.
///
/// The table of ``ScriptSet`` has the characters. Here are the rules on what stands beside what.
enum UsernameProfile {
    /// - Parameters:
    ///   - name: Composed, see ``NFKC``.
    ///   - typed: What it was composed of: messages name characters of that.
    static func check(_ name: [Unicode.Scalar], typedAs typed: [Unicode.Scalar]) throws(UsernameError) {
        let scripts = name.map(ScriptSet.init(of:))
        if let place = scripts.firstIndex(of: []) {
            let (scalar, origin) = (name[place], origin(of: name[place], in: typed))
            throw scalar.properties.isDefaultIgnorableCodePoint ? .invisible(origin) : .unusual(origin)
        }
        if let place = stranger(in: scripts) { throw .mixedScripts(name[place]) }
        try checkDigits(of: name)
        for place in name.indices where !isAtHome(place, in: name) { throw .misplaced(name[place]) }
        if scripts.contains(where: { $0.isSubset(of: .rightToLeft) }) { try checkEnds(of: name) }
    }

    private static func origin(of scalar: Unicode.Scalar, in typed: [Unicode.Scalar]) -> Unicode.Scalar {
        typed.first { NFKC.composed(CollectionOfOne($0)).contains(scalar) } ?? scalar
    }

    /// The place of a character of another script than the rest: beside Latin the other one, or else the later one.
    private static func stranger(in scripts: [ScriptSet]) -> Int? {
        var common = ScriptSet.all
        for place in scripts.indices {
            common.formIntersection(scripts[place])
            guard common.isEmpty else { continue }
            let isTogether = ScriptSet.writtenTogether.contains { set in
                scripts.allSatisfy { !$0.isDisjoint(with: set) }
            }
            guard !isTogether else { return nil }
            return scripts.contains(.latin) ? scripts.firstIndex { !$0.contains(.latin) } : place
        }
        return nil
    }

    /// Digits are all of one kind (UTS 39, section 5.3; RFC 5892, A.8 and A.9): Bengal's ৪ looks like 8.
    private static func checkDigits(of name: [Unicode.Scalar]) throws(UsernameError) {
        var zero: UInt32?
        for scalar in name {
            guard scalar.properties.generalCategory == .decimalNumber, let value = scalar.properties.numericValue
            else { continue }
            let ownZero = scalar.value - UInt32(value)
            guard zero ?? ownZero == ownZero else { throw .mixedDigits(scalar) }
            zero = ownZero
        }
    }

    /// Whether the characters beside it let one stand where it does.
    private static func isAtHome(_ place: Int, in name: [Unicode.Scalar]) -> Bool {
        let scalar = name[place]
        let before = place > 0 ? name[place - 1] : nil
        let after = place + 1 < name.count ? name[place + 1] : nil
        if isMark(scalar) {
            // It belongs to a letter, and twice in a row it looks like once (UTS 39, section 5.4).
            return before.map { (isLetter($0) || isMark($0)) && $0 != scalar } ?? false
        }
        // RFC 5892, A.3 to A.7.
        switch scalar {
        case "\u{B7}": return before == "l" && after == "l"
        case "\u{375}": return after.map { ScriptSet(of: $0) == .greek } ?? false
        case "\u{5F3}", "\u{5F4}": return before.map { ScriptSet(of: $0) == .hebrew } ?? false
        case "\u{30FB}": return name.contains { ScriptSet(of: $0).isSubset(of: [.han, .hiragana, .katakana]) }
        default: return true
        }
    }

    /// A name that is written from right to left begins with a letter, and ends with a letter or a digit (RFC 5893, section 2,
    /// rules 1 and 3): other ends would be shown beside what follows. Its other rules follow from the one script.
    private static func checkEnds(of name: [Unicode.Scalar]) throws(UsernameError) {
        if let first = name.first, !isLetter(first) { throw .openEnd(first) }
        if let last = name.last(where: { !isMark($0) }), !isLetter(last),
            last.properties.generalCategory != .decimalNumber
        {
            throw .openEnd(last)
        }
    }

    private static func isMark(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .spacingMark: true
        default: false
        }
    }

    private static func isLetter(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .modifierLetter, .otherLetter: true
        default: false
        }
    }
}
