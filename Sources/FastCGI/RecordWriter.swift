/// Writes the records of an answer (FastCGI 1.0, sections 3.3 and 5.5).
enum RecordWriter {
    /// Adds all records of the answer to `output`: those of STDOUT, the empty one that ends them, and END_REQUEST.
    static func put(_ response: [UInt8], id: UInt16, to output: inout [UInt8]) {
        var start = 0
        while start < response.count {
            let end = min(response.count, start + longestContent)
            RecordHeader(.stdout, id: id, contentLength: end - start).put(to: &output)
            response.withUnsafeBytes { output.append(contentsOf: $0[start..<end]) }
            start = end
        }
        RecordHeader(.stdout, id: id, contentLength: 0).put(to: &output)
        RecordHeader(.endRequest, id: id, contentLength: MemoryLayout.size(ofValue: requestComplete)).put(to: &output)
        withUnsafeBytes(of: requestComplete) { output.append(contentsOf: $0) }
    }

    private static let longestContent = 0xFFFF

    /// appStatus 0, protocolStatus FCGI_REQUEST_COMPLETE.
    private static let requestComplete: UInt64 = 0
}
