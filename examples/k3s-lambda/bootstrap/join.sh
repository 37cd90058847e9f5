#!/usr/bin/env bash
# Makes this machine a worker of its cluster, on AWS or Azure. One fixed text for all machines, to be used as user data or from an image:
# what differs is read from the instance's tags and from one encoded document, a line "# autoscale-node: <base64 of JSON>" of the user
# data. Nothing of that is ever a part of a command: it is checked, and goes into files. The join token is read by this machine's own role.
# What stands between marks of a cloud can be left out on another: user data of AWS takes 16 KiB.
# shellcheck disable=SC2329 # What is of a cloud is called by its name.
set -euo pipefail
set +x
umask 077
ulimit -c 0

readonly PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
readonly METADATA=http://169.254.169.254
readonly ROOT=
export PATH
cloud=aws
# <azure>
[[ $(cat "$ROOT/sys/class/dmi/id/chassis_asset_tag" 2>/dev/null) != 7783-7084-3265-9085-8269-3286-77 ]] || cloud=azure
# </azure>

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

say() { printf 'autoscale-node: %s\n' "$*" >&2; }
fail() {
    say "FAILED: $*"
    exit 1
}

# Reads metadata, checks every value, and writes one file for each thing that is needed later.
cat >"$scratch/facts.py" <<'PYTHON'
import base64, http.client, json, os, re, sys, time, urllib.error, urllib.request

cloud, metadata, root, out = sys.argv[1:]
service = urllib.request.build_opener(urllib.request.ProxyHandler({}))
LIMIT = 65536
pause = lambda attempt: time.sleep(0.2 * 2 ** attempt)

def ask(path, method="GET", headers=None):
    """The text at a path, None if there is nothing. It is asked again while the service does not answer."""
    for attempt in range(8):
        if attempt:
            pause(attempt)
        try:
            request = urllib.request.Request(metadata + path, method=method, headers=headers or {})
            with service.open(request, timeout=5) as answer:
                body = answer.read(LIMIT + 1)
                if len(body) > LIMIT:
                    sys.exit("%s: more than %d bytes" % (path, LIMIT))
                if not answer.length:
                    return body.decode("utf-8", "replace")
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
        except (OSError, http.client.HTTPException):
            pass
    sys.exit("%s: the metadata service does not answer" % path)

wrong, files = [], {}
NAME = r"[a-z0-9](?:[a-z0-9-]{0,%d}[a-z0-9])?"
def checked(field, value, pattern, expected):
    if isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII):
        return value
    wrong.append("%s: %s: expected %s" % (field, ascii(value)[:80], expected))
    return ""

DOCUMENT = {"format", "cluster", "distribution", "server", "token_parameter", "labels", "taints", "binary", "installer", "ca_hashes"}
document = {}

def read(what, text):
    lines = re.findall(r"^# autoscale-node: (\S*)$", text or "", re.M)
    if len(lines) != 1:
        return wrong.append("%s: %d lines with a document: expected one" % (what, len(lines)))
    try:
        # A key that comes twice would mean one thing here and another elsewhere.
        def once(pairs):
            if len({key for key, _ in pairs}) != len(pairs):
                raise ValueError("a key twice")
            return dict(pairs)
        found = json.loads(base64.b64decode(lines[0], validate=True).decode("utf-8"), object_pairs_hook=once)
        if not isinstance(found, dict):
            raise ValueError("no object")
        document.update(found)
    except (ValueError, RecursionError) as error:
        wrong.append("document: %s: expected base64 of a JSON object" % type(error).__name__)
    for key in sorted(set(document) - DOCUMENT):
        wrong.append("document %s: expected no such key" % ascii(key)[:80])

def of(key, pattern, expected, default=None):
    return checked("document " + key, document.get(key, default), pattern, expected)

