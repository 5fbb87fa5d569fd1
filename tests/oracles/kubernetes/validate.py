"""Validates manifests strictly against the schemas that Kubernetes publishes: an unknown field is an error.

    validate.py VERSION… <manifests.yaml

Prints the objects as one JSON array. Each error of an object for a version of Kubernetes is one line on stderr, and the
exit code is then 1. Objects that are not part of Kubernetes, such as an HTTPRoute, are validated against their own
definition.
"""

import json
import sys
from pathlib import Path

import jsonschema
import kubernetes_validate
import yaml

# API groups outside Kubernetes, with their kinds.
DEFINED_ELSEWHERE = {
    "argoproj.io": ("Application",),
    "cert-manager.io": ("Certificate",),
    "cilium.io": ("CiliumNetworkPolicy",),
    "external-secrets.io": ("ExternalSecret",),
    "gateway.networking.k8s.io": ("HTTPRoute",),
    "helm.toolkit.fluxcd.io": ("HelmRelease",),
    "kafka.strimzi.io": ("KafkaTopic", "KafkaUser"),
    "monitoring.coreos.com": ("PodMonitor", "PrometheusRule", "ServiceMonitor"),
    "networking.gke.io": ("HealthCheckPolicy",),
    "networking.istio.io": ("DestinationRule",),
    "source.toolkit.fluxcd.io": ("OCIRepository",),
}


class Loader(yaml.SafeLoader):
    """Rejects duplicate keys of a mapping, as Kubernetes does."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"{sorted(twice)} twice", node.start_mark)
        return super().construct_mapping(node, deep)


def definition(kind):
    return json.loads(Path(__file__).with_name(f"{kind.lower()}.json").read_text(encoding="utf-8"))


def validate(manifest, version):
    group = manifest["apiVersion"].partition("/")[0]
    if manifest["kind"] in DEFINED_ELSEWHERE.get(group, ()):
        jsonschema.Draft202012Validator(definition(manifest["kind"])).validate(manifest)
    else:
        kubernetes_validate.validate(manifest, version, strict=True)


def problem(manifest, version):
    try:
        validate(manifest, version)
    except jsonschema.ValidationError as error:
        path = "/".join(str(part) for part in error.absolute_path)
        return f"{path}: {error.message}"
    except kubernetes_validate.utils.SchemaNotFoundError as error:
        return error.message
    return None


def main(versions):
    manifests = [manifest for manifest in yaml.load_all(sys.stdin, Loader) if manifest]
    found = False
    for version in versions:
        for manifest in manifests:
            text = problem(manifest, version)
            if text:
                found = True
                print(f"{version}: {manifest['kind']} {manifest['metadata']['name']}: {text}", file=sys.stderr)
    json.dump(manifests, sys.stdout)
    sys.exit(found)


if __name__ == "__main__":
    main(sys.argv[1:])
