#!/usr/bin/env bash
# Makes this machine the master of its cluster: k3s with its taint and label, Prometheus on it, the autoscaler's account. What it makes
# up (join token, password, certificates) stays in files of root, and goes to Parameter Store by this machine's own role. Settings come
# from one line of the user data, "# autoscale-server: <base64 of JSON>", and are never a part of a command.
set -euo pipefail
set +x
umask 077
ulimit -c 0

readonly PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
readonly METADATA=http://169.254.169.254
readonly ROOT=
export PATH

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
readonly own=$ROOT/etc/autoscale
readonly k3s=$ROOT/usr/local/bin/k3s

say() { printf 'autoscale-server: %s\n' "$*" >&2; }
fail() {
    say "FAILED: $*"
    exit 1
}

cat >"$scratch/facts.py" <<'PYTHON'
import base64, json, os, re, sys, urllib.request

metadata, out = sys.argv[1:]
http = urllib.request.build_opener(urllib.request.ProxyHandler({}))
def ask(path, method="GET", **headers):
    request = urllib.request.Request(metadata + path, method=method, headers={k.replace("_", "-"): v for k, v in headers.items()})
    with http.open(request, timeout=10) as answer:
        return answer.read(65536).decode("utf-8", "replace")
session = ask("/latest/api/token", "PUT", X_aws_ec2_metadata_token_ttl_seconds="300")
get = lambda path: ask("/latest/" + path, X_aws_ec2_metadata_token=session)
wrong, facts = [], {}
def take(name, value, pattern):
    if not (isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII)):
        wrong.append("%s: %s" % (name, ascii(value)[:80]))
    facts[name] = value
