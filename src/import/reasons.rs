//! Why keys of older set-ups have nothing that they could become.

const NAMES: &str = "ghrunner names its runners by itself, and jobs ask for labels, never for a name";
const STATE: &str =
    "nothing is kept outside of this machine: the engine's labels and GitHub's list are the state";
const ONE_JOB: &str = "every runner here serves one job and is gone, which needs no saying";
const IMAGE: &str = "it belongs to the image that ran so far";
const CLUSTER: &str = "it places pods in a cluster; here there is one machine";
const LISTENER: &str = "the service itself listens; there is no pod for it";
const COMPOSE: &str = "it concerns the container that Compose made; ghrunner makes its own";

/// Variables.
const VARIABLES: &[(&str, &str)] = &[
    ("RUNNER_NAME", NAMES),
    ("RUNNER_NAME_PREFIX", NAMES),
    ("RUNNER_NAME_SUFFIX", NAMES),
    ("RUNNER_PREFIX", NAMES),
    ("RANDOM_RUNNER_SUFFIX", NAMES),
    ("REDIS_URL", STATE),
    ("REDIS_HOST", STATE),
    ("REDIS_PORT", STATE),
    ("DATABASE_URL", STATE),
    ("DB_HOST", STATE),
    ("DB_NAME", STATE),
    ("DB_USER", STATE),
    ("EPHEMERAL", ONE_JOB),
    ("RUNNER_EPHEMERAL", ONE_JOB),
    ("ACTIONS_RUNNER_EPHEMERAL", ONE_JOB),
    ("RUN_AS_ROOT", IMAGE),
    ("UNSET_CONFIG_VARS", IMAGE),
    ("RUNNER_ALLOW_RUNASROOT", IMAGE),
    ("CONFIGURED_ACTIONS_RUNNER_FILES_DIR", IMAGE),
    ("DISABLE_AUTOMATIC_DEREGISTRATION", IMAGE),
    ("DEBUG_ONLY", IMAGE),
    ("DEBUG_OUTPUT", IMAGE),
    ("APP_LOGIN", "the App's installation is found by the owner that the pool serves"),
    ("DISABLE_AUTO_UPDATE", "a runner of one job has no time to update itself; the image brings the version"),
    (
        "RUNNER_VERSION",
        "the image brings the runner; a version that is pinned is refused by GitHub some weeks after a newer one came out",
    ),
    ("LOG_LEVEL", "how much is logged stands in the unit: GHRUNNER_LOG=debug, or --log-level"),
    (
        "STRUCTURED_LOGGING",
        "the journal keeps each line's fields; --log-format json is there where there is no journal",
    ),
    (
        "SCALE_DOWN_THRESHOLD",
        "it was a length of the queue. Here an idle runner that no job needs goes after idle_timeout; the key scale_down_threshold counts surplus runners, which is something else",
    ),
    (
        "CONTAINER_POOL_SIZE",
        "it counted containers that were made ahead; min_idle keeps runners ready beyond the busy ones, and costs their memory",
    ),
    (
        "HEALTH_CHECK_INTERVAL",
        "the engine tells of each container's end when it happens, and GitHub is listed every few seconds",
    ),
    ("METRICS_INTERVAL", "there is nothing that is measured at an interval"),
    ("METRICS_ENABLED", "`ghrunner status --json` has the numbers"),
    ("METRICS_PORT", "`ghrunner status --json` has the numbers"),
    ("DASHBOARD_ENABLED", "`ghrunner status --watch` shows the fleet"),
    ("ENABLED", "the service runs while its unit does: systemctl enable --now ghrunner"),
    (
        "CONTAINER_REGISTRY_URL",
        "images are named whole, with their registry: image = \"REGISTRY/NAME:TAG\"; engine.registry_auth holds its login",
    ),
    (
        "FILTER_BY_ARCH",
        "each runner has this machine's architecture as a label, so that jobs for another are none of its own",
    ),
    (
        "ENABLE_P2P",
        "GitHub's answers are kept by the service itself, and those that did not change cost nothing",
    ),
    ("COMPOSE_PROJECT_NAME", "ghrunner needs no Compose"),
    (
        "TOKEN_FILE",
        "it holds the registration tokens that the autoscaler had made; ghrunner makes its own registrations, with the token of [github]",
    ),
    (
        "RUNNER_TOKEN",
        "a registration token is good for an hour, and for one place; ghrunner has each runner registered by the token of [github]",
    ),
];