def aws():
    session = ask("/latest/api/token", "PUT", {"X-aws-ec2-metadata-token-ttl-seconds": "300"}) or ""
    if not re.fullmatch(r"[\x21-\x7e]{1,1024}", session):
        sys.exit("the metadata service gives no session")
    get = lambda path: ask("/latest/" + path, headers={"X-aws-ec2-metadata-token": session})
    read("user data", get("user-data"))
    fact = lambda path, pattern, expected: checked(path, get("meta-data/" + path), pattern, expected)
    name = fact("instance-id", "i-[0-9a-f]{8,32}", "the id of an instance")
    zone = fact("placement/availability-zone", NAME % 61, "the name of a zone")
    region = fact("placement/region", "[a-z]{2}(-[a-z]{1,12}){1,3}-[0-9]{1,2}", "the name of a region")
    shape = fact("instance-type", "[a-z0-9][a-z0-9.-]{0,60}[a-z0-9]", "a type of machine")
    life = fact("instance-life-cycle", "spot|on-demand|scheduled|capacity-block", "spot or on-demand")
    files["parameter"] = of("token_parameter", "/[A-Za-z0-9_.-]{1,100}(/[A-Za-z0-9_.-]{1,100}){1,8}", "the name of a parameter")
    files["region"] = region
    tag = lambda key: ("tag asc:" + key, get("meta-data/tags/instance/asc:" + key))
    return tag, "op", name, region, zone, shape, life == "spot", "aws:///%s/%s" % (zone, name)

# <azure>
if cloud == "azure":
    DOCUMENT = DOCUMENT - {"token_parameter"} | {"token_secret", "token_file", "identity", "tag_prefix"}
GUID = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"

def azure():
    for attempt in range(5):
        # A machine that has just come may not be known yet.
        if attempt:
            pause(attempt)
        text = ask("/metadata/instance?api-version=2021-02-01", headers={"Metadata": "true"})
        try:
            compute = json.loads(text or "")["compute"]
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
        if isinstance(compute, dict):
            break
    else:
        sys.exit("the metadata service says nothing of this machine")
    # The service does not tell custom data; cloud-init keeps them for root.
    custom = root + "/var/lib/cloud/instance/user-data.txt"
    try:
        with open(custom, "rb") as file:
            read("custom data", file.read(LIMIT).decode("utf-8", "replace"))
    except OSError as error:
        wrong.append("custom data: %s: expected %s of cloud-init" % (error.strerror, custom))
    fact = lambda key, pattern, expected: checked("compute " + key, compute.get(key), pattern, expected)
    group = r"(?i:/subscriptions/%s/resourceGroups/[A-Za-z0-9_.()-]{1,90}/providers/Microsoft\.Compute/virtualMachines/)" % GUID
    machine = fact("resourceId", group + "(?i:%s)" % (NAME % 61), "the id of a machine") or "/" * 8
    _, _, subscription, _, group, _, _, _, name = machine.lower().split("/")
    region = fact("location", "[a-z0-9]{1,60}", "the name of a location")
    number = fact("zone", "[0-9]?", "the number of a zone, or nothing")
    shape = fact("vmSize", "[A-Za-z0-9][A-Za-z0-9_.-]{0,61}[A-Za-z0-9]", "a size of machine")
    life = fact("priority", "(?i:spot|low|regular)?", "Spot or Regular").lower()
    if ("token_secret" in document) == ("token_file" in document):
        wrong.append("document: expected one of token_secret and token_file")
    elif "token_file" in document:
        files["secret.file"] = of("token_file", "(/[A-Za-z0-9_][A-Za-z0-9_.-]{0,100}){1,16}", "the path of a file")
    else:
        vault = r"https://[a-zA-Z](?:-?[a-zA-Z0-9]){2,23}\.(vault\.(?:azure\.net|azure\.cn|usgovcloudapi\.net))"
        secret = of("token_secret", vault + "/secrets/[A-Za-z0-9-]{1,127}(?:/[0-9a-f]{32})?", "the address of a secret in a key vault")
        files["vault.curl"] = 'url = "%s?api-version=7.4"\n' % secret
        files["identity"] = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2F"
        files["identity"] += re.match(vault, secret)[1] if secret else ""
        if "identity" in document:
            files["identity"] += "&client_id=" + of("identity", GUID, "the client id of an identity")
    prefix = of("tag_prefix", "[A-Za-z0-9._-]{1,40}", "a prefix of tags", "autoscale")
    tags = {}
    for one in compute["tagsList"] if isinstance(compute.get("tagsList"), list) else []:
        if isinstance(one, dict) and isinstance(one.get("name"), str):
            tags.setdefault(one["name"].lower(), []).append(one.get("value"))
    def tag(key):
        key = prefix + "-" + key
        values = tags.get(key.lower(), [None])
        return "tag " + key, values[0] if len(values) == 1 else values
    zone = region + "-" + number if number else region
    provider = "azure:///subscriptions/%s/resourceGroups/%s/providers/Microsoft.Compute/virtualMachines/%s" % (subscription, group, name)
    return tag, "token", name, region, zone, shape, life in ("spot", "low"), provider
