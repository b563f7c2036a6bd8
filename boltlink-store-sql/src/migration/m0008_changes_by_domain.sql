-- A page of a domain's links in the order of their changes is a range. Without it all links of the domain were sorted.
CREATE INDEX link_by_domain_and_change ON link (domain, updated_at, id);
