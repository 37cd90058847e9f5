"""`join.sh` on Azure, under bash with stand-ins: `python3 azure_test.py`, standard library, and openssl for the vault's certificate."""
import json
import os
import pathlib
import re
import ssl
import stat
import subprocess
import sys
import tempfile
import unittest
import urllib.parse

# Other tests load this file by its path.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from stage import EVIL, FOLDER, FOR_AWS, TOKEN, Handler, encoded, serving
import stage

RUST = pathlib.Path(__file__).resolve().parents[3] / "autoscale-azure/src/vm"
NAME = "as-ab12-3-0"
GROUP = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups"
TAGS = {"autoscale-cluster": "shop", "autoscale-pool": "web", "autoscale-role": "worker", "autoscale-token": "ab12-3-0-1", "owner": "ops"}
COMPUTE = {
    "azEnvironment": "AzurePublicCloud", "customData": "", "location": "westeurope", "name": NAME, "priority": "Spot", "resourceGroupName": "WORKERS",
    "resourceId": f"{GROUP}/WORKERS/providers/Microsoft.Compute/virtualMachines/{NAME}", "vmScaleSetName": "", "vmSize": "Standard_D2s_v5", "zone": "2",
}
SECRET = "https://shop-kv.vault.azure.net/secrets/join-token"
DOCUMENT = {
    "format": 1, "cluster": "shop", "distribution": "k3s", "server": "https://10.0.0.10:6443", "token_secret": SECRET,
    "labels": {"example.org/team": "blue"}, "taints": ["example.org/batch=yes:NoSchedule"],
}
PIN = "sha256:" + "b" * 64
KUBEADM = {"distribution": "kubeadm", "ca_hashes": [PIN]}
BOOTSTRAP = "abcdef.0123456789abcdef"
BEARER = "eyJ0.canary-bearer_~+/.x=="
IDENTITY = "99999999-8888-7777-6666-555555555555"


def setUpModule():
    """An authority of the test, for the names of vaults."""
    pem = pathlib.Path(FOLDER.name, "vault.pem")
    names = "subjectAltName=DNS:shop-kv.vault.azure.net,DNS:shop-kv.vault.usgovcloudapi.net"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{pem}.key", "-out", pem,
                    "-days", "1", "-subj", "/CN=vault", "-addext", names], check=True, capture_output=True)


def tearDownModule():
    FOLDER.cleanup()


class Metadata(Handler):
    """The metadata of a machine and the tokens of its identity: both only with their header, and not for a proxy."""

    def do_GET(self):
        if self.headers.get("Metadata") != "true" or self.headers.get("X-Forwarded-For"):
            return self.reply(400, '{"error": "Required metadata header not specified"}')
        if self.troubled():
            return
        path, _, query = self.path.partition("?")
        query = urllib.parse.parse_qs(query, strict_parsing=True)
        if path == "/metadata/instance" and query == {"api-version": ["2021-02-01"]}:
            early = self.server.paths["early"]
            text = early.pop(0) if early else self.server.paths["instance"]
            return self.reply(404) if text is None else self.reply(200, text)
        if path == "/metadata/identity/oauth2/token" and query.pop("api-version") == ["2018-02-01"]:
            status, text = self.server.paths["identity"]
            text = text if isinstance(text, str) else json.dumps(text)
            return self.reply(status, text) if query == self.server.paths["wanted"] else self.reply(400, '{"error": "invalid_request"}')
        self.reply(404)


class Vault(Handler):
    """One secret, for whoever shows the token of the identity."""

    def do_GET(self):
        if self.troubled():
            return
        if self.headers.get("Authorization") != f"Bearer {BEARER}":
            return self.reply(401, '{"error": {"code": "Unauthorized", "message": "AKV10000"}}')
        if self.path not in self.server.paths:
            return self.reply(404, '{"error": {"code": "SecretNotFound", "message": "canary-message"}}')
        self.reply(*self.server.paths[self.path])


