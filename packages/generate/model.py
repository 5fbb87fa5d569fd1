"""The types of the packages, as the JSON Schemas in `schemas/` describe them."""

import json
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = ROOT / "schemas"

# The kinds of data that a record can have, by the name of the schema, with the CloudEvents `type`.
EVENT_TYPES = {
    "profile-status-changed.v1": "io.trusthub-bridge.profile.status-changed.v1",
    "profile-described.v1": "io.trusthub-bridge.profile.described.v1",
    "profile-deleted.v1": "io.trusthub-bridge.profile.deleted.v1",
    "profile-state.v1": "io.trusthub-bridge.profile.state.v1",
}

# The names of the lists of known values, by the name of a field that has such a list.
KNOWN_VALUES = {
    "status": "Status",
    "previous_status": "Status",
    "resource": "Resource",
    "origin": "Origin",
    "type": "ProfileType",
    "tier": "ProfileTier",
}

TIME_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$"
SID_PATTERN = "^%s[0-9a-fA-F]{32}$"


class UnsupportedSchema(Exception):
    """A schema uses something that the generator does not know."""


@dataclass(frozen=True)
class Type:
    """The type of a value: `text`, `time`, `account_sid`, `profile_sid`, `number`, `list`, `map` or `struct`."""

    kind: str
    # Of a number: the largest one.
    maximum: int | None = None
    # Of a list or a map: the type of its values.
    item: "Type | None" = None
    # Of a struct.
    name: str | None = None


@dataclass(frozen=True)
class Field:
    """A field of a struct."""

    name: str
    doc: str
    type: Type
    # It may be null, or missing, which is the same.
    nullable: bool
    # The name of the list of known values.
    known: str | None


@dataclass(frozen=True)
class Struct:
    """An object with fields."""

    name: str
    doc: str
    fields: tuple[Field, ...]
    # Of data: the CloudEvents `type` of records with it, and the name of its schema.
    event_type: str | None
    schema: str | None


@dataclass(frozen=True)
class Model:
    """All types: a struct comes after those that it uses."""

    structs: tuple[Struct, ...]
    known: dict[str, tuple[str, ...]]

    @property
    def data(self):
        return tuple(struct for struct in self.structs if struct.event_type)


def load():
    """Reads the model from the schemas."""
    structs, known = {}, {}
    for name, event_type in EVENT_TYPES.items():
        schema = json.loads((SCHEMAS / f"{name}.json").read_text())
        add_struct(schema, schema, (event_type, name), structs, known)
    return Model(tuple(structs.values()), known)


def add_struct(schema, root, of_data, structs, known):
    required = schema["required"]
    # Required fields are in the order of the Rust type.
    names = required + sorted(set(schema["properties"]) - set(required))
    fields = tuple(field(name, schema["properties"][name], root, name in required, structs, known) for name in names)
    struct = Struct(schema["title"], one_line(schema["description"]), fields, *of_data)
    # A struct that is part of several ones may have the description of its field.
    if structs.setdefault(struct.name, struct).fields != fields:
        raise UnsupportedSchema(f"{struct.name} is not the same in all schemas")


def field(name, schema, root, is_required, structs, known):
    resolved = resolve(schema, root)
    types = resolved["type"] if isinstance(resolved["type"], list) else [resolved["type"]]
    of_values = None
    if "examples" in resolved:
        of_values = KNOWN_VALUES[name]
        if known.setdefault(of_values, tuple(resolved["examples"])) != tuple(resolved["examples"]):
            raise UnsupportedSchema(f"the known values of {name} are not the same in all schemas")
    only = [kind for kind in types if kind != "null"]
    if len(only) != 1:
        raise UnsupportedSchema(f"{name} has the types {types}")
    nullable = "null" in types or not is_required
    doc = one_line(schema.get("description", resolved.get("description", "")))
    return Field(name, doc, value_type(only[0], resolved, root, structs, known), nullable, of_values)


def value_type(kind, schema, root, structs, known):
    if kind == "string":
        return text_type(schema.get("pattern"))
    if kind == "integer":
        return Type("number", maximum=schema.get("maximum", 2**53 - 1))
    if kind == "array":
        return Type("list", item=item_type(schema["items"], root, structs, known))
    if kind == "object" and "additionalProperties" in schema:
        return Type("map", item=item_type(schema["additionalProperties"], root, structs, known))
    if kind == "object":
        add_struct(schema, root, (None, None), structs, known)
        return Type("struct", name=schema["title"])
    raise UnsupportedSchema(f"the type {kind}")


def item_type(schema, root, structs, known):
    schema = resolve(schema, root)
    return value_type(schema["type"], schema, root, structs, known)


def text_type(pattern):
    kinds = {
        None: "text",
        TIME_PATTERN: "time",
        SID_PATTERN % "AC": "account_sid",
        SID_PATTERN % "BU": "profile_sid",
    }
    if pattern not in kinds:
        raise UnsupportedSchema(f"the pattern {pattern}")
    return Type(kinds[pattern])


def resolve(schema, root):
    if "$ref" not in schema:
        return schema
    prefix, name = schema["$ref"].rsplit("/", 1)
    if prefix != "#/$defs":
        raise UnsupportedSchema(schema["$ref"])
    return root["$defs"][name]


def one_line(text):
    return " ".join(text.split())


def wrapped(text, width, first="", rest=None):
    """Lines of at most `width` characters; `first` begins the first one, and `rest` the others."""
    rest = first if rest is None else rest
    lines, line = [], first
    for word in text.split():
        longer = f"{line}{word}" if line in (first, rest) and not line.strip(first + rest + " ") else f"{line} {word}"
        if len(longer) > width and line.strip(first + rest + " "):
            lines.append(line)
            line = f"{rest}{word}"
        else:
            line = longer
    return [*lines, line]
