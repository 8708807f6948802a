/// Prometheus's text format, version 0.0.4.
struct PrometheusText {
    static let mediaType = "text/plain; version=0.0.4; charset=utf-8"

    private(set) var text = ""

    enum Kind: String {
        case counter, gauge, histogram
    }

    typealias Labels = [(name: String, value: String)]

    /// - Parameter help: One sentence, without a line feed.
    mutating func family(_ name: String, _ kind: Kind, _ help: String, _ samples: [(labels: Labels, value: Double)]) {
        head(name, kind, help)
        for (labels, value) in samples { sample(name, labels, value) }
    }

    mutating func family(_ name: String, _ kind: Kind, _ help: String, _ value: Double) {
        family(name, kind, help, [([], value)])
    }

    mutating func histograms(_ name: String, _ help: String, _ samples: [(labels: Labels, value: LatencyHistogram)]) {
        head(name, .histogram, help)
        for (labels, histogram) in samples {
            var total: UInt64 = 0
            let bounds = LatencyHistogram.bounds.map { Self.text(of: Double($0) / 1e9) } + ["+Inf"]
            for (bound, count) in zip(bounds, histogram.counts) {
                total &+= count
                sample(name + "_bucket", labels + [("le", bound)], Double(total))
            }
            sample(name + "_sum", labels, Double(histogram.sum) / 1e9)
            sample(name + "_count", labels, Double(total))
        }
    }

    private mutating func head(_ name: String, _ kind: Kind, _ help: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
    }

    private mutating func sample(_ name: String, _ labels: Labels, _ value: Double) {
        let list = labels.map { "\($0.name)=\"\(Self.escape($0.value))\"" }.joined(separator: ",")
        text += "\(name)\(list.isEmpty ? "" : "{\(list)}") \(Self.text(of: value))\n"
    }

    private static func text(of value: Double) -> String {
        value.rounded() == value && value.magnitude < 1e15 ? String(Int64(value)) : "\(value)"
    }

    private static func escape(_ value: String) -> String {
        guard value.utf8.contains(where: "\\\"\n".utf8.contains) else { return value }
        return value.unicodeScalars.reduce(into: "") { text, scalar in
            switch scalar {
            case "\\": text += "\\\\"
            case "\"": text += "\\\""
            case "\n": text += "\\n"
            default: text.unicodeScalars.append(scalar)
            }
        }
    }
}
