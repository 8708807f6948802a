internal import Glibc

/// A configuration as `nginx -T` prints it: the text of each file after a line that names it.
public struct NginxConfiguration: Sendable {
    public let servers: [ServerBlock]
    /// Directives of `http {}`, outermost.
    let http: Level
    /// `map "" $name { default "value"; }`: variables that are always the same.
    public let constants: [String: String]

    /// - Parameter dump: What `nginx -T` prints, or the text of one file without includes.
    /// - Throws: ``ConfigurationError`` with file and line.
    public init(dump: String) throws(ConfigurationError) {
        let files = Self.files(in: dump)
        guard let main = files.first else {
            throw ConfigurationError(file: "nginx -T", line: 1, reason: "holds no configuration")
        }
        var reader = IncludeReader(files: files, folder: Self.folder(of: main.path))
        let root = try reader.directives(of: main.path, main.text, depth: 0)
        http = Level(directives: root.first { $0.name == "http" }?.block ?? [])
        servers = http.directives.filter { $0.name == "server" }.map { [http] in ServerBlock($0, http: http) }
        constants = Self.constants(in: http)
    }

    /// The server that answers for a name at a port (ngx_http_core_module: `listen`, `server_name`).
    public func server(port: Int, name: String) -> ServerBlock? {
        let candidates = servers.filter { $0.listens(onPort: port) }
        return candidates.first { $0.isNamed(name) } ?? candidates.first { $0.isDefault(onPort: port) }
            ?? candidates.first
    }

    private static let marker = "# configuration file "

    private static func files(in dump: String) -> [(path: String, text: String)] {
        var files: [(path: String, text: String)] = []
        // A line feed ends a line, and does not begin another one.
        let text = dump.utf8.last == 0x0A ? dump.dropLast() : dump[...]
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix(marker), line.hasSuffix(":") {
                files.append((String(line.dropFirst(marker.count).dropLast()), ""))
            } else if files.isEmpty {
                // nginx says first that the syntax is good. A file alone begins at once.
                guard !line.hasPrefix("nginx: "), !line.isEmpty else { continue }
                files.append(("nginx.conf", line + "\n"))
            } else {
                files[files.count - 1].text += line + "\n"
            }
        }
        return files
    }

    private static func constants(in http: Level) -> [String: String] {
        var constants: [String: String] = [:]
        for map in http.directives where map.name == "map" && map.arguments.count == 2 && map.value.isEmpty {
            guard let value = map.block?.first(where: { $0.name == "default" })?.value else { continue }
            constants[String(map.arguments[1].dropFirst())] = value
        }
        return constants
    }

    fileprivate static func folder(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
    }
}

/// Puts in the place of each `include` what it names.
private struct IncludeReader {
    let files: [(path: String, text: String)]
    /// Of the main file, to which patterns are relative.
    let folder: String

    mutating func directives(
        of path: String,
        _ text: String,
        depth: Int
    ) throws(ConfigurationError) -> [Directive] {
        try resolved(try DirectiveParser.parse(text, file: path), depth: depth)
    }

    private mutating func resolved(_ directives: [Directive], depth: Int) throws(ConfigurationError) -> [Directive] {
        var result: [Directive] = []
        for directive in directives {
            if directive.name == "include", depth < 20 {
                let pattern = directive.value.hasPrefix("/") ? directive.value : folder + directive.value
                for file in files where fnmatch(pattern, file.path, FNM_PATHNAME) == 0 {
                    result += try self.directives(of: file.path, file.text, depth: depth + 1)
                }
            } else if let block = directive.block {
                result.append(
                    Directive(
                        name: directive.name,
                        arguments: directive.arguments,
                        block: try resolved(block, depth: depth),
                        file: directive.file,
                        line: directive.line
                    )
                )
            } else {
                result.append(directive)
            }
        }
        return result
    }
}
