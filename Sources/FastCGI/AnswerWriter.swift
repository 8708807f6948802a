internal import Glibc

/// Sends answers, as far as the peer reads them at once. A thread has one.
final class AnswerWriter {
    /// Used for one answer after the other. One thread has it.
    @exclusivity(unchecked) private var output: [UInt8] = []
    private let library = LibraryWriter()

    /// Bytes of an answer for which memory is kept for the next.
    private static let usualSize = 1 << 18

    enum Outcome {
        case all
        /// The rest waits in the connection.
        case partly
        /// The connection is of no use any more.
        case failed
    }

    /// - Parameters:
    ///   - headBytes: The records of the request up to its body, where it has one: then libfcgi writes the answer.
    ///   - closesAfterwards: Whether the connection ends with the answer.
    func send(
        _ response: Response,
        _ head: RecordScanner.Head,
        _ headBytes: UnsafeRawBufferPointer,
        to connection: Connection,
        closesAfterwards: Bool
    ) -> Outcome {
        output.removeAll(keepingCapacity: true)
        defer { if output.capacity > Self.usualSize { output = [] } }
        let isOfLibrary = head.body == .follows && !headBytes.isEmpty
        if !isOfLibrary || !library.put(response.bytes, head: headBytes, id: head.id, to: &output) {
            // Who has sent a whole request gets its answer.
            output.removeAll(keepingCapacity: true)
            RecordWriter.put(response.bytes, id: head.id, to: &output)
        }
        var sent = 0
        while sent < output.count {
            let count = output.withUnsafeBytes {
                Glibc.send(
                    connection.descriptor,
                    $0.baseAddress.map { $0 + sent },
                    $0.count - sent,
                    Int32(MSG_DONTWAIT | MSG_NOSIGNAL)
                )
            }
            if count > 0 {
                sent += count
            } else if errno == EAGAIN {
                let hasRoom = connection.setOutput(output, sent: sent, closesAfterwards: closesAfterwards)
                output = []
                return hasRoom ? .partly : .failed
            } else if errno != EINTR {
                return .failed
            }
        }
        return .all
    }
}