class Machine(stage.Machine):
    handler = Metadata

    def __init__(self, tags=None, compute=None, document=None, custom_data=None, token=TOKEN, drop=(), **more):
        super().__init__(**more)
        tag = self.root / "sys/class/dmi/id/chassis_asset_tag"
        tag.parent.mkdir(parents=True)
        tag.write_text("7783-7084-3265-9085-8269-3286-77\n")
        listed = [{"name": name, "value": value} for name, value in {**TAGS, **(tags or {})}.items()]
        self.compute = {**COMPUTE, "tagsList": listed, **(compute or {})}
        document = {key: value for key, value in {**DOCUMENT, **(document or {})}.items() if value is not None}
        self.custom_data = f"{self.text}\n# autoscale-node: {encoded(document)}\n" if custom_data is None else custom_data
        self.identity = (200, {"access_token": BEARER, "token_type": "Bearer", "resource": "https://vault.azure.net"})
        self.wanted = {"resource": ["https://vault.azure.net"]}
        self.secrets = {"/secrets/join-token?api-version=7.4": (200, json.dumps({"value": token, "id": SECRET, "attributes": {"enabled": True}}))}
        self.vault_troubles, self.early, self.instance = [], [], None

    def start(self, **environment):
        if self.custom_data is not False:
            data = self.root / "var/lib/cloud/instance/user-data.txt"
            data.parent.mkdir(parents=True)
            data.write_bytes(self.custom_data.encode("utf-8", "surrogateescape"))
        instance = json.dumps({"compute": self.compute, "network": {}}) if self.instance is None else self.instance
        self.paths = {"instance": instance, "identity": self.identity, "wanted": self.wanted, "early": self.early}
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        pem = pathlib.Path(FOLDER.name, "vault.pem")
        tls.load_cert_chain(pem, f"{pem}.key")
        with serving(Vault, self.secrets, self.vault_troubles, tls) as vault:
            (self.at / "vault-port").write_text(str(vault.server_address[1]))
            code = super().start(**environment)
        self.vault_asked = vault.asked
        return code

    def file(self, text=TOKEN, mode=0o600):
        path = self.at / "mounted/join-token"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(mode)
        return str(path)


def by_file(text=TOKEN, mode=0o600, **more):
    """A machine whose secret is in a file."""
    machine = Machine(**more)
    whole = {**DOCUMENT, **more.get("document", {}), "token_file": machine.file(text, mode)}
    del whole["token_secret"]
    machine.custom_data = f"#!/bin/sh\n# autoscale-node: {encoded(whole)}\nexec /usr/local/lib/autoscale/join.sh\n"
    return machine


