"""Writes the types of the TypeScript package, and the tables with which it reads values."""

import json

from model import EVENT_TYPES, SCHEMAS, wrapped

TYPES_HEADER = """// The data of records, generated from the JSON Schemas by packages/generate.
//
// A union that ends with `(string & {})` has the known values; later versions of the bridge may write others.
"""

SHAPES_HEADER = """// How to read the data of records, generated from the JSON Schemas by packages/generate.

import { accountSid, list, map, number, object, profileSid, text, time } from "./read.js";
"""


def files(model):
    parts = [TYPES_HEADER, *(known(name, values) for name, values in model.known.items())]
    parts += [interface(each) for each in model.structs]
    parts.append(f"export type Data = {' | '.join(each.name for each in model.data)};\n")
    parts.append(types_by_name(model))
    yield "typescript/src/types.d.ts", "\n".join(parts)
    yield "typescript/src/shapes.js", "\n".join([SHAPES_HEADER, statuses(model), *map(shape, model.structs), readers(model)])
    yield "typescript/src/schemas.js", schemas()


def known(name, values):
    return f"export type {name} =\n" + "".join(f'  | "{value}"\n' for value in values) + "  | (string & {});\n"


def interface(struct):
    lines = [*comment(struct.doc, ""), f"export interface {struct.name} {{"]
    for field in struct.fields:
        lines += [*comment(field.doc, "  "), f"  readonly {field.name}: {declared(field)};"]
    return "\n".join([*lines, "}"]) + "\n"


def comment(text, indent):
    lines = wrapped(text, 110, f"{indent}/** ", f"{indent} * ")
    return [f"{lines[0]} */"] if len(lines) == 1 else [*lines, f"{indent} */"]


def declared(field):
    text = of_type(field.type, field.known)
    return f"{text} | null" if field.nullable else text


def of_type(type, known=None):
    match type.kind:
        case "number":
            return "number"
        case "list":
            return f"readonly {of_type(type.item)}[]"
        case "map":
            return f"Readonly<Record<string, {of_type(type.item)}>>"
        case "struct":
            return type.name
        case _:
            return known or "string"


def types_by_name(model):
    lines = [f'  readonly "{each.event_type}": {each.name};' for each in model.data]
    doc = "/** The data of each type of event. */"
    return "\n".join([doc, "export interface DataByType {", *lines, "}"]) + "\n"


def statuses(model):
    return f"export const STATUSES = new Set({json.dumps(model.known['Status'])});\n"


def shape(struct):
    lines = [f"const read{struct.name} = object({{"]
    lines += [f"  {field.name}: {reader(field)}," for field in struct.fields]
    return "\n".join([*lines, "});"]) + "\n"


def reader(field):
    return f"[{of_reader(field.type)}, {json.dumps(field.nullable)}]"


def of_reader(type):
    match type.kind:
        case "number":
            return f"number({type.maximum})"
        case "list":
            return f"list({of_reader(type.item)})"
        case "map":
            return f"map({of_reader(type.item)})"
        case "struct":
            return f"read{type.name}"
        case kind:
            first, *rest = kind.split("_")
            return first + "".join(part.capitalize() for part in rest)


def readers(model):
    names = {each.event_type: each.name for each in model.data}
    lines = [f'  ["{event_type}", read{name}],' for event_type, name in names.items()]
    constants = [f'export const {constant(name)} = "{event_type}";' for event_type, name in names.items()]
    return "\n".join(["export const READERS = new Map([", *lines, "]);", "", *constants]) + "\n"


def constant(name):
    return "".join(f"_{char}" if char.isupper() else char.upper() for char in name).lstrip("_") + "_TYPE"


def schemas():
    lines = ["// The Avro schemas of each `ce_type`, copied from schemas/ by packages/generate.", "", "export const SCHEMAS = new Map(["]
    for name, event_type in EVENT_TYPES.items():
        compact = json.dumps(without_docs(json.loads((SCHEMAS / f"{name}.avsc").read_text())))
        lines.append(f'  ["{event_type}", {json.dumps(compact)}],')
    return "\n".join([*lines, "]);"]) + "\n"


def without_docs(schema):
    """A schema as programs need it."""
    if isinstance(schema, dict):
        return {key: without_docs(value) for key, value in schema.items() if key != "doc"}
    return [without_docs(each) for each in schema] if isinstance(schema, list) else schema
