"""Writes the types of the Python package."""

from model import wrapped

HEADER = '''"""The data of records, generated from the JSON Schemas by packages/generate.

Fields with known values are texts: a later version of the bridge may write other values, which are no error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from . import _read as read
'''


def files(model):
    parts = [HEADER, *(known(name, values) for name, values in model.known.items())]
    parts += [struct(each) for each in model.structs]
    names = " | ".join(each.name for each in model.data)
    readers = "".join(f'    "{each.event_type}": {each.name}.read,\n' for each in model.data)
    schemas = "".join(f'    "{each.event_type}": "{each.schema}.avsc",\n' for each in model.data)
    parts.append(f"Data = {names}\n\n# How to read the data of each `ce_type`.\nREADERS = {{\n{readers}}}\n")
    parts.append(f"# The Avro schema of each `ce_type`.\nSCHEMAS = {{\n{schemas}}}\n")
    parts.append(constants(model))
    yield "python/src/trusthub_events/types.py", "\n\n".join(parts[:-2]) + "\n" + "\n".join(parts[-2:])


def constants(model):
    lines = [f'{constant(each.name)} = "{each.event_type}"' for each in model.data]
    return "\n".join(lines) + "\n"


def constant(name):
    return "".join(f"_{char}" if char.isupper() else char.upper() for char in name).lstrip("_").upper() + "_TYPE"


def known(name, values):
    lines = [f'    {value.replace("-", "_").upper()} = "{value}"' for value in values]
    return "\n".join([f"class {name}(StrEnum):", '    """Known values; there may be others."""', "", *lines]) + "\n"


def struct(struct):
    lines = ["@dataclass(frozen=True, slots=True)", f"class {struct.name}:", *docstring(struct.doc), ""]
    for field in struct.fields:
        lines += [f"    {field.name}: {annotation(field)}", *docstring(field.doc)]
    lines += ["", "    @classmethod", f"    def read(cls, value: object) -> {struct.name}:"]
    lines += ['        """Reads a value of parsed JSON; raises `Unreadable` if it violates the schema."""']
    lines += ["        fields = read.fields(value)", "        return cls("]
    for field in struct.fields:
        call = "optional" if field.nullable else "required"
        lines.append(f'            {field.name}=read.{call}(fields, "{field.name}", {reader(field.type)}),')
    return "\n".join([*lines, "        )"]) + "\n"


def docstring(text):
    lines = wrapped(text, 112, '    """', "    ")
    closed = lines[-1] + '"""'
    return [*lines[:-1], closed] if len(lines) == 1 else [*lines, '    """']


def annotation(field):
    text = annotated(field.type)
    return f"{text} | None" if field.nullable else text


def annotated(type):
    match type.kind:
        case "number":
            return "int"
        case "list":
            return f"Sequence[{annotated(type.item)}]"
        case "map":
            return f"Mapping[str, {annotated(type.item)}]"
        case "struct":
            return type.name
        case _:
            return "str"


def reader(type):
    match type.kind:
        case "number":
            return f"read.number({type.maximum})"
        case "list":
            return f"read.each({reader(type.item)})"
        case "map":
            return f"read.mapping({reader(type.item)})"
        case "struct":
            return f"{type.name}.read"
        case kind:
            return f"read.{kind}"