class Join(unittest.TestCase):
    def good(self, machine, **environment):
        self.assertEqual(machine.start(**environment), 0, machine.said)
        return machine

    def refused(self, machine, *said, **environment):
        self.assertEqual(machine.start(**environment), 1, machine.said)
        for text in said:
            self.assertIn(text, machine.said)
        self.assertFalse(machine.has_joined())
        return machine

    def test_the_node_it_registers(self):
        machine = self.good(Machine())
        self.assertEqual(machine.joined(), {
            "server": "https://10.0.0.10:6443", "token-file": "/etc/rancher/k3s/autoscale-token", "node-name": NAME,
            "node-label": [
                "autoscale.local/pool=web", "autoscale.local/purchase=spot", "example.org/team=blue",
                "node.kubernetes.io/instance-type=Standard_D2s_v5", "topology.kubernetes.io/region=westeurope",
                "topology.kubernetes.io/zone=westeurope-2",
            ],
            "node-taint": ["example.org/batch=yes:NoSchedule"],
            "kubelet-arg": [f"provider-id=azure://{GROUP}/workers/providers/Microsoft.Compute/virtualMachines/{NAME}"],
        })
        self.assertEqual(machine.runs("install-k3s.sh"), [["agent"]])
        self.assertEqual(machine.runs("systemctl"), [["start", "--no-block", "k3s-agent"]])
        self.assertEqual(machine.runs("aws"), [])
        self.assertEqual(machine.asked, ["/metadata/instance?api-version=2021-02-01",
                         "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net"])
        self.assertEqual(machine.vault_asked, ["/secrets/join-token?api-version=7.4"])
        self.assertEqual((machine.root / "etc/rancher/k3s/autoscale-token").read_text(), TOKEN)
        self.assertEqual(len(machine.runs("k3s")), 3, "it asks until the node is ready")
        self.assertEqual(machine.runs("k3s")[0][-4:-2], ["node", NAME])

    def test_it_is_the_machine_that_the_provider_made(self):
        request, config = (RUST / "request.rs").read_text(), (RUST / "config.rs").read_text()
        written = re.findall(r'\("(\w+)", (?:order\.\w+\.as_str\(\)|WORKER)\)', request)
        prefix, = re.findall(r'prefix: "(\w+)"\.to_owned\(\)', config)
        self.assertEqual({f"{prefix}-{what}" for what in written}, TAGS.keys() - {"owner"}, "the tags of its birth")
        id_of, = re.findall(r'format!\("(/subscriptions/[^"]*)", self\.subscription, self\.group\)', config)
        kind, = re.findall(r'MACHINES: &str = "([^"]*)"', request)
        parts = id_of.replace("{kind}", kind).replace("{name}", NAME).replace("{}", "%s") % (GROUP.split("/")[2], "workers")
        provider, = self.good(Machine()).joined()["kubelet-arg"]
        self.assertEqual(provider, "provider-id=azure://" + parts)
        self.assertIn('Zone::new(format!("{}-{number}", config.location))', request)

    def test_facts_of_a_machine(self):
        label = lambda machine, key: next(text.partition("=")[2] for text in machine.joined()["node-label"] if text.startswith(key + "="))
        plain = self.good(Machine(compute={"zone": "", "priority": "", "vmScaleSetName": "workers"}))
        self.assertEqual(label(plain, "topology.kubernetes.io/zone"), "westeurope", "as the policy names what has no zones")
        self.assertEqual(label(plain, "autoscale.local/purchase"), "on-demand")
        others = {"tag_prefix": "Shop.scale", "identity": IDENTITY, "token_secret": "https://shop-kv.vault.usgovcloudapi.net/secrets/other/" + "0a" * 16}
        tags = {f"shop.Scale-{what}": TAGS[f"autoscale-{what}"] for what in ("cluster", "role", "token")}
        other = Machine(document=others, tags={**tags, "shop.scale-POOL": "db"}, compute={"priority": "Regular"})
        other.secrets[f"/secrets/other/{'0a' * 16}?api-version=7.4"] = other.secrets["/secrets/join-token?api-version=7.4"]
        other.wanted = {"resource": ["https://vault.usgovcloudapi.net"], "client_id": [IDENTITY]}
        self.assertEqual(label(self.good(other), "autoscale.local/pool"), "db", "names of tags have no case in Azure")
        shouting = COMPUTE["resourceId"].upper().replace("/SUBSCRIPTIONS", "/subscriptions")
        self.assertEqual(self.good(Machine(compute={"resourceId": shouting})).joined()["kubelet-arg"], self.good(Machine()).joined()["kubelet-arg"])

    def test_kubeadm(self):
        for machine in [Machine(document=KUBEADM, token=BOOTSTRAP), by_file(BOOTSTRAP + "\n", document=KUBEADM)]:
            joined = self.good(machine).joined()
            self.assertEqual(joined["discovery"]["bootstrapToken"], {"apiServerEndpoint": "10.0.0.10:6443", "token": BOOTSTRAP, "caCertHashes": [PIN]})
            node = joined["nodeRegistration"]
            arguments = {pair["name"]: pair["value"] for pair in node["kubeletExtraArgs"]}
            self.assertEqual(node["name"], NAME)
            self.assertEqual(arguments["provider-id"], f"azure://{GROUP}/workers/providers/Microsoft.Compute/virtualMachines/{NAME}")
            self.assertIn("topology.kubernetes.io/zone=westeurope-2", arguments["node-labels"].split(","))
            self.assertFalse((machine.root / "etc/kubernetes/autoscale-join.json").exists(), "it had the token in it")
        self.refused(Machine(document={"distribution": "kubeadm"}, token=BOOTSTRAP), "ca_hashes: expected at least one")
        self.refused(Machine(document=KUBEADM), "expected a token of kubeadm")

    def test_a_secret_in_a_file(self):
        machine = self.good(by_file(TOKEN + "\n", mode=0o640))
        self.assertEqual((machine.root / "etc/rancher/k3s/autoscale-token").read_text(), TOKEN)
        self.assertEqual((machine.vault_asked, machine.runs("curl"), len(machine.asked)), ([], [], 1), "neither identity nor vault is asked")
        self.refused(by_file(mode=0o644), "expected a file of root that not everybody can read")
        pipe = by_file()
        path = pathlib.Path(pipe.file())
        path.unlink()
        os.mkfifo(path, 0o600)
        self.refused(pipe, "expected a file of root")
        late = by_file()
        path = pathlib.Path(late.file())
        path.rename(late.at / "hidden")
        # It is mounted while the script waits.
        late.program(late.at / "bin/sleep", stage.STAND_INS["sleep"] + f'[[ ! -f $STAND_IN/hidden ]] || mv "$STAND_IN/hidden" {path}\n')
        self.good(late)
        self.assertIn("not there yet (try 1)", late.said)
        never = by_file()
        pathlib.Path(never.file()).unlink()
        self.refused(never, "cannot read the join token", "No such file")
        self.assertEqual(len(never.runs("sleep")), 10)

    def test_no_secret_is_seen(self):
        wrong = Machine()
        wrong.secrets = {}
        for machine in [Machine(), by_file(), wrong, Machine(token="canary"), Machine(document=KUBEADM), by_file(b"canary\xff" * 9)]:
            machine.start(READY_AFTER="0")
            self.assertNotIn("canary", machine.said)
            self.assertNotIn("canary", machine.calls, "neither an argument nor the environment")
            self.assertEqual(machine.left, [], "the scratch folder is gone")
        traced = Machine()
        traced.start(SHELLOPTS="xtrace", READY_AFTER="0")
        self.assertTrue(traced.has_joined())
        self.assertNotIn("canary", traced.said)
        files = {path for path in traced.root.rglob("*") if path.is_file() and b"canary" in path.read_bytes()}
        token = traced.root / "etc/rancher/k3s/autoscale-token"
        self.assertEqual(files, {token}, "and nowhere else")
        self.assertEqual(stat.S_IMODE(token.stat().st_mode), 0o600)

    def test_hostile_values_are_refused_and_never_run(self):
        places = [("tags", "autoscale-pool"), ("tags", "autoscale-cluster"), ("tags", "autoscale-role"), ("tags", "autoscale-token"), ("compute", "resourceId"),
                  ("compute", "location"), ("compute", "zone"), ("compute", "vmSize"), ("compute", "priority"), ("document", "token_secret"),
                  ("document", "identity"), ("document", "tag_prefix"), ("document", "server")]
        empty = {("compute", "zone"), ("compute", "priority")}
        # What is harmless in one place: a size, a name.
        fits = lambda key, text: re.fullmatch({"vmSize": "w+", "tag_prefix": "-web|w+"}.get(key, "(?!)"), text) and len(text) <= 64
        for at, text in enumerate(EVIL):
            with tempfile.TemporaryDirectory() as folder:
                mark = pathlib.Path(folder, "mark")
                text = text.replace("{m}", str(mark))
                for kind, key in {places[at % len(places)], places[(at + 5) % len(places)]} - (empty if not text else set()):
                    if fits(key, text):
                        continue
                    with self.subTest(kind=kind, key=key, text=text[:60]):
                        machine = Machine(**{kind: {key: text}})
                        self.assertEqual(machine.start(), 1, machine.joined() if machine.has_joined() else "")
                        self.assertTrue(key in machine.said or ("more than" in machine.said and len(text) > 50_000), machine.said)
                        self.assertFalse(machine.has_joined() or machine.runs("curl"), "nothing is asked before all is right")
                        self.assertLess(len(machine.said), 9_000)
                        self.assertFalse(any(ord(letter) < 32 and letter != "\n" for letter in machine.said))
                        self.assertFalse(mark.exists(), "it was run")

    def test_hostile_documents(self):
        for document, said in [
            ({"token_secret": "https://shop-kv.vault.azure.net.evil.org/secrets/a"}, "token_secret"), ({"token_secret": "https://evil.org/secrets/a"}, "token_secret"),
            ({"token_secret": "https://evil.org#.vault.azure.net/secrets/a"}, "token_secret"), ({"token_secret": "https://u:p@shop-kv.vault.azure.net/secrets/a"}, "token_secret"),
            ({"token_secret": SECRET + "?x=y"}, "token_secret"), ({"token_secret": SECRET.replace("https", "http")}, "token_secret"),
            ({"token_secret": SECRET + "\"\nproxy = \"http://evil.org"}, "token_secret"), ({"token_secret": [SECRET]}, "token_secret"), ({"token_secret": SECRET + "/../keys"}, "token_secret"),
            ({"token_file": "/run/secret"}, "expected one of"), ({"token_secret": None}, "expected one of"),
            ({"token_secret": None, "token_file": "run/secret"}, "token_file"), ({"token_secret": None, "token_file": "/run/../etc/shadow"}, "token_file"),
            ({"token_secret": None, "token_file": "-"}, "token_file"), ({"token_secret": None, "token_file": "/run/x\n"}, "token_file"),
            ({"identity": IDENTITY + "&resource=https://management.azure.com"}, "identity"), ({"identity": 7}, "identity"), ({"tag_prefix": ""}, "tag_prefix"),
            ({"token_parameter": "/asc/shop/node/join-token"}, "no such key"), ({"cluster": "other"}, "as the tag says"),
        ]:
            with self.subTest(document=document):
                machine = self.refused(Machine(document=document), said)
                self.assertEqual((machine.runs("curl"), machine.vault_asked), ([], []))
        for data in ["", f"# autoscale-node: {encoded(DOCUMENT)}\n" * 2, "# autoscale-node: %%\n", "w" * 65_535, "\udcff" * 99]:
            self.refused(Machine(custom_data=data), "document")
        self.refused(Machine(custom_data=False), "custom data: No such file or directory: expected")

    def test_metadata_that_are_none(self):
        for text in ["", "null", "[]", '{"compute": []}', '{"compute": null}', "[" * 20_000, "<html>"]:
            machine = Machine()
            machine.instance = text
            self.refused(machine, "says nothing of this machine")
            self.assertEqual(len(machine.asked), 5, "and no more")
        for tags in [None, {"autoscale-pool": "web"}, ["autoscale-pool"], [{"name": 1, "value": "web"}], [{"value": "web"}], [{"name": "autoscale-pool"}], 7]:
            with self.subTest(tags=tags):
                self.refused(Machine(compute={"tagsList": tags}), "tag autoscale-pool: None", "tag autoscale-cluster: None")
        self.refused(Machine(tags={"AUTOSCALE-pool": "db"}), "tag autoscale-pool: ['web', 'db']")
        for machine in ["/virtualMachineScaleSets/set/virtualMachines/0", "/virtualMachines/" + "w" * 64, "/virtualMachines/a/extensions/b"]:
            self.refused(Machine(compute={"resourceId": f"{GROUP}/workers/providers/Microsoft.Compute{machine}"}), "compute resourceId")

    def test_everything_that_is_missing_is_said_at_once(self):
        machine = Machine(custom_data=f"# autoscale-node: {encoded({})}\n")
        machine.instance = '{"compute": {}}'
        fields = ["compute resourceId", "compute location", "compute zone", "compute vmSize", "compute priority", "tag autoscale-cluster", "tag autoscale-pool",
                  "tag autoscale-role", "tag autoscale-token", "document cluster", "document server"]
        said = self.refused(machine, *(f"{field}: None: expected" for field in fields)).said
        self.assertIn("document: expected one of token_secret and token_file", said)
        self.assertIn("document format: expected 1", said)

    def test_metadata_that_answer_late(self):
        machine = Machine()
        machine.troubles = [503, "hang up", 429, "break off", 410, 500]
        self.good(machine)
        self.assertEqual(len(machine.asked), 6 + 2)
        new = Machine()
        new.early = ['{"network": {}}', "{}", None]
        self.good(new)
        self.assertEqual(len(new.asked), 3 + 2)
        silent = Machine()
        silent.troubles = ["silence"]
        self.good(silent)
        never = Machine()
        never.troubles = [503] * 99
        self.refused(never, "the metadata service does not answer")
        self.assertEqual(len(never.asked), 8, "and no more")
        slow = Machine()
        slow.troubles = ["silence"] * 9
        (slow.at / "patience").write_text("1")
        self.refused(slow, "the metadata service is too slow")
        self.assertEqual(slow.runs("timeout")[0][0], "300")

    def test_an_identity_and_a_vault_that_are_not_ready(self):
        machine = Machine()
        machine.vault_troubles = [503, "hang up", 403, 429, "break off"]
        self.good(machine)
        self.assertEqual(len(machine.vault_asked), 6)
        none = Machine()
        none.identity = (400, {"error": "invalid_request", "error_description": "Identity not found"})
        self.refused(none, "cannot read the join token: the identity refuses: 400 invalid_request")
        self.assertEqual((len(none.asked), none.vault_asked), (1 + 10, []), "ten times, and no more")
        gone = Machine()
        gone.secrets = {}
        self.refused(gone, "cannot read the join token: the vault refuses: 404 SecretNotFound")
        self.assertEqual(len(gone.vault_asked), 10)
        other = Machine()
        other.program(other.at / "bin/curl", stage.STAND_INS["curl"].replace(' --cacert "$STAND_IN/../vault.pem"', ""))
        self.refused(other, "cannot read the join token: curl: (60)")
        self.assertEqual(other.vault_asked, [], "nothing is shown to a vault without a good certificate")

    def test_answers_that_are_wrong(self):
        for answer in ["", "null", "[]", '{"access_token": 7}', {"access_token": ""}, {"access_token": "a b"}, {"access_token": 'a"\nurl = "https://evil.org'}]:
            with self.subTest(answer=answer):
                machine = Machine()
                machine.identity = (200, answer)
                self.refused(machine, "cannot read the join token: the identity answers")
                self.assertEqual(machine.vault_asked, [])
        path = "/secrets/join-token?api-version=7.4"
        for text, said in [("", "answers without a value"), ("{", "without a value"), ('{"value": null}', "without a value"), ('{"value": ["canary"]}', "without a value"),
                           ("w" * 70_000, "curl: (63)"), ("[" * 20_000, "without a value")]:
            with self.subTest(text=text[:40]):
                machine = Machine()
                machine.secrets = {path: (200, text)}
                self.assertNotIn("canary", self.refused(machine, "cannot read the join token: ", said).said)
        moved = Machine()
        moved.secrets = {path: (302, "")}
        self.refused(moved, "the vault refuses: 302")

    def test_wrong_secrets(self):
        for token, said in [
            ("K10" + "a" * 64 + "::server:canary", "a server token"), ("", "0 characters"), ("$(id)" * 9, "expected a token"),
            ("a" * 20 + "\nnode-label: x", "expected a token"), ("a" * 600, "expected a token"), ("\ud800" * 20, "expected a token"),
        ]:
            with self.subTest(token=token[:40]):
                machine = self.refused(Machine(token=token), said)
                self.assertEqual(len(machine.vault_asked), 1)
                self.assertFalse((machine.root / "etc/rancher/k3s/autoscale-token").exists())
        self.refused(by_file(b"\xff\xfe" * 20), "expected a token of k3s")

    def test_another_cloud(self):
        """Hyper-V elsewhere is not Azure, and what leaves Azure out does not run there as if it were."""
        elsewhere = Machine()
        (elsewhere.root / "sys/class/dmi/id/chassis_asset_tag").write_text("None\n")
        self.refused(elsewhere, "/latest/api/token: the metadata service does not answer")
        self.refused(Machine(text=FOR_AWS), "/latest/api/token: ")


if __name__ == "__main__":
    unittest.main()
