internal import CUnicode

/// Scripts in which a character is used (UAX 24, Script_Extensions), of those that UAX 31 recommends for identifiers.
struct ScriptSet: OptionSet {
    let rawValue: UInt32

    /// Empty for a character that no name holds, all scripts for one that belongs to none, as digits and most marks.
    init(of scalar: Unicode.Scalar) { rawValue = unicode_scripts(scalar.value) }

    init(rawValue: UInt32) { self.rawValue = rawValue }

    static let all = ScriptSet(of: "0")
    static let latin = ScriptSet(of: "a")
    static let greek = ScriptSet(of: "α")
    static let hebrew = ScriptSet(of: "א")
    static let (han, hiragana, katakana) = (ScriptSet(of: "一"), ScriptSet(of: "あ"), ScriptSet(of: "ア"))
    static let (bopomofo, hangul) = (ScriptSet(of: "ㄅ"), ScriptSet(of: "가"))

    /// Those that are written from right to left.
    static let rightToLeft: ScriptSet = [ScriptSet(of: "ا"), hebrew, ScriptSet(of: "ހ")]

    /// Scripts that one name may mix (UTS 39, section 5.2, Highly Restrictive).
    static let writtenTogether: [ScriptSet] = [
        [latin, han, hiragana, katakana], [latin, han, bopomofo], [latin, han, hangul],
    ]
}
