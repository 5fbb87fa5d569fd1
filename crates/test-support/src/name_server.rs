//! A name server that does not answer until a test lets it, and a mount namespace in which it is the only one.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, ToSocketAddrs as _, UdpSocket},
    path::PathBuf,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use super::{executable::temporary_folder, kafka::unique_topic, wait_for};

/// The only name that the server knows, as a pod in Kubernetes would write it.
const NAME: &str = "kafka-0.kafka";
const PORT: u16 = 53;
/// The interval at which the server's thread checks whether it is still needed.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// As in a pod, except for the timeout: five attempts of one second take as long as the usual two of five seconds, and
/// a lookup notices sooner that the server answers again.
const SEARCH: &str =
    "search a.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5 timeout:1 attempts:5\n";

/// Mounts two files over those of the system, for this process only, and becomes the program.
const MOUNT: &str =
    r#"mount --bind "$0" /etc/resolv.conf && mount --bind "$1" /etc/nsswitch.conf && shift && exec "$@""#;

/// The name server of one program.
pub struct NameServer {
    host: SocketAddr,
    folder: PathBuf,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    answers: AtomicBool,
    questions: AtomicUsize,
    ended: AtomicBool,
}

impl NameServer {
    /// A server that receives queries and answers none. Its name resolves to the address of this Kafka.
    pub fn silent(bootstrap: &str) -> Self {
        let host = bootstrap.to_socket_addrs().unwrap().find(SocketAddr::is_ipv4).expect("Kafka has an IPv4 address");
        let (socket, address) = bind();
        let folder = temporary_folder().join(unique_topic("names"));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("resolv.conf"), format!("nameserver {address}\n{SEARCH}")).unwrap();
        fs::write(folder.join("nsswitch.conf"), "hosts: files dns\n").unwrap();
        let server = Self { host, folder, state: Arc::default() };
        let state = Arc::clone(&server.state);
        thread::spawn(move || serve(&socket, host, &state));
        server.check();
        server
    }

    /// The value for `KAFKA_BOOTSTRAP_SERVERS`.
    pub fn bootstrap(&self) -> String {
        format!("{NAME}:{}", self.host.port())
    }

    /// The command that runs a program with this name server.
    pub fn wrapper(&self) -> Vec<String> {
        let file = |name: &str| self.folder.join(name).display().to_string();
        let command = ["unshare", "--mount", "sh", "-c", MOUNT].map(str::to_owned);
        command.into_iter().chain([file("resolv.conf"), file("nsswitch.conf")]).collect()
    }

    /// Waits until the server receives another query.
    pub fn wait_for_question(&self) {
        let before = self.state.questions.load(Ordering::Relaxed);
        wait_for("a query", || (self.state.questions.load(Ordering::Relaxed) > before).then_some(()));
    }

    /// Makes the server answer.
    pub fn answer(&self) {
        self.state.answers.store(true, Ordering::Relaxed);
    }

    /// Proves that a lookup hangs here, independently of the program under test.
    fn check(&self) {
        let wrapper = self.wrapper();
        let look_up = ["timeout", "1", "getent", "ahosts", NAME];
        let mut command = Command::new(&wrapper[0]);
        let output = command.args(&wrapper[1..]).args(look_up).stdin(Stdio::null()).output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(124),
            "a lookup does not hang: {} (this test mounts files for one program and needs the permission to do so, as \
             root has)",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::Relaxed);
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Binds an address of the loopback network that no other test uses.
fn bind() -> (UdpSocket, Ipv4Addr) {
    let mut addresses = (1..=u8::MAX).flat_map(|third| (1..=254).map(move |last| Ipv4Addr::new(127, 53, third, last)));
    let mut failure = None;
    let found = addresses.by_ref().take(500).find_map(|address| match UdpSocket::bind((address, PORT)) {
        Ok(socket) => Some((socket, address)),
        Err(error) => {
            failure = Some(error);
            None
        }
    });
    found.unwrap_or_else(|| panic!("no name server can listen on port {PORT} (root may): {failure:?}"))
}

fn serve(socket: &UdpSocket, host: SocketAddr, state: &State) {
    socket.set_read_timeout(Some(POLL_INTERVAL)).unwrap();
    let mut question = [0; 512];
    while !state.ended.load(Ordering::Relaxed) {
        let Ok((length, asker)) = socket.recv_from(&mut question) else { continue };
        state.questions.fetch_add(1, Ordering::Relaxed);
        if state.answers.load(Ordering::Relaxed) {
            let _ = socket.send_to(&answer(&question[..length], host), asker);
        }
    }
}

/// The response to one query, as in RFC 1035: the address of the only known name, or NXDOMAIN.
fn answer(question: &[u8], host: SocketAddr) -> Vec<u8> {
    const HEAD: usize = 12;
    const RESPONSE_RECURSION: [u8; 1] = [0x81];
    const TYPE_A: [u8; 2] = [0, 1];
    let name: Vec<u8> =
        NAME.split('.').flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat()).chain([0]).collect();
    let asked = &question[HEAD..];
    let end = asked.iter().position(|byte| *byte == 0).expect("a name is terminated") + 1;
    let (is_known, is_a) = (asked[..end] == name, asked[end..end + 2] == TYPE_A);
    let no_such_name = u8::from(!is_known) * 3;
    let answers = u8::from(is_known && is_a);
    let mut answer =
        [&question[..2], &RESPONSE_RECURSION, &[0x80 | no_such_name, 0, 1, 0, answers, 0, 0, 0, 0]].concat();
    answer.extend(&asked[..end + 4]);
    if let (1, SocketAddr::V4(host)) = (answers, host) {
        // The name is a pointer to the question; class IN, TTL zero, four bytes.
        answer.extend([0xc0, HEAD as u8, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        answer.extend(host.ip().octets());
    }
    answer
}
