import Glibc
import Logging
import Postern

/// The sentence with which a server refuses to start, for a person who does not see its standard error: spawn-fcgi makes that
/// `/dev/null`, others close it. It goes to syslog(3), and to the log file where the settings name one.
enum Refusal {
    /// - Parameter settings: nil where the settings themselves are at fault.
    static func tell(_ message: String, _ settings: Settings? = nil) {
        guard !StandardError.isRead else { return }
        sendToSyslog(message)
        guard let settings, case .file = settings.log,
            let log = try? LogOutput(settings.log, format: settings.logFormat)
        else { return }
        Logger(label: "postern") { _ in LineLogHandler(to: log, level: LogLevel(.error)) }.error("\(message)")
    }

    private static func sendToSyslog(_ message: String) {
        // A record is a line.
        let line = String(message.map { $0.isNewline ? " " : $0 })
        "postern".withCString { name in
            line.withCString { line in
                openlog(name, LOG_PID, LOG_DAEMON)
                withVaList([line]) { vsyslog(LOG_DAEMON | LOG_ERR, "%s", $0) }
                closelog()
            }
        }
    }
}
