-- A link, its opening balance, and how much of that is taken from its cap.
INSERT INTO link_total (link, clicks, opening, taken) SELECT column1, column2, column2, column3 FROM (VALUES (?, ?, ?))
