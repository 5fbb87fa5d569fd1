//! Tests the routes: the folder of the callback paths of each public URL, at its host, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use trusthub_bridge::domain::{Label as _, PublicUrl, Resource, callback_route};

use super::rendering::{Example, example, examples, list, objects, template, text};

/// The paths at each host.
type Routed = BTreeMap<String, BTreeSet<String>>;

/// The folder of all callback paths.
const FOLDER: &str = "/callbacks/";

/// The routes that follow from the program's own parsing of the public URLs.
fn expected(example: &Example) -> Routed {
    let mut routed = Routed::new();
    for url in example.settings()["PUBLIC_URL"].split(',').map(|url| PublicUrl::parse(url.trim()).unwrap()) {
        let authority = url.as_str().split('/').nth(2).unwrap();
        let host = authority.split(':').next().unwrap().to_lowercase();
        routed.entry(host).or_default().insert(format!("{}{FOLDER}", url.prefix()));
    }
    routed
}

fn by_ingress(example: &Example) -> Option<Routed> {
    let ingress = *example.of_kind("Ingress").first()?;
    let service = &example.only("StatefulSet")["metadata"]["name"];
    assert!(ingress["spec"]["defaultBackend"].is_null(), "{}", example.name);
    let rules = list(&ingress["spec"]["rules"]).map(|rule| {
        let paths = list(&rule["http"]["paths"]).map(|path| {
            assert_eq!(path["pathType"], "Prefix", "{}", example.name);
            assert_eq!(path["backend"]["service"]["name"], *service, "{}", example.name);
            text(&path["path"]).to_owned()
        });
        (text(&rule["host"]).to_owned(), paths.collect())
    });
    Some(rules.collect())
}

fn by_gateway(example: &Example) -> Option<Routed> {
    let service = &example.only("StatefulSet")["metadata"]["name"];
    let routes = example.of_kind("HTTPRoute").into_iter().map(|route| {
        let spec = &route["spec"];
        assert!(list(&spec["parentRefs"]).count() > 0, "{}", example.name);
        let (hosts, rules): (Vec<_>, Vec<_>) = (list(&spec["hostnames"]).collect(), list(&spec["rules"]).collect());
        let ([host], [rule]) = (&hosts[..], &rules[..]) else { panic!("{}: {spec}", example.name) };
        assert_eq!(rule["backendRefs"][0]["name"], *service, "{}", example.name);
        let paths = list(&rule["matches"]).map(|condition| {
            assert_eq!(condition["path"]["type"], "PathPrefix", "{}", example.name);
            text(&condition["path"]["value"]).to_owned()
        });
        (text(host).to_owned(), paths.collect())
    });
    let routed: Routed = routes.collect();
    (!routed.is_empty()).then_some(routed)
}

#[test]
fn routes_match_the_public_urls() {
    let mut compared = [0, 0];
    for example in examples() {
        let routed = [by_ingress(example), by_gateway(example)];
        for (count, routed) in compared.iter_mut().zip(routed) {
            if let Some(routed) = routed {
                assert_eq!(routed, expected(example), "{}", example.name);
                *count += 1;
            }
        }
    }
    assert!(compared.iter().all(|count| *count >= 3), "too few examples are routed: {compared:?}");
}

#[test]
fn every_callback_path_is_in_the_routed_folder() {
    let routes: Vec<_> = Resource::ALL.iter().filter_map(|resource| callback_route(*resource)).collect();
    assert_eq!(routes.len(), Resource::ALL.len() - 1, "only the unknown resource has no path");
    assert!(routes.iter().all(|route| route.starts_with(FOLDER)), "{routes:?}");
}

#[test]
fn hosts_have_their_own_prefixes_during_a_move() {
    let paths = |prefixes: &[&str]| prefixes.iter().map(|prefix| format!("{prefix}{FOLDER}")).collect::<BTreeSet<_>>();
    let routed = [
        ("hooks.example.com".to_owned(), paths(&["", "/old"])),
        ("hooks.example.org".to_owned(), paths(&["/trust-hub"])),
    ];
    assert_eq!(by_ingress(example("moving")), Some(Routed::from(routed.clone())));
    assert_eq!(by_gateway(example("moving")), Some(Routed::from(routed)));
}

#[test]
fn host_without_other_paths_can_be_routed_as_a_whole() {
    let values = json!({ "routeEveryPath": true });
    let rendered = template(&["--values", &example("moving").values], &values).unwrap();
    let rendered = objects(&rendered, &[]).unwrap();
    let routes = |kind: &str| rendered.iter().filter(|object| object["kind"] == kind).collect::<Vec<_>>();
    let ingress = routes("Ingress").into_iter().flat_map(|ingress| list(&ingress["spec"]["rules"]));
    let ingress = ingress.flat_map(|rule| list(&rule["http"]["paths"])).map(|path| text(&path["path"]));
    let gateway = routes("HTTPRoute").into_iter().flat_map(|route| list(&route["spec"]["rules"][0]["matches"]));
    let gateway = gateway.map(|condition| text(&condition["path"]["value"]));
    // One for each of the two hosts, also for the one with two prefixes.
    assert_eq!(ingress.collect::<Vec<_>>(), ["/", "/"]);
    assert_eq!(gateway.collect::<Vec<_>>(), ["/", "/"]);
}

#[test]
fn certificates_are_for_routed_hosts() {
    let mut compared = 0;
    for example in examples() {
        for ingress in example.of_kind("Ingress") {
            let hosts = expected(example).into_keys().collect::<BTreeSet<_>>();
            for certificate in list(&ingress["spec"]["tls"]) {
                let named: BTreeSet<_> = list(&certificate["hosts"]).map(|host| text(host).to_owned()).collect();
                assert!(!named.is_empty() && named.is_subset(&hosts), "{}: {certificate}", example.name);
                compared += 1;
            }
        }
    }
    assert!(compared >= 4, "only {compared} certificates were compared");
}
