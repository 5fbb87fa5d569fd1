//! Which requests the console answers.

use test_support::{Bridge, Request};

use super::{get, send, start_with};

#[test]
fn console_is_on_its_own_port_and_off_by_default() {
    let bridge = start_with(&[]);
    let page = get(&bridge, "/");
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.body.contains("<h1>Now</h1>"), "{}", page.body);
    assert_eq!(bridge.ask_admin("/live").status, 404);
    assert_eq!(bridge.send(&Request::get("/live")).status, 404);
    assert_eq!(Bridge::launch(&[("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")]).console, None);
    assert_eq!(send(&bridge, Request::get("/").with("Host", "evil.example")).status, 403);
}
