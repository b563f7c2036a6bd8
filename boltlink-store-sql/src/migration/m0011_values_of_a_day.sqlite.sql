-- All values of a link and day in one row: to write each by itself cost more than all else that is counted. What was
-- written before stays in rollup_day, where nodes of the release before go on writing; the next one can move it here.
CREATE TABLE rollup_values (
    link   BLOB    NOT NULL,
    day    INTEGER NOT NULL,
    clicks TEXT    NOT NULL, -- JSON: {dimension: {value: clicks}}
    PRIMARY KEY (link, day)
) WITHOUT ROWID;
