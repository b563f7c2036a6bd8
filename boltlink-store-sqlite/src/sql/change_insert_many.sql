INSERT INTO change_log (kind, subject, at) VALUES (?, ?, ?)
