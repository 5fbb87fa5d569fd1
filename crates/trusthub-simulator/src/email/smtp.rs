//! A minimal SMTP client (RFC 5321): one message per connection, without TLS and login, to this machine only.

use std::{fmt, io, net::SocketAddr, str::FromStr, time::Duration};

use thiserror::Error;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    time::timeout,
};

use super::compose::single_line;

/// The time for one message.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

/// The time for the end of the session, which decides nothing.
const QUIT_TIMEOUT: Duration = Duration::from_millis(500);

/// The codes of a recipient that the server accepts: its own, one that it forwards to, and one that it cannot verify.
const ACCEPTED_RECIPIENT: &[u16] = &[250, 251, 252];

/// The longest reply to one command.
const MAX_REPLY_BYTES: u64 = 8 * 1024;

/// The longest part of a reply in an error, in characters.
const MAX_QUOTED_CHARS: usize = 200;

/// The address of an SMTP server on this machine, such as `127.0.0.1:1025`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SmtpServer(SocketAddr);

/// A text that is not an [`SmtpServer`]. The simulator must not send mail to people, so it delivers to this machine only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("write a loopback address and a port, such as 127.0.0.1:1025; e-mails never leave this machine")]
pub struct SmtpServerError;

impl FromStr for SmtpServer {
    type Err = SmtpServerError;

    fn from_str(text: &str) -> Result<Self, SmtpServerError> {
        let address = text.parse().ok().filter(|address: &SocketAddr| address.ip().is_loopback() && address.port() > 0);
        address.map(Self).ok_or(SmtpServerError)
    }
}

