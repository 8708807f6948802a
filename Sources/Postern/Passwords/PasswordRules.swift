/// What a new password must be (NIST SP 800-63B-4, 3.1.1.2; OWASP ASVS 5.0, V6.2): long, and not among
/// those that are guessed first. No rule asks for kinds of characters.
public struct PasswordRules: Sendable {
    /// Beyond this many bytes a password is refused as a new one, and is simply wrong at a login.
    public static let maximumBytes = 1024

    /// No setting goes below this many code points.
    public static let lowestMinimum = 8

    /// Code points that a new password has at least.
    public let minimumLength: Int

    /// - Parameter minimumLength: In code points; at least ``lowestMinimum``.
    public init(minimumLength: Int = 15) {
        self.minimumLength = max(minimumLength, Self.lowestMinimum)
    }

    /// - Throws: ``PasswordError/refused(_:)`` with the rule that the password breaks.
    public func check(_ password: [UInt8], for username: Username) throws(PasswordError) {
        guard let text = String(validating: password, as: UTF8.self) else {
            throw .refused("The password has to be valid UTF-8.")
        }
        guard password.count <= Self.maximumBytes else {
            throw .refused("The password has more than \(Self.maximumBytes) bytes.")
        }
        guard text.unicodeScalars.count >= minimumLength else {
            throw .refused("The password needs at least \(minimumLength) characters.")
        }
        guard password != username.bytes else { throw .refused("The password is the username.") }
        guard !CommonPasswords.contain(text, context: [username.description, "postern"]) else {
            throw .refused(
                "The password is too easy to guess: it is one or two common words, or the username, and little else."
            )
        }
    }
}

/// Why a password was not accepted, or could not be judged.
public enum PasswordError: Error, Equatable {
    /// A rule for new passwords that this one breaks, as a sentence.
    case refused(String)
    /// Too many passwords wait to be hashed, or there is no memory for it: try again later.
    case unavailable
}
