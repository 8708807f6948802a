extension Username {
    /// The name of a new user: composed as by Django's `AbstractBaseUser.normalize_username`, and one that nobody takes for
    /// another, by PRECIS's UsernameCasePreserved (RFC 8265) and UTS 39's Highly Restrictive.
    ///
    /// Names of ASCII are not looked at twice. Names that a store has, from an import or an older version, are good as they
    /// are: they are made by ``init(_:)``.
    /// - Throws: ``UsernameError`` with the rule that `bytes` break.
    public init(new bytes: some Sequence<UInt8>) throws(UsernameError) {
        let typed = try Username(bytes)
        guard !typed.bytes.allSatisfy(UTF8.isASCII) else {
            self = typed
            return
        }
        let scalars = Array(typed.description.unicodeScalars)
        let composed = NFKC.composed(scalars)
        try UsernameProfile.check(composed, typedAs: scalars)
        var text = String.UnicodeScalarView()
        text.append(contentsOf: composed)
        self = try Username(String(text).utf8)
    }

    /// Whether Django would have composed it to itself. Its login form finds nobody by another name.
    var isComposed: Bool { Array(NFKC.composed(description).utf8) == bytes }

    /// What Django's login form makes of a typed name (`UsernameField.to_python`): one that is too long stays as it is.
    static func composed(byFormFrom typed: String) -> String {
        typed.unicodeScalars.count > maximumLength ? typed : NFKC.composed(typed)
    }
}
