//! An OpenID provider in a process of its own: mock-oauth2-server, whose tokens are signed and whose keys are published.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    process::Command,
    sync::LazyLock,
    time::{Duration, UNIX_EPOCH},
};

use base64::{
    Engine as _, alphabet,
    engine::{GeneralPurpose, general_purpose::NO_PAD},
};
use serde_json::{Value, json};

use crate::{
    Connection,
    executable::{project_root, temporary_folder},
    kafka::{free_port, unique_topic},
    supervised::Supervised,
    wait_for,
};

/// How long a token is valid.
pub const TOKEN_LIFETIME: Duration = Duration::from_secs(8);
/// The audience that the broker requires.
pub(crate) const AUDIENCE: &str = "kafka";
/// The scope for which the token has another audience.
pub const OTHER_AUDIENCE_SCOPE: &str = "other audience";

/// The running provider. It ends with the test process.
pub struct IdentityProvider {
    process: Supervised,
    port: u16,
}

impl IdentityProvider {
    /// Starts the provider.
    pub fn start() -> Self {
        let folder = temporary_folder().join(unique_topic("identity-provider"));
        fs::create_dir_all(&folder).expect("the folder for temporary files is writable");
        let settings = folder.join("settings.json");
        fs::write(&settings, settings_json().to_string()).expect("the folder for temporary files is writable");
        let port = free_port();
        let mut server = Command::new("env");
        server
            .arg(format!("SERVER_PORT={port}"))
            .arg("SERVER_HOSTNAME=127.0.0.1")
            .arg(format!("JSON_CONFIG_PATH={}", settings.display()))
            .args(["java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", class_path()])
            .arg("no.nav.security.mock.oauth2.StandaloneMockOAuth2ServerKt");
        let mut provider = Self { process: Supervised::new(&server, &folder), port };
        provider.start_again();
        provider
    }

    /// Stops the provider: nothing listens on its port.
    pub fn stop(&mut self) {
        self.process.stop();
    }

    /// Starts the stopped provider on the same port. It has new keys.
    pub fn start_again(&mut self) {
        self.process.start();
        wait_for("the identity provider listens", || TcpStream::connect(self.address()).ok());
    }

    /// The address at which the provider listens.
    pub fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// The URL at which clients request tokens, at this address or that of a proxy.
    pub fn token_url(address: SocketAddr) -> String {
        format!("http://{address}/test/token")
    }

    /// The URL of the keys that verify tokens.
    pub(crate) fn keys_url(&self) -> String {
        format!("http://{}/test/jwks", self.address())
    }

    /// A token, as a client of this provider gets it.
    pub fn token(&self) -> String {
        let body = "grant_type=client_credentials&client_id=bridge&client_secret=secret";
        let request = format!(
            "POST /test/token HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.address(),
            body.len()
        );
        let mut connection = Connection::to(self.address());
        connection.write(request);
        let answer = connection.read().expect("the identity provider answers");
        let json: Value = serde_json::from_str(&answer.body).expect("the identity provider answers with JSON");
        json["access_token"].as_str().expect("the answer has a token").to_owned()
    }

    /// A token like those of the provider, with a signature that is not.
    pub fn forged_token() -> String {
        let now = UNIX_EPOCH.elapsed().expect("the clock is past 1970").as_secs();
        let part = |json: Value| GeneralPurpose::new(&alphabet::URL_SAFE, NO_PAD).encode(json.to_string());
        let header = part(json!({ "alg": "RS256", "kid": "test", "typ": "JWT" }));
        let claims = part(json!({
            "sub": "bridge", "aud": AUDIENCE, "iss": "http://127.0.0.1/test", "iat": now, "nbf": now, "exp": now + 600,
        }));
        format!("{header}.{claims}.{}", "A".repeat(342))
    }
}

fn settings_json() -> Value {
    let claims = |audience: &str| json!({ "sub": "bridge", "aud": [audience] });
    json!({
        "httpServer": "MockWebServerWrapper",
        "tokenCallbacks": [{
            "issuerId": "test",
            "tokenExpiry": TOKEN_LIFETIME.as_secs(),
            "requestMappings": [
                { "requestParam": "scope", "match": OTHER_AUDIENCE_SCOPE, "claims": claims("other") },
                { "requestParam": "grant_type", "match": "*", "claims": claims(AUDIENCE) },
            ],
        }],
    })
}

/// The class path of the provider.
fn class_path() -> &'static str {
    static CLASS_PATH: LazyLock<String> = LazyLock::new(|| {
        let output = Command::new(project_root().join("scripts/identity-provider")).output();
        let output = output.expect("scripts/identity-provider starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        format!("{}/*", String::from_utf8_lossy(&output.stdout).trim_end())
    });
    &CLASS_PATH
}
