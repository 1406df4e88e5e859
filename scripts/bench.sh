#!/usr/bin/env bash
# Measures what ghrunner costs, against this machine's real engine in the same run, and prints one table.
#
#   scripts/bench.sh [--json] [--quick]
#
#   --json    close with one line of JSON
#   --quick   fewer runners and rounds: some minutes less, and figures that scatter more
#
# A target that is missed is said so and is no failure: machines differ. It fails only if it could not measure. What
# polling spends is not measured but proved, in tests/github/polling.rs: an idle hour of twenty repositories, of made time,
# takes nothing of the hourly budget after the first look.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

JSON=
# Runners and further rounds; jobs and further rounds; jobs; saves; pools, runners and seconds; seconds; jobs of the history.
CONVERGE=(100 2)
BURST=(50 2)
ONE_JOB=(30)
RELOAD=(20)
REST=(10 200 60)
EVENTS=(30)
JOBS=(1000000)

usage() { sed -n '4,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

parse() {
    while (($#)); do
        case $1 in
        --json) JSON=yes ;;
        --quick)
            CONVERGE=(30 1)
            BURST=(20 1)
            ONE_JOB=(8)
            RELOAD=(7)
            REST=(5 50 20)
            EVENTS=(10)
            JOBS=(100000)
            ;;
        -h | --help)
            usage
            exit
            ;;
        *)
            usage >&2
            exit 64
            ;;
        esac
        shift
    done
}

# The daemon and the benches in one build, with optimization as in the package.
build() {
    want jq jq
    need_rust
    need_engine
    local begun=$SECONDS
    say "Building with optimization (about seven minutes the first time, on two processors)"
    (cd "$ROOT" && cargo bench --quiet --locked --no-run --bench fleet --bench metrics --bench pass --bench events --bench history \
        --message-format=json) |
        jq -r 'select(.executable) | "\(.target.name)=\(.executable)"' >"$WORK/programs"
    # The simulator's runner is no part of what is measured: the one of the tests will do.
    STANDIN_RUNNER=$(build_standin)
    export STANDIN_RUNNER
    say "Built in $((SECONDS - begun)) s"
}

program() { sed -n "s/^$1=//p" "$WORK/programs" | tail -n 1; }

# fleet WHAT NUMBER...: one of the benches with the daemon; prints its JSON.
fleet() {
    say "Measuring: $*"
    (cd "$ROOT" && "$(program fleet)" "$@")
}

pass() {
    say "Measuring: pass"
    (cd "$ROOT" && "$(program pass)")
}

scrape() {
    say "Measuring: metrics"
    (cd "$ROOT" && "$(program metrics)")
}

events() {
    say "Measuring: events"
    (cd "$ROOT" && "$(program events)" --seconds "$1")
}

records() {
    say "Measuring: history of $1 jobs (which are made first)"
    (cd "$ROOT" && "$(program history)" --jobs "$1")
}

# One object of all: each figure with its target and whether it was met.
judge() {
    jq -cs '
        def one_job: . + {target_p50_ms: 10, target_p99_ms: 50, pass: (.above_p50_ms <= 10 and .above_p99_ms <= 50)};
        .[0] as $converge | .[1] as $reload | .[2] as $rest | .[3] as $pass |
        .[4] as $burst | .[5] as $webhook | .[6] as $scale_set | .[7] as $scrape | .[8] as $events | .[9] as $history |
        {converge: ($converge + {target: 1.10, pass: ($converge.ratio <= 1.10)}),
         burst: ($burst + {target: 1.10, pass: ($burst.ratio <= 1.10)}),
         job_webhook: ($webhook | one_job), job_scale_set: ($scale_set | one_job),
         reload: ($reload + {target_ms: 150, pass: ($reload.max_ms <= 150)}),
         memory: {rss_mib: $rest.rss_mib, peak_mib: $rest.peak_mib, pools: $rest.pools, runners: $rest.runners,
                  target_mib: 25, pass: ($rest.rss_mib <= 25)},
         idle: {cpu_percent: $rest.cpu_percent, seconds: $rest.seconds, passes: $rest.passes, target_percent: 0.3,
                pass: ($rest.cpu_percent <= 0.3)},
         metrics: ($scrape + {target_ms: 20, pass: ($scrape.max_ms <= 20)}),
         events: ($events + {target_percent: 5, target_mib: 10, pass: ($events.cpu_percent <= 5 and $events.more_mib <= 10)}),
         history: ($history + {pass: ($history.slowest_ms <= $history.limit_ms)}),
         decide: ($pass + {target_ms: 10, pass: ($pass.ms <= 10 and $pass.ratio_to_half <= 2.3)})}' "$@"
}

