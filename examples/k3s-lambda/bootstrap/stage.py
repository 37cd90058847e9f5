"""Where machines start in tests: `join.sh` under bash, with stand-ins for metadata, vaults, downloads and installers.

The script has nothing to switch for a test. A test runs a copy in which exactly four lines are others: where programs are, where
metadata is, where files go, and how long to wait before metadata are asked again.
"""
import base64
import contextlib
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading

SCRIPT = pathlib.Path(__file__).resolve().with_name("join.sh")
sys.path.append(str(SCRIPT.parents[1] / "infrastructure"))
import embed

# As the template has it: without what is for Azure.
FOR_AWS = embed.script("join.sh")
TOKEN = "K10" + "a" * 64 + "::node:canary-join-token"
# Every program writes down its arguments, its environment and who could read the token at that time.
RECORD = """#!/usr/bin/env bash
{ printf '%s' "${0##*/}"; printf '\\t%s' "$@"; printf '\\n'; env; } >>"$STAND_IN/calls"
"""
STAND_INS = {
    "aws": RECORD + """
fails=$(cat "$STAND_IN/aws-fails" 2>/dev/null || echo 0)
if ((fails > 0)); then echo $((fails - 1)) >"$STAND_IN/aws-fails"; echo 'AccessDenied' >&2; exit 254; fi
cat "$STAND_IN/token"
""",
    # Metadata and the vault are asked by the real curl. The vault's name leads to this machine, under an authority of the test.
    "curl": RECORD + f"""
case "$*" in
    *vault.curl*)
        exec {shutil.which("curl")} --connect-to "::127.0.0.1:$(<"$STAND_IN/vault-port")" --cacert "$STAND_IN/../vault.pem" "$@" ;;
    *'Metadata: true'*) exec {shutil.which("curl")} "$@" ;;
esac
while (($#)); do
    case $1 in --config) config=$2 ;; --output) output=$2 ;; esac
    shift
done
cat "$config" >>"$STAND_IN/calls"
case $(cat "$config") in *install.sh*) cp "$STAND_IN/installer" "$output" ;; *) cp "$STAND_IN/k3s" "$output" ;; esac
""",
    "systemctl": RECORD,
    "sleep": RECORD,
    "kubeadm": RECORD + """
cp "$3" "$STAND_IN/joined"
mkdir -p "$STAND_IN/root/etc/kubernetes" && : >"$STAND_IN/root/etc/kubernetes/kubelet.conf"
""",
    "kubectl": RECORD + "printf True\n",
    "timeout": RECORD + f"""
[[ ! -f $STAND_IN/patience ]] || set -- "$(<"$STAND_IN/patience")" "${{@:2}}"
exec {shutil.which("timeout")} "$@"
""",
}
# The installer takes the configuration as k3s would, and registers.
INSTALLER = RECORD.replace("env bash", "env bash\nset -eu") + """
[[ $* == agent && $INSTALL_K3S_SKIP_DOWNLOAD == true ]]
cp "$STAND_IN/root/etc/rancher/k3s/config.yaml" "$STAND_IN/joined"
mkdir -p "$STAND_IN/root/var/lib/rancher/k3s/agent"
: >"$STAND_IN/root/var/lib/rancher/k3s/agent/kubelet.kubeconfig"
"""
K3S = RECORD + """
asked=$(cat "$STAND_IN/asked" 2>/dev/null || echo 0)
echo $((asked + 1)) >"$STAND_IN/asked"
((asked >= ${READY_AFTER:-2})) && printf True || printf False
"""
EVIL = [
    "", "web\n", "web\nnode-label: x", "$(touch {m})", "`touch {m}`", "web; touch {m}", "web' ; touch {m}; '", '"; touch {m}; "',
    "../../etc", "wéb", "\u202eweb", "web\0", "-web", "WEB!", "w" * 64, "w" * 60_000, "${IFS}", "*", "web\r\nx: y", "{{ v1 }}",
    "%s%n", "\\x24(id)", "web ", " web", "w\tb", "१२३", "#include", "web\u2028x",
]
FOLDER = tempfile.TemporaryDirectory()


