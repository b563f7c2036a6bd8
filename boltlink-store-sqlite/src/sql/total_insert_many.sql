INSERT INTO link_total (link, clicks, opening, taken) SELECT column1, 0, 0, 0 FROM (VALUES (?))
