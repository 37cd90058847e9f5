"""`server.sh` under bash, with stand-ins: what it makes up, keeps and stores. Real are bash, Python and openssl."""
import base64
import json
import os
import pathlib
import stat
import subprocess
import sys
import tempfile
import unittest

import stage
import test as join
from stage import embed

DOCUMENT = {
    "cluster": "shop", "key": "0a1b-key", "publish": "true", "binary_url": "https://example.org/k3s", "binary_sha256": "0" * 64,
    "installer_url": "https://example.org/install.sh", "installer_sha256": "1" * 64, "join": "/asc/shop/node/join-token",
    "api_token": "/asc/shop/function/api-token", "api_ca": "/asc/shop/function/api-ca", "prometheus_login": "/asc/shop/function/prometheus-login",
}
AWS = stage.RECORD + """
while (($#)); do case $1 in --cli-input-json) file=${2#file://} ;; esac; shift; done
stat -c %a "$file" >>"$STAND_IN/modes"
cat "$file" >>"$STAND_IN/stored"; echo >>"$STAND_IN/stored"
"""
K3S = stage.RECORD + """
case "$*" in
    *"create token"*) echo canary-api-token ;;
    *"apply -f -"*) cat >/dev/null ;;
    *"apply -f "*) cp "${@: -1}" "$STAND_IN/applied" ;;
esac
"""
INSTALLER = stage.RECORD + """
tls=$STAND_IN/root/var/lib/rancher/k3s/server/tls
mkdir -p "$tls"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=k3s-server-ca -days 1 -keyout "$tls/server-ca.key" -out "$tls/server-ca.crt" 2>/dev/null
"""


class Master:
    def __init__(self, **document):
        self.folder = tempfile.TemporaryDirectory()
        self.at = pathlib.Path(self.folder.name)
        self.root = self.at / "root"
        for folder in ["bin", "root/etc/systemd/system", "root/usr/local/bin", "root/usr/local/lib/autoscale"]:
            (self.at / folder).mkdir(parents=True)
        for path, text in [("bin/aws", AWS), ("bin/curl", stage.RECORD), ("bin/systemctl", stage.RECORD), ("bin/sleep", stage.RECORD),
                           ("root/usr/local/bin/k3s", K3S), ("root/usr/local/lib/autoscale/install-k3s.sh", INSTALLER)]:
            stage.Machine.program(self.at / path, text.replace("/usr/bin/env sh", "/usr/bin/env bash"))
        self.encoded = base64.b64encode(json.dumps({**DOCUMENT, **document}).encode()).decode()

    def start(self, *arguments):
        facts = {**join.FACTS, "local-ipv4": "10.40.0.10"}
        paths = {f"/latest/meta-data/{key}": value for key, value in facts.items()}
        paths["/latest/user-data"] = f"# autoscale-server: {self.encoded}\n"
        with stage.serving(join.Metadata, paths, []) as server:
            return self.run_it(f"http://127.0.0.1:{server.server_address[1]}", arguments)

    def run_it(self, metadata, arguments):
        text = embed.script("server.sh")
        for line, other in [
            ("readonly PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n", f"readonly PATH={self.at}/bin:{os.environ['PATH']}\n"),
            ("readonly METADATA=http://169.254.169.254\n", f"readonly METADATA={metadata}\n"),
            ("readonly ROOT=\n", f"readonly ROOT={self.root}\n"),
        ]:
            assert text.count(line) == 1, line
            text = text.replace(line, other)
        (self.at / "user-data.sh").write_text(text)
        environment = {"STAND_IN": str(self.at), "TMPDIR": str(self.at)}
        done = subprocess.run(["bash", self.at / "user-data.sh", *arguments], env=environment, capture_output=True, text=True, timeout=120, check=False)
        self.said = done.stdout + done.stderr
        return done.returncode

    def text(self, name):
        path = self.at / name
        return path.read_text() if path.exists() else ""

    def stored(self):
        return {one["Name"]: one for one in map(json.loads, filter(None, self.text("stored").splitlines()))}


@unittest.skipIf(sys.version_info >= (3, 13), "needs the module crypt, as the master does")
class Server(unittest.TestCase):
    def test_what_a_master_is(self):
        master = Master()
        self.assertEqual(master.start(), 0, master.said)
        config = json.loads((master.root / "etc/rancher/k3s/config.yaml").read_text())
        self.assertEqual(config["node-taint"], ["node-role.kubernetes.io/control-plane=true:NoSchedule"])
        self.assertIn("autoscale.local/role=master", config["node-label"])
        self.assertEqual(config["agent-token-file"], "/etc/autoscale/agent-token")
        stored = master.stored()
        self.assertEqual(set(stored), {DOCUMENT[name] for name in ("join", "api_token", "api_ca", "prometheus_login")})
        for one in stored.values():
            self.assertEqual((one["Type"], one["KeyId"], one["Overwrite"]), ("SecureString", "0a1b-key", True))
        own = master.root / "etc/autoscale"
        self.assertEqual(stored[DOCUMENT["join"]]["Value"], (own / "agent-token").read_text().strip())
        self.assertEqual(stored[DOCUMENT["api_token"]]["Value"], "canary-api-token")
        self.assertEqual(stored[DOCUMENT["prometheus_login"]]["Value"], "autoscaler:" + (own / "password").read_text())
        self.assertEqual((own / "password").read_text(), (own / "password").read_text().strip())
        authority = master.root / "var/lib/rancher/k3s/server/tls/server-ca.crt"
        verified = subprocess.run(["openssl", "verify", "-CAfile", authority, "-verify_ip", "10.40.0.10", own / "prometheus.crt"], capture_output=True, check=False)
        self.assertEqual(verified.returncode, 0, verified.stderr)
        web = json.loads((own / "web.json").read_text())
        self.assertTrue(web["basic_auth_users"]["autoscaler"].startswith("$2"))
        self.assertIn("kind: Deployment", master.text("applied"))
        self.assertIn("autoscale-token.timer", master.text("calls"))

    def test_secrets_are_nowhere_else(self):
        master = Master()
        self.assertEqual(master.start(), 0, master.said)
        own = master.root / "etc/autoscale"
        for secret in [(own / "agent-token").read_text().strip(), (own / "password").read_text(), "canary-api-token", join.SESSION]:
            self.assertNotIn(secret, master.text("calls") + master.said)
        for path in own.iterdir():
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600, path)
        self.assertEqual(set(master.text("modes").split()), {"600"})

    def test_a_second_run_keeps_what_was_made_up(self):
        master = Master()
        self.assertEqual(master.start(), 0, master.said)
        before = master.stored()
        self.assertEqual(master.start("token"), 0, master.said)
        self.assertEqual(master.start(), 0, master.said)
        for name in ("join", "prometheus_login"):
            self.assertEqual(master.stored()[DOCUMENT[name]], before[DOCUMENT[name]])

    def test_without_permission_nothing_is_stored(self):
        master = Master(publish="false")
        self.assertEqual(master.start(), 0, master.said)
        self.assertEqual(master.stored(), {})

    def test_hostile_documents(self):
        for name, value in [("cluster", "$(id)"), ("key", "x y"), ("join", "/a\n/b"), ("binary_url", "https://e.org/a\"\noutput = x"), ("publish", "yes"), ("binary_sha256", None)]:
            master = Master(**{name: value})
            self.assertEqual(master.start(), 1)
            self.assertFalse(master.text("calls"))


if __name__ == "__main__":
    unittest.main()
