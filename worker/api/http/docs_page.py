"""The docs page: the OpenAPI document as one page of HTML, without scripts and outside assets."""

from collections.abc import Sequence
from html import escape
from itertools import groupby
from typing import Any

from worker.api.http.codes import CODES
from worker.api.http.routing import Route

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 56rem; margin: 2rem auto; padding: 0 1rem }
code, pre { font: .875rem/1.4 ui-monospace, monospace }
pre { overflow-x: auto; padding: .75rem; border: 1px solid #8884; border-radius: .4rem }
table { border-collapse: collapse; width: 100% }
td { text-align: left; padding: .2rem .6rem .2rem 0; vertical-align: top }
h3 code { font-size: 1rem } details { margin: .5rem 0 } section { border-top: 1px solid #8884; padding-top: .5rem }
"""


def docs_page(routes: Sequence[Route], openapi: dict[str, Any]) -> bytes:
    """Write the page."""
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>",
        f"<title>Herald's API</title><style>{_STYLE}</style><h1>Herald's API</h1>",
        f"<p>{escape(openapi['info']['description'])} As a document for programs: "
        "<a href=/openapi.json>/openapi.json</a>.</p>",
        "<pre>curl $HERALD/api/groups -H 'X-API-Key: …' -H 'Authorization: Bearer …'</pre>",
        "<p>What goes wrong is <code>application/problem+json</code> with a stable <code>code</code>, a "
        "<code>hint</code> and the <code>request_id</code> that stands in the worker's log.</p><nav><ul>",
    ]
    parts += [
        f"<li><a href=#{route.name}><code>{route.method} {escape(route.path)}</code></a>"
        f" {escape(route.summary)}</li>"
        for route in routes
    ]
    parts.append("</ul></nav>")
    parts.append("<h2>Codes of problems</h2><table>")
    parts += [f"<tr id={code}><td><code>{code}</code><td>{escape(meaning)}" for code, meaning in CODES.items()]
    parts.append("</table>")
    schemas = openapi["components"]["schemas"]
    for tag, of_tag in groupby(routes, key=lambda route: route.tag):
        parts.append(f"<h2>{escape(tag)}</h2>")
        parts += [_section(route, openapi["paths"][route.path][route.method.lower()], schemas) for route in of_tag]
    return "\n".join(parts).encode()


def _section(route: Route, operation: dict[str, Any], schemas: dict[str, Any]) -> str:
    words = "".join(f"<p>{escape(text)}</p>" for text in operation["description"].split("\n\n"))
    html = f"<section id={route.name}><h3><code>{route.method} {escape(route.path)}</code></h3>"
    html += f"<p><b>{escape(operation['summary'])}.</b></p>{words}"
    rows = [
        (f"{p['in']} <code>{p['name']}</code>", p["schema"], p.get("description")) for p in operation["parameters"]
    ]
    html += _table(rows, "Parameters")
    for status, model in sorted(route.answers.items()):
        html += _model(f"Answer {status}", model.__name__, schemas)
    if body := route.models.get("body"):
        html += _model("Body", body.__name__, schemas)
    return html + "</section>"


def _model(title: str, name: str, schemas: dict[str, Any]) -> str:
    schema = schemas[name]
    rows = [
        (
            f"<code>{field}</code>" + (" *" if field in schema.get("required", ()) else ""),
            described,
            described.get("description"),
        )
        for field, described in schema.get("properties", {}).items()
    ]
    return _table(rows, f"{title}: {name}")


def _table(rows: Sequence[tuple[str, dict[str, Any], str | None]], title: str) -> str:
    lines = "".join(
        f"<tr><td>{name}<td>{escape(_kind(schema))}<td>{escape(words or '')}" for name, schema, words in rows
    )
    return f"<details><summary>{escape(title)}</summary><table>{lines}</table></details>"


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_kind(option) for option in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type") or "any")
