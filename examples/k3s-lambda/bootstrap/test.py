"""`join.sh` on AWS, under bash with stand-ins: `python3 test.py`, standard library only."""
import base64
import hashlib
import json
import pathlib
import stat
import sys
import tempfile
import unittest

# Other tests load this file by its path.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from stage import EVIL, FOLDER, FOR_AWS, SCRIPT, TOKEN, Handler, encoded
import stage

SESSION = "canary-session=="
NAME = "i-0123456789abcdef0"
TAGS = {"asc:cluster": "shop", "asc:pool": "web", "asc:role": "worker", "asc:op": "abcd-3-0-1", "k3s-role": "worker"}
FACTS = {
    "instance-id": NAME, "placement/availability-zone": "eu-central-1a", "placement/region": "eu-central-1",
    "instance-type": "m6i.large", "instance-life-cycle": "spot",
}
DOCUMENT = {
    "format": 1, "cluster": "shop", "distribution": "k3s", "server": "https://10.0.0.10:6443",
    "token_parameter": "/asc/shop/node/join-token",
    "labels": {"example.org/team": "blue"}, "taints": ["example.org/batch=yes:NoSchedule"],
}


def tearDownModule():
    FOLDER.cleanup()


class Metadata(Handler):
    """IMDSv2: nothing without a session, and none for a proxy."""

    def do_PUT(self):
        lifetime = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds")
        right = self.path == "/latest/api/token" and lifetime
        self.reply(*((200, SESSION) if right else (400,)))

    def do_GET(self):
        if self.headers.get("X-aws-ec2-metadata-token") != SESSION:
            return self.reply(401)
        if self.troubled():
            return
        text = self.server.paths.get(self.path)
        self.reply(404) if text is None else self.reply(200, text)


class Machine(stage.Machine):
    handler = Metadata

    def __init__(self, tags=None, facts=None, document=None, user_data=None, token=TOKEN, **more):
        super().__init__(**more)
        tags, facts = {**TAGS, **(tags or {})}, {**FACTS, **(facts or {})}
        data = f"{self.text}\n# autoscale-node: {encoded({**DOCUMENT, **(document or {})})}\n" if user_data is None else user_data
        self.paths = {"/latest/user-data": data}
        self.paths |= {f"/latest/meta-data/tags/instance/{key}": value for key, value in tags.items()}
        self.paths |= {f"/latest/meta-data/{key}": value for key, value in facts.items()}
        (self.at / "token").write_text(token)


