import Glibc
import Logging
import Postern

/// The logs of a running server, which follow the settings.
struct ServerLogs {
    private let log: LogOutput
    private let audit: LogOutput
    private let level: LogLevel
    let logger: Logger
    let auditLog: AuditLog

    /// - Throws: ``Failure``, exit code 73, when a file cannot be opened.
    init(_ settings: Settings) throws {
        do {
            log = try LogOutput(settings.log, format: settings.logFormat)
            audit = try LogOutput(settings.audit, format: settings.logFormat)
        } catch {
            throw Failure(.cannotCreate, error.description)
        }
        let (log, level) = (log, LogLevel(settings.logLevel))
        self.level = level
        logger = Logger(label: "postern") { _ in LineLogHandler(to: log, level: level) }
        auditLog = AuditLog(to: audit)
    }

    /// Opens the files again, by their paths, and lets what has changed in the settings count. What makes no sense, or
    /// cannot be opened, stays as it is, and the log says so.
    ///
    /// - Parameter current: What counts now.
    /// - Returns: What counts from now on.
    func reload(_ source: SettingsSource, current: Settings) -> Settings {
        var settings = current
        do {
            if let path = current.filePath, access(path, F_OK) != 0 {
                throw Failure(.noInput, "\(printable(path)) is gone.")
            }
            settings = try source.read()
        } catch {
            logger.error("the settings stay as they are: \(Failure(error)?.message ?? "\(error)")")
        }
        reopen(log, settings.log)
        reopen(audit, settings.audit)
        log.format = settings.logFormat
        audit.format = settings.logFormat
        level.value = settings.logLevel
        for setting in Setting.allCases
        where !setting.isReloaded && settings[setting].text != current[setting].text {
            logger.warning("\(setting.name) has changed, which counts from the next start on")
        }
        logger.info("settings and logs reloaded")
        return settings
    }

    private func reopen(_ output: LogOutput, _ target: LogOutput.Target) {
        do {
            try output.reopen(target)
        } catch {
            logger.error("\(error.description)")
        }
    }
}
