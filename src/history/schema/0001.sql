-- Moments and durations are milliseconds. Each installation that shares a database has rows of its own.
CREATE TABLE jobs (
    instance TEXT NOT NULL,
    id BIGINT NOT NULL,
    job_key TEXT NOT NULL,
    repo TEXT NOT NULL,
    run BIGINT,
    workflow TEXT NOT NULL,
    name TEXT NOT NULL,
    labels TEXT NOT NULL,
    pool TEXT NOT NULL,
    runner TEXT,
    image TEXT,
    queued BIGINT,
    started BIGINT,
    ended BIGINT NOT NULL,
    result TEXT NOT NULL,
    peak_memory BIGINT,
    cpu_ms BIGINT,
    PRIMARY KEY (instance, id)
);
CREATE UNIQUE INDEX jobs_key ON jobs (instance, job_key);
CREATE INDEX jobs_ended ON jobs (instance, ended, id);
CREATE INDEX jobs_pool ON jobs (instance, pool, ended, id);
CREATE INDEX jobs_repo ON jobs (instance, repo, ended, id);
CREATE INDEX jobs_result ON jobs (instance, result, ended, id);

CREATE TABLE runners (
    instance TEXT NOT NULL,
    id BIGINT NOT NULL,
    runner TEXT NOT NULL,
    pool TEXT NOT NULL,
    repo TEXT NOT NULL,
    image TEXT,
    created BIGINT NOT NULL,
    started BIGINT,
    ended BIGINT NOT NULL,
    exit_code BIGINT,
    oom_killed BIGINT NOT NULL,
    ran_job BIGINT NOT NULL,
    job TEXT,
    verdict TEXT NOT NULL,
    last_lines TEXT NOT NULL,
    PRIMARY KEY (instance, id)
);
CREATE UNIQUE INDEX runners_key ON runners (instance, runner);
CREATE INDEX runners_ended ON runners (instance, ended, id);
CREATE INDEX runners_pool ON runners (instance, pool, ended, id);
CREATE INDEX runners_repo ON runners (instance, repo, ended, id);

CREATE TABLE decisions (
    instance TEXT NOT NULL,
    id BIGINT NOT NULL,
    at BIGINT NOT NULL,
    pool TEXT NOT NULL,
    before BIGINT,
    target BIGINT NOT NULL,
    have BIGINT NOT NULL,
    why TEXT NOT NULL,
    held TEXT NOT NULL,
    PRIMARY KEY (instance, id)
);
CREATE INDEX decisions_at ON decisions (instance, at, id);
CREATE INDEX decisions_pool ON decisions (instance, pool, at, id);

-- Only ever added to, and cut at its beginning by age; each hash covers the row and the hash before.
CREATE TABLE audit (
    instance TEXT NOT NULL,
    id BIGINT NOT NULL,
    at BIGINT NOT NULL,
    who TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    text TEXT NOT NULL,
    outcome TEXT NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (instance, id)
);
CREATE INDEX audit_at ON audit (instance, at, id);

-- What jobs and runners come to, by hour (span 'hour') and by day, so that no question has to look at each of them.
-- Waits and runs are counts by class of length, as text.
CREATE TABLE rollups (
    instance TEXT NOT NULL,
    span TEXT NOT NULL,
    start BIGINT NOT NULL,
    pool TEXT NOT NULL,
    repo TEXT NOT NULL,
    jobs BIGINT NOT NULL,
    succeeded BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    cancelled BIGINT NOT NULL,
    lost BIGINT NOT NULL,
    never_ran BIGINT NOT NULL,
    wait_ms BIGINT NOT NULL,
    run_ms BIGINT NOT NULL,
    runners BIGINT NOT NULL,
    barren BIGINT NOT NULL,
    idle_ms BIGINT NOT NULL,
    waits TEXT NOT NULL,
    runs TEXT NOT NULL,
    PRIMARY KEY (instance, span, start, pool, repo)
);

CREATE TABLE pool_usage (
    instance TEXT NOT NULL,
    hour BIGINT NOT NULL,
    pool TEXT NOT NULL,
    seen_ms BIGINT NOT NULL,
    busy_ms BIGINT NOT NULL,
    idle_ms BIGINT NOT NULL,
    other_ms BIGINT NOT NULL,
    max_runners BIGINT NOT NULL,
    max_busy BIGINT NOT NULL,
    max_waiting BIGINT NOT NULL,
    PRIMARY KEY (instance, hour, pool)
);

CREATE TABLE facts (
    instance TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (instance, name)
);