take("name", get("meta-data/instance-id"), "i-[0-9a-f]{8,32}")
take("zone", get("meta-data/placement/availability-zone"), "[a-z0-9-]{1,63}")
take("region", get("meta-data/placement/region"), "[a-z0-9-]{1,32}")
take("address", get("meta-data/local-ipv4"), r"[0-9]{1,3}(\.[0-9]{1,3}){3}")
lines = re.findall(r"^# autoscale-server: (\S*)$", get("user-data"), re.M)
document = json.loads(base64.b64decode(lines[0], validate=True)) if len(lines) == 1 else {}
take("cluster", document.get("cluster"), "[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
take("key", document.get("key"), "[A-Za-z0-9:/_-]{1,256}")
take("publish", document.get("publish"), "true|false")
for name in ["binary", "installer"]:
    take(name + ".curl", document.get(name + "_url"), "https://[a-z0-9.-]{1,200}/[A-Za-z0-9._~%+/-]{1,400}")
    take(name + ".sha256", document.get(name + "_sha256"), "[0-9a-f]{64}")
for name in ["join", "api_token", "api_ca", "prometheus_login"]:
    take("parameter." + name, document.get(name), "/[A-Za-z0-9_./-]{1,200}")
if wrong:
    sys.exit("\n".join(wrong))
for name in ["binary", "installer"]:
    facts[name + ".curl"] = 'url = "%s"\n' % facts[name + ".curl"]
    facts[name + ".sha256"] += "  %s/%s\n" % (out, name)
facts["config"] = json.dumps({
    "node-name": facts["name"], "agent-token-file": "/etc/autoscale/agent-token", "tls-san": [facts["address"]],
    "node-label": ["autoscale.local/role=master", "topology.kubernetes.io/zone=" + facts["zone"]],
    "node-taint": ["node-role.kubernetes.io/control-plane=true:NoSchedule"],
    "kubelet-arg": ["provider-id=aws:///%s/%s" % (facts["zone"], facts["name"])],
    "disable": ["traefik"], "secrets-encryption": True, "write-kubeconfig-mode": "0600"})
for name, text in facts.items():
    with open(os.path.join(out, name), "x") as file:
        file.write(text)
PYTHON

download() {
    curl --config "$scratch/$1.curl" --proto '=https' --tlsv1.2 --fail --silent --show-error --location --retry 5 --max-time 180 \
        --output "$scratch/$1" || fail "cannot download the $1"
    sha256sum --check --status "$scratch/$1.sha256" || fail "the $1 has another digest"
    install -D -m 755 "$scratch/$1" "$2"
}

# What is made up is made up once, and is the same after a second run.
make_up() {
    mkdir -p "$own"
    [[ -s $own/password ]] || openssl rand -hex 32 | tr -d '\n' >"$own/password"
    if [[ ! -s $own/prometheus.crt ]]; then
        # The cluster's own authority signs, so that the function trusts one authority for both.
        openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=prometheus \
            -keyout "$own/prometheus.key" -out "$scratch/request" 2>"$scratch/said"
        printf 'subjectAltName=IP:%s,DNS:pushgateway\nextendedKeyUsage=serverAuth\n' "$(<"$scratch/address")" >"$scratch/extensions"
        openssl x509 -req -in "$scratch/request" -days 825 -CA "$ROOT/var/lib/rancher/k3s/server/tls/server-ca.crt" \
            -CAkey "$ROOT/var/lib/rancher/k3s/server/tls/server-ca.key" -CAcreateserial -extfile "$scratch/extensions" \
            -out "$own/prometheus.crt" 2>"$scratch/said" || fail "no certificate for Prometheus"
    fi
    python3 -I - "$own" <<'PYTHON'
import crypt, json, os, sys
own = sys.argv[1]
hashed = crypt.crypt(open(os.path.join(own, "password")).read().strip(), crypt.mksalt(crypt.METHOD_BLOWFISH))
if not hashed.startswith("$2"):
    sys.exit("this system has no bcrypt")
tls = {"cert_file": "/secret/tls.crt", "key_file": "/secret/tls.key", "min_version": "TLS12"}
with open(os.path.join(own, "web.json"), "w") as file:
    json.dump({"tls_server_config": tls, "basic_auth_users": {"autoscaler": hashed}}, file)
PYTHON
    { printf 'autoscaler:'; cat "$own/password"; } >"$own/prometheus-login"
}

# A parameter from a file: the value is on no command line. The function's certificate authority is no secret, and kept like one.
publish() {
    python3 -I - "$(<"$scratch/parameter.$1")" "$2" "$(<"$scratch/key")" >"$scratch/put" <<'PYTHON'
import json, sys
name, path, key = sys.argv[1:]
json.dump({"Name": name, "Value": open(path).read().strip(), "Type": "SecureString", "KeyId": key, "Overwrite": True}, sys.stdout)
PYTHON
    aws ssm put-parameter --region "$(<"$scratch/region")" --cli-input-json "file://$scratch/put" >/dev/null || fail "cannot store $1"
    rm -f "$scratch/put"
}

kubectl() { "$k3s" kubectl --kubeconfig "$ROOT/etc/rancher/k3s/k3s.yaml" "$@"; }

# A token of one day, minted again every six hours by the timer below.
publish_token() {
    kubectl -n autoscale create token autoscale --duration 24h >"$scratch/api-token" || fail "no token for the autoscaler's account"
    publish api_token "$scratch/api-token"
    rm -f "$scratch/api-token"
}

for tool in python3 aws curl sha256sum openssl systemctl; do
    command -v "$tool" >/dev/null || fail "$tool is not installed"
done
python3 -I "$scratch/facts.py" "$METADATA" "$scratch" 2>"$scratch/said" || fail "$(tr -cd '[:print:]\n' <"$scratch/said" | tail -c 2000)"
if [[ ${1:-} == token ]]; then
    publish_token
    exit 0
fi
[[ -x $k3s ]] || download binary "$k3s"
installer=$ROOT/usr/local/lib/autoscale/install-k3s.sh
[[ -f $installer ]] || download installer "$installer"
mkdir -p "$own" "$ROOT/etc/rancher/k3s"
[[ -s $own/agent-token ]] || openssl rand -hex 32 >"$own/agent-token"
install -m 600 "$scratch/config" "$ROOT/etc/rancher/k3s/config.yaml"
INSTALL_K3S_SKIP_DOWNLOAD=true INSTALL_K3S_SKIP_SELINUX_RPM=true sh "$installer" server </dev/null || fail "the installer of k3s failed"
for ((waited = 0; ; waited += 5)); do
    kubectl get --raw /readyz >/dev/null 2>&1 && break
    ((waited < 300)) || fail "the API server does not come"
    sleep 5
done
make_up
kubectl create namespace autoscale --dry-run=client -o json | kubectl apply -f - >/dev/null
kubectl -n autoscale create secret generic prometheus-web --from-file=tls.crt="$own/prometheus.crt" --from-file=tls.key="$own/prometheus.key" \
    --from-file=web.json="$own/web.json" --from-file=ca.crt="$ROOT/var/lib/rancher/k3s/server/tls/server-ca.crt" \
    --from-file=password="$own/password" --dry-run=client -o json | kubectl apply -f - >/dev/null
sed '1,/^# MANIFESTS$/d' "$0" | sed -n 's/^# | \{0,1\}//p' | python3 -I -c '
import base64, gzip, sys
sys.stdout.buffer.write(gzip.decompress(base64.b64decode(sys.stdin.read())))' >"$scratch/manifests.yaml"
kubectl apply -f "$scratch/manifests.yaml" >/dev/null || fail "the manifests are refused"
if [[ $(<"$scratch/publish") == true ]]; then
    publish join "$own/agent-token"
    publish api_ca "$ROOT/var/lib/rancher/k3s/server/tls/server-ca.crt"
    publish prometheus_login "$own/prometheus-login"
    publish_token
    install -D -m 700 "$0" "$ROOT/usr/local/lib/autoscale/server.sh"
    cat >"$ROOT/etc/systemd/system/autoscale-token.service" <<'UNIT'
[Service]
Type=oneshot
ExecStart=/usr/local/lib/autoscale/server.sh token
UNIT
    cat >"$ROOT/etc/systemd/system/autoscale-token.timer" <<'UNIT'
[Timer]
OnUnitActiveSec=6h
OnBootSec=5m
[Install]
WantedBy=timers.target
UNIT
    systemctl daemon-reload
    systemctl enable --now autoscale-token.timer
fi
say "$(<"$scratch/name") is the master after $SECONDS s"
exit 0
# MANIFESTS
