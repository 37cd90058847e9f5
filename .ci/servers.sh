# shellcheck shell=bash
# What the scripts beside it that start a server share: to be sourced.

# Where servers are installed, once.
# shellcheck disable=SC2034 # for whoever sources this
cache=${AUTOSCALE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/autoscale}

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}

# These programs have to be there.
needs() {
    local tool
    for tool; do command -v "$tool" >/dev/null || fail "$tool is not installed"; done
}

# A Python package in a folder of its own, unless this module of it is there already.
python_package() {
    local folder=$1 package=$2 module=$3
    "$folder/bin/python" -c "import $module" 2>/dev/null && return
    python3 -m venv "$folder"
    "$folder/bin/pip" install --quiet --disable-pip-version-check "$package"
}

# A port that nobody listens on, below those that connections get by themselves.
free_port() {
    local port
    for _ in $(seq 50); do
        port=$((20000 + RANDOM % 12000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

# Waits up to a minute until a server of this process answers what curl is told to ask, or says why it does not.
answers() {
    local name=$1 server=$2 log=$3 attempt
    shift 3
    for attempt in $(seq 300); do
        curl -s -o /dev/null "$@" && return
        if ! kill -0 "$server" 2>/dev/null || [[ $attempt == 300 ]]; then
            cat "$log" >&2
            fail "$name does not answer"
        fi
        sleep 0.2
    done
}