def encoded(document):
    return base64.b64encode(json.dumps(document).encode()).decode()


class Handler(http.server.BaseHTTPRequestHandler):
    """Before a service answers, its troubles are gone through, one a request: a status, `hang up`, `break off` or `silence`."""

    protocol_version = "HTTP/1.1"

    def reply(self, code, text=""):
        body = text.encode("utf-8", "surrogateescape")
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)
        self.close_connection = True

    def troubled(self):
        self.server.asked.append(self.path)
        trouble = self.server.troubles.pop(0) if self.server.troubles else None
        if trouble is None:
            return False
        self.close_connection = True
        if isinstance(trouble, int):
            self.reply(trouble, "canary-answer")
        elif trouble == "break off":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{")
        elif trouble == "silence":
            # Until the client gives up.
            with contextlib.suppress(OSError):
                self.rfile.read()
        return True

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serving(handler, paths, troubles, tls=None):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.paths, server.troubles, server.asked = paths, troubles, []
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


class Machine:
    """One machine that starts. What the cloud says to it is in the classes of the clouds."""

    handler = None

    def __init__(self, text=None, image=("k3s", "installer")):
        self.at = pathlib.Path(tempfile.mkdtemp(dir=FOLDER.name))
        self.root = self.at / "root"
        self.text = text or SCRIPT.read_text()
        self.paths, self.troubles = {}, []
        (self.at / "bin").mkdir()
        for name, program in STAND_INS.items():
            self.program(self.at / "bin" / name, program)
        self.program(self.at / "installer", INSTALLER)
        self.program(self.at / "k3s", K3S)
        places = {"k3s": "usr/local/bin/k3s", "installer": "usr/local/lib/autoscale/install-k3s.sh"}
        for name in image:
            place = self.root / places[name]
            place.parent.mkdir(parents=True, exist_ok=True)
            self.program(place, (self.at / name).read_text())

    @staticmethod
    def program(path, text):
        path.write_text(text)
        path.chmod(0o755)

    def script(self, url):
        text = self.text
        for line, other in [
            ("readonly PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n",
             f"readonly PATH={self.at}/bin:{os.environ['PATH']}\n"),
            ("readonly METADATA=http://169.254.169.254\n", f"readonly METADATA={url}\n"),
            ("readonly ROOT=\n", f"readonly ROOT={self.root}\n"),
            ("pause = lambda attempt: time.sleep(0.2 * 2 ** attempt)\n", "pause = lambda attempt: time.sleep(0.002 * 2 ** attempt)\n"),
        ]:
            assert text.count(line) == 1, line
            text = text.replace(line, other)
        return text

    def start(self, **environment):
        with serving(self.handler, self.paths, self.troubles) as metadata:
            copy = self.at / "user-data.sh"
            copy.write_text(self.script(f"http://127.0.0.1:{metadata.server_address[1]}"))
            environment = {"STAND_IN": str(self.at), "TMPDIR": str(self.at), "http_proxy": "http://127.0.0.1:9", **environment}
            done = subprocess.run(["bash", str(copy)], env=environment, capture_output=True, text=True, timeout=120, check=False)
        self.said = done.stdout + done.stderr
        self.asked = metadata.asked
        self.left = [path.name for path in self.at.iterdir() if path.name.startswith("tmp")]
        calls = self.at / "calls"
        self.calls = calls.read_text() if calls.exists() else ""
        return done.returncode

    def joined(self):
        return json.loads((self.at / "joined").read_text())

    def has_joined(self):
        return (self.at / "joined").exists()

    def runs(self, program):
        return [line.split("\t")[1:] for line in self.calls.splitlines() if line.split("\t")[0] == program]
