"""The image's template and script: `python3 image_test.py`, with python-hcl2.

Packer is not asked: that the template is HCL and that its parts fit to each other and to the script is what is tested, and that `join.sh` finds
on such a machine what it looks for. Whether Azure makes an image of it is not.
"""
import hashlib
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import hcl2

HERE = pathlib.Path(__file__).resolve().parent
EXAMPLES = HERE.parents[1]
sys.path.insert(0, str(EXAMPLES / "k3s-lambda/bootstrap"))
import azure_test
import stage

INSTALL = HERE / "install.sh"
RECORD = stage.RECORD


def setUpModule():
    azure_test.setUpModule()


def tearDownModule():
    azure_test.tearDownModule()


def plain(value):
    """What the parser gives, without its quotes and marks."""
    if isinstance(value, dict):
        return {plain(key): plain(one) for key, one in value.items() if key not in ("__is_block__", "__comments__")}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value[1:-1] if isinstance(value, str) and value[:1] == value[-1:] == '"' else value


def template(path):
    text = path.read_text()
    return text, plain(hcl2.load(io.StringIO(text)))


def merged(blocks):
    whole = {}
    for block in blocks:
        assert not whole.keys() & block.keys(), f"twice: {whole.keys() & block.keys()}"
        whole |= block
    return whole


class Template(unittest.TestCase):
    def setUp(self):
        self.text, self.parsed = template(HERE / "image.pkr.hcl")
        self.variables = merged(self.parsed["variable"])
        self.source = self.parsed["source"][0]["azure-arm"]["node"]

    def test_both_templates_use_what_they_declare(self):
        for path in [HERE / "image.pkr.hcl", EXAMPLES / "k3s-lambda/bootstrap/image.pkr.hcl"]:
            text, parsed = template(path)
            code = re.sub(r"^\s*#.*\n", "", text, flags=re.M)
            self.assertEqual(set(re.findall(r"\bvar\.(\w+)", code)), merged(parsed["variable"]).keys(), path)
            self.assertEqual(set(re.findall(r"\blocal\.(\w+)", code)), merged(parsed.get("locals", [])).keys(), path)
            sources = {f"source.{kind}.{name}" for block in parsed["source"] for kind, names in block.items() for name in names}
            self.assertEqual({name for build in parsed["build"] for name in build["sources"]}, sources)
            plugins = {plugin for kind in merged(parsed["source"]) for plugin in merged(parsed["packer"])["required_plugins"][0] if kind.startswith(plugin)}
            self.assertEqual(plugins, merged(parsed["packer"])["required_plugins"][0].keys())
            for name, variable in merged(parsed["variable"]).items():
                for rule in variable.get("validation", []):
                    self.assertIn(f"var.{name})", rule["condition"], "a rule may look at its own variable only")

    def test_rules_of_variables(self):
        guid = "11111111-2222-3333-4444-555555555555"
        for name, good, bad in [
            ("subscription", [guid], ["", guid[1:], guid + "\n", "$(id)"]), ("location", ["westeurope", "eastus2"], ["West Europe", "", "a/b"]),
            ("image_version", ["1.4.0", "0.0.1"], ["latest", "1.4", "1.4.0.0", "v1.4.0"]), ("distribution", ["k3s", "kubeadm"], ["", "k3", "K3S"]),
            ("kubernetes", ["v1.33.4", "v1.33.4+k3s1"], ["1.33.4", "v1.33", "v1.33.4+rke2", "v1.33.4'; id"]), ("storage", ["Standard_ZRS"], ["Premium_LRS", ""]),
        ]:
            condition = self.variables[name]["validation"][0]["condition"]
            pattern, = re.fullmatch(r'\$\{can\(regex\("(.*)", var\.\w+\)\)\}', condition).groups()
            pattern = pattern.replace("\\\\", "\\")
            self.assertTrue(pattern.startswith("^") and pattern.endswith("$"), name)
            # Where RE2 has the end of the text, Python has \Z.
            matches = lambda text: bool(re.search(pattern[:-1] + r"\Z", text))
            self.assertEqual([[matches(text) for text in good], [matches(text) for text in bad]], [[True] * len(good), [False] * len(bad)], name)

    def test_an_image_version_in_a_gallery_and_no_secret(self):
        self.assertLessEqual({"subscription_id", "location", "os_type", "vm_size", "image_publisher", "image_offer", "image_sku"}, self.source.keys())
        self.assertEqual(self.source["ssh_username"], "packer")
        place, = self.source["shared_image_gallery_destination"]
        self.assertLessEqual({"subscription", "resource_group", "gallery_name", "image_name", "image_version"}, place.keys())
        self.assertIn({"name": self.source["location"]}, place["target_region"], "machines boot where the version is")
        self.assertTrue(self.source["use_azure_cli_auth"])
        named = " ".join([*self.variables, *self.source, *place])
        self.assertNotRegex(named, "secret|password|token|client_")
        role = json.loads((EXAMPLES.parent / "autoscale-azure/roles/image.json").read_text())
        for action in role["Actions"]:
            self.assertIn(action, (HERE / "README.md").read_text(), "the guide says what the autoscaler needs to boot from it")

    def test_provisioners(self):
        upload, install, generalize = self.parsed["build"][0]["provisioner"]
        at = lambda path: pathlib.Path(path.replace("${path.root}", str(HERE))).resolve()
        self.assertEqual(at(upload["file"]["source"]), stage.SCRIPT.resolve(), "the one script, not a copy")
        self.assertEqual(at(install["shell"]["script"]), INSTALL.resolve())
        given = dict(pair.split("=", 1) for pair in install["shell"]["environment_vars"])
        self.assertEqual(given["JOIN"], upload["file"]["destination"])
        needed = set(re.findall(r"^# ([A-Z0-9]+): ", INSTALL.read_text(), re.M)) | set(re.findall(r"; ([A-Z0-9]+): ", INSTALL.read_text()))
        self.assertEqual(given.keys(), needed)
        for name in needed:
            self.assertRegex(INSTALL.read_text(), rf"\$\{{?{name}\b")
        for step in [install, generalize]:
            self.assertTrue(step["shell"]["execute_command"].startswith("sudo ") and "{{ .Path }}" in step["shell"]["execute_command"])
        self.assertIn("{{ .Vars }}", install["shell"]["execute_command"])
        self.assertEqual(generalize["shell"]["inline"][1], "waagent -force -deprovision+user")