table() {
    jq -r '
        def r(n): . * pow(10; n) | round / pow(10; n);
        def word: if .pass then "pass" else "miss" end;
        [["what", "measured", "target", ""],
         (.converge | ["0 -> \(.runners) runners, against a bare client (best of 4, 8, 10, 16 at a time)",
            "\(.ratio | r(3)) x (\(.daemon_s | r(2)) s / \(.bare_s | r(2)) s at \(.bare_concurrency))", "1.10 x", word]),
         (.burst | ["\(.runners) jobs at once by \(.demand), against the bare client",
            "\(.ratio | r(3)) x (\(.daemon_s | r(2)) s / \(.bare_s | r(2)) s at \(.bare_concurrency))", "1.10 x", word]),
         ((.job_webhook, .job_scale_set) | ["job by \(.demand) -> its container started, above the engine alone, \(.jobs) times",
            "median +\(.above_p50_ms | r(1)) ms (engine \(.engine_p50_ms | r(0))), p99 +\(.above_p99_ms | r(1)) ms", "10 ms, 50 ms", word]),
         (.reload | ["saved file -> first engine call, \(.times) times", "max \(.max_ms) ms, median \(.p50_ms) ms", "150 ms", word]),
         (.memory | ["resident memory, \(.pools) pools and \(.runners) runners", "\(.rss_mib | r(1)) MiB (peak \(.peak_mib | r(1)))", "25 MiB", word]),
         (.idle | ["processor over \(.seconds) s in which nothing changes", "\(.cpu_percent | r(2)) %, \(.passes) passes", "0.3 %", word]),
         (.metrics | ["/metrics with \(.pools) pools and \(.runners) runners",
            "median \(.p50_ms) ms (\(.ratio_to_status) x of status), max \(.max_ms) ms", "20 ms", word]),
         (.events | ["\(.listeners) dashboards, \(.runners) runners that change each second, over \(.seconds) s",
            "\(.cpu_percent | r(1)) % of a core, \(.more_mib | r(1)) MiB more", "5 %, 10 MiB", word]),
         (.history | ["a history of \(.large) jobs: the slowest of \(.questions | length) questions (\(.slowest))",
            "\(.slowest_ms | r(1)) ms, \(.questions[.slowest].ratio) x of \(.small) jobs", "\(.limit_ms) ms", word]),
         (.decide | ["a pass over \(.pools) pools and \(.runners) runners", "\(.ms | r(2)) ms, \(.ratio_to_half) x of half the fleet", "10 ms, 2.3 x", word])]
        | .[] | @tsv' <<<"$1" | align
}

# Columns as wide as what is in them.
align() {
    awk -F'\t' '{
        for (i = 1; i <= NF; i++) { cell[NR, i] = $i; if (length($i) > width[i]) width[i] = length($i) }
    } END {
        for (n = 1; n <= NR; n++) {
            line = ""
            for (i = 1; i <= 4; i++) line = line sprintf("%-*s  ", width[i], cell[n, i])
            sub(/ +$/, "", line)
            print line
        }
    }'
}

main() {
    parse "$@"
    WORK=$(mktemp -d -t ghrunner-bench.XXXXXX)
    trap 'rm -rf "$WORK"' EXIT
    build
    fleet converge "${CONVERGE[@]}" >"$WORK/converge"
    fleet burst webhook "${BURST[@]}" >"$WORK/burst"
    fleet job webhook "${ONE_JOB[@]}" >"$WORK/job-webhook"
    fleet job scale-set "${ONE_JOB[@]}" >"$WORK/job-scale-set"
    fleet reload "${RELOAD[@]}" >"$WORK/reload"
    fleet rest "${REST[@]}" >"$WORK/rest"
    pass >"$WORK/pass"
    scrape >"$WORK/metrics"
    events "${EVENTS[@]}" >"$WORK/events"
    records "${JOBS[@]}" >"$WORK/history"
    local all
    all=$(judge "$WORK"/{converge,reload,rest,pass,burst,job-webhook,job-scale-set,metrics,events,history})
    printf '\n'
    table "$all"
    [[ -z $JSON ]] || printf '%s\n' "$all"
}

main "$@"
