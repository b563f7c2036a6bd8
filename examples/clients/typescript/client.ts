// Makes a link, reads, lists, changes and deletes it, and checks every answer. BOLTLINK_URL says where the
// server is, BOLTLINK_KEY is an API key.

import assert from "node:assert/strict";

import createClient from "openapi-fetch";

import type { components, paths } from "./generated/api.js";

type Problem = components["schemas"]["Problem"];

function variable(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`set ${name}: BOLTLINK_URL is where the server is, BOLTLINK_KEY an API key`);
  return value;
}

const api = createClient<paths>({
  baseUrl: variable("BOLTLINK_URL"),
  headers: { Authorization: `Bearer ${variable("BOLTLINK_KEY")}` },
});

// What the server answered, or an error that says why it refused.
function expect<T>(answer: { data?: T; error?: unknown; response: Response }): T {
  if (answer.data === undefined) throw new Error(`${answer.response.status}: ${JSON.stringify(answer.error)}`);
  return answer.data;
}

// The problem that a refusal tells.
function refused(answer: { error?: Problem; response: Response }, status: number): Problem {
  assert.equal(answer.response.status, status);
  assert.ok(answer.error);
  return answer.error;
}

const made = expect(await api.POST("/api/v1/links", { body: { target: "https://www.typescriptlang.org/", title: "TS" } }));
assert.equal(made.target, "https://www.typescriptlang.org/");
assert.equal(made.version, 1);
console.log(`made ${made.short_url}`);

const path = { id: made.id };
const read = await api.GET("/api/v1/links/{id}", { params: { path } });
assert.deepEqual(expect(read), made);
console.log("read it");

const page = expect(await api.GET("/api/v1/links", { params: { query: { limit: 10 } } }));
assert.ok(page.items.some((link) => link.id === made.id));
console.log(`listed ${page.items.length} links`);

const tag = read.response.headers.get("ETag");
assert.ok(tag);
const edit = { params: { path, header: { "If-Match": tag } }, body: { title: null, tags: ["docs"] } };
const edited = expect(await api.PATCH("/api/v1/links/{id}", edit));
assert.deepEqual([edited.title, edited.tags, edited.version], [null, ["docs"], 2]);
assert.equal(refused(await api.PATCH("/api/v1/links/{id}", edit), 412).code, "stale");
console.log("changed it, once");

const taken = await api.POST("/api/v1/links", { body: { target: made.target, slug: made.slug } });
assert.equal(refused(taken, 409).errors?.[0]?.pointer, "/slug");
const invalid = await api.POST("/api/v1/links", { body: { target: "https://user:secret@example.com/" } });
assert.equal(refused(invalid, 422).errors?.[0]?.pointer, "/target");

assert.equal((await api.DELETE("/api/v1/links/{id}", { params: { path } })).response.status, 204);
assert.equal(refused(await api.GET("/api/v1/links/{id}", { params: { path } }), 404).code, "link-not-found");
console.log("deleted it");
