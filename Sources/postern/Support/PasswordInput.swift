import Glibc
import Postern

/// Reads a new password: from the terminal without echo and twice, else one line of standard input.
enum PasswordInput {
    static func newPassword(for name: String) throws -> [UInt8] {
        guard isatty(STDIN_FILENO) == 1 else {
            guard let line = try readLine(from: STDIN_FILENO) else {
                throw Failure(.noInput, "Standard input holds no password: write it there as one line.")
            }
            return line
        }
        let password = try prompt("Password for \(printable(name)): ")
        guard try prompt("Once more: ") == password else {
            throw Failure(.dataError, "The two passwords differ; nothing was changed.")
        }
        return password
    }

    /// What is typed at the prompt without echo, once; else all of standard input but the end of its one line. More lines
    /// are refused: what another program says before the secret must not become it.
    static func secret() throws -> [UInt8] {
        if isatty(STDIN_FILENO) == 1 { return try prompt("Secret: ") }
        // Far more than a secret has, so that a file of keys is told from one.
        guard var secret = WholeFile.bytes(of: STDIN_FILENO, atMost: 1 << 16) else {
            throw Failure(.inputOutput, "Standard input cannot be read.")
        }
        if let shape = KeyShape(of: secret) { throw NotASecretError(shape) }
        guard secret.count <= PasswordRules.maximumBytes else {
            throw Failure(.dataError, "The secret has more than \(PasswordRules.maximumBytes) bytes.")
        }
        if secret.last == 0x0A { secret.removeLast() }
        if secret.last == 0x0D { secret.removeLast() }
        guard !secret.isEmpty else { throw Failure(.noInput, "Standard input holds no secret: write it there.") }
        guard !secret.contains(0x0A) else {
            throw Failure(.dataError, "Standard input holds more than one line: write the secret there alone.")
        }
        return secret
    }

    private static func prompt(_ text: String) throws -> [UInt8] {
        var old = termios()
        guard tcgetattr(STDIN_FILENO, &old) == 0 else {
            throw Failure(.inputOutput, "The terminal cannot be asked for a password.")
        }
        var silent = old
        silent.c_lflag &= ~tcflag_t(ECHO | ICANON | ISIG)
        // Before the prompt: what was typed until now is thrown away, and what follows is not shown.
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent)
        defer {
            tcsetattr(STDIN_FILENO, TCSAFLUSH, &old)
            StandardError.write("\n")
        }
        StandardError.write(text)
        return try edit()
    }

    /// The keys of a line editor that shows nothing. Signals are off meanwhile, so that Ctrl-C cannot leave
    /// the terminal without echo.
    private static func edit() throws -> [UInt8] {
        var line: [UInt8] = []
        while let byte = try readByte(from: STDIN_FILENO) {
            switch byte {
            case 0x03: throw Failure(.temporary, "Interrupted; nothing was changed.")
            case 0x04, 0x0A, 0x0D: return line
            case 0x08, 0x7F:
                while let last = line.popLast(), last & 0xC0 == 0x80 {}
            case 0x15: line = []
            default: line.append(byte)
            }
        }
        return line
    }

    /// Without its line feed; nil at the end of the input.
    private static func readLine(from descriptor: Int32) throws -> [UInt8]? {
        var line: [UInt8] = []
        var isEmpty = true
        while let byte = try readByte(from: descriptor) {
            isEmpty = false
            if byte == 0x0A { break }
            line.append(byte)
            guard line.count <= PasswordRules.maximumBytes else { break }
        }
        return isEmpty ? nil : line
    }

    private static func readByte(from descriptor: Int32) throws -> UInt8? {
        var byte: UInt8 = 0
        while true {
            let count = read(descriptor, &byte, 1)
            if count == 1 { return byte }
            if count == 0 { return nil }
            guard errno == EINTR else { throw Failure(.inputOutput, "Standard input cannot be read.") }
        }
    }
}
