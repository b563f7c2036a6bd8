-- A page of a domain's links in the order of their changes is a range. Without it all links of the domain were sorted.
CREATE INDEX link_by_domain_and_change ON link (domain, updated_at, id);

-- By the tag first: of an index by the owner first SQLite, once it had statistics, could look for a tag under each owner,
-- and then sort all that it found.
DROP INDEX link_tag_by_owner;
CREATE INDEX link_tag_by_owner ON link_tag (tag, owner, created_at, link);