# </azure>

tag, op, name, region, zone, shape, spot, provider = globals()[cloud]()
cluster = checked(*tag("cluster"), NAME % 30, "1 to 32 of a-z, 0-9 and inner dashes")
pool = checked(*tag("pool"), NAME % 61, "1 to 63 of a-z, 0-9 and inner dashes")
checked(*tag("role"), "worker", "worker")
checked(*tag(op), "[A-Za-z0-9-]{1,63}[A-Za-z0-9]|[A-Za-z0-9]", "the token of a launch")
if document.get("format") != 1 or isinstance(document.get("format"), bool):
    wrong.append("document format: expected 1")
named = of("cluster", NAME % 30, "the cluster's id")
if named and cluster and named != cluster:
    wrong.append("document cluster: %s: expected %s, as the tag says" % (named, cluster))
distribution = of("distribution", "k3s|kubeadm", "k3s or kubeadm", "k3s")
HOST = r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
server = of("server", "https://" + HOST + ":[0-9]{1,5}", "https://host:port")

def downloaded(key):
    """Address and digest of a file, or nothing: then the image has it."""
    value = document.get(key)
    if value is None:
        return
    if not isinstance(value, dict) or set(value) != {"url", "sha256"}:
        return wrong.append("document %s: expected url and sha256" % key)
    url = checked("document %s.url" % key, value["url"], "https://" + HOST + "(:[0-9]{1,5})?/[A-Za-z0-9._~%+/-]{1,400}", "an https address")
    digest = checked("document %s.sha256" % key, value["sha256"], "[0-9a-f]{64}", "64 hexadecimal digits")
    files[key + ".curl"] = 'url = "%s"\n' % url
    files[key + ".sha256"] = "%s  %s/%s\n" % (digest, out, key)

downloaded("binary")
downloaded("installer")

LABEL = r"(?:(?:%s\.)*%s/)?[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?" % (NAME % 61, NAME % 61)
VALUE = r"(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?"
labels = {"autoscale.local/pool": pool, "autoscale.local/purchase": "spot" if spot else "on-demand",
          "topology.kubernetes.io/region": region, "topology.kubernetes.io/zone": zone, "node.kubernetes.io/instance-type": shape}
more = document.get("labels", {})
if not isinstance(more, dict) or len(more) > 20:
    wrong.append("document labels: expected an object of at most 20")
    more = {}
for key, value in more.items():
    checked("document labels", key, LABEL, "the key of a label")
    checked("document labels", value, VALUE, "the value of a label")
    if re.search(r"(^|[./])(kubernetes\.io|k8s\.io|autoscale\.local)/", key):
        wrong.append("document labels: %s: expected a label that is not set here or by Kubernetes" % ascii(key)[:80])
labels.update(more)
taints = document.get("taints", [])
if not isinstance(taints, list) or len(taints) > 20:
    wrong.append("document taints: expected a list of at most 20")
    taints = []
for taint in taints:
    checked("document taints", taint, LABEL + "=" + VALUE + ":(NoSchedule|PreferNoSchedule|NoExecute)", "key=value:effect")
hashes = document.get("ca_hashes", [])
if not isinstance(hashes, list) or len(hashes) > 4:
    wrong.append("document ca_hashes: expected a list of at most 4")
    hashes = []
for pin in hashes:
    checked("document ca_hashes", pin, "sha256:[0-9a-f]{64}", "sha256: and 64 hexadecimal digits")
if distribution == "kubeadm" and not hashes:
    wrong.append("document ca_hashes: expected at least one for kubeadm")
if wrong:
    sys.exit("\n".join(wrong))

# JSON is YAML. The name is the machine's own: an address comes again, and k3s refuses a known name with another password.
if distribution == "k3s":
    node = {"server": server, "token-file": "/etc/rancher/k3s/autoscale-token", "node-name": name,
            "node-label": ["%s=%s" % pair for pair in sorted(labels.items())], "node-taint": taints,
            "kubelet-arg": ["provider-id=" + provider]}
