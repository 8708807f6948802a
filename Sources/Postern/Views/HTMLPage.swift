/// A page for a browser: plain HTML that needs no script and nothing from anywhere else.
public struct HTMLPage: Sendable {
    let title: String
    /// HTML. What comes from outside has gone through ``escape(_:)``.
    let content: String

    /// A page that says one thing.
    static func message(_ text: String, more: String? = nil) -> HTMLPage {
        let paragraph = more.map { "\n<p>\(escape($0))</p>" } ?? ""
        return HTMLPage(title: text, content: "<h1>\(escape(text))</h1>" + paragraph)
    }

    var bytes: [UInt8] {
        Array(
            """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>\(Self.escape(title))</title>
            <style>\(Self.style)</style>
            </head>
            <body>
            <main>
            \(content)
            </main>
            </body>
            </html>

            """.utf8
        )
    }

    /// Text as it may stand between tags and in a quoted attribute.
    static func escape(_ text: String) -> String {
        var result: [UInt8] = []
        result.reserveCapacity(text.utf8.count)
        var text = text
        text.withUTF8 { text in
            // As it is up to the next byte that means something.
            var start = 0
            for position in 0..<text.count where special.contains(text[position]) {
                result.append(contentsOf: UnsafeBufferPointer(rebasing: text[start..<position]))
                start = position + 1
                switch text[position] {
                case UInt8(ascii: "&"): result += "&amp;".utf8
                case UInt8(ascii: "<"): result += "&lt;".utf8
                case UInt8(ascii: ">"): result += "&gt;".utf8
                case UInt8(ascii: "\""): result += "&quot;".utf8
                default: result += "&#x27;".utf8
                }
            }
            result.append(contentsOf: UnsafeBufferPointer(rebasing: text[start...]))
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static let special: ByteSet = "&<>\"'"

    /// A page runs no script, loads nothing, is framed by nobody, is kept nowhere, and its form goes to its own
    /// site alone.
    static let fields: [(name: String, value: String)] = [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Cache-Control", "max-age=0, no-cache, no-store, must-revalidate, private"),
        (
            "Content-Security-Policy",
            "default-src 'none'; style-src 'sha256-\(styleDigest)'; form-action 'self'; base-uri 'none'; "
                + "frame-ancestors 'none'; object-src 'none'"
        ),
    ]

    private static let styleDigest = Base64.encode(SecretDigest(of: Array(style.utf8)[...]).bytes)

    private static let style = """
        :root{color-scheme:light dark}\
        *{box-sizing:border-box}\
        body{margin:0;min-height:100vh;display:flex;align-items:center;justify-content:center;\
        font:16px/1.5 system-ui,sans-serif;background:Canvas;color:CanvasText}\
        main{width:100%;max-width:24rem;padding:1.5rem}\
        h1{font-size:1.5rem;margin:0 0 1rem;overflow-wrap:anywhere}\
        label{display:block;margin:1rem 0 .25rem}\
        input,button{width:100%;font:inherit;padding:.75rem;border:1px solid GrayText;border-radius:.5rem}\
        button{margin-top:1.5rem;border:0;background:#1a56b0;color:#fff;font-weight:600;cursor:pointer}\
        [role=alert]{margin:0;padding:.75rem;border-left:4px solid #c0392b}
        """
}
