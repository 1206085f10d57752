"""gpu.md: what the items found, for reading."""

from typing import Any

PLAIN = ("title", "status", "seconds", "rows")


def page(found: dict[str, Any]) -> str:
    """All items in their order, each with how it ended, its values and its table."""
    lines = ["# Measured on one card", ""]
    for number in sorted(found, key=int):
        item = found[number]
        lines += [f"## {number}. {item['title']}", "", f"{item['status']}, {item['seconds']:.0f} s.", ""]
        values = [f"- {name}: {shown(value)}" for name, value in item.items() if name not in PLAIN]
        lines += [*values, ""] if values else []
        lines += [*table(item["rows"]), ""] if item.get("rows") else []
    return "\n".join(lines)


def table(rows: list[dict[str, Any]]) -> list[str]:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    return lines + ["| " + " | ".join(shown(row.get(name, "")) for name in columns) + " |" for row in rows]


def shown(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{name} {shown(part)}" for name, part in value.items())
    if isinstance(value, list):
        return ", ".join(map(shown, value)) or "none"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return "" if value is None else str(value).replace("|", "/")
