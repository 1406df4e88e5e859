-- What jobs took of the machine, as counts by class like waits and runs: the most memory of each, in bytes, and its
-- processors on average, in thousandths.
ALTER TABLE rollups ADD COLUMN memory TEXT NOT NULL DEFAULT '';
ALTER TABLE rollups ADD COLUMN processors TEXT NOT NULL DEFAULT '';
