-- A row may have other single clicks of its link and hour beside its own, none of them newer. Its weight is that of all.
ALTER TABLE click ADD COLUMN oldest INTEGER; -- when the oldest of the others was made
ALTER TABLE click ADD COLUMN packed BLOB;
