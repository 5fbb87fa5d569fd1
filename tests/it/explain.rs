//! `explain` as a user types it: what the service would answer to a captured request, and why.

mod answers;
mod captures;
mod formats;
mod report_only;

use std::{
    io::Write as _,
    process::{Output, Stdio},
};

use twilio_signature::{SigningKey, decode_form, sign, url_with_body_hash};

use test_support::{ACCOUNT, PROFILE, PUBLIC_URL, TOKEN, program};

const ROUTE: &str = "/callbacks/customer-profiles";
const OTHER_TOKEN: &str = "fedcba9876543210fedcba9876543210";
const OTHER_ACCOUNT: &str = "AC00000000000000000000000000000009";
const FORM: &str = "AccountSid=AC00000000000000000000000000000001&BundleSid=BU00000000000000000000000000000002&\
                    FailureReason=Fifth+Avenue&Status=draft";
const FORM_TYPE: &str = "Content-Type: application/x-www-form-urlencoded";
const EVENT: &str = "would be answered 204: it becomes an event";

/// The output of `explain`. It must not contain a token.
struct Explanation {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Explanation {
    /// The status code that the service would answer.
    fn status(&self) -> u16 {
        let code = self.stdout.strip_prefix("would be answered ").and_then(|rest| rest.get(..3));
        code.and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("{}{}", self.stdout, self.stderr))
    }

    /// The line that says whether the signature matches.
    fn result(&self) -> &str {
        let is_result = |line: &&str| line.starts_with("matches") || *line == "does not match";
        self.stdout.lines().find(is_result).unwrap_or_default()
    }

