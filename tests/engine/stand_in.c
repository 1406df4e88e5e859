/* Stands in for a runner image's programs: /home/runner/run.sh, bin/Runner.Listener and bin/Runner.Worker are all this file.
 * What run.sh does is told by the variable STAND_IN. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void leave(int signal) { _exit(128 + signal); }

static void wait_for_ever(void) {
    for (;;) pause();
}

static void show_status(void) {
    char line[256];
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (!strncmp(line, "Cap", 3) || !strncmp(line, "NoNewPrivs", 10)) printf("%s", line);
    FILE *adj = fopen("/proc/self/oom_score_adj", "r");
    if (adj && fgets(line, sizeof line, adj)) printf("oom_score_adj %s", line);
}

int main(int argc, char **argv) {
    const char *what = getenv("STAND_IN");
    if (!what) what = "idle";
    signal(SIGTERM, leave);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (strstr(argv[0], "Runner.Worker")) wait_for_ever();
    if (argc > 1 && !strcmp(argv[1], "--version")) {
        puts("2.999.0");
        return 0;
    }
    if (!strncmp(what, "exit ", 5)) {
        printf("leaving with %s\n", what + 5);
        return atoi(what + 5);
    }
    if (!strcmp(what, "worker")) {
        if (fork() == 0) execl("/home/runner/bin/Runner.Worker", "/home/runner/bin/Runner.Worker", "spawnclient", NULL);
        puts("Running job: build");
    } else if (!strcmp(what, "memory")) {
        for (;;) {
            char *more = malloc(1 << 20);
            if (more) memset(more, 1, 1 << 20);
        }
    } else if (!strcmp(what, "burn")) {
        char *some = malloc(100 << 20);
        if (some) memset(some, 1, 100 << 20);
        while (clock() < 2 * CLOCKS_PER_SEC) {}
        if (some) printf("burnt %d\n", some[clock() % (100 << 20)]);
    } else if (!strcmp(what, "print")) {
        for (int i = 0; i < 1000; i++) fprintf(i % 2 ? stderr : stdout, "line %d\n", i);
        return 0;
    } else if (!strcmp(what, "status")) {
        show_status();
        return 0;
    } else if (!strcmp(what, "stubborn")) {
        signal(SIGTERM, SIG_IGN);
    } else if (!strncmp(what, "touch ", 6)) {
        FILE *file = fopen(what + 6, "w");
        puts(file ? "written" : "not written");
        return file ? 0 : 1;
    } else if (!strncmp(what, "sh ", 3)) {
        execl("/bin/sh", "sh", "-c", what + 3, NULL);
    }
    puts("Listening for Jobs");
    wait_for_ever();
}
