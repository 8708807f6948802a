import Testing

@testable import Postern

@Suite("Cookies of known devices")
struct DeviceCookieTests {
    private let cookie = DeviceCookie(key: Array(0..<32))
    private let device = KnownDevice(user: 7, id: UInt64(Int64.max), ends: 2_592_000)

    @Test("What was written is read, by the same key alone")
    func roundTrip() {
        let text = Array(cookie.text(of: device).utf8)
        #expect(cookie.device(in: text[...]) == device)
        #expect(DeviceCookie(key: Array(1..<33)).device(in: text[...]) == nil)
        #expect(text.count <= 128)
    }

    @Test("With any byte changed, left out or added it is nobody's")
    func mutations() {
        let text = Array(cookie.text(of: device).utf8)
        for position in text.indices {
            for byte in UInt8.min...UInt8.max where byte != text[position] {
                var other = text
                other[position] = byte
                #expect(cookie.device(in: other[...]) == nil)
            }
            var shorter = text
            shorter.remove(at: position)
            #expect(cookie.device(in: shorter[...]) == nil)
            #expect(cookie.device(in: (text[...position] + [UInt8(ascii: "0")] + text[(position + 1)...])[...]) == nil)
        }
        for text in ["", ".", "....", "1.07.1.1.x", "1.-7.1.1.x", String(repeating: "1.", count: 5000)] {
            #expect(cookie.device(in: Array(text.utf8)[...]) == nil)
        }
    }
}
