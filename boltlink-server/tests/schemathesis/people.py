"""Makes an account of each role and logs in to it: prints the session's token of each, a line each."""

import os
import sys

import requests

# Another one than in the document's examples, which are sent as they are.
PASSWORD = "eleven lanterns below the weir"


def call(method, path, **arguments):
    response = requests.request(method, sys.argv[1] + path, timeout=30, **arguments)
    response.raise_for_status()
    return response.json() if response.content else None


for role in ("viewer", "editor", "admin"):
    email = f"{role}@example.org"
    key = {"Authorization": f"Bearer {os.environ['BOLTLINK_KEY']}"}
    invited = call("POST", "/api/v1/accounts", json={"email": email, "role": role}, headers=key)
    call("POST", "/api/v1/passwords", json={"ticket": invited["ticket"], "password": PASSWORD})
    print(call("POST", "/api/v1/session", json={"email": email, "password": PASSWORD})["token"])
