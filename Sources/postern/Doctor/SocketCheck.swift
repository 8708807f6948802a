import FastCGI
import Glibc

/// Whether the server's socket is there, is for the web server alone, and answers.
struct SocketCheck: DoctorCheck {
    let name = "socket"
    let address: String

    func diagnose() -> Diagnosis {
        guard let parsed = ListenAddress(address) else {
            return Diagnosis(findings: [
                "\(address) is not an address: write --socket /path.sock, 127.0.0.1:9000 or [::1]:9000."
            ])
        }
        var findings: [String] = []
        if case .unix(let path) = parsed {
            var status = stat()
            guard lstat(path, &status) == 0 else {
                return Diagnosis(findings: [
                    "There is no socket \(path): run systemctl start postern.socket, or name the one there is with --socket."
                ])
            }
            guard status.st_mode & S_IFMT == S_IFSOCK else {
                return Diagnosis(findings: ["\(path) is not a socket: remove it, and start the server again."])
            }
            findings = modeFindings(path, status)
        }
        guard let server = ServerSocket(parsed) else {
            // The socket is the web server's: the owner of the store may not connect to it, and need not.
            guard errno != EACCES else {
                return Diagnosis(state: "not allowed to connect: root can say who answers", findings: findings)
            }
            return Diagnosis(
                findings: findings + [
                    "Nobody answers on \(address) (\(String(cString: strerror(errno)))): start the server, or run this as root."
                ]
            )
        }
        let answer = server.health()
        guard let answer else {
            return Diagnosis(
                findings: findings + ["The server on \(address) gives no answer: see its log, and restart it."]
            )
        }
        if !Self.isGood(answer) {
            findings.append(
                "The server on \(address) says that it cannot answer requests: \(Self.body(of: answer)): see its log, and postern store check."
            )
        }
        return Diagnosis(state: "\(address) answers", findings: findings)
    }

    /// Whoever can connect decides who is let in.
    private func modeFindings(_ path: String, _ status: stat) -> [String] {
        guard status.st_mode & 0o006 != 0 else { return [] }
        return [
            "Everybody can connect to \(path) and claim to be anybody: chmod o= \(path), or SocketMode=0660 in postern.socket."
        ]
    }

    /// Without a field `Status` it is 200 (RFC 3875, section 6.3.3).
    static func isGood(_ answer: String) -> Bool {
        let head = answer.prefix { $0 != "\r\n" && $0 != "\n" }
        return !head.hasPrefix("Status:") || head.hasPrefix("Status: 200")
    }

    static func body(of answer: String) -> String {
        answer.split(omittingEmptySubsequences: false) { $0.isNewline }.last.map(String.init) ?? ""
    }
}
