//! Writes a request in each format that `explain` reads, without the code that reads them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use test_support::Request;

/// A format, and a request in it with the arguments that `explain` needs besides. `None` if it cannot express the request.
pub(super) type Writer = (&'static str, fn(&Request) -> Option<(Vec<u8>, Vec<String>)>);

pub(super) const WRITERS: [Writer; 8] = [
    ("http", |request| Some((request.bytes(), vec![]))),
    ("curl-verbose", curl_verbose),
    ("curl-command", curl_command),
    ("har", |request| Some((har(request), vec![]))),
    ("api-gateway-v1", api_gateway_v1),
    ("api-gateway-v2", api_gateway_v2),
    ("load-balancer", load_balancer),
    ("dead-letter", dead_letter),
];

fn is_text(request: &Request) -> Option<&str> {
    std::str::from_utf8(&request.body).ok()
}

fn curl_verbose(request: &Request) -> Option<(Vec<u8>, Vec<String>)> {
    let body = is_text(request)?;
    let mut text = format!(
        "*   Trying 127.0.0.1:8080...\n* Connected to 127.0.0.1 (127.0.0.1) port 8080\n> {} {} HTTP/1.1\r\n> Host: a\r\n",
        request.method, request.target
    );
    for (name, value) in &request.headers {
        text.push_str(&format!("> {name}: {value}\r\n"));
    }
    text.push_str(&format!(
        "> Content-Length: {}\r\n> \r\n* upload completely sent off\n< HTTP/1.1 204 No Content\r\n< \r\n",
        body.len()
    ));
    Some((text.into_bytes(), vec!["--body".to_owned(), body.to_owned()]))
}

fn curl_command(request: &Request) -> Option<(Vec<u8>, Vec<String>)> {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "'\\''"));
    let body = is_text(request)?;
    let mut text = format!("curl {} \\\n  -X {}", quoted(&format!("http://a{}", request.target)), request.method);
    // curl adds the content type of a form if there is a body and no header for it.
    let has_type = request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    for (name, value) in &request.headers {
        text.push_str(&format!(" \\\n  -H {}", quoted(&format!("{name}: {value}"))));
    }
    if !body.is_empty() {
        text.push_str(&format!(" \\\n  --data-raw {} \\\n  --compressed", quoted(body)));
    }
    (has_type || body.is_empty()).then(|| (text.into_bytes(), vec![]))
}

fn har(request: &Request) -> Vec<u8> {
    let headers: Vec<_> = request.headers.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    let post = match is_text(request) {
        Some("") => Value::Null,
        Some(text) => json!({ "mimeType": "x", "text": text }),
        None => json!({ "mimeType": "x", "text": STANDARD.encode(&request.body), "encoding": "base64" }),
    };
    let other = json!({ "request": { "method": "GET", "url": "https://a/", "headers": [] } });
    let signed = json!({ "request": {
        "method": request.method, "url": format!("https://a{}", request.target), "headers": headers, "postData": post,
        "bodySize": request.body.len(),
    } });
    let entries = if headers.iter().any(|header| header["name"] == "X-Twilio-Signature") {
        vec![other, signed]
    } else {
        vec![signed]
    };
    serde_json::to_vec_pretty(&json!({ "log": { "version": "1.2", "entries": entries } })).unwrap()
}

/// The headers as an object, unless a name is repeated.
fn single_headers(request: &Request) -> Option<Value> {
    let mut headers = Map::new();
    for (name, value) in &request.headers {
        if headers.insert(name.clone(), value.clone().into()).is_some() {
            return None;
        }
    }
    Some(Value::Object(headers))
}

fn path_and_query(request: &Request) -> (&str, Option<&str>) {
    request.target.split_once('?').map_or((&request.target, None), |(path, query)| (path, Some(query)))
}