else:
    parts = [re.fullmatch("([^=]*)=([^:]*):(.*)", taint).groups() for taint in taints]
    node = {"apiVersion": "kubeadm.k8s.io/v1beta4", "kind": "JoinConfiguration",
            "discovery": {"bootstrapToken": {"apiServerEndpoint": server[len("https://"):], "token": "", "caCertHashes": hashes}},
            "nodeRegistration": {"name": name, "taints": [{"key": k, "value": v, "effect": e} for k, v, e in parts],
                "kubeletExtraArgs": [{"name": "node-labels", "value": ",".join("%s=%s" % pair for pair in sorted(labels.items()))},
                                     {"name": "provider-id", "value": provider}]}}
files.update({"node.json": json.dumps(node, indent=1), "distribution": distribution, "name": name})
for key, text in files.items():
    with open(os.path.join(out, key), "x") as file:
        file.write(text)
PYTHON

# Puts a file where only root can read it, as one step.
put() {
    mkdir -p "$(dirname "$2")"
    install -m 600 "$1" "$2.new"
    mv -f "$2.new" "$2"
}

# A file from its address, if its digest is right.
download() {
    [[ -f $scratch/$1.curl ]] || fail "the image has no $1, and the document does not say where it is"
    curl --config "$scratch/$1.curl" --proto '=https' --tlsv1.2 --fail --silent --show-error --location --retry 5 \
        --retry-connrefused --max-time 180 --output "$scratch/$1" || fail "cannot download the $1"
    sha256sum --check --status "$scratch/$1.sha256" || fail "the $1 has another digest than the document says"
}

aws_token() {
    aws ssm get-parameter --region "$(<"$scratch/region")" --name "$(<"$scratch/parameter")" --with-decryption \
        --query Parameter.Value --output text >"$scratch/token"
}

# <azure>
# One text of an answer, from a file to a file. Of a refusal only its code is told.
take() {
    python3 -I - "$@" <<'PYTHON'
import json, re, sys
who, status, answer, key, form, out = sys.argv[1:]
try:
    said = json.load(open(answer))
except (OSError, ValueError, RecursionError):
    said = None
said = said if isinstance(said, dict) else {}
if status != "200":
    error = said.get("error")
    code = error.get("code") if isinstance(error, dict) else error
    sys.exit("%s refuses: %s %s" % (who, status, re.sub("[^A-Za-z_]", "", str(code or ""))[:60]))
text = said.get(key)
if not isinstance(text, str):
    sys.exit("%s answers without a %s" % (who, key))
if form != "%s" and not re.fullmatch("[A-Za-z0-9._~+/=-]{1,16384}", text):
    sys.exit("%s answers with another %s than expected" % (who, key))
open(out, "w", errors="replace").write(form % text)
PYTHON
}

# From the file, or from the vault: what this machine shows there comes from the metadata, is in files alone and goes nowhere else.
azure_token() {
    if [[ -f $scratch/secret.file ]]; then
        python3 -I - "$(<"$scratch/secret.file")" "$scratch/token" <<'PYTHON'
import os, stat, sys
try:
    file = os.fdopen(os.open(sys.argv[1], os.O_RDONLY | os.O_NONBLOCK), "rb")
except OSError as error:
    sys.exit("%s: %s" % (sys.argv[1], error.strerror))
about = os.fstat(file.fileno())
if not stat.S_ISREG(about.st_mode) or about.st_mode & 0o007 or about.st_uid not in (0, os.geteuid()):
    sys.exit("%s: expected a file of root that not everybody can read" % sys.argv[1])
open(sys.argv[2], "wb").write(file.read(4096))
PYTHON
        return
    fi
    local answer=$scratch/answer curl=(curl --silent --show-error --max-time 20 --max-filesize 65536 --write-out '%{http_code}') status
    rm -f "$answer"
    status=$("${curl[@]}" --noproxy '*' --header 'Metadata: true' --output "$answer" "$METADATA$(<"$scratch/identity")") || return
    take 'the identity' "$status" "$answer" access_token $'header = "Authorization: Bearer %s"\n' "$scratch/vault.header" || return
    rm -f "$answer"
    status=$("${curl[@]}" --proto '=https' --tlsv1.2 --config "$scratch/vault.curl" --config "$scratch/vault.header" --output "$answer") || return
    take 'the vault' "$status" "$answer" value %s "$scratch/token" || return
    rm -f "$answer" "$scratch/vault.header"
}
# </azure>

