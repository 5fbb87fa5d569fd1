"""Manifests against the schemas that Kubernetes publishes, strictly: a field that it does not know is a mistake.

    validate.py VERSION… <manifests.yaml

Prints the objects as one JSON array. What a version of Kubernetes would not take goes to stderr, a line each, and the exit
code is then 1. What is no part of Kubernetes, such as an HTTPRoute, is held against the schema of its own definition.
"""

import json
import sys
from pathlib import Path

import jsonschema
import kubernetes_validate
import yaml

# The group of their API, and their kinds.
DEFINED_ELSEWHERE = {
    "gateway.networking.k8s.io": ("HTTPRoute",),
    "monitoring.coreos.com": ("PodMonitor", "PrometheusRule", "ServiceMonitor"),
}


class Loader(yaml.SafeLoader):
    """Refuses a key that a mapping has twice, as Kubernetes does."""

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