/// The parameters of the query, if each has a name and a value and no name is repeated.
fn parameters(request: &Request, decode: bool) -> Option<Value> {
    let Some(query) = path_and_query(request).1 else { return Some(Value::Null) };
    let mut parameters = Map::new();
    for parameter in query.split('&') {
        let (name, value) = parameter.split_once('=')?;
        // These need neither escapes nor the order in which they were sent.
        let is_plain = name.bytes().chain(value.bytes()).all(|byte| byte.is_ascii_alphanumeric());
        let is_in_order = parameters.keys().all(|earlier: &String| earlier.as_str() < name);
        if (decode && !is_plain) || !is_in_order {
            return None;
        }
        parameters.insert(name.to_owned(), value.into());
    }
    Some(Value::Object(parameters))
}

/// The body, and whether it is in base64. Both may be in base64, whatever the body is.
fn body(request: &Request) -> (Value, bool) {
    match is_text(request) {
        Some("") => (Value::Null, false),
        Some(text) if text.len() % 2 == 0 => (text.into(), false),
        _ => (STANDARD.encode(&request.body).into(), true),
    }
}

fn api_gateway_v1(request: &Request) -> Option<(Vec<u8>, Vec<String>)> {
    let ((path, _), (body, encoded)) = (path_and_query(request), body(request));
    let event = json!({
        "resource": "/{proxy+}", "path": "/elsewhere", "httpMethod": request.method, "headers": single_headers(request)?,
        "multiValueHeaders": null, "queryStringParameters": parameters(request, true)?,
        "requestContext": { "path": path, "stage": "prod" }, "body": body, "isBase64Encoded": encoded,
    });
    Some((event.to_string().into_bytes(), vec![]))
}

fn api_gateway_v2(request: &Request) -> Option<(Vec<u8>, Vec<String>)> {
    let ((path, query), (body, encoded)) = (path_and_query(request), body(request));
    if query == Some("") {
        return None;
    }
    let event = json!({
        "version": "2.0", "rawPath": path, "rawQueryString": query.unwrap_or_default(),
        "headers": single_headers(request)?, "requestContext": { "http": { "method": request.method, "path": path } },
        "body": body, "isBase64Encoded": encoded,
    });
    Some((event.to_string().into_bytes(), vec![]))
}

fn load_balancer(request: &Request) -> Option<(Vec<u8>, Vec<String>)> {
    let ((path, _), (body, encoded)) = (path_and_query(request), body(request));
    let mut headers: Map<String, Value> = Map::new();
    for (name, value) in &request.headers {
        let values = headers.entry(name.clone()).or_insert_with(|| json!([]));
        values.as_array_mut().unwrap().push(value.clone().into());
    }
    let parameters = parameters(request, false)?;
    let multiple: Option<Map<_, _>> = parameters
        .as_object()
        .map(|members| members.iter().map(|(name, value)| (name.clone(), json!([value]))).collect());
    let event = json!({
        "requestContext": { "elb": { "targetGroupArn": "arn:aws:elasticloadbalancing:…" } },
        "httpMethod": request.method, "path": path, "multiValueHeaders": headers,
        "multiValueQueryStringParameters": multiple.unwrap_or_default(), "body": body.as_str().unwrap_or_default(),
        "isBase64Encoded": encoded,
    });
    Some((event.to_string().into_bytes(), vec![]))
}

/// The value of a dead letter, as `Record::dead_letter` writes it for an unverified callback.
fn dead_letter(request: &Request) -> Option<(Vec<u8>, Vec<String>)> {
    let is_callback = matches!(request.method.as_str(), "GET" | "POST");
    let text = is_text(request);
    let value = json!({
        "method": request.method, "path_and_query": request.target, "headers": request.headers, "body": text,
        "body_base64": text.is_none().then(|| STANDARD.encode(&request.body)),
        "received_at": "2026-11-20T11:04:00.123Z",
    });
    is_callback.then(|| (value.to_string().into_bytes(), vec![]))
}
