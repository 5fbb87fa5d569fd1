"""Validates records with jsonschema: {"schema": …, "records": […]} on stdin becomes a list of the errors of each record."""

import json
import sys

import jsonschema

given = json.load(sys.stdin)
validator = jsonschema.validators.validator_for(given["schema"], default=None)
validator.check_schema(given["schema"])
check = validator(given["schema"], format_checker=validator.FORMAT_CHECKER)
print(json.dumps([[error.message for error in check.iter_errors(record)] for record in given["records"]]))
