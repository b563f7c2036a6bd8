"""Makes a link, reads, lists, changes and deletes it, and checks every answer.

BOLTLINK_URL says where the server is, BOLTLINK_KEY is an API key. The package `boltlink_client` is generated
from the document: see the README.
"""

import os
import sys
from typing import TypeVar

from boltlink_client import AuthenticatedClient
from boltlink_client.api.links import create_link, delete_link, edit_link, list_links, read_link
from boltlink_client.models import Link, LinkPage, LinkPatch, NewLink, Problem
from boltlink_client.types import Response

T = TypeVar("T")


def variable(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        sys.exit(f"set {name}: BOLTLINK_URL is where the server is, BOLTLINK_KEY an API key")
    return value


def expect(kind: type[T], answer: Response) -> T:
    """What the server answered, which must be of this kind."""
    assert isinstance(answer.parsed, kind), (answer.status_code, answer.content)
    return answer.parsed


def refused(answer: Response, status: int) -> Problem:
    """The problem that a refusal tells."""
    assert answer.status_code == status, (answer.status_code, answer.content)
    return expect(Problem, answer)


def run(client: AuthenticatedClient) -> None:
    answer = create_link.sync_detailed(client=client, body=NewLink(target="https://www.python.org/", title="Python"))
    made = expect(Link, answer)
    assert (answer.status_code, made.target, made.version) == (201, "https://www.python.org/", 1)
    print("made", made.short_url)

    answer = read_link.sync_detailed(made.id, client=client)
    assert expect(Link, answer) == made
    print("read it")

    page = expect(LinkPage, list_links.sync_detailed(client=client, limit=10))
    assert made.id in [link.id for link in page.items]
    print("listed", len(page.items), "links")

    change, tag = LinkPatch(title=None, tags=["docs"]), answer.headers["ETag"]
    edited = expect(Link, edit_link.sync_detailed(made.id, client=client, body=change, if_match=tag))
    assert (edited.title, edited.tags, edited.version) == (None, ["docs"], 2)
    assert refused(edit_link.sync_detailed(made.id, client=client, body=change, if_match=tag), 412).code == "stale"
    print("changed it, once")

    taken = refused(create_link.sync_detailed(client=client, body=NewLink(target=made.target, slug=made.slug)), 409)
    assert [error.pointer for error in taken.errors] == ["/slug"]
    invalid = NewLink(target="https://user:secret@example.com/")
    errors = refused(create_link.sync_detailed(client=client, body=invalid), 422).errors
    assert [error.pointer for error in errors] == ["/target"]

    assert delete_link.sync_detailed(made.id, client=client).status_code == 204
    assert refused(read_link.sync_detailed(made.id, client=client), 404).code == "link-not-found"
    print("deleted it")


with AuthenticatedClient(variable("BOLTLINK_URL"), variable("BOLTLINK_KEY")) as client:
    run(client)
