-- All values of a link and day in one row: to write each by itself was half of what was written for clicks. What is in
-- rollup_day stays there, where nodes of the release before go on writing; the next one can move it here.
-- Until then a day may have as many values in each of the two as are kept of a day.
CREATE TABLE rollup_values (
    link   UUID   NOT NULL,
    day    BIGINT NOT NULL,
    counts TEXT   NOT NULL, -- JSON: clicks by dimension and value, {"1":{"example.com":3}}
    PRIMARY KEY (link, day)
) WITH (fillfactor = 60);