class Install(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(dir=stage.FOLDER.name)
        self.addCleanup(folder.cleanup)
        self.at = pathlib.Path(folder.name)
        self.root = self.at / "root"
        (self.at / "bin").mkdir()
        (self.at / "files").mkdir()
        programs = {
            "curl": RECORD + 'while (($#)); do case $1 in --output) output=$2 ;; esac; last=$1; shift; done\ncp "$STAND_IN/files/${last##*/}" "$output"\n',
            "apt-get": RECORD + 'mkdir -p "$STAND_IN/root/usr/lib/cni"\n: >"$STAND_IN/root/usr/lib/cni/bridge"; chmod +x "$STAND_IN/root/usr/lib/cni/bridge"\n',
            "containerd": RECORD + "printf '[runc.options]\\n  SystemdCgroup = false\\n'\n", "systemctl": RECORD,
        }
        for name, text in programs.items():
            stage.Machine.program(self.at / "bin" / name, text)
        for name, text in {"k3s": stage.K3S, "install.sh": stage.INSTALLER, "kubeadm": "a", "kubelet": "b", "kubectl": "c"}.items():
            (self.at / "files" / name).write_text(text)

    def digests(self, *names):
        digest = lambda name: hashlib.sha256((self.at / "files" / name).read_bytes()).hexdigest()
        return " ".join(f"{name}={digest({'installer': 'install.sh'}.get(name, name))}" for name in names)

    def run_it(self, distribution, version, digests, join=stage.SCRIPT):
        text = INSTALL.read_text()
        for line, other in [
            ("readonly PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n", f"readonly PATH={self.at}/bin:{os.environ['PATH']}\n"),
            ("readonly ROOT=\n", f"readonly ROOT={self.root}\n"),
        ]:
            self.assertEqual(text.count(line), 1)
            text = text.replace(line, other)
        environment = {"STAND_IN": str(self.at), "TMPDIR": str(self.at), "DISTRIBUTION": distribution, "KUBERNETES": version, "DIGESTS": digests, "JOIN": str(join)}
        done = subprocess.run(["bash"], input=text, env=environment, capture_output=True, text=True, timeout=60, check=False)
        self.said = done.stdout + done.stderr
        calls = self.at / "calls"
        self.calls = calls.read_text().splitlines() if calls.exists() else []
        return done.returncode

    def fetched(self):
        return [line.split("\t")[-1] for line in self.calls if line.startswith("curl\t")]

    def installed(self):
        return {str(path.relative_to(self.root)) for path in self.root.rglob("*") if not path.is_dir()} if self.root.exists() else set()

    def test_k3s(self):
        self.assertEqual(self.run_it("k3s", "v1.33.4+k3s1", self.digests("k3s", "installer")), 0, self.said)
        self.assertEqual(self.fetched(), [
            "https://github.com/k3s-io/k3s/releases/download/v1.33.4%2Bk3s1/k3s", "https://raw.githubusercontent.com/k3s-io/k3s/v1.33.4%2Bk3s1/install.sh"])
        self.assertEqual(self.installed(), {"usr/local/bin/k3s", "usr/local/lib/autoscale/install-k3s.sh", "usr/local/lib/autoscale/join.sh"})
        self.assertEqual((self.root / "usr/local/lib/autoscale/join.sh").read_bytes(), stage.SCRIPT.read_bytes())

    def test_such_a_machine_joins_by_three_lines_of_custom_data(self):
        self.assertEqual(self.run_it("k3s", "v1.33.4+k3s1", self.digests("k3s", "installer")), 0, self.said)
        document = json.dumps(azure_test.DOCUMENT)
        guide, = re.findall(r"```sh\n(cat >custom-data .*?)```", (HERE / "README.md").read_text(), re.S)
        (self.at / "node.json").write_text(document)
        subprocess.run(["bash", "-euc", guide], cwd=self.at, check=True)
        lines = (self.at / "custom-data").read_text().splitlines()
        self.assertEqual((lines[0], lines[2]), ("#!/bin/sh", "exec /usr/local/lib/autoscale/join.sh"))
        machine = azure_test.Machine(image=(), text=(self.root / "usr/local/lib/autoscale/join.sh").read_text(), custom_data="\n".join(lines) + "\n")
        for path in self.installed():
            place = machine.root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            stage.Machine.program(place, (self.root / path).read_text())
        self.assertEqual(machine.start(), 0, machine.said)
        self.assertEqual(machine.joined()["node-name"], azure_test.NAME)
        self.assertEqual(len(machine.runs("curl")), 2, "the identity and the vault are asked, and nothing is downloaded")

    def test_kubeadm(self):
        self.assertEqual(self.run_it("kubeadm", "v1.33.4", self.digests("kubelet", "kubeadm", "kubectl")), 0, self.said)
        self.assertEqual(self.fetched(), [f"https://dl.k8s.io/release/v1.33.4/bin/linux/amd64/{name}" for name in ("kubeadm", "kubelet", "kubectl")])
        self.assertLessEqual({"usr/local/bin/kubeadm", "usr/local/bin/kubelet", "usr/local/bin/kubectl", "etc/systemd/system/kubelet.service",
                              "opt/cni/bin/bridge", "usr/local/lib/autoscale/join.sh"}, self.installed())
        self.assertIn("SystemdCgroup = true", (self.root / "etc/containerd/config.toml").read_text())
        self.assertEqual(os.readlink(self.root / "opt/cni/bin/bridge"), "/usr/lib/cni/bridge")
        self.assertIn("systemctl\tenable\tcontainerd\tkubelet", self.calls)
        unit = (self.root / "etc/systemd/system/kubelet.service").read_text()
        self.assertIn("ExecStart=/usr/local/bin/kubelet ", unit)
        self.assertIn(" $KUBELET_KUBEADM_ARGS", unit)

    def test_what_is_refused(self):
        mark = self.at / "mark"
        broken = self.at / "broken.sh"
        broken.write_text("if true\n")
        good = self.digests("k3s", "installer")
        for arguments, said in [
            (("k3s", "v1.33.4+k3s1", good.replace("=", "=0", 1)[:-1]), "expected name=sha256"), (("k3s", "v1.33.4+k3s1", ""), "expected those of k3s installer"),
            (("k3s", "v1.33.4+k3s1", self.digests("k3s")), "expected those of"), (("k3s", "v1.33.4+k3s1", good + " kubeadm=" + "0" * 64), "expected those of"),
            (("k3s", "v1.33.4", good), "expected one like"), (("kubeadm", f"v1.33.4$(touch {mark})", good), "expected one like"),
            (("rke", "v1.33.4", good), "expected k3s or kubeadm"), (("k3s", "v1.33.4+k3s1", f"x[$(touch {mark})]={'0' * 64}"), "expected name=sha256"),
            (("k3s", "v1.33.4+k3s1", good, broken), "is no script"),
        ]:
            with self.subTest(arguments=arguments):
                self.assertEqual(self.run_it(*arguments), 1)
                self.assertIn(said, self.said)
                self.assertEqual((self.fetched(), self.installed(), mark.exists()), ([], set(), False))
        (self.at / "files/install.sh").write_text("evil")
        self.assertEqual(self.run_it("k3s", "v1.33.4+k3s1", good), 1)
        self.assertIn("install.sh has another digest", self.said)
        self.assertEqual(self.installed(), set(), "nothing is installed before all is right")


if __name__ == "__main__":
    unittest.main()