impl fmt::Display for SmtpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a message was not delivered.
#[derive(Debug, Error)]
pub(super) enum SmtpError {
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    #[error("the connection failed: {0}")]
    Connection(#[from] io::Error),
    #[error("the delivery was not complete within {} ms", .0.as_millis())]
    Timeout(Duration),
    #[error("{step}: the answer is not SMTP")]
    NotSmtp { step: &'static str },
    #[error("{step}: {reply}")]
    Refused { step: &'static str, reply: String },
}

/// Delivers a message, which ends with CR and LF, from one address to another within this time. Both must be mailable.
pub(super) async fn deliver(
    server: SmtpServer,
    [from, to]: [&str; 2],
    message: &str,
    time: Duration,
) -> Result<(), SmtpError> {
    let conversation = timeout(time, converse(server, [from, to], message)).await;
    let mut connection = conversation.unwrap_or(Err(SmtpError::Timeout(time)))?;
    // The server has the message, whatever it answers to this, and even if it does not.
    let _ = timeout(QUIT_TIMEOUT, connection.send("QUIT", &[221], "QUIT\r\n")).await;
    Ok(())
}

/// Hands the message over, and returns the connection, which is still open.
async fn converse(
    SmtpServer(address): SmtpServer,
    [from, to]: [&str; 2],
    message: &str,
) -> Result<Connection, SmtpError> {
    let stream = TcpStream::connect(address).await.map_err(SmtpError::Connect)?;
    let mut connection = Connection(BufReader::new(stream));
    connection.expect("greeting", &[220]).await?;
    connection.send("EHLO", &[250], "EHLO localhost\r\n").await?;
    connection.send("MAIL", &[250], &format!("MAIL FROM:<{from}>\r\n")).await?;
    connection.send("RCPT", ACCEPTED_RECIPIENT, &format!("RCPT TO:<{to}>\r\n")).await?;
    connection.send("DATA", &[354], "DATA\r\n").await?;
    connection.send("message", &[250], &format!("{}.\r\n", dot_stuffed(message))).await?;
    Ok(connection)
}

struct Connection(BufReader<TcpStream>);

impl Connection {
    async fn send(&mut self, step: &'static str, expected: &[u16], text: &str) -> Result<(), SmtpError> {
        self.0.write_all(text.as_bytes()).await?;
        self.expect(step, expected).await
    }

    /// Reads a reply, all lines of it, which must have one of these codes.
    async fn expect(&mut self, step: &'static str, expected: &[u16]) -> Result<(), SmtpError> {
        let mut limited = (&mut self.0).take(MAX_REPLY_BYTES);
        loop {
            let mut line = Vec::new();
            limited.read_until(b'\n', &mut line).await?;
            let text = String::from_utf8_lossy(&line);
            let code = text.get(..3).and_then(|digits| digits.parse::<u16>().ok());
            let code = code.filter(|_| line.ends_with(b"\n")).ok_or(SmtpError::NotSmtp { step })?;
            match text.get(3..4) {
                Some("-") => {}
                _ if expected.contains(&code) => return Ok(()),
                _ => return Err(SmtpError::Refused { step, reply: quoted(&text) }),
            }
        }
    }
}

fn quoted(reply: &str) -> String {
    single_line(reply.trim_end()).chars().take(MAX_QUOTED_CHARS).collect()
}

/// Doubles the dot at the start of a line, so that no line of the message ends it.
fn dot_stuffed(message: &str) -> String {
    message
        .split_inclusive('\n')
        .map(|line| if line.starts_with('.') { format!(".{line}") } else { line.to_owned() })
        .collect()
}

#[cfg(test)]
mod tests {
    use tokio::{net::TcpListener, task::JoinHandle};

    use super::*;

    const GREETING: &str = "220-one\r\n220 two\r\n";

    /// A server that sends the next reply after each command, and returns what it received.
    async fn server(replies: &[&str]) -> (SmtpServer, JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string().parse().unwrap();
        let replies: Vec<_> = replies.iter().map(|reply| (*reply).to_owned()).collect();
        let work = async move {
            let mut stream = BufReader::new(listener.accept().await.unwrap().0);
            let mut received = String::new();
            for reply in replies {
                // A reply that the client does not wait for may fail.
                let _ = stream.write_all(reply.as_bytes()).await;
                let end = if reply.starts_with("354") { "\r\n.\r\n" } else { "\r\n" };
                let mut command = String::new();
                while !command.ends_with(end) && stream.read_line(&mut command).await.unwrap() > 0 {}
                received.push_str(&command);
            }
            received
        };
        (address, tokio::spawn(work))
    }

    async fn deliver_to(server: SmtpServer, message: &str, time: Duration) -> Result<(), String> {
        let addresses = ["from@example.com", "to@example.com"];
        deliver(server, addresses, message, time).await.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn message_is_sent_with_doubled_dots_and_its_end() {
        let replies = [GREETING, "250-a\r\n250 b\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n", "250 ok\r\n"];
        let (address, received) = server(&replies).await;
        deliver_to(address, ".\r\n..a\r\nb.\r\n", TIMEOUT).await.unwrap();
        let expected = "EHLO localhost\r\nMAIL FROM:<from@example.com>\r\nRCPT TO:<to@example.com>\r\nDATA\r\n..\r\n\
                        ...a\r\nb.\r\n.\r\nQUIT\r\n";
        assert_eq!(received.await.unwrap(), expected);
    }

    #[tokio::test]
    async fn message_is_delivered_even_if_the_server_does_not_answer_the_quit() {
        // The last reply is none, and the connection stays open until the client closes it.
        let replies = [GREETING, "250 ok\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n", "250 ok\r\n", ""];
        let (address, received) = server(&replies).await;
        deliver_to(address, "a\r\n", TIMEOUT).await.unwrap();
        assert!(received.await.unwrap().ends_with("\r\n.\r\nQUIT\r\n"));
    }

    #[tokio::test]
    async fn recipient_is_accepted_with_each_code_of_success() {
        for accepted in ["250 ok\r\n", "251 will forward\r\n", "252 cannot verify\r\n"] {
            let replies = [GREETING, "250 ok\r\n", "250 ok\r\n", accepted, "354 go\r\n", "250 ok\r\n"];
            let (address, _) = server(&replies).await;
            deliver_to(address, "a\r\n", TIMEOUT).await.unwrap_or_else(|error| panic!("{accepted}: {error}"));
        }
        let (address, _) = server(&[GREETING, "252 no\r\n"]).await;
        assert_eq!(deliver_to(address, "a\r\n", TIMEOUT).await, Err("EHLO: 252 no".to_owned()));
    }

    #[tokio::test]
    async fn refusal_is_reported_with_its_step_and_reply() {
        let accepted = [GREETING, "250 ok\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n"];
        for (steps, step) in ["greeting", "EHLO", "MAIL", "RCPT", "DATA", "message"].into_iter().enumerate() {
            let (address, _) = server(&[&accepted[..steps], &["550 no\tway\r\n"]].concat()).await;
            assert_eq!(deliver_to(address, "a\r\n", TIMEOUT).await, Err(format!("{step}: 550 no way")));
        }
    }

    #[tokio::test]
    async fn other_protocols_and_endless_replies_are_reported() {
        let (line, lines) = ("2".repeat(20_000), "220-more\r\n".repeat(2_000));
        for reply in ["HTTP/1.1 200 OK\r\n\r\n", "\r\n", "\u{1F980}\r\n", &line, &lines] {
            let (address, _) = server(&[reply]).await;
            let result = deliver_to(address, "a\r\n", TIMEOUT).await;
            assert_eq!(result, Err("greeting: the answer is not SMTP".to_owned()));
        }
    }

    #[tokio::test]
    async fn server_that_does_not_answer_or_listen_is_reported() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SmtpServer = listener.local_addr().unwrap().to_string().parse().unwrap();
        let result = deliver_to(address, "a\r\n", Duration::from_millis(20)).await;
        assert_eq!(result, Err("the delivery was not complete within 20 ms".to_owned()));
        drop(listener);
        let result = deliver_to(address, "a\r\n", TIMEOUT).await.unwrap_err();
        assert!(result.starts_with("cannot connect: "), "{result}");
    }

    #[test]
    fn server_is_on_this_machine() {
        for text in ["127.0.0.1:1025", "127.8.8.8:25", "[::1]:1025"] {
            assert_eq!(text.parse::<SmtpServer>().unwrap().to_string(), text);
        }
        for text in [
            "10.0.0.1:25",
            "0.0.0.0:25",
            "[::]:25",
            "[::ffff:10.0.0.1]:25",
            "127.0.0.1",
            "127.0.0.1:0",
            "localhost:25",
            "",
        ] {
            assert_eq!(text.parse::<SmtpServer>(), Err(SmtpServerError), "{text}");
        }
    }
}
