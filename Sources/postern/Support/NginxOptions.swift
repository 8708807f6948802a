import ArgumentParser
import Glibc

/// Where the configuration of nginx comes from.
struct NginxOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "What nginx -T has printed: a file, or - for standard input.",
            discussion: "Without it, nginx -T is run.",
            valueName: "path"
        ),
        completion: .file()
    )
    var config: String?
    @Option(help: ArgumentHelp("The program to run.", valueName: "path"), completion: .file())
    var nginx = "nginx"

    /// What was handed over, or what nginx prints.
    /// - Throws: ``Failure`` when there is neither.
    func text() throws -> String {
        if let config {
            guard let stream = config == "-" ? fdopen(STDIN_FILENO, "r") : fopen(config, "r") else {
                throw Failure(.noInput, "--config \(printable(config)) cannot be read.")
            }
            return Self.read(stream)
        }
        // Debian's nginx is not in everybody's path.
        let program =
            "'" + nginx.split(separator: "'", omittingEmptySubsequences: false).joined(separator: #"'\''"#) + "'"
        guard let stream = popen("PATH=$PATH:/usr/sbin exec \(program) -T 2>/dev/null", "r") else {
            throw Failure(.operatingSystem, "\(printable(nginx)) cannot be run.")
        }
        let text = Self.read(stream)
        guard pclose(stream) == 0 else {
            throw Failure(
                .noInput,
                "\(printable(nginx)) -T fails: run it as root, mend what nginx -t says, or hand over what it printed with --config."
            )
        }
        return text
    }

    private static func read(_ stream: UnsafeMutablePointer<FILE>) -> String {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = fread(&buffer, 1, buffer.count, stream)
            guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
            bytes += buffer[..<count]
        }
    }
}