class Join(unittest.TestCase):
    def good(self, machine, **environment):
        self.assertEqual(machine.start(**environment), 0, machine.said)
        return machine

    def test_the_node_it_registers(self):
        machine = self.good(Machine())
        alone = self.good(Machine(text=FOR_AWS))
        self.assertEqual([alone.joined(), alone.runs("aws")], [machine.joined(), machine.runs("aws")], "without what is for Azure")
        self.assertEqual(machine.joined(), {
            "server": "https://10.0.0.10:6443", "token-file": "/etc/rancher/k3s/autoscale-token", "node-name": NAME,
            "node-label": [
                "autoscale.local/pool=web", "autoscale.local/purchase=spot", "example.org/team=blue",
                "node.kubernetes.io/instance-type=m6i.large", "topology.kubernetes.io/region=eu-central-1",
                "topology.kubernetes.io/zone=eu-central-1a",
            ],
            "node-taint": ["example.org/batch=yes:NoSchedule"],
            "kubelet-arg": [f"provider-id=aws:///eu-central-1a/{NAME}"],
        })
        self.assertEqual(machine.runs("install-k3s.sh"), [["agent"]])
        self.assertEqual(machine.runs("systemctl"), [["start", "--no-block", "k3s-agent"]])
        self.assertEqual(machine.runs("curl"), [], "an image that has everything downloads nothing")
        self.assertEqual(machine.runs("aws")[0][:6], [
            "ssm", "get-parameter", "--region", "eu-central-1", "--name", "/asc/shop/node/join-token"])
        self.assertEqual(len(machine.runs("k3s")), 3, "it asks until the node is ready")
        self.assertEqual(machine.runs("k3s")[0][-4:-2], ["node", NAME])

    def test_no_secret_is_seen(self):
        for machine in [Machine(), Machine(document={"distribution": "kubeadm"}), Machine(token="x"), Machine(tags={"asc:pool": "$(id)"})]:
            machine.start(READY_AFTER="0")
            for secret in ["canary", SESSION]:
                self.assertNotIn(secret, machine.said)
                self.assertNotIn(secret, machine.calls)
            self.assertEqual(machine.left, [], "the scratch folder is gone")
        machine = self.good(Machine())
        for path in ["etc/rancher/k3s/autoscale-token", "etc/rancher/k3s/config.yaml"]:
            mode = stat.S_IMODE((machine.root / path).stat().st_mode)
            self.assertEqual(mode, 0o600, path)
        self.assertEqual((machine.root / "etc/rancher/k3s/autoscale-token").read_text(), TOKEN)
        traced = Machine()
        traced.start(SHELLOPTS="xtrace", READY_AFTER="0")
        self.assertNotIn("canary", traced.said)

    def test_kubeadm(self):
        pin = "sha256:" + "b" * 64
        document = {"distribution": "kubeadm", "ca_hashes": [pin]}
        machine = self.good(Machine(document=document, token="abcdef.0123456789abcdef"))
        joined = machine.joined()
        self.assertEqual(joined["discovery"]["bootstrapToken"], {
            "apiServerEndpoint": "10.0.0.10:6443", "token": "abcdef.0123456789abcdef", "caCertHashes": [pin]})
        node = joined["nodeRegistration"]
        self.assertEqual(node["name"], NAME)
        self.assertEqual(node["taints"], [{"key": "example.org/batch", "value": "yes", "effect": "NoSchedule"}])
        arguments = {pair["name"]: pair["value"] for pair in node["kubeletExtraArgs"]}
        self.assertEqual(arguments["provider-id"], f"aws:///eu-central-1a/{NAME}")
        self.assertIn("autoscale.local/pool=web,", arguments["node-labels"])
        self.assertFalse((machine.root / "etc/kubernetes/autoscale-join.json").exists(), "it had the token in it")
        bare = Machine(document={"distribution": "kubeadm"})
        self.assertEqual(bare.start(), 1)
        self.assertIn("ca_hashes: expected at least one", bare.said)

    def test_without_an_image_files_are_fetched_by_digest(self):
        machine = Machine(image=())
        digest = lambda name: hashlib.sha256((machine.at / name).read_bytes()).hexdigest()
        files = {
            "binary": {"url": "https://example.org/v1.33.4%2Bk3s1/k3s", "sha256": digest("k3s")},
            "installer": {"url": "https://example.org/install.sh", "sha256": digest("installer")},
        }
        machine.paths["/latest/user-data"] = f"# autoscale-node: {encoded(DOCUMENT | files)}\n"
        self.good(machine)
        self.assertEqual(len(machine.runs("curl")), 2)
        self.assertIn('url = "https://example.org/v1.33.4%2Bk3s1/k3s"', machine.calls)
        other = Machine(image=())
        files["binary"]["sha256"] = "0" * 64
        other.paths["/latest/user-data"] = f"# autoscale-node: {encoded(DOCUMENT | files)}\n"
        self.assertEqual(other.start(), 1)
        self.assertIn("another digest", other.said)
        self.assertFalse(other.has_joined() or (other.root / "usr/local/bin/k3s").exists())
        none = Machine(image=())
        self.assertEqual(none.start(), 1)
        self.assertIn("the image has no binary", none.said)

    def test_hostile_values_are_refused_and_never_run(self):
        places = [("tags", "asc:pool"), ("tags", "asc:cluster"), ("tags", "asc:role"), ("facts", "placement/availability-zone"),
                  ("facts", "instance-id"), ("document", "server"), ("document", "token_parameter"), ("document", "cluster")]
        for at, text in enumerate(EVIL):
            with tempfile.TemporaryDirectory() as folder:
                mark = pathlib.Path(folder, "mark")
                text = text.replace("{m}", str(mark))
                for kind, key in [places[at % len(places)], places[(at + 3) % len(places)]]:
                    with self.subTest(kind=kind, key=key, text=text[:60]):
                        machine = Machine(text=FOR_AWS if at % 2 else None, **{kind: {key: text}})
                        self.assertEqual(machine.start(), 1)
                        self.assertTrue(key in machine.said or ("more than" in machine.said and len(text) > 50_000), machine.said)
                        self.assertFalse(machine.has_joined() or machine.runs("aws"), "nothing is asked before all is right")
                        self.assertLess(len(machine.said), 9_000)
                        self.assertFalse(any(ord(letter) < 32 and letter != "\n" for letter in machine.said))
                        self.assertFalse(mark.exists(), "it was run")

    def test_hostile_documents(self):
        mine = {"labels": {"autoscale.local/pool": "db"}}
        for document, said in [
            (mine, "is not set here"), ({"labels": {"node.kubernetes.io/x": "y"}}, "is not set here"), ({"labels": {"a=b,c": "d"}}, "labels"),
            ({"labels": {"a": "b,autoscale.local/pool=db"}}, "labels"), ({"labels": {"a": ["b"]}}, "labels"), ({"labels": ["a"]}, "labels"),
            ({"taints": ["a=b:NoSchedule,c=d:NoExecute"]}, "taints"), ({"taints": "a=b:NoSchedule"}, "taints"), ({"format": 2}, "format"),
            ({"format": True}, "format"), ({"server": "http://10.0.0.1:6443"}, "server"), ({"server": "https://u:p@h:1"}, "server"),
            ({"server": "https://10.0.0.1:6443/x\nsleep"}, "server"), ({"cluster": "other"}, "as the tag says"), ({"extra": 1}, "no such key"),
            ({"binary": {"url": "https://e.org/a\"\noutput = \"/etc/passwd", "sha256": "0" * 64}}, "binary.url"),
            ({"binary": {"url": "file:///etc/passwd", "sha256": "0" * 64}}, "binary.url"), ({"binary": {"url": "https://e.org/a"}}, "binary"),
            ({"token_parameter": "--region"}, "token_parameter"), ({"distribution": ["k3s"]}, "distribution"),
        ]:
            with self.subTest(document=document):
                machine = Machine(document=document)
                self.assertEqual(machine.start(), 1)
                self.assertIn(said, machine.said)
                self.assertFalse(machine.has_joined() or machine.runs("aws"))
        good = encoded(DOCUMENT)
        twice = base64.b64encode(b'{"cluster": "shop", ' + json.dumps(DOCUMENT).encode()[1:]).decode()
        deep = base64.b64encode(b"[" * 20_000).decode()
        for data in ["", "# autoscale-node: \n", "# autoscale-node: %%\n", f"# autoscale-node: {good}\n" * 2, f"# autoscale-node: {good[:-8]}\n",
                     f"# autoscale-node: {twice}\n", f"# autoscale-node: {deep}\n", f"# autoscale-node: {base64.b64encode(b'[1]').decode()}\n"]:
            with self.subTest(data=data[:60]):
                machine = Machine(user_data=data)
                self.assertEqual(machine.start(), 1)
                self.assertIn("document", machine.said)
                self.assertFalse(machine.has_joined())

    def test_everything_wrong_is_said_at_once(self):
        machine = Machine(tags={"asc:pool": "A", "asc:cluster": "B"}, facts={"instance-id": "C"}, document={"server": "D"})
        del machine.paths["/latest/meta-data/tags/instance/asc:op"]
        self.assertEqual(machine.start(), 1)
        for field in ["tag asc:pool: 'A'", "tag asc:cluster: 'B'", "tag asc:op: None", "instance-id: 'C'", "document server: 'D'"]:
            self.assertIn(field, machine.said)

    def test_tokens(self):
        for token, said in [
            ("K10" + "a" * 64 + "::server:canary", "a server token"), ("", "0 characters"), ("$(id)" * 9, "expected a token"),
            ("a" * 20 + "\nnode-label: x", "expected a token"), ("a" * 600, "expected a token"),
        ]:
            with self.subTest(token=token):
                machine = Machine(token=token)
                self.assertEqual(machine.start(), 1)
                self.assertIn(said, machine.said)
                self.assertFalse(machine.has_joined() or (machine.root / "etc/rancher/k3s/autoscale-token").exists())

    def test_what_is_not_there_yet_is_asked_again(self):
        machine = Machine()
        machine.troubles = [503, "hang up", "break off", 500]
        (machine.at / "aws-fails").write_text("4")
        self.good(machine)
        self.assertEqual(len(machine.runs("aws")), 5)
        never = Machine()
        (never.at / "aws-fails").write_text("99")
        self.assertEqual(never.start(), 1)
        self.assertIn("cannot read the join token: AccessDenied", never.said)
        self.assertEqual(len(never.runs("aws")), 10)
        slow = Machine()
        self.assertEqual(slow.start(READY_AFTER="1000"), 1)
        self.assertIn("is not ready after", slow.said)
        self.assertEqual(len(slow.runs("k3s")), 108)

    def test_it_fits_into_user_data_and_cannot_be_switched(self):
        text = SCRIPT.read_text()
        self.assertLess(len(FOR_AWS.encode()), 14_500, "a document has to fit beside it into 16 KiB")
        self.assertNotIn("azure", FOR_AWS)
        self.assertLess(len(text.encode()), 60_000, "custom data of Azure take 65535 bytes")
        for bad in ["set -x", "eval ", "| sh", "AUTOSCALE_TEST"]:
            self.assertNotIn(bad, text)


if __name__ == "__main__":
    unittest.main()
