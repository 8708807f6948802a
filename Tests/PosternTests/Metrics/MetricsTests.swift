import Dispatch
import Testing

@testable import Postern

@Suite("Metrics")
struct MetricsTests {
    private let temporary: TemporaryStore

    init() throws { temporary = try TemporaryStore() }

    @Test("Processes of one store count together, under the same numbers of views")
    func shared() throws {
        let first = try Metrics(in: temporary.store.folder)
        let other = try Metrics(in: temporary.reopened().folder)
        let gate = first.number(ofView: "gate")
        #expect(other.number(ofView: "whoami") != gate)
        #expect(other.number(ofView: "gate") == gate)
        #expect(first.viewNames == ["none", "other", "gate", "whoami"])
        first.countRequest(view: gate, scheme: 1, status: 200, nanoseconds: 60_000)
        other.countRequest(view: gate, scheme: 1, status: 204, nanoseconds: 40_000)
        other.countRequest(view: gate, scheme: 0, status: 503, nanoseconds: 9_000_000_000)
        for metrics in [first, other] {
            #expect(metrics.requests(view: gate, scheme: 1, outcome: 0) == 2)
            #expect(metrics.requests(view: gate, scheme: 0, outcome: 3) == 1)
            let times = metrics.times(view: gate)
            #expect(times.counts.first == 1 && times.counts[1] == 1 && times.counts.last == 1)
            #expect(times.count == 3)
            #expect(times.sum == 9_000_100_000)
            #expect(metrics.times(view: metrics.number(ofView: "whoami")).count == 0)
        }
    }

    @Test("Threads lose no count to each other")
    func threads() throws {
        let metrics = try #require(Metrics())
        DispatchQueue.concurrentPerform(iterations: 8) { _ in
            for _ in 0..<10_000 { metrics.count(.csrf) }
        }
        #expect(metrics[.csrf] == 80_000)
        #expect(metrics[.throttled] == 0)
    }

    @Test("A view for which there is no place is counted with the others, and a long name is cut")
    func views() throws {
        let metrics = try #require(Metrics())
        let numbers = (0..<100).map { metrics.number(ofView: "view \($0)") }
        #expect(Set(numbers.prefix(62)).count == 62)
        #expect(Set(numbers.dropFirst(62)) == [metrics.number(ofView: "other")])
        let long = try #require(Metrics())
        #expect(long.number(ofView: String(repeating: "x", count: 1000)) == 2)
        #expect(long.viewNames[2] == String(repeating: "x", count: 63))
    }

    @Test("A time falls into the first bucket that is not below it")
    func buckets() {
        #expect(LatencyHistogram.bucket(of: 0) == 0)
        for (number, bound) in LatencyHistogram.bounds.enumerated() {
            #expect(LatencyHistogram.bucket(of: bound) == number)
            #expect(LatencyHistogram.bucket(of: bound + 1) == number + 1)
        }
        #expect(LatencyHistogram.bucketCount == LatencyHistogram.bounds.count + 1)
    }

    @Test("Prometheus's text: histograms add up, labels are escaped")
    func text() {
        var text = PrometheusText()
        text.family("a_total", .counter, "Help.", [([("label", "x\"\\\ny")], 3)])
        var words = [UInt64](repeating: 0, count: LatencyHistogram.bucketCount + 1)
        (words[0], words[2], words[LatencyHistogram.bucketCount]) = (2, 1, 1_500_000_000)
        text.histograms("b_seconds", "Help.", [([], LatencyHistogram(words: words))])
        let lines = text.text.split(separator: "\n")
        #expect(lines[0] == "# HELP a_total Help.")
        #expect(lines[1] == "# TYPE a_total counter")
        #expect(lines[2] == #"a_total{label="x\"\\\ny"} 3"#)
        #expect(
            lines[3...6] == [
                "# HELP b_seconds Help.", "# TYPE b_seconds histogram", #"b_seconds_bucket{le="5e-05"} 2"#,
                #"b_seconds_bucket{le="0.0001"} 2"#,
            ]
        )
        #expect(lines.suffix(3) == [#"b_seconds_bucket{le="+Inf"} 3"#, "b_seconds_sum 1.5", "b_seconds_count 3"])
    }
}