/// Keys of a container, as Kubernetes and ARC's chart have them.
const PODS: &[(&str, &str)] = &[
    ("nodeSelector", CLUSTER),
    ("tolerations", CLUSTER),
    ("affinity", CLUSTER),
    ("topologySpreadConstraints", CLUSTER),
    ("priorityClassName", CLUSTER),
    ("serviceAccountName", CLUSTER),
    ("automountServiceAccountToken", CLUSTER),
    ("controllerServiceAccount", CLUSTER),
    ("namespaceOverride", CLUSTER),
    ("fullnameOverride", CLUSTER),
    ("nameOverride", CLUSTER),
    ("resourceMeta", CLUSTER),
    ("labels", CLUSTER),
    ("annotations", CLUSTER),
    ("metadata", CLUSTER),
    ("terminationGracePeriodSeconds", "a runner in a job is not stopped at all"),
    ("restartPolicy", ONE_JOB),
    ("listenerTemplate", LISTENER),
    ("listenerMetrics", LISTENER),
    ("initContainers", "nothing runs before a runner: put what they prepare into the image"),
    (
        "volumes",
        "they belong to the pod; a runner's own disk is fresh for each job, and volumes = [\"/HOST/PATH:/PATH\"] mounts what should stay",
    ),
    (
        "volumeMounts",
        "they belong to the pod's volumes; volumes = [\"/HOST/PATH:/PATH\"] mounts a folder of this machine",
    ),
    ("envFrom", "its variables stand in the cluster; give secrets to the steps that need them, from GitHub"),
    (
        "imagePullSecrets",
        "put the registry's login into a config.json, and name it by registry_auth in [engine]",
    ),
    ("keyVault", "the service reads secrets from systemd credentials and files"),
    ("lifecycle", COMPOSE),
    ("workingDir", COMPOSE),
    ("livenessProbe", COMPOSE),
    ("readinessProbe", COMPOSE),
    ("dnsPolicy", CLUSTER),
    ("dnsConfig", "name servers go to the pool's dns = [\"ADDRESS\"]"),
    ("hostAliases", "they go to the pool's extra_hosts = [\"NAME:ADDRESS\"]"),
    (
        "hostNetwork",
        "network = \"host\" is its like, and opens every loopback service of this machine to jobs",
    ),
    ("runtimeClassName", "runtime = \"NAME\" is its like, if this machine's engine has that runtime"),
];

/// Keys of a service, as Compose has them.
const SERVICES: &[(&str, &str)] = &[
    (
        "build",
        "ghrunner builds nothing: build the image, push it or keep it here with pull = \"never\", and name it by image",
    ),
    (
        "networks",
        "a pool has a bridge of its own, without traffic between its runners; network = \"NAME\" takes one that you made",
    ),
    (
        "command",
        "it was for the image's own way to start; ghrunner starts /home/runner/run.sh, or what the pool's command says",
    ),
    (
        "entrypoint",
        "it was for the image's own way to start; ghrunner starts /home/runner/run.sh, or what the pool's command says",
    ),
    ("restart", ONE_JOB),
    ("devices", "devices of the host are not given to jobs, but graphics processors by gpus"),
    ("security_opt", "what jobs may do stands in sudo, cap_add, privileged and runtime"),
    ("secrets", "runners get no secrets; give them to the steps that need them, from GitHub"),
    ("tmpfs", "a runner's disk is gone with it"),
    ("logging", "log_driver is its like; runners' output goes to the journal, or is saved"),
    ("ulimits", "pids bounds processes; other limits are the engine's"),
    ("ports", "nobody connects to a runner"),
    ("depends_on", COMPOSE),
    ("container_name", COMPOSE),
    ("hostname", COMPOSE),
    ("labels", COMPOSE),
    ("healthcheck", COMPOSE),
    ("stop_grace_period", "a runner in a job is not stopped at all"),
    ("stop_signal", COMPOSE),
    ("init", COMPOSE),
    ("stdin_open", COMPOSE),
    ("tty", COMPOSE),
    ("working_dir", COMPOSE),
    ("profiles", COMPOSE),
    ("platform", "runners have this machine's architecture"),
];

/// Why a variable is not carried.
pub(super) fn variable(name: &str) -> Option<&'static str> {
    find(VARIABLES, name)
}

/// Why a key of a pod or of ARC's chart is not carried.
pub(super) fn pod(key: &str) -> Option<&'static str> {
    find(PODS, key)
}

/// Why a key of a Compose service is not carried.
pub(super) fn service(key: &str) -> Option<&'static str> {
    find(SERVICES, key)
}

fn find(table: &[(&str, &'static str)], name: &str) -> Option<&'static str> {
    table.iter().find(|(known, _)| *known == name).map(|(_, reason)| *reason)
}
