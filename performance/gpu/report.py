"""gpu.md: what the items found, for reading."""

from typing import Any

PLAIN = ("title", "status", "seconds", "rows")


def format_page(found: dict[str, Any]) -> str:
    """All items in their order, each with how it ended, its values and its table."""
    lines = ["# Measured on one GPU", ""]
    for number in sorted(found, key=int):
        item = found[number]
        lines += [f"## {number}. {item['title']}", "", f"{item['status']}, {item['seconds']:.0f} s.", ""]
        values = [f"- {name}: {format_value(value)}" for name, value in item.items() if name not in PLAIN]
        lines += [*values, ""] if values else []
        lines += [*format_table(item["rows"]), ""] if item.get("rows") else []
    return "\n".join(lines)


def format_table(rows: list[dict[str, Any]]) -> list[str]:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    return lines + ["| " + " | ".join(format_value(row.get(name, "")) for name in columns) + " |" for row in rows]


def format_value(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{name} {format_value(part)}" for name, part in value.items())
    if isinstance(value, list):
        return ", ".join(map(format_value, value)) or "none"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return "" if value is None else str(value).replace("|", "/")
