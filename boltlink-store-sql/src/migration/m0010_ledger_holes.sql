-- How many batches are missing is asked for by every scrape of metrics.
CREATE INDEX ledger_holes ON ledger (consumer) WHERE holes <> '';
