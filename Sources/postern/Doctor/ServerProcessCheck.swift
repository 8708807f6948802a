import FastCGI
import Glibc
import Journal

/// The limits under which servers run: enough descriptors, and no core dumps, which would hold every secret.
struct ServerProcessCheck: DoctorCheck {
    let name = "limits"
    let socket: String

    /// Each idle connection of a web server costs a descriptor.
    private static let fewestDescriptors: UInt64 = 4096

    func diagnose() -> Diagnosis {
        let processes = processes()
        var diagnosis = Diagnosis(
            state: processes.isEmpty ? "no server runs" : "process " + processes.map { "\($0)" }.joined(separator: ", ")
        )
        for process in processes {
            diagnosis.findings += Self.findings(of: process, in: SmallFile.text(at: "/proc/\(process)/limits") ?? "")
        }
        return diagnosis
    }

    /// - Parameter limits: What `/proc/PID/limits` holds.
    static func findings(of process: pid_t, in limits: String) -> [String] {
        var findings: [String] = []
        if let most = Self.softLimit("Max open files", in: limits), most < Self.fewestDescriptors {
            findings.append(
                "The server with process id \(process) may open only \(most) files: raise LimitNOFILE in its unit, or ulimit -n."
            )
        }
        if let core = Self.softLimit("Max core file size", in: limits), core > 0 {
            findings.append(
                "The server with process id \(process) may leave a core dump with the secrets in its memory: set LimitCORE=0."
            )
        }
        return findings
    }

    /// The one that listens; where systemd does, all that are called so.
    private func processes() -> [pid_t] {
        guard let address = ListenAddress(socket), let server = ServerSocket(address) else { return [] }
        if let pid = server.listeningProcess, Self.isServer(pid) { return [pid] }
        return (Folder.names(in: "/proc") ?? []).sorted().compactMap { pid_t($0) }.filter(Self.isServer)
    }

    private static func isServer(_ process: pid_t) -> Bool {
        let words = (SmallFile.text(at: "/proc/\(process)/cmdline") ?? "").split(separator: "\0")
        return words.count > 1 && (words[0] == "postern" || words[0].hasSuffix("/postern")) && words[1] == "serve"
    }

    /// proc(5): the name, the soft limit, the hard one, the unit. nil where it cannot be read, and for no limit.
    private static func softLimit(_ name: String, in limits: String) -> UInt64? {
        guard let line = limits.split(separator: "\n").first(where: { $0.hasPrefix(name) }) else { return nil }
        guard let word = line.dropFirst(name.count).split(separator: " ").first else { return nil }
        return word == "unlimited" ? .max : UInt64(word)
    }
}
