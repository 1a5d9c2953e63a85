"""A preprocessor of mdBook: links that lead out of docs/ become the file's name, since the book has no page for it.

In the repository such a link leads to the file. mdBook gives the book as JSON on standard input and takes it back on
standard output. Knows nothing of what the pages say.
"""

import json
import posixpath
import re
import sys

LINK = re.compile(r"\[([^\]\[]*)\]\(((?:\.\./)+[^)\s]*)\)")


def outside(page: str, text: str) -> str:
    """The text of a page, without links that leave the book."""

    def shown(match: re.Match) -> str:
        words, target = match.groups()
        place = posixpath.normpath(posixpath.join(posixpath.dirname(page), target.split("#")[0]))
        if not place.startswith("../"):
            return match.group(0)
        name = place.removeprefix("../")
        return words if words.strip("`/") == name.strip("/") else f"{words} (`{name}` in the repository)"

    return LINK.sub(shown, text)


def visit(items: list) -> None:
    """Each chapter, and those below it."""
    for item in items:
        chapter = item.get("Chapter") if isinstance(item, dict) else None
        if chapter and chapter["path"]:
            chapter["content"] = outside(chapter["path"], chapter["content"])
            visit(chapter["sub_items"])


if len(sys.argv) > 1 and sys.argv[1] == "supports":
    sys.exit(0)
_, book = json.load(sys.stdin)
visit(book["items"] if "items" in book else book["sections"])
json.dump(book, sys.stdout)
