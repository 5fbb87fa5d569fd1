"""Manifests against the schemas that Kubernetes publishes, strictly: a field that it does not know is a mistake.

    validate.py VERSION… <manifests.yaml

Prints the objects as one JSON array. What a version of Kubernetes would not take goes to stderr, a line each, and the exit
code is then 1. An HTTPRoute, which is no part of Kubernetes, is held against the schema of its own definition.
"""

import json
import sys
from pathlib import Path

import jsonschema
import kubernetes_validate
import yaml

HTTP_ROUTE = json.loads(Path(__file__).with_name("httproute.json").read_text(encoding="utf-8"))


class Loader(yaml.SafeLoader):
    """Refuses a key that a mapping has twice, as Kubernetes does."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"{sorted(twice)} twice", node.start_mark)
        return super().construct_mapping(node, deep)


def validate(manifest, version):
    if manifest["apiVersion"].startswith("gateway.networking.k8s.io/"):
        jsonschema.Draft202012Validator(HTTP_ROUTE).validate(manifest)
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
