internal import Logging

/// The log of the process that uses a store.
final class StoreLog: Sendable {
    let logger: Logger

    init(_ logger: Logger) { self.logger = logger }

    func warn(_ text: String) { logger.warning("\(text)") }
}

extension Store {
    func tell(_ news: JSONWebKeySetFile.News) {
        if news.isError { metrics.value?.count(.keySetErrors) }
        log.value?.logger.log(level: news.isError ? .error : news.isUsual ? .notice : .warning, "\(news.text)")
    }
}
