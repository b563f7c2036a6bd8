-- What visitors of a link have to know: a hash in the PHC string format.
ALTER TABLE link ADD COLUMN password TEXT;
