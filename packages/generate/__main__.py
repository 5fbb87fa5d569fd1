"""Generates the types of the packages from the JSON Schemas, and the records that their tests read.

    packages/generate            write the files
    packages/generate --check    exit with 1 and name the files that differ

Needs Python 3.11 and, for the records in Avro, fastavro. `make schemas` and `make records` run it.
"""

import sys

import go
import java
import model
import python
import records
import typescript

FOLDER = model.ROOT / "packages"


# Where each package has its Avro schemas.
SCHEMA_FOLDERS = ("python/src/trusthub_events/schemas", "go/schemas", "java/src/main/resources/io/trusthub_bridge/events")


def generated():
    types = model.load()
    for language in (python, go, java, typescript):
        yield from language.files(types)
    for schema in model.EVENT_TYPES:
        text = (model.SCHEMAS / f"{schema}.avsc").read_text()
        for folder in SCHEMA_FOLDERS:
            yield f"{folder}/{schema}.avsc", text
    # Each package is published with its licenses.
    for license in ("LICENSE-MIT", "LICENSE-APACHE"):
        text = (model.ROOT / license).read_text()
        for package in ("python", "go", "java", "typescript"):
            yield f"{package}/{license}", text
    yield "testdata/records.json", records.text()


def main(arguments):
    if arguments not in ([], ["--check"]):
        sys.exit("usage: packages/generate [--check]")
    different = []
    for name, text in generated():
        path = FOLDER / name
        if path.exists() and path.read_text() == text:
            continue
        different.append(f"packages/{name}")
        if not arguments:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    if arguments and different:
        sys.exit(f"not as packages/generate writes them, see `make packages`: {', '.join(different)}")


main(sys.argv[1:])