    #[track_caller]
    fn says(&self, words: &str) -> &Self {
        assert!(self.stdout.contains(words), "{words} is missing in\n{}{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    fn ends(&self, code: i32, result: &str) -> &Self {
        assert_eq!((self.code, self.result()), (Some(code), result), "{}{}", self.stdout, self.stderr);
        self
    }
}

fn explain(arguments: &[&str], variables: &[(&str, &str)], stdin: &[u8]) -> Explanation {
    let mut process =
        program().arg("explain").args(arguments).envs(variables.iter().copied()).stdin(Stdio::piped()).spawn().unwrap();
    // A command that fails early does not read its whole input.
    let _ = process.stdin.take().unwrap().write_all(stdin);
    let Output { status, stdout, stderr } = process.wait_with_output().unwrap();
    let [stdout, stderr] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    for secret in [TOKEN, OTHER_TOKEN] {
        assert!(!stdout.contains(secret) && !stderr.contains(secret), "a token is shown:\n{stdout}{stderr}");
    }
    Explanation { code: status.code(), stdout, stderr }
}

fn header(token: &str, url: &str, form: &str) -> String {
    let key = SigningKey::from_auth_token(&token.into()).unwrap();
    format!("X-Twilio-Signature: {}", sign(&key, url, &decode_form(form.as_bytes()).unwrap()))
}

/// Explains a form that was signed for this URL, perhaps with other fields, and captured with these headers.
fn explain_form(public_url: &str, url: &str, signed: &str, headers: &[&str]) -> Explanation {
    let signature = header(TOKEN, url, signed);
    let headers = headers.join("\r\n");
    let request = format!("POST {ROUTE} HTTP/1.1\r\n{FORM_TYPE}\r\n{signature}\r\n{headers}\r\n\r\n{FORM}");
    let request = request.replace("\r\n\r\n\r\n", "\r\n\r\n");
    explain(&["--public-url", public_url], &[("TWILIO_AUTH_TOKEN", TOKEN)], request.as_bytes())
}

#[test]
fn matching_signature_is_explained_with_its_construction_and_key() {
    let url = format!("{PUBLIC_URL}{ROUTE}");
    let explained =
        explain(&["--url", &url, "-H", &header(TOKEN, &url, FORM), "--body", FORM, "--token", TOKEN], &[], b"");
    explained.ends(0, "matches: construction form, current key (token 1 of --token)");
    explained
        .says(EVENT)
        .says(&format!("  url    {url}\n  name   AccountSid\n  value  {ACCOUNT}\n  name   BundleSid\n"));
    explained.says(&format!("  value  {PROFILE}\n  name   FailureReason\n  value  Fifth Avenue\n  name   Status\n"));
    assert_eq!(explained.stderr, "");
}

#[test]
fn signatures_printed_by_sign_are_accepted_by_explain() {
    let url = format!("{PUBLIC_URL}{ROUTE}?a=%20b&c");
    let json = format!(r#"{{"AccountSid": "{ACCOUNT}", "BundleSid": "{PROFILE}", "Status": "draft"}}"#);
    let query = format!("{PUBLIC_URL}{ROUTE}?{FORM}");
    for (url, arguments) in [
        (&url, vec!["--body", FORM]),
        (&url, vec!["--body", &json]),
        (&url, vec!["--body", FORM, "--body-hash"]),
        (&query, vec!["--method", "get"]),
    ] {
        let output = program().args(["sign", "--url", url, "--token", TOKEN]).args(&arguments).output().unwrap();
        let [signature, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        let url = stderr.trim_end().strip_prefix("send it to ").unwrap_or(url);
        let request = arguments.iter().filter(|argument| **argument != "--body-hash").copied();
        let request: Vec<_> = ["--url", url, "--header", signature.trim_end()].into_iter().chain(request).collect();
        let explained = explain(&request, &[("TWILIO_AUTH_TOKEN", TOKEN)], b"");
        assert_eq!(explained.code, Some(0), "{arguments:?}\n{}", explained.stdout);
    }
}

/// The public URL, the signed URL and fields, the headers, and two parts of the explanation.
type NearMiss<'a> = (&'a str, String, &'a str, &'a [&'a str], [&'a str; 2]);

#[test]
fn each_kind_of_near_miss_is_explained_with_the_setting_to_change() {
    let good = format!("{PUBLIC_URL}{ROUTE}");
    let host = ["Host: bridge.internal"];
    let prefixed = format!("{PUBLIC_URL}/twilio");
    let cases: [NearMiss<'_>; 10] = [
        (
            PUBLIC_URL,
            good.replace("https", "http"),
            FORM,
            &[],
            ["(scheme)", "set PUBLIC_URL=http://hooks.example.com,"],
        ),
        (
            PUBLIC_URL,
            format!("{PUBLIC_URL}:8443{ROUTE}"),
            FORM,
            &[],
            ["(port)", "set PUBLIC_URL=https://hooks.example.com:8443,"],
        ),
        (
            PUBLIC_URL,
            format!("https://bridge.internal{ROUTE}"),
            FORM,
            &host,
            ["(host)", "set PUBLIC_URL=https://bridge.internal,"],
        ),
        (&prefixed, good.clone(), FORM, &[], ["(prefix)", "set PUBLIC_URL=https://hooks.example.com,"]),
        (PUBLIC_URL, format!("{good}/"), FORM, &[], ["(trailing_slash)", "correct the callback URL at Twilio"]),
        (
            PUBLIC_URL,
            format!("{PUBLIC_URL}/{ROUTE}"),
            FORM,
            &[],
            ["(slashes)", "which a proxy may merge; correct the callback URL at Twilio"],
        ),
        (
            PUBLIC_URL,
            good.replace("/callbacks", "/Callbacks"),
            FORM,
            &[],
            ["(letter_case)", "spells the path /Callbacks/customer-profiles"],
        ),
        (PUBLIC_URL, format!("{good}?"), FORM, &[], ["(query)", "configure the proxy"]),
        (
            PUBLIC_URL,
            good.clone(),
            &FORM.replace("&FailureReason=Fifth+Avenue", ""),
            &[],
            ["(body)", "number 3, that was not signed"],
        ),
        (
            PUBLIC_URL,
            format!("http://bridge.internal{ROUTE}"),
            FORM,
            &host,
            ["(scheme)", "and PUBLIC_URL says the host"],
        ),
    ];
    for (public_url, url, signed, headers, words) in cases {
        let explained = explain_form(public_url, &url, signed, headers);
        explained.ends(1, "does not match");
        for words in words {
            explained.says(words);
        }
        explained.says("first difference").says("signature expected: ").says("signature given: ");
    }
}

#[test]
fn credentials_in_the_url_are_signed_and_explained_alike_and_never_shown() {
    let url = format!("https://user:s3cr3t@hooks.example.com{ROUTE}");
    let signed = program().args(["sign", "--url", &url, "--token", TOKEN, "--body", FORM]).output().unwrap();
    let header = String::from_utf8(signed.stdout).unwrap();
    let header = header.trim_end();
    let arguments = ["--url", &url, "--header", header, "--body", FORM, "--token", TOKEN];
    let public = ["--url", &format!("{PUBLIC_URL}{ROUTE}"), "--header", header, "--body", FORM, "--token", TOKEN];
    let hinted = [&public[..], &["--header", "Authorization: Basic dXNlcjpzM2NyM3Q="]].concat();
    let configured = [("PUBLIC_URL", "https://user:s3cr3t@hooks.example.com")];
    let matching = [explain(&arguments, &[], b""), explain(&public, &configured, b"")];
    for explained in &matching {
        explained.ends(0, "matches: construction form, current key (token 1 of --token)");
        explained.says("  url    https://[redacted]@hooks.example.com/callbacks/customer-profiles\n");
    }
    let near = explain(&hinted, &[], b"");
    near.ends(1, "does not match").says("near miss (credentials)").says("write the user name and the password into");
    for explained in matching.iter().chain([&near]) {
        let shown = format!("{}{}", explained.stdout, explained.stderr);
        assert!(!shown.contains("s3cr3t") && !shown.contains("dXNlcjpz"), "{shown}");
    }
}

/// What the advice for a path says depends on who changed it.
#[test]
fn respelled_path_is_explained_with_the_cause_that_the_signature_proves() {
    let received = format!("/{ROUTE}");
    let explained = |signed_path: &str| {
        let signature = header(TOKEN, &format!("{PUBLIC_URL}{signed_path}"), FORM);
        let request = format!("POST {received} HTTP/1.1\r\n{FORM_TYPE}\r\n{signature}\r\n\r\n{FORM}");
        explain(&["--public-url", PUBLIC_URL], &[("TWILIO_AUTH_TOKEN", TOKEN)], request.as_bytes())
    };
    let by_proxy = explained(ROUTE);
    by_proxy.says("would be answered 403: it is rejected as url_mismatch").says("near miss (path_spelling)");
    by_proxy.says("configure the proxy in front of this service to forward the path unchanged");
    let at_twilio = explained(&received);
    at_twilio.says("would be answered 204: it becomes an event\nThe service also logs a warning, because the path");
    assert_eq!(at_twilio.code, Some(0));
}

#[test]
fn help_examples_do_not_wrap_on_a_terminal_of_80_columns() {
    for command in ["explain", "sign"] {
        let output = program().env("COLUMNS", "80").args([command, "--help"]).output().unwrap();
        let help = String::from_utf8(output.stdout).unwrap();
        let about: Vec<_> = help.lines().take_while(|line| !line.starts_with("Usage:")).collect();
        assert!(about.len() > 3 && about.iter().all(|line| line.chars().count() <= 80), "{about:#?}");
    }
}

#[test]
fn changed_body_is_explained_with_the_change() {
    let url = url_with_body_hash(&format!("{PUBLIC_URL}{ROUTE}"), b"{}");
    let arguments = ["--url", &url, "-H", &header(TOKEN, &url, ""), "-H", "Content-Type: application/json"];
    let explained = explain(&[&arguments[..], &["--body", "{}\n", "--token", TOKEN]].concat(), &[], b"");
    explained.ends(1, "does not match").says("near miss (body)").says("a line ending that was not signed");
}

#[test]
fn first_difference_is_marked() {
    let explained = explain_form(PUBLIC_URL, &format!("http://hooks.example.com{ROUTE}"), FORM, &[]);
    explained.says(
        "first difference, after 4 equal bytes:\n  to be signed  https://hooks.example.com/ca\n  was signed    \
         http://hooks.example.com/cal\n                    ^\n",
    );
}

#[test]
fn token_is_identified_by_its_position() {
    let url = format!("{PUBLIC_URL}{ROUTE}");
    let signature = header(OTHER_TOKEN, &url, FORM);
    let arguments = ["--url", &url, "--header", &signature, "--body", FORM];
    let both = explain(&[&arguments[..], &["--token", TOKEN, "--token", OTHER_TOKEN]].concat(), &[], b"");
    both.ends(0, "matches: construction form, previous key (token 2 of --token)");
    let wrong = explain(&arguments, &[("TWILIO_AUTH_TOKEN", TOKEN)], b"");
    wrong.ends(1, "does not match").says("none was found").says("primary auth token");
}

#[test]
fn token_of_another_account_is_reported_and_does_not_match() {
    let file = format!("{}/accounts-of-explain.json", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(&file, format!(r#"{{"{ACCOUNT}": ["{TOKEN}"], "{OTHER_ACCOUNT}": ["{OTHER_TOKEN}"]}}"#)).unwrap();
    let (url, body) = (format!("{PUBLIC_URL}{ROUTE}"), FORM);
    let with = |token: &str, public_url: &str| {
        let arguments = ["--url", &url, "--header", &header(token, &url, body), "--body", body];
        let variables = [("TWILIO_ACCOUNTS_FILE", file.as_str()), ("PUBLIC_URL", public_url)];
        explain(&arguments, &variables, b"")
    };
    with(TOKEN, PUBLIC_URL).ends(0, &format!("matches: construction form, current key (token 1 of {ACCOUNT})"));
    let whose = format!(
        "another account's key: signed with token 1 of {OTHER_ACCOUNT}, but the request names account {ACCOUNT}"
    );
    with(OTHER_TOKEN, PUBLIC_URL).ends(1, "does not match").says(&whose);
    with(OTHER_TOKEN, "http://hooks.example.com").ends(1, "does not match").says(&whose).says("near miss (scheme)");
}

#[test]
fn url_of_any_service_is_explained() {
    let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
    let body = "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212";
    let with = |url: &str| {
        let signature = "X-Twilio-Signature: RSOYDt4T1cUTdK1PDd93/VVr8B8=";
        explain(&["--url", url, "--token", "12345", "--header", signature, "--body", body], &[], b"")
    };
    let explained = with(url);
    explained.ends(1, "matches: construction form, current key (token 1 of --token)");
    explained.says("would be answered 404: its path is not a callback path\nNo callback path resembles /myapp.php.");
    with(&url.replace("https", "http")).ends(1, "does not match").says("near miss (scheme)");
    with(&url.replace(".php", ".php/")).ends(1, "does not match").says("near miss (path_spelling)");
}

#[test]
fn invisible_characters_are_escaped() {
    let url = format!("{PUBLIC_URL}{ROUTE}");
    let body = "Note=a%00%1B[31m%0A%C3%BC%FF";
    let explained =
        explain(&["--url", &url, "-H", &header(TOKEN, &url, body), "--body", body, "--token", TOKEN], &[], b"");
    explained.says(r"  value  a\x00\x1b[31m\n\xc3\xbc\xff").ends(1, explained.result());
    explained.says("would be answered 204: it becomes a dead letter, with the reason missing_profile_sid");
}

/// Arguments, variables, stdin, and a part of the message.
type Misuse<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a str, &'a str);

#[test]
fn wrong_usage_and_broken_requests_end_with_2_and_one_message() {
    let variables = [("TWILIO_AUTH_TOKEN", TOKEN), ("PUBLIC_URL", PUBLIC_URL)];
    let url = format!("{PUBLIC_URL}{ROUTE}");
    let request = format!("POST {ROUTE} HTTP/1.1\nA: b\n\n");
    let cases: [Misuse<'_>; 8] = [
        (&[], &variables, "", "the capture (raw HTTP request) is empty"),
        (&[], &variables, "Status=draft", "does not begin with a request line"),
        (&[], &variables, "POST / HTTP/1.1\nno header", "has no header in line 2"),
        (&["--url", &url, "--format", "har"], &variables, "", "cannot be used with"),
        (&[], &variables[..1], &request, "PUBLIC_URL: is required for a captured request"),
        (&["--url", &url, "-H", "no header"], &variables, "", "--header: write it as"),
        (&["--url", "hooks.example.com"], &variables[..1], "", "--url: does not begin with https://"),
        (&["--url", &url, "-H", "X-Twilio-Signature: x"], &[], "", "TWILIO_AUTH_TOKEN: is required"),
    ];
    for (arguments, variables, stdin, words) in cases {
        let explained = explain(arguments, variables, stdin.as_bytes());
        assert_eq!((explained.code, explained.stdout.as_str()), (Some(2), ""), "{words}");
        assert!(explained.stderr.contains(words), "{words} is missing in\n{}", explained.stderr);
    }
}

#[test]
fn malformed_or_contradicting_signatures_do_not_match() {
    let url = format!("{PUBLIC_URL}{ROUTE}");
    let good = header(TOKEN, &url, FORM);
    let with = |headers: &[&str]| {
        let headers = headers.iter().flat_map(|header| ["-H", header]);
        let arguments: Vec<_> = ["--url", &url, "--token", TOKEN, "--body", FORM].into_iter().chain(headers).collect();
        explain(&arguments, &[], b"")
    };
    with(&[&good, &good]).ends(0, "matches: construction form, current key (token 1 of --token)");
    for headers in [&[good.as_str(), "x-twilio-signature: x"][..], &["X-TWILIO-SIGNATURE: x"]] {
        let explained = with(headers);
        explained.ends(1, "").says("would be answered 403: it is rejected as malformed_signature");
        explained.says("several X-Twilio-Signature headers that differ").says("not base64 of 20 bytes");
    }
    let unsigned = with(&[]);
    unsigned.ends(1, "").says("would be answered 403: it is rejected as missing_signature\n");
    unsigned.says("It has no X-Twilio-Signature header");
}
