import Foundation
import Testing

/// The licence of the sources, and those of all that a binary contains.
@Suite("Licences")
struct LicenceTests {
    private static func text(_ path: String) throws -> String {
        try String(contentsOfFile: Site.sources + "/" + path, encoding: .utf8)
    }

    @Test("The licence is Apache's, version 2.0, word for word")
    func licence() throws {
        let ours = try Self.text("LICENSE")
        #expect(ours.contains("Apache License\n                           Version 2.0, January 2004\n"))
        #expect(ours.contains("END OF TERMS AND CONDITIONS"))
        let debians = "/usr/share/common-licenses/Apache-2.0"
        if let text = try? String(contentsOfFile: debians, encoding: .utf8) { #expect(ours == text) }
    }

    @Test("The copyright names each package that the program is built of, and NOTICE has its notice")
    func dependencies() throws {
        struct Resolved: Decodable {
            struct Pin: Decodable { let identity: String }
            let pins: [Pin]
        }
        let pins = try JSONDecoder().decode(Resolved.self, from: Data(Self.text("Package.resolved").utf8)).pins
        #expect(pins.count >= 3)
        let program = try #require(try Self.paragraphs().first { $0["Files"] == "usr/bin/postern" })
        let contents = try #require(program["Comment"])
        let notice = try Self.text("NOTICE")
        for pin in pins {
            #expect(contents.contains(pin.identity), "\(pin.identity) is not in debian/copyright")
            let folder = Site.checkouts + "/" + pin.identity
            #expect(
                try String(contentsOfFile: folder + "/LICENSE.txt", encoding: .utf8).contains("Apache License"),
                "\(pin.identity)"
            )
            guard let its = try? String(contentsOfFile: folder + "/NOTICE.txt", encoding: .utf8) else { continue }
            #expect(notice.contains(its), "The notice of \(pin.identity) has changed: copy it to NOTICE.")
        }
        // Parts of those packages that are others' work.
        for name in try FileManager.default.contentsOfDirectory(
            atPath: Site.checkouts + "/swift-crypto/Sources"
        ) where name.hasPrefix("C") && !name.hasPrefix("Crypto") && !name.hasSuffix("Shims") && !name.contains(".") {
            let known = ["CCryptoBoringSSL": "BoringSSL", "CXKCP": "XKCP"][name]
            #expect(known.map(contents.contains) == true, "swift-crypto contains \(name): say whose it is")
        }
    }

    @Test("Each licence that the copyright names has its text, and each file that it names is there")
    func copyright() throws {
        let paragraphs = try Self.paragraphs()
        let texts = paragraphs.filter { $0["Files"] == nil }.compactMap { paragraph -> String? in
            guard let lines = paragraph["License"]?.split(separator: "\n", maxSplits: 1), lines.count == 2 else {
                return nil
            }
            return String(lines[0])
        }
        for paragraph in paragraphs {
            guard let files = paragraph["Files"], let licences = paragraph["License"] else { continue }
            #expect(paragraph["Copyright"]?.isEmpty == false, "\(files)")
            for licence in licences.components(separatedBy: " and ") { #expect(texts.contains(licence), "\(licence)") }
            guard files.hasPrefix("Sources") || files.hasPrefix("Tests") else { continue }
            let path = Site.sources + "/" + files.replacing(/\/\*$/, with: "")
            #expect(FileManager.default.fileExists(atPath: path), "\(files)")
        }
        #expect(paragraphs.first { $0["Files"] == "*" }?["License"] == "Apache-2.0")
    }

    /// Those of debian/copyright, a dictionary of fields each (Debian's copyright-format 1.0).
    private static func paragraphs() throws -> [[String: String]] {
        try text("debian/copyright").components(separatedBy: "\n\n").map { paragraph in
            var (fields, name): ([String: String], String) = ([:], "")
            for line in paragraph.split(separator: "\n") {
                if line.hasPrefix(" ") {
                    fields[name, default: ""] += "\n" + line.dropFirst()
                } else {
                    let parts = line.split(separator: ":", maxSplits: 1)
                    name = String(parts[0])
                    fields[name] = parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : ""
                }
            }
            return fields
        }
    }
}
