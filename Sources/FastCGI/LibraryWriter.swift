internal import CFastCGI
internal import CLinux
internal import Glibc

/// Has libfcgi read the head of a request and write the records of its answer, in memory: on a connection it would wait for
/// the peer, and take what it finds in a body for records.
final class LibraryWriter {
    /// libfcgi keeps its address from one call to the next, so it has a place of its own.
    private let request = UnsafeMutablePointer<FCGX_Request>.allocate(capacity: 1)
    /// Made when it is needed for the first time: most threads never need one. -1: there is none, or libfcgi has closed it.
    private var file: Int32 = -1

    init() { request.initialize(to: FCGX_Request()) }

    deinit {
        if file >= 0 { close(file) }
        request.deallocate()
    }

    /// Adds all records of the answer to `output`.
    ///
    /// - Parameters:
    ///   - head: The records of the request up to its body, which `RecordScanner` has let pass.
    ///   - id: Of the request.
    /// - Returns: false where libfcgi cannot do it, as where no descriptor is left. What is in `output` then is of no use.
    func put(_ response: [UInt8], head: UnsafeRawBufferPointer, id: UInt16, to output: inout [UInt8]) -> Bool {
        if file < 0 { file = linux_memory_file("postern-answer") }
        guard file >= 0 else { return false }
        var input: [UInt8] = []
        input.reserveCapacity(head.count + RecordHeader.length)
        input.append(contentsOf: head)
        RecordHeader(.stdin, id: id, contentLength: 0).put(to: &input)
        guard ftruncate(file, 0) == 0, pwrite(file, input, input.count, 0) == input.count, lseek(file, 0, SEEK_SET) == 0
        else { return false }
        FCGX_InitRequest(request, -1, 0)
        // The descriptor stays ours, and it is no socket that lingers.
        request.pointee.keepConnection = 1
        request.pointee.detached = 1
        request.pointee.ipcFd = file
        guard FCGX_Accept_r(request) == 0 else { return isClosed() }
        // What libfcgi keeps open is decided here, not by what the peer wants.
        request.pointee.keepConnection = 1
        // A byte is a char of C, whatever it was made as.
        let isWritten = response.withUnsafeBytes { bytes in
            FCGX_PutStr(
                bytes.baseAddress?.assumingMemoryBound(to: CChar.self),
                Int32(clamping: bytes.count),
                request.pointee.out
            ) == bytes.count
        }
        FCGX_Finish_r(request)
        guard request.pointee.ipcFd >= 0 else { return isClosed() }
        return isWritten && read(from: input.count, to: &output)
    }

    /// libfcgi has closed the descriptor.
    private func isClosed() -> Bool {
        file = -1
        return false
    }

    private func read(from start: Int, to output: inout [UInt8]) -> Bool {
        let end = Int(lseek(file, 0, SEEK_END))
        guard end > start else { return false }
        let count = end - start
        let old = output.count
        output.append(contentsOf: repeatElement(0, count: count))
        let result = output.withUnsafeMutableBytes {
            pread(file, $0.baseAddress.map { $0 + old }, count, off_t(start))
        }
        // A long answer is not kept.
        ftruncate(file, 0)
        return result == count
    }
}
