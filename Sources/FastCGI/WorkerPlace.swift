/// A worker's hold on a loop. Who has to wait gives the loop up, and another worker goes on with it.
final class WorkerPlace {
    private let pool: LoopPool
    private let table: ConnectionTable
    private(set) var loop: EventLoop?
    /// What the worker answers just now.
    var connection: Connection?

    init(_ pool: LoopPool, _ table: ConnectionTable) {
        self.pool = pool
        self.table = table
    }

    /// Waits for a loop, unless the worker has one.
    /// - Returns: nil: there will be none any more.
    func hold() -> EventLoop? {
        if loop == nil { loop = pool.take() }
        return pool.isClosed ? nil : loop
    }

    /// Takes the connection that is answered out of the loop, and lets another worker have the loop.
    func giveUp() {
        guard let loop, let connection else { return }
        table.lend(connection)
        self.loop = nil
        pool.give(loop)
    }
}