# The token goes to a file, and what is wrong with it is said without its value.
read_token() {
    local attempt
    for attempt in $(seq 10); do
        if "${cloud}_token" 2>"$scratch/said"; then
            python3 -I - "$scratch/token" "$(<"$scratch/distribution")" <<'PYTHON' || fail "the join token cannot be used"
import re, sys
token = open(sys.argv[1], errors="replace").read(4096).strip()
if "::server:" in token:
    sys.exit("it is a server token, which gives the whole cluster away: expected an agent token or a bootstrap token")
pattern = r"[a-z0-9]{6}\.[a-z0-9]{16}" if sys.argv[2] == "kubeadm" else "[A-Za-z0-9.:_-]{16,512}"
if not re.fullmatch(pattern, token):
    sys.exit("it has %d characters: expected a token of %s" % (len(token), sys.argv[2]))
open(sys.argv[1], "w").write(token)
PYTHON
            return
        fi
        say "the join token is not there yet (try $attempt)"
        sleep $((attempt < 6 ? attempt * 2 : 10))
    done
    fail "cannot read the join token: $(tr -cd '[:print:]' <"$scratch/said" | cut -c1-300)"
}

join_k3s() {
    local binary=$ROOT/usr/local/bin/k3s installer=$ROOT/usr/local/lib/autoscale/install-k3s.sh
    if [[ ! -x $binary ]]; then
        download binary
        install -D -m 755 "$scratch/binary" "$binary"
    fi
    if [[ ! -f $installer ]]; then
        download installer
        install -D -m 755 "$scratch/installer" "$installer"
    fi
    put "$scratch/token" "$ROOT/etc/rancher/k3s/autoscale-token"
    put "$scratch/node.json" "$ROOT/etc/rancher/k3s/config.yaml"
    INSTALL_K3S_SKIP_DOWNLOAD=true INSTALL_K3S_SKIP_SELINUX_RPM=true INSTALL_K3S_SKIP_START=true \
        sh "$installer" agent </dev/null || fail "the installer of k3s failed"
    systemctl start --no-block k3s-agent || fail "k3s-agent cannot be started"
}

join_kubeadm() {
    command -v kubeadm >/dev/null || fail "the image has no kubeadm: make one, see image.pkr.hcl"
    python3 -I - "$scratch/node.json" "$scratch/token" <<'PYTHON'
import json, sys
node = json.load(open(sys.argv[1]))
node["discovery"]["bootstrapToken"]["token"] = open(sys.argv[2]).read()
json.dump(node, open(sys.argv[1], "w"), indent=1)
PYTHON
    put "$scratch/node.json" "$ROOT/etc/kubernetes/autoscale-join.json"
    kubeadm join --config "$ROOT/etc/kubernetes/autoscale-join.json" </dev/null || fail "kubeadm cannot join"
    rm -f "$ROOT/etc/kubernetes/autoscale-join.json"
}

# Asks the API server as this node: it may read itself.
is_ready() {
    local kubectl=(kubectl) config=$ROOT/etc/kubernetes/kubelet.conf
    if [[ $(<"$scratch/distribution") == k3s ]]; then
        kubectl=("$ROOT/usr/local/bin/k3s" kubectl)
        config=$ROOT/var/lib/rancher/k3s/agent/kubelet.kubeconfig
    fi
    [[ -f $config ]] || return 1
    [[ $("${kubectl[@]}" --kubeconfig "$config" --request-timeout 5s get node "$(<"$scratch/name")" \
        -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}' 2>/dev/null) == True ]]
}

tools=(python3 curl sha256sum systemctl timeout)
[[ $cloud != aws ]] || tools+=(aws)
for tool in "${tools[@]}"; do
    command -v "$tool" >/dev/null || fail "$tool is not installed"
done
timeout 300 python3 -I "$scratch/facts.py" "$cloud" "$METADATA" "$ROOT" "$scratch" 2>"$scratch/said" || {
    (($? != 124)) || echo 'the metadata service is too slow' >"$scratch/said"
    fail "$(tr -cd '[:print:]\n' <"$scratch/said" | head -c 8000)"
}
say "$(<"$scratch/name") joins by $(<"$scratch/distribution")"
read_token
case $(<"$scratch/distribution") in
    k3s) join_k3s ;;
    kubeadm) join_kubeadm ;;
esac
rm -f "$scratch/token"

# A little less than the autoscaler waits: what does not come is told here first, and ended there.
for ((waited = 0; waited < 540; waited += 5)); do
    if is_ready; then
        say "$(<"$scratch/name") is ready after $SECONDS s"
        exit 0
    fi
    sleep 5
done
fail "$(<"$scratch/name") is not ready after $SECONDS s"
