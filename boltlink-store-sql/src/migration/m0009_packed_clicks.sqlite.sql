-- A row may have other single clicks of its link beside its own, up to a minute older. Its weight is that of all.
ALTER TABLE click ADD COLUMN oldest INTEGER; -- when the oldest of the others was made
ALTER TABLE click ADD COLUMN packed BLOB;
