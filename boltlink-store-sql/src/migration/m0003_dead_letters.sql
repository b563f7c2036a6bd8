-- The places that these clicks had in their batch, such as 3,17, if they wait apart from it. Empty: an operator has dealt
-- with the batch, and the row only says so.
ALTER TABLE quarantine ADD COLUMN places TEXT;
